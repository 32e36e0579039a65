"""`kl plan`: what would run."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.base.errors import ExitCode, KlError
from launcher.base.words import counted
from launcher.cli.parameters import Allow, Arguments, Name, Script, Sets, TargetOrScript, WriteSpec

if TYPE_CHECKING:
    from launcher.plan.plan import Plan


def plan_command(
    target: TargetOrScript = None,
    arguments: Arguments = None,
    sets: Sets = None,
    name: Name = None,
    allow: Allow = None,
    script: Script = None,
    to: WriteSpec = None,
    as_shell: Annotated[bool, typer.Option("--sh", help="As commands for a shell.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Show what `kl launch` would run: one option per line, with where its value came from."""
    from launcher.cli.prepare import prepare
    from launcher.cli.request import request_of
    from launcher.cli.write_spec import refuse_existing, write_spec_of

    if as_shell and as_json:
        raise KlError("--sh and --json are two forms of one answer.", code=ExitCode.USAGE, hint="Give one of them.")
    refuse_existing(to)
    request = request_of(target, arguments, sets, name, allow, script)
    plan = prepare(request)
    show_plan(plan, as_shell=as_shell, as_json=as_json)
    if to is not None:
        write_spec_of(request, plan, to)


def show_plan(plan: Plan, *, as_shell: bool = False, as_json: bool = False) -> None:
    """Print the plan; its findings go to stderr. Raises KlError (spec refused) for a plan with errors."""
    from launcher.cli.render import plan_as_data, plan_as_text, show_findings, show_lines
    from launcher.plan.shell import as_shell as shell_text

    if as_json:
        print(json.dumps(plan_as_data(plan), indent=1))
    refuse_errors(plan)
    show_findings(plan.findings)
    if as_shell:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # the words are bytes for a shell, whatever the terminal shows
        print(shell_text(plan), end="")
    elif not as_json:
        show_lines(plan_as_text(plan))


def refuse_errors(plan: Plan) -> None:
    """Raise KlError (spec refused) with the plan's findings when there are errors among them."""
    if plan.errors:
        message = f"{plan.name} is refused: {counted(len(plan.errors), 'error')}."
        raise KlError(message, code=ExitCode.SPEC_REFUSED, findings=plan.findings)
