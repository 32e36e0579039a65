"""`kl check`: everything that can be known before the GPU starts."""

from __future__ import annotations

from typing import Annotated

import typer

from launcher.cli.parameters import Allow, Arguments, Name, Script, Sets, TargetOrScript


def check_command(
    target: TargetOrScript = None,
    arguments: Arguments = None,
    sets: Sets = None,
    name: Name = None,
    allow: Allow = None,
    script: Script = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse for warnings too.")] = False,
    advice: Annotated[bool, typer.Option("--advice", help="Show advice from experience too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> int:
    """Account for every key, value, picture and prompt of a run. Ends with 65 when the trainer would fail or ignore."""
    import json

    from launcher.base.errors import ExitCode, KlError
    from launcher.base.findings import Severity
    from launcher.cli.picture_progress import picture_progress
    from launcher.cli.prepare import check, without_advice
    from launcher.cli.render import show_findings, show_lines
    from launcher.cli.render_check import check_as_data, check_as_text, error_as_data
    from launcher.cli.request import request_of

    try:
        with picture_progress() as progress:
            plan, examined = check(request_of(target, arguments, sets, name, allow, script), progress=progress)
    except KlError as error:
        if as_json:  # whatever the reason: who asks for JSON reads stdout
            print(json.dumps(error_as_data(target or name or "", error), indent=1))
        raise
    shown = plan.findings if advice else without_advice(plan).findings
    refusing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    refused = any(finding.severity in refusing for finding in plan.findings)
    if as_json:
        print(json.dumps(check_as_data(plan, examined, shown, refused=refused), indent=1))
    else:
        show_findings(shown)
        show_lines(check_as_text(plan, examined, refused=refused))
    return int(ExitCode.SPEC_REFUSED) if refused else 0
