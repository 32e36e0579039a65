"""`kl launch`: train."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from launcher.cli.parameters import (
    Allow,
    Arguments,
    Caller,
    Name,
    Repositories,
    Script,
    Sets,
    TargetOrScript,
    WriteSpec,
)

if TYPE_CHECKING:
    from launcher.plan.plan import Plan
    from launcher.run.result import RunResult


def launch_command(
    target: TargetOrScript = None,
    arguments: Arguments = None,
    sets: Sets = None,
    name: Name = None,
    allow: Allow = None,
    script: Script = None,
    caller: Caller = None,
    repositories: Repositories = None,
    to: WriteSpec = None,
    no_clean: Annotated[
        bool, typer.Option("--no-clean", help="Keep the run directory of a failed run, as NO_CLEAN=1.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="No live line: plain lines, as without a terminal.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the arguments, and what the trainer prints for the live line.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Train in the background, and print the run's name once it has started.")
    ] = False,
) -> int:
    """Train: check, take the run directory, start the trainer, watch it to its end. DEBUG=1 only shows the plan."""
    from launcher.cli.plan import refuse_errors, show_plan
    from launcher.cli.prepare import prepare
    from launcher.cli.request import request_of
    from launcher.cli.write_spec import refuse_existing, write_spec_of
    from launcher.spec.environment import is_debug

    debug = is_debug(os.environ)
    refuse_existing(to)
    request = request_of(target, arguments, sets, name, allow, script, caller, repositories)
    plan = prepare(request)
    if debug:
        show_plan(plan)
        return 0
    refuse_errors(plan)
    if to is not None:
        write_spec_of(request, plan, to)
    plan = replace(plan, keep_failed=plan.keep_failed or no_clean)
    return launch_detached(plan) if detach else launch_plan(plan, plain=plain, verbose=verbose)


def launch_plan(plan: Plan, *, plain: bool = False, verbose: bool = False) -> int:
    """Launch a plan without errors on this terminal. Returns the exit code."""
    from launcher.cli.render import arguments_as_text, environment_in_words, short, show_findings, show_lines
    from launcher.run.directory import LOG
    from launcher.run.echo import EchoScreen
    from launcher.run.gpu import GpuLine, chosen_gpus
    from launcher.run.resume import launch_and_resume
    from launcher.run.screen import Screen, open_screen

    show_findings(plan.findings)
    variables = plan.environ(os.environ)
    gpus = chosen_gpus({argument.name: argument.value for argument in plan.accelerate}, variables)
    echo = EchoScreen(plan.directory / LOG)
    screen: Screen = echo if verbose else open_screen(plain=plain, aside=GpuLine(gpus))
    if verbose:
        show_lines(arguments_as_text(plan))
        sys.stdout.flush()
    where = f", in {environment_in_words(plan.environment)}" if plan.environment.chosen else ""
    screen.announce(f"{plan.name}: {plan.trainer.script} → {short(plan.directory)}{where}")
    result = launch_and_resume(plan, screen, echo.begin if verbose else None)
    show_result(result, plan)
    return result.exit_code


def launch_detached(plan: Plan) -> int:
    """Launch a plan without errors in the background. Returns 0 once the trainer has started."""
    from launcher.cli.failure_explained import note_doctors_findings
    from launcher.cli.render import environment_in_words, show_findings
    from launcher.run.detach import detached
    from launcher.run.resume import launch_and_resume
    from launcher.run.screen import NullScreen

    show_findings(plan.findings)
    if plan.environment.chosen:
        print(f"It trains in {environment_in_words(plan.environment)}.", file=sys.stderr)
    result = detached(lambda started: note_doctors_findings(launch_and_resume(plan, NullScreen(), started), plan))
    if result is not None:  # asked to stop before that
        show_result(result)
        return result.exit_code
    return say_detached(plan.name)


def say_detached(name: str) -> int:
    """Say where a training in the background is found. Returns 0."""
    print(f"It trains in the background: kl attach {name}, kl logs -f {name}, kl stop {name}.", file=sys.stderr)
    print(name)
    return 0


def show_result(result: RunResult, plan: Plan | None = None, file: TextIO | None = None) -> None:
    """How it ended: the outcome and what it left on stdout, or in `file`, a failure's reason on stderr.

    With its plan the doctor is asked whether he can explain the failure.
    """
    from launcher.cli.failure_explained import doctors_findings
    from launcher.cli.render import result_as_text, show_failure, show_findings

    if result.failure is not None:
        show_failure(result)
        show_findings(doctors_findings(result, plan) if plan else ())
    print("\n".join(result_as_text(result)), file=file)
