"""The user's own configuration file: defaults for every run, and where specs and datasets stand."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.nearest import nearest
from launcher.base.origin import Source
from launcher.base.places import config_folder, shipped_folder
from launcher.base.settings import Setting
from launcher.plan.tables import OWN_TABLES
from launcher.spec.paths import expand
from launcher.spec.reader import read_settings

FILE = "config.toml"
KEYS = ("spec_folders", "template_folders", "datasets_root")
_HOLDS = f"It holds {', '.join(KEYS)} and [run], [env], [accelerate]."


@dataclass(frozen=True)
class UserConfig:
    """What the file says. `settings` are of the tables run, env and accelerate: the weakest layer of every run."""

    settings: tuple[Setting, ...]
    spec_folders: tuple[Path, ...]
    template_folders: tuple[Path, ...]
    datasets_root: Path


def read_user_config() -> UserConfig:
    """Read `config.toml` of the user's configuration folder; a missing file is an empty one.

    Raises KlError (spec refused) for a file that cannot be read and for keys it does not have.
    """
    path = config_folder() / FILE
    here = _current_folder()
    document = read_settings(path, source=Source.CONFIG) if os.path.lexists(path) else None
    settings = document.settings if document else ()
    if document and document.extends:
        where = str(document.extends[0].origin)
        raise KlError("kl's configuration extends nothing.", code=ExitCode.SPEC_REFUSED, where=where, hint=_HOLDS)
    own = [setting for setting in settings if setting.table and setting.table[0] in OWN_TABLES]
    rest = [setting for setting in settings if setting not in own]
    for setting in rest:
        if setting.table or setting.key not in KEYS:
            raise _unknown(setting)
    root = _folders("datasets_root", rest) or [Path("~/datasets").expanduser()]
    return UserConfig(
        settings=tuple(own),
        spec_folders=(here, here / "specs", *_folders("spec_folders", rest), config_folder() / "specs"),
        template_folders=(
            *_folders("template_folders", rest),
            config_folder() / "templates",
            shipped_folder("templates"),
        ),
        datasets_root=root[0],
    )


def _folders(key: str, settings: Iterable[Setting]) -> list[Path]:
    setting = next((setting for setting in settings if setting.key == key), None)
    if setting is None:
        return []
    values = setting.value if isinstance(setting.value, list) and key != "datasets_root" else [setting.value]
    if not all(isinstance(value, str) and value for value in values):
        wanted = "a folder" if key == "datasets_root" else "a list of folders"
        raise KlError(f"{key} takes {wanted}.", code=ExitCode.SPEC_REFUSED, where=str(setting.origin))
    return [Path(expand(str(value), config_folder(), origin=setting.origin)) for value in values]


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except OSError:
        message = "The folder you are in was removed."
        raise KlError(message, code=ExitCode.USAGE, hint="Go to another one: cd") from None


def _unknown(setting: Setting) -> KlError:
    near = nearest(setting.key, KEYS)
    return KlError(
        f"{setting.path} is not a setting of kl's configuration.",
        code=ExitCode.SPEC_REFUSED,
        where=str(setting.origin),
        hint=f"Did you mean {near}?" if near else _HOLDS,
    )
