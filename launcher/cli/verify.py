"""`kl verify`: whether everything is still as a run has recorded it."""

from __future__ import annotations

from typing import Annotated

import typer

from launcher.cli.known_run import RunName


def verify_command(
    name: RunName,
    quick: Annotated[
        bool, typer.Option("--quick", help="Know models, pictures and what training made by their sizes alone.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> int:
    """Check everything that a run has recorded against what is there now: its files, what it made, models, pictures,
    code, packages. Ends with 1 when something is otherwise, gone or out of reach."""
    import json

    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.known_run import sound_run
    from launcher.cli.reading_progress import reading_progress
    from launcher.cli.render import show_lines
    from launcher.cli.render_verify import verified_as_data, verified_as_text
    from launcher.run.verify import verify

    run, manifest, _ = sound_run(name)
    if run.removed:
        message = f"{run.name} was removed: only its log and manifest are left."
        raise KlError(message, code=ExitCode.USAGE, hint=f"kl show {run.name} shows them.")
    with reading_progress() as say:
        verified = verify(manifest.name or run.name, run.directory, manifest, quick=quick, say=say)
    if as_json:
        print(json.dumps(verified_as_data(verified), indent=1))
    else:
        show_lines(verified_as_text(verified))
    return 0 if verified.is_as_recorded else 1
