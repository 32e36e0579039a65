"""What a set-up writes into the user's configuration: checkout and environment by name, and as what specs get."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from launcher.base.errors import KlError
from launcher.base.settings import Setting, Value
from launcher.plan.tables import ENV, RUN, base_folder
from launcher.setup.config_file import Key, change_config
from launcher.setup.facts import EnvironmentFacts
from launcher.setup.user_config import CHECKOUTS, ENVIRONMENTS, UserConfig, read_user_config
from launcher.spec.paths import expand


def is_configured(name: str, checkout: Path, environment: EnvironmentFacts) -> bool:
    """Whether both have the name, and specs that name nothing get these or others."""
    try:
        return not _missing(read_user_config(), name, checkout, environment)
    except KlError:
        return False


def configure(name: str, checkout: Path, environment: EnvironmentFacts) -> str | None:
    """Write both under the name, and as what specs get that name nothing where the configuration has nothing yet.

    What it says already stays; the text tells how these are used then. Raises KlError for a configuration that cannot
    be read or written.
    """
    config = read_user_config()
    taken = _taken(config, name, checkout, environment)
    changes = {key: value for key, value in _missing(config, name, checkout, environment).items() if key not in taken}
    change_config(changes)
    if taken:
        keys = " and ".join(".".join(key) for key in taken)
        return f"kl's configuration has something else as {keys}, which stays: take another --name for these."
    after = read_user_config()
    checkout_here = _path(_of(after, f"{RUN}.sd_scripts")) == checkout
    if checkout_here and _path(_of(after, f"{ENV}.path")) == environment.folder:
        return None
    return f'A spec takes these with sd_scripts = "{name}" in [run] and name = "{name}" in [env].'


def _missing(config: UserConfig, name: str, checkout: Path, environment: EnvironmentFacts) -> Mapping[Key, Value]:
    """What is still to be written."""
    kind = environment.made.kind if environment.made else "venv"
    folder = str(environment.folder)
    wanted: dict[Key, Value] = {}
    if _path(config.checkouts.get(name)) != checkout:
        wanted[CHECKOUTS, name] = str(checkout)
    there = config.environments.get(name)
    if there is None or _path(there.path) != environment.folder:
        wanted |= {(ENVIRONMENTS, name, "kind"): kind, (ENVIRONMENTS, name, "path"): folder}
    if _of(config, f"{RUN}.sd_scripts") is None:
        wanted[RUN, "sd_scripts"] = str(checkout)
    if not any(_of(config, f"{ENV}.{key}") for key in ("kind", "name", "path")):
        wanted |= {(ENV, "kind"): kind, (ENV, "path"): folder}
    return wanted


def _taken(config: UserConfig, name: str, checkout: Path, environment: EnvironmentFacts) -> tuple[Key, ...]:
    """Names that stand for something else."""
    taken: list[Key] = []
    if name in config.checkouts and _path(config.checkouts[name]) != checkout:
        taken.append((CHECKOUTS, name))
    there = config.environments.get(name)
    if there is not None and _path(there.path) != environment.folder:
        taken += [(ENVIRONMENTS, name, "kind"), (ENVIRONMENTS, name, "path")]
    return tuple(taken)


def _of(config: UserConfig, path: str) -> Setting | None:
    return next((setting for setting in config.settings if setting.path == path), None)


def _path(setting: Setting | None) -> Path | None:
    if setting is None or not isinstance(setting.value, str):
        return None
    try:
        return Path(expand(setting.value, base_folder(setting), origin=setting.origin))
    except KlError:  # a variable that is not set
        return None
