"""The user's configuration as values: which keys there are, what each is now, and where that comes from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.nearest import nearest
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.plan.secrets import is_secret
from launcher.plan.tables import ACCELERATE, ENV, OWN_TABLES, RUN, EnvTable, RunTable
from launcher.setup.checkouts import unnamed_checkout
from launcher.setup.config_file import Key
from launcher.setup.user_config import (
    CHECKOUTS,
    DATASETS_ROOT,
    ENVIRONMENT_KEYS,
    ENVIRONMENTS,
    KEYS,
    TABLES,
    UserConfig,
    is_name,
)
from launcher.spec.environment import from_environment
from launcher.spec.overrides import parse_set

_VARIABLES = "variables"  # [env.variables]
_LISTS = (("spec_folders",), ("template_folders",), (RUN, "drop"), (RUN, "repositories"))
_OTHERS = tuple((RUN, key) for key in ("keep_last_saves", "no_clean", "stop_on_nan", "auto_resume"))
_PATHS = (
    *((key,) for key in KEYS),
    *((RUN, key) for key in ("sd_scripts", "output_root", "dataset_folder", "repositories")),
    (ENV, "path"),
)
_DEFAULT = Origin(Source.DEFAULT, "default")


@dataclass(frozen=True)
class ConfigValue:
    """One key: its value, None when it has none, where that comes from, and the weaker settings that it replaces.

    `hidden`: it most likely is a secret, and its value is left out.
    """

    key: str
    value: Value
    origin: Origin | None
    over: tuple[Setting, ...] = ()
    hidden: bool = False


def config_values(
    config: UserConfig, environ: Mapping[str, str] = os.environ, *, output_root: str
) -> tuple[ConfigValue, ...]:
    """Every key there is with what holds now; `output_root` is that of runs when nothing says otherwise.

    Raises KlError (wrong usage) for an environment variable with a value that it cannot have.
    """
    settings: dict[str, list[Setting]] = {}
    outside = [each for each in from_environment(environ) if each.table == (RUN,)]
    for setting in (*config.every, *outside):
        settings.setdefault(setting.path, []).append(setting)
    defaults = {**_defaults(config), f"{RUN}.output_root": output_root}
    known = [*KEYS, *(f"{RUN}.{key}" for key in RunTable.__struct_fields__), *_of_environment()]
    rest = [path for path in settings if path not in known]
    in_order = sorted(rest, key=lambda path: TABLES.index(path.partition(".")[0]))
    return tuple(_value(path, settings.get(path, []), defaults.get(path)) for path in (*known, *in_order))


def check_key(key: Key) -> None:
    """Raise KlError (wrong usage) for a key that the configuration cannot have, with the nearest that it can."""
    table, rest = key[0], key[1:]
    is_right = {
        RUN: len(rest) == 1 and rest[0] in RunTable.__struct_fields__,
        ENV: f"{ENV}.{'.'.join(rest)}" in _of_environment() or (len(rest) == 2 and rest[0] == _VARIABLES),
        ACCELERATE: len(rest) == 1,
        CHECKOUTS: len(rest) == 1 and is_name(rest[0]),
        ENVIRONMENTS: len(rest) == 2 and is_name(rest[0]) and rest[1] in ENVIRONMENT_KEYS,
    }
    if is_right.get(table, not rest and table in KEYS):
        return
    text = ".".join(key)
    names = [*KEYS, *(f"{RUN}.{name}" for name in RunTable.__struct_fields__), *_of_environment()]
    if table == ENVIRONMENTS and len(rest) == 2:
        names = [f"{ENVIRONMENTS}.{rest[0]}.{name}" for name in ENVIRONMENT_KEYS]
    near = nearest(text, names) or next((name for name in names if name.endswith(f".{text}")), None)
    hint = f"Did you mean {near}?" if near else _KEYS_IN_WORDS
    raise KlError(f"kl's configuration has no key {text}.", code=ExitCode.USAGE, hint=hint)


_KEYS_IN_WORDS = (
    f"There are {', '.join(KEYS)}, the keys of {', '.join(OWN_TABLES)}, "
    f"{CHECKOUTS}.NAME and {ENVIRONMENTS}.NAME.{'|'.join(ENVIRONMENT_KEYS)}."
)


def typed_value(key: Key, words: Sequence[str], config: UserConfig) -> Value:
    """The value that somebody means who types these words after a key: several are a list; relative paths are taken
    from where he is. Raises KlError (wrong usage).
    """
    values: list[Value] = [_typed(key, word) for word in words]
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    if _is_path(key):
        flat = [_from_here(key, item, config) for item in flat]
    if key in _LISTS:
        return flat
    if len(flat) != 1:
        text = ".".join(key)
        raise KlError(f"{text} takes one value, and not {len(flat)}.", code=ExitCode.USAGE, hint="Put it in quotes.")
    return flat[0]


def replaced_by(key: Key, config: UserConfig) -> tuple[Key, ...]:
    """The keys of the file that have to go when this one is set: a name and a path both say which environment."""
    table, last = key[:-1], key[-1]
    other = {"name": "path", "path": "name"}.get(last)
    if other is None or not (table == (ENV,) or table[:1] == (ENVIRONMENTS,)):
        return ()
    there = {(*each.table, each.key): each.value for each in config.every}
    gone = [(*table, other)] if (*table, other) in there else []
    kind = there.get((*table, "kind"))
    was_of_a_name = last == "path" and bool(gone)
    if kind is not None and (was_of_a_name or (last == "name" and kind != "conda")):
        gone.append((*table, "kind"))
    return tuple(gone)


def missing_path(key: Key, value: Value) -> str | None:
    """The folder that was named and is not there; None where all is well, or kl makes it, or nobody can know here."""
    if not _is_path(key) or key == (RUN, "output_root"):
        return None
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and "$" not in text and (text.startswith("~") or os.path.isabs(text)):  # noqa: PTH117
            whole = os.path.expanduser(text)  # noqa: PTH111 - pathlib raises a bare RuntimeError
            if not os.path.lexists(whole):
                return text
    return None


def _is_path(key: Key) -> bool:
    return (
        key in _PATHS
        or key[0] == CHECKOUTS
        or (key[0] == ENVIRONMENTS and key[-1] == "path")
        or (key[0] == ACCELERATE and key[-1].endswith("_file"))
    )


def _typed(key: Key, word: str) -> Value:
    """As --set reads it; for a key that takes text, text."""
    try:
        value = parse_set(f"value={word}").value
    except KlError as error:
        raise KlError(error.message, code=error.code, where=".".join(key), hint="Put it in quotes.") from None
    takes_text = key not in (*_LISTS, *_OTHERS) and key[0] != ACCELERATE
    return word if takes_text and not isinstance(value, str) else value


def _from_here(key: Key, value: Value, config: UserConfig) -> Value:
    if not isinstance(value, str) or not value or value.startswith(("~", "$")):
        return value
    if key == (RUN, "sd_scripts") and value in config.checkouts:
        return value
    return os.path.abspath(value)  # noqa: PTH100 - links stay as they are


def _of_environment() -> list[str]:
    return [f"{ENV}.{key}" for key in EnvTable.__struct_fields__ if key != _VARIABLES]


def _defaults(config: UserConfig) -> dict[str, Value]:
    found: dict[str, Value] = {"datasets_root": DATASETS_ROOT}
    for name in RunTable.__struct_fields__:
        value = getattr(RunTable(), name)
        if value not in (None, "", []):
            found[f"{RUN}.{name}"] = value
    found.update(_checkout(config))
    return found


def _checkout(config: UserConfig) -> Iterator[tuple[str, Value]]:
    try:
        path: Path = unnamed_checkout(config)
    except KlError:
        return
    yield f"{RUN}.sd_scripts", str(path)


def _value(path: str, settings: Sequence[Setting], default: Value) -> ConfigValue:
    if not settings:
        return ConfigValue(path, default, _DEFAULT if default is not None else None)
    *weaker, last = settings
    hidden = any(is_secret(each) for each in settings)
    over = tuple(replace(each, value=None) if hidden else each for each in reversed(weaker))
    return ConfigValue(path, None if hidden else last.value, last.origin, over, hidden)
