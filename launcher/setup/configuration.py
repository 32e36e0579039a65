"""What a set-up writes into the user's configuration: checkout and environment by a name, and as what specs get."""

from __future__ import annotations

from pathlib import Path

from launcher.base.errors import KlError
from launcher.base.settings import Value
from launcher.plan.tables import ENV, RUN, written_path
from launcher.setup.config_file import Key, change_config
from launcher.setup.facts import EnvironmentFacts
from launcher.setup.made import read_mark
from launcher.setup.user_config import CHECKOUTS, ENVIRONMENTS, UserConfig, config_file, read_user_config


def is_configured(name: str, checkout: Path, environment: EnvironmentFacts) -> bool:
    """Whether the name stands for these two, and a spec that names neither gets them or others."""
    try:
        return places_of(name) == (checkout, environment.folder) and not _defaults(name, read_user_config())
    except KlError:
        return False


def places_of(name: str) -> tuple[Path | None, Path | None]:
    """The checkout's and the environment's folder that the configuration has under a name, None for what it has not.

    Raises KlError for a configuration that cannot be read.
    """
    config = read_user_config()
    named = config.environments.get(name)
    paths = config.checkouts.get(name), named.path if named else None
    found = [written_path(path) if path else None for path in paths]
    return found[0], found[1]


def configure(name: str, checkout: Path, environment: EnvironmentFacts) -> str | None:
    """Give both the name, and make them what specs get that name none. Where the configuration has others for that
    already, these stay: then the text says how a spec gets the new ones.

    Raises KlError for a configuration that cannot be read or written.
    """
    config = read_user_config()
    taken = _taken(name, config, checkout, environment)
    if taken is not None:
        return f"{config_file()} has {taken} as {name} already, which stays. Take another --name for these."
    defaults = _defaults(name, config)
    change_config(
        {
            (ENVIRONMENTS, name): None,
            (CHECKOUTS, name): str(checkout),
            (ENVIRONMENTS, name, "kind"): environment.made.kind if environment.made else "venv",
            (ENVIRONMENTS, name, "path"): str(environment.folder),
            **defaults,
        }
    )
    if _is_default(name, read_user_config()):
        return None
    wanted = f'sd_scripts = "{name}" in [run], name = "{name}" in [env]'
    return f"{config_file()} has others as the usual ones, and they stay. A spec that wants these says: {wanted}."


def _taken(name: str, config: UserConfig, checkout: Path, environment: EnvironmentFacts) -> str | None:
    """What the name stands for already, when that is something else, and nothing that kl made under this name."""
    named = config.environments.get(name)
    for setting, wanted in (
        (config.checkouts.get(name), checkout),
        (named.path if named else None, environment.folder),
    ):
        if setting is None:
            continue
        try:
            path = written_path(setting)
        except KlError:  # a variable that is not set
            return str(setting.value)
        made = read_mark(path)
        if path != wanted and (made is None or made.name != name):
            return str(path)
    return named.conda if named else None


def _defaults(name: str, config: UserConfig) -> dict[Key, Value]:
    """What is to be written so that nobody has to name a checkout and an environment."""
    there = {each.path for each in config.settings}
    wanted: dict[Key, Value] = {}
    if f"{RUN}.sd_scripts" not in there:
        wanted[(RUN, "sd_scripts")] = name
    if not there & {f"{ENV}.kind", f"{ENV}.name", f"{ENV}.path"}:
        wanted[(ENV, "name")] = name
    return wanted


def _is_default(name: str, config: UserConfig) -> bool:
    values = {each.path: each.value for each in config.settings}
    return values.get(f"{RUN}.sd_scripts") == name and values.get(f"{ENV}.name") == name
