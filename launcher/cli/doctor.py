"""`kl doctor`: what is wrong with checkout, environment and machine, and the command that mends it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from typing import Annotated

import typer

from launcher.cli.parameters import Sets


def doctor_command(
    target: Annotated[
        str | None,
        typer.Argument(
            help="A run's name or a spec file: what that one would use. Without it, what is configured.",
            metavar="[NAME|FILE]",
            show_default=False,
        ),
    ] = None,
    sets: Sets = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Import torch in the training environment, and compute on its device.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> int:
    """Look at git, checkout, environment, GPU, tokenizers, folders and limits. Ends with 69 when something is wrong.

    Each line is fine, advice, wrong, or unknown; below it stands the command that mends it.
    """
    from launcher.base.errors import ExitCode
    from launcher.cli.installation import installation_of
    from launcher.cli.render import show_lines
    from launcher.cli.render_doctor import diagnoses_as_data, diagnoses_as_text
    from launcher.setup.doctor.diagnose import FOR_SCRIPTS, PATIENCE, diagnose, is_ready

    began = time.monotonic()
    installation = installation_of(target, sets or (), os.environ, None if deep else FOR_SCRIPTS)
    if deep:
        print("torch is tried out: up to a minute, when it was not used for a while.", file=sys.stderr)
    spent = 0.0 if deep else min(time.monotonic() - began, FOR_SCRIPTS)
    found = diagnose(installation, deep=deep, patience=PATIENCE - spent)
    if as_json:
        print(json.dumps(diagnoses_as_data(found), indent=1))
    else:
        show_lines(diagnoses_as_text(found, shutil.get_terminal_size((100, 24)).columns))
    return 0 if is_ready(found) else int(ExitCode.ENVIRONMENT_NOT_READY)
