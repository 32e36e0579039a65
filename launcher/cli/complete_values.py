"""The values that a word of a command line may have: names of runs, specs, templates, options, codes of findings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.base.errors import KlError
from launcher.cli.complete import Answer, Line, Value
from launcher.cli.complete_table import read_table
from launcher.setup.user_config import UserConfig, read_user_config

if TYPE_CHECKING:
    from launcher.base.settings import Setting
    from launcher.trainer.checkout import Checkout
    from launcher.trainer.options import ScriptOptions

_MOST_RUNS = 2000
_SWITCH = ("true", "false")
_DATASET_SPECS = 200  # folders of datasets that are looked into for specs


def values_of(kind: str, line: Line) -> Answer:
    """The values of a kind, whatever they begin with. Raises whatever goes wrong."""
    return _KINDS[kind](line)


def _runs(line: Line) -> Answer:
    return Answer(tuple(_run_names()), files="folders")


def _specs(line: Line) -> Answer:
    return Answer(tuple(_spec_names()), files="files")


def _runs_and_specs(line: Line) -> Answer:
    return Answer((*_run_names(), *_spec_names()), files="files")


def _run_names() -> Iterator[Value]:
    """Without a look into them: of thousands that would take too long."""
    from launcher.cli.runs import output_roots

    found: dict[str, float] = {}
    for root in output_roots():
        with suppress(OSError), os.scandir(root) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_dir():
                    with suppress(OSError):
                        found.setdefault(entry.name, os.stat(f"{entry.path}/run.json").st_mtime)  # noqa: PTH116
    newest = sorted(found, key=lambda name: found[name], reverse=True)[:_MOST_RUNS]
    return (Value(name) for name in newest)


def _spec_names() -> Iterator[Value]:
    from launcher.spec.find import spec_names

    config = read_user_config()
    folders = list(config.spec_folders)
    with suppress(OSError), os.scandir(config.datasets_root) as entries:
        folders += [Path(entry.path) for entry, _ in zip(entries, range(_DATASET_SPECS), strict=False)]
    own = {"config"}  # a dataset's own config.toml
    return (Value(name) for name in spec_names(folders) if name not in own)


def _templates(line: Line) -> Answer:
    from launcher.spec.templates import find_templates

    found = find_templates(read_user_config().template_folders)
    return Answer(tuple(Value(each.name, each.purpose) for each in found))


def _codes(line: Line) -> Answer:
    return Answer(tuple(Value(name, reason) for name, (reason, _) in read_table().codes.items()))


def _allowed(line: Line) -> Answer:
    there = {value for name, value in line.given if name == "allow"}
    codes = read_table().codes.items()
    return Answer(tuple(Value(name, reason) for name, (reason, can) in codes if can and name not in there))


def _kinds(line: Line) -> Answer:
    from launcher.run.reproduce import KINDS

    return Answer(tuple(Value(kind) for kind in KINDS))


def _scripts(line: Line) -> Answer:
    return Answer(tuple(Value(script) for script in _checkout(line).scripts))


def _checkouts(line: Line) -> Answer:
    config = read_user_config()
    named = (Value(name, str(setting.value)) for name, setting in sorted(config.checkouts.items()))
    return Answer(tuple(named), files="folders")


def _config_keys(line: Line) -> Answer:
    from launcher.plan.schema_tables import ENV_KEYS, RUN_KEYS
    from launcher.plan.tables import EnvTable, RunTable
    from launcher.setup.user_config import KEYS

    own = [Value(f"run.{key}", RUN_KEYS[key]) for key in RunTable.__struct_fields__]
    own += [Value(f"env.{key}", ENV_KEYS[key]) for key in EnvTable.__struct_fields__]
    return Answer((*(Value(key) for key in KEYS), *own))


def _settings(line: Line) -> Answer:
    """KEY=VALUE: keys with their equals sign, then values where they are known."""
    key, equals, _ = line.current.partition("=")
    if equals:
        found = _setting_values(key.strip(), line)
        return Answer(tuple(Value(f"{key}={each.text}", each.said) for each in found))
    if "." in key:
        table = key.partition(".")[0]
        return Answer(tuple(_keys_in(table, line)), nospace=True)
    tables = [Value("run.", "Settings of kl."), Value("env.", "The environment that trains.")]
    tables.append(Value("accelerate.", "Options of accelerate launch."))
    with suppress(KlError, OSError):
        options = _options(line)
        return Answer((*(_as_key(name, said, options) for name, said in _option_keys(options)), *tables), nospace=True)
    return Answer(tuple(tables), nospace=True)


def _as_key(name: str, said: str, options: ScriptOptions) -> Value:
    from launcher.plan.values import is_key_value

    option = options.get(name)
    return Value(f"{name}." if option and is_key_value(option) else f"{name}=", said)


def _keys_in(table: str, line: Line) -> Iterator[Value]:
    if table in ("run", "env"):
        from launcher.plan.schema_tables import ENV_KEYS, RUN_KEYS

        for key, said in (RUN_KEYS if table == "run" else ENV_KEYS).items():
            yield Value(f"{table}.{key}{'.' if key == 'variables' else '='}", said)
    elif table == "network_args":
        from launcher.trainer.network_args import network_keywords
        from launcher.trainer.packages import Packages, site_packages

        module = _in_spec(line, "network_module")
        checkout = _checkout(line)
        found = Packages(checkout.path, tuple(site_packages(_python(checkout)))).find(module) if module else None
        read = network_keywords(found, "create_network") if found else None
        for name in read.read if read else ():
            if read and name not in read.positional:
                yield Value(f"{table}.{name}=")


def _setting_values(key: str, line: Line) -> Iterable[Value]:
    known: dict[str, Callable[[], Iterable[Value]]] = {
        "run.script": lambda: _scripts(line).values,
        "run.sd_scripts": lambda: _checkouts(line).values,
        "env.name": lambda: (Value(name, "configured") for name in sorted(read_user_config().environments)),
        "env.kind": lambda: map(Value, ("conda", "venv", "python")),
        **dict.fromkeys(("run.no_clean", "run.stop_on_nan", "run.auto_resume"), lambda: map(Value, _SWITCH)),
    }
    if key in known:
        return known[key]()
    option = _options(line).get(key)
    if option is None:
        return ()
    choices = _SWITCH if option.is_flag else tuple(str(each) for each in option.choices or () if each is not None)
    return map(Value, choices)


def _arguments(line: Line) -> Answer:
    """The trainer's own arguments, after `--`."""
    options = _options(line)
    flag, equals, _ = line.current.partition("=")
    option = options.by_flag(flag) if equals else options.by_flag(line.words[-1]) if line.words else None
    before = f"{flag}=" if equals else ""
    if option and not option.is_flag and (equals or not line.current.startswith("-")):
        choices = [choice for choice in option.choices or () if choice is not None]
        return Answer(tuple(Value(f"{before}{choice}") for choice in choices), files="" if choices else "files")
    if not line.current.startswith("-"):
        return Answer(files="files")
    return Answer(tuple(Value(f"--{name}", said) for name, said in _option_keys(options)))


def _option_keys(options: ScriptOptions) -> Iterator[tuple[str, str]]:
    from launcher.cli.help_texts import help_half, prefers_japanese
    from launcher.plan.schema_options import keys_of

    japanese = prefers_japanese(os.environ)
    for name, option in keys_of(options).items():
        if name == option.name:
            yield name, help_half(option.help or "", japanese=japanese)


def _options(line: Line) -> ScriptOptions:
    """The options of the script that the command line means: that of --set, of the spec, or of the settings."""
    from launcher.trainer.reader import read_options

    path = line.last("script") if line.command in ("launch", "check", "plan") else None
    script = Path(path).name if path else _in_spec(line, "run.script")
    checkout = _checkout(line)
    return read_options(checkout, script or next(each for each in checkout.scripts if each == "train_network.py"))


def _checkout(line: Line) -> Checkout:
    from launcher.setup.checkouts import find_checkout
    from launcher.trainer.checkout import open_checkout

    named = line.last("sd_scripts") or _in_spec(line, "run.sd_scripts", own=False)
    path = line.last("script") if line.command in ("launch", "check", "plan") else None
    if path and "/" in path:
        return open_checkout(Path(path).expanduser().parent)
    return open_checkout(find_checkout(Path(named) if named else None))


def _python(checkout: Checkout) -> Path:
    from launcher.plan.tables import read_own_tables
    from launcher.setup.environments import Known, find_environment

    config = read_user_config()
    return find_environment(
        read_own_tables(config.settings), os.environ, Known(config.environments, checkout.path)
    ).python


def _in_spec(line: Line, path: str, *, own: bool = True) -> str | None:
    """What is set: with --set, in the spec that is named, in the variables or, unless not `own`, the configuration."""
    for text in reversed([value for name, value in line.given if name == "sets"]):
        key, equals, value = text.partition("=")
        if equals and key.strip() == path:
            return value.strip().strip("\"'")
    found = [setting for setting in _written(line, own=own) if path in (setting.path, setting.key)]
    return str(found[-1].value) if found else None


def _written(line: Line, *, own: bool) -> tuple[Setting, ...]:
    from launcher.spec.environment import from_environment
    from launcher.spec.find import find_spec
    from launcher.spec.load import load_spec

    config: UserConfig = read_user_config()
    settings = config.settings if own else ()
    if line.words and line.last("script") is None:
        with suppress(KlError, OSError):
            name, file = find_spec(line.words[0], folders=config.spec_folders, datasets_root=config.datasets_root)
            settings = (*settings, *load_spec(file, name, template_folders=config.template_folders).settings)
    return (*settings, *(from_environment(os.environ) if own else ()))


_KINDS: Mapping[str, Callable[[Line], Answer]] = {
    "runs": _runs,
    "specs": _specs,
    "runs_and_specs": _runs_and_specs,
    "templates": _templates,
    "codes": _codes,
    "allowed": _allowed,
    "kinds": _kinds,
    "scripts": _scripts,
    "checkouts": _checkouts,
    "config_keys": _config_keys,
    "settings": _settings,
    "arguments": _arguments,
}
