"""Where runs are looked for, and whether any may be removed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from launcher.plan.tables import RUN, base_folder
from launcher.run.roots import DEFAULT_OUTPUT_ROOT, remembered_roots
from launcher.setup.user_config import read_user_config
from launcher.spec.environment import from_environment
from launcher.spec.paths import expand


def output_roots(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """OUTPUT_DIR, the configured root, the usual one, and those that runs were launched into; each once.

    Raises KlError for a configuration that cannot be read.
    """
    roots: list[Path] = []
    for setting in (*from_environment(environ), *read_user_config().settings):
        if setting.table == (RUN,) and setting.key == "output_root" and isinstance(setting.value, str):
            roots.append(Path(expand(setting.value, base_folder(setting), origin=setting.origin)))
    usual = Path(DEFAULT_OUTPUT_ROOT).expanduser()
    return tuple(dict.fromkeys([*roots, usual, *remembered_roots()]))


def keeps_everything(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether NO_CLEAN says that no run is to be removed. Raises KlError when it says neither yes nor no."""
    return any(setting.key == "no_clean" and setting.value is True for setting in from_environment(environ))
