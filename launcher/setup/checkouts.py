"""Where the user's checkout of sd-scripts is."""

from __future__ import annotations

import os
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.plan.tables import RUN, base_folder
from launcher.setup.user_config import read_user_config
from launcher.spec.environment import from_environment
from launcher.spec.paths import expand

# Looked at when nothing names a checkout, in this order.
USUAL_PLACES = ("~/source/repos/sd-scripts", "~/sd-scripts")


def find_checkout(explicit: Path | None) -> Path:
    """The checkout a command works on: the one given, else SD_REPO, the user's configuration, the usual places.

    Raises KlError (environment not ready) when none is named and none is there. What is named is not looked at.
    """
    if explicit is not None:
        return explicit
    for setting in (*from_environment(os.environ), *read_user_config().settings):
        if setting.table == (RUN,) and setting.key == "sd_scripts" and isinstance(setting.value, str):
            return Path(expand(setting.value, base_folder(setting), origin=setting.origin))
    return usual_checkout()


def usual_checkout() -> Path:
    """The checkout in one of the usual places. Raises KlError (environment not ready) when there is none."""
    for place in USUAL_PLACES:
        path = Path(place).expanduser()
        if path.is_dir():
            return path
    raise KlError(
        "No checkout of sd-scripts is known.",
        code=ExitCode.ENVIRONMENT_NOT_READY,
        hint=f"Clone kohya-ss/sd-scripts to {USUAL_PLACES[0]}, or name yours: sd_scripts in [run], or SD_REPO.",
    )
