"""`--write-spec`: what was typed becomes a spec that plans the same."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launcher.cli.prepare import Request
    from launcher.plan.plan import Plan


def write_spec_of(request: Request, plan: Plan, to: Path) -> None:
    """Write a spec of a request without errors: of a script's arguments all of it, of a spec what was typed with it.

    Raises KlError (output unavailable) where the file is there already or cannot be written.
    """
    from launcher.cli.render import show_findings
    from launcher.cli.script_variables import has_prompts
    from launcher.plan.import_arguments import Around
    from launcher.plan.secrets import secret_values
    from launcher.plan.typed_spec import write_typed
    from launcher.spec.overrides import parse_set
    from launcher.trainer.checkout import open_checkout
    from launcher.trainer.reader import read_options

    options = read_options(open_checkout(plan.trainer.checkout), plan.trainer.script)
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home raises where there is none
    written = write_typed(
        [parse_set(text) for text in request.sets],
        request.arguments,
        Around("the command line", options, Path.cwd(), home, secret_values(os.environ), prompted=has_prompts),
        name=plan.name,
        trainer=plan.trainer if request.script else None,
        extends=None if request.script else plan.spec,
        repositories=plan.repositories if request.repositories else (),
    )
    show_findings(written.findings)
    write_spec(to, written.text)
    say_where(to, plan.name)


def refuse_existing(to: Path | None) -> None:
    """Raise KlError for a file that is there (output unavailable), and for a name that no TOML spec has (usage)."""
    from launcher.base.errors import ExitCode, KlError

    if to is not None and to.suffix.lower() != ".toml":
        hint = f"Write {to}.toml." if not to.suffix else "Specs are written as TOML."
        raise KlError(f"{to} is no name of a spec: it does not end with .toml.", code=ExitCode.USAGE, hint=hint)
    if to is not None and os.path.lexists(to):
        hint = "Name another file, or remove this one."
        raise KlError(f"{to} is there already.", code=ExitCode.OUTPUT_UNAVAILABLE, hint=hint)


def write_spec(to: Path, text: str) -> None:
    """Write a new spec. Raises KlError (output unavailable) where it cannot be written."""
    from launcher.base.errors import ExitCode, KlError

    try:
        with to.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        message = f"{to} cannot be written: {error.strerror}."
        raise KlError(message, code=ExitCode.OUTPUT_UNAVAILABLE) from None


def say_where(to: Path, name: str | None) -> None:
    """Say what was written, and how it is launched under its name."""
    from shlex import quote

    from launcher.base.errors import KlError
    from launcher.spec.names import parse_name

    try:
        stem: str | None = parse_name(to.stem).text
    except KlError:
        stem = None
    target = quote(str(to))
    named = f" --name {name}" if name and name != stem else ""
    print(f"The spec is {to}. kl check {target}{named} looks at it, kl launch {target}{named} trains.", file=sys.stderr)
