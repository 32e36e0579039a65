"""The user's own configuration file: defaults for every run, where specs and datasets stand, and names of his own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.nearest import nearest
from launcher.base.origin import Source
from launcher.base.places import config_folder, shipped_folder
from launcher.base.settings import Setting
from launcher.plan.tables import ACCELERATE, ENV, OWN_TABLES, RUN
from launcher.spec.paths import expand
from launcher.spec.reader import Document, read_settings

FILE = "config.toml"
KEYS = ("spec_folders", "template_folders", "datasets_root")
CHECKOUTS, ENVIRONMENTS = "checkouts", "environments"
TABLES = (RUN, ENV, ACCELERATE, CHECKOUTS, ENVIRONMENTS)
ENVIRONMENT_KEYS = ("kind", "path", "name")
DATASETS_ROOT = "~/datasets"
_HOLDS = f"It holds {', '.join(KEYS)} and {', '.join(f'[{table}]' for table in TABLES)}."
_KINDS = ("conda", "venv", "python")
# What cannot be taken for a path: no slash, no ~ or $ at the start.
_NAME = re.compile(r"\w[\w.+ -]*")


@dataclass(frozen=True)
class NamedEnvironment:
    """A table [environments.NAME]: `path` or `conda`, the name of one of conda's environments.

    Whether it is there is not looked at; what a path alone is shows when it is used. `where` is the place in the file.
    """

    kind: str | None
    path: Setting | None
    conda: str | None
    where: str


@dataclass(frozen=True)
class UserConfig:
    """What the file says. `settings` are of the tables run, env and accelerate: the weakest layer of every run.

    `checkouts` (settings whose values are paths) and `environments` are those with a name of the user's own: a path
    among them is expanded when it is used, so that a variable which is not set matters to nobody else. `every` is each
    setting of the file.
    """

    settings: tuple[Setting, ...]
    spec_folders: tuple[Path, ...]
    template_folders: tuple[Path, ...]
    datasets_root: Path
    checkouts: Mapping[str, Setting] = field(default_factory=dict)
    environments: Mapping[str, NamedEnvironment] = field(default_factory=dict)
    every: tuple[Setting, ...] = ()


def config_file() -> Path:
    """The configuration file, whether it is there or not."""
    return config_folder() / FILE


def read_user_config() -> UserConfig:
    """Read `config.toml` of the user's configuration folder; a missing file is an empty one.

    Raises KlError (spec refused) for a file that cannot be read and for keys it does not have.
    """
    path = config_file()
    return user_config_of(read_settings(path, source=Source.CONFIG) if os.path.lexists(path) else None)


def user_config_of(document: Document | None) -> UserConfig:
    """What a configuration file says that was read already. Raises KlError as `read_user_config` does."""
    here = _current_folder()
    settings = document.settings if document else ()
    if document and document.extends:
        where = str(document.extends[0].origin)
        raise KlError("kl's configuration extends nothing.", code=ExitCode.SPEC_REFUSED, where=where, hint=_HOLDS)
    by_table: dict[str | None, list[Setting]] = {}
    for setting in settings:
        table = setting.table[0] if setting.table else None
        if table not in TABLES if table else setting.key not in KEYS:
            raise _unknown(setting)
        by_table.setdefault(table, []).append(setting)
    rest = by_table.get(None, [])
    root = _folders("datasets_root", rest) or [Path(DATASETS_ROOT).expanduser()]
    return UserConfig(
        settings=tuple(setting for setting in settings if setting.table and setting.table[0] in OWN_TABLES),
        spec_folders=(here, here / "specs", *_folders("spec_folders", rest), config_folder() / "specs"),
        template_folders=(
            *_folders("template_folders", rest),
            config_folder() / "templates",
            shipped_folder("templates"),
        ),
        datasets_root=root[0],
        checkouts={each.key: _checkout(each) for each in by_table.get(CHECKOUTS, [])},
        environments=_environments(by_table.get(ENVIRONMENTS, [])),
        every=settings,
    )


def is_name(text: str) -> bool:
    """Whether a checkout or an environment can be called so."""
    return bool(_NAME.fullmatch(text))


def _checkout(setting: Setting) -> Setting:
    if len(setting.table) > 1:
        raise _refused(f"{setting.path}: [{CHECKOUTS}] holds no tables.", setting, 'Write NAME = "FOLDER".')
    _named(setting.key, setting)
    return _a_path(setting)


def _environments(settings: Iterable[Setting]) -> dict[str, NamedEnvironment]:
    tables: dict[str, dict[str, Setting]] = {}
    for setting in settings:
        if len(setting.table) != 2:
            hint = f'Write [{ENVIRONMENTS}.NAME] with path = "…", or kind = "conda" and name = "…".'
            raise _refused(f"{setting.path} is no environment with a name.", setting, hint)
        if setting.key not in ENVIRONMENT_KEYS:
            near = nearest(setting.key, ENVIRONMENT_KEYS)
            hint = f"Did you mean {near}?" if near else f"It takes {', '.join(ENVIRONMENT_KEYS)}."
            raise _refused(f"{setting.path} is not a setting of an environment.", setting, hint)
        _named(setting.table[1], setting)
        tables.setdefault(setting.table[1], {})[setting.key] = setting
    return {name: _environment(name, table) for name, table in tables.items()}


def _environment(name: str, table: Mapping[str, Setting]) -> NamedEnvironment:
    kind, conda, path = (table.get(key) for key in ("kind", "name", "path"))
    if kind is not None and kind.value not in _KINDS:
        raise _refused(f"{kind.path} is {kind.value!r}.", kind, f"It may be {', '.join(_KINDS)}.")
    if conda is not None and (not isinstance(conda.value, str) or not conda.value):
        raise _refused(f"{conda.path} takes the name of a conda environment.", conda)
    if conda is not None and path is not None:
        raise _refused(f"Environment {name} has a name and a path: both say which it is.", conda, "Keep one of them.")
    if conda is not None and kind is not None and kind.value != "conda":
        raise _refused(f"A {kind.value} environment has a path, not a name.", conda, 'Write path = "…".')
    first = next(iter(table.values()))
    if conda is None and path is None:
        hint = 'Write path = "…", or kind = "conda" and name = "…".'
        raise _refused(f"Environment {name} has neither a path nor a name.", first, hint)
    return NamedEnvironment(
        kind=str(kind.value) if kind else "conda" if conda else None,
        path=_a_path(path) if path else None,
        conda=str(conda.value) if conda else None,
        where=str(first.origin),
    )


def _named(name: str, setting: Setting) -> None:
    if not is_name(name):
        hint = "A name has letters, digits, spaces and . _ + -, and begins with a letter or digit."
        raise _refused(f"{name!r} would be taken for a path, or is none.", setting, hint)


def _a_path(setting: Setting) -> Setting:
    if not isinstance(setting.value, str) or not setting.value:
        raise _refused(f"{setting.path} takes a path.", setting)
    return setting


def _folders(key: str, settings: Iterable[Setting]) -> list[Path]:
    setting = next((setting for setting in settings if setting.key == key), None)
    if setting is None:
        return []
    values = setting.value if isinstance(setting.value, list) and key != "datasets_root" else [setting.value]
    if not all(isinstance(value, str) and value for value in values):
        wanted = "a folder" if key == "datasets_root" else "a list of folders"
        raise _refused(f"{key} takes {wanted}.", setting)
    return [Path(expand(str(value), config_folder(), origin=setting.origin)) for value in values]


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except OSError:
        message = "The folder you are in was removed."
        raise KlError(message, code=ExitCode.USAGE, hint="Go to another one: cd") from None


def _unknown(setting: Setting) -> KlError:
    word, names = (setting.table[0], TABLES) if setting.table else (setting.key, (*KEYS, *TABLES))
    near = nearest(word, names)
    near = f"[{near}]" if near in TABLES else near
    hint = f"Did you mean {near}?" if near else _HOLDS
    return _refused(f"{setting.path} is not a setting of kl's configuration.", setting, hint)


def _refused(message: str, setting: Setting, hint: str | None = None) -> KlError:
    return KlError(message, code=ExitCode.SPEC_REFUSED, where=str(setting.origin), hint=hint)
