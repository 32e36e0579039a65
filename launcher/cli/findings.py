"""`kl findings`: what every finding means."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from launcher.base.errors import ExitCode, KlError


def findings_command(
    code: Annotated[str | None, typer.Argument(help="The code of one finding.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As the table of docs/findings.md.")] = False,
) -> None:
    """Say what a finding of `kl check` means, why it matters, and where that can be read in the trainer."""
    from launcher.cli.render import show_lines
    from launcher.plan.every_code import code_named, every_code

    if as_json and as_markdown:
        raise KlError("--json and --markdown are two forms of one answer.", code=ExitCode.USAGE)
    codes = [code_named(code)] if code else list(every_code().values())
    if as_json:
        print(json.dumps([asdict(each) for each in codes], indent=1))
    elif as_markdown:
        show_lines(["| code | severity | otherwise | source |", "|---|---|---|---|"])
        show_lines(f"| `{each.name}` | {each.severity.value} | {each.reason} | {each.source} |" for each in codes)
    else:
        for each in codes:
            allowed = "" if each.can_be_allowed else ", cannot be allowed"
            show_lines([f"{each.name} ({each.severity.value}{allowed})", f"  {each.reason}", f"  {each.source}"])
