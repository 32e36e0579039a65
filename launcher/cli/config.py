"""`kl config`: the user's configuration."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from launcher.base.settings import Value
    from launcher.setup.config_file import Key

_ACTIONS = ("get", "set", "unset", "path")


def _actions(incomplete: str) -> list[str]:
    return [each for each in _ACTIONS if each.startswith(incomplete)]


def config_command(
    action: Annotated[
        str | None,
        typer.Argument(
            help="get KEY, set KEY VALUE, unset KEY, or path: where the file is. Without it, all values.",
            metavar="[get|set|unset|path]",
            show_default=False,
            autocompletion=_actions,
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Argument(help="As in run.sd_scripts.", metavar="[KEY]", show_default=False)
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Argument(help="As for --set; several for a list.", metavar="[VALUE]...", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> int:
    """Show or change kl's configuration: each value with the line, the variable or the default that it comes from.

    Checkouts and environments get names in it, for specs to use: kl config set checkouts.sd3 ~/src/sd3. Comments and
    order of the file stay.
    """
    _check_words(action, key, values)
    if action == "path":
        return _path(as_json)
    if action == "set" and key is not None:
        return _set(key, values or [], as_json)
    if action == "unset" and key is not None:
        return _unset(key, as_json)
    return _show(key, as_json)


def _check_words(action: str | None, key: str | None, values: list[str] | None) -> None:
    """Raise KlError (wrong usage) for words that make no sense together."""
    from launcher.base.errors import ExitCode, KlError
    from launcher.base.nearest import nearest

    hint = "Write kl config, or kl config get KEY, set KEY VALUE, unset KEY, path."
    message = None
    if action is not None and action not in _ACTIONS:
        near = nearest(action, _ACTIONS)
        hint = f"Did you mean {near}?" if near else hint
        message = f"kl config has no {action}."
    elif action in ("get", "set", "unset") and key is None:
        message = f"kl config {action} needs a key."
    elif action == "set" and not values:
        message = f"kl config set {key} needs a value."
    elif values and action != "set":
        message = f"kl config {action} takes one key, and no value."
    elif action == "path" and key is not None:
        message = "kl config path takes no key."
    if message:
        raise KlError(message, code=ExitCode.USAGE, hint=hint)


def _path(as_json: bool) -> int:
    from launcher.cli.render import show_lines
    from launcher.setup.user_config import config_file

    file = config_file()
    show_lines([json.dumps({"file": str(file), "exists": file.exists()}) if as_json else str(file)])
    return 0


def _show(key: str | None, as_json: bool) -> int:
    """All values, those of one table, or one."""
    from launcher.cli.render import show_lines
    from launcher.cli.render_config import config_as_data, config_as_text, plain, value_as_data
    from launcher.run.roots import DEFAULT_OUTPUT_ROOT
    from launcher.setup.config_file import keys_of
    from launcher.setup.config_values import check_key, config_values
    from launcher.setup.user_config import TABLES, config_file, read_user_config

    found = config_values(read_user_config(), os.environ, output_root=DEFAULT_OUTPUT_ROOT)
    below = [each for each in found if key is None or each.key.startswith(f"{key}.")]
    if key is not None and not below and key not in TABLES:
        check_key(keys_of(key))
        one = next((each for each in found if each.key == key), None)
        if as_json:
            print(json.dumps(value_as_data(one) if one else {"key": key, "value": None, "origin": None, "over": []}))
        elif one is not None:
            show_lines(plain(one.value))
        return 0
    if as_json:
        print(json.dumps(config_as_data(below, config_file()), indent=1))
    else:
        show_lines(config_as_text(below, config_file()))
    return 0


def _set(text: str, words: list[str], as_json: bool) -> int:
    from launcher.setup.config_file import change_config, keys_of
    from launcher.setup.config_values import check_key, missing_path, replaced_by, typed_value
    from launcher.setup.user_config import read_user_config

    key = keys_of(text)
    check_key(key)
    config = read_user_config()
    value = typed_value(key, words, config)
    gone = replaced_by(key, config)
    changed = change_config({**dict.fromkeys(gone), key: value})
    for each in gone:
        print(f"{'.'.join(each)} was taken out: {text} says which environment now.", file=sys.stderr)
    missing = missing_path(key, value)
    if missing is not None:
        print(f"{missing} is not there yet.", file=sys.stderr)
    _say_what_wins(key)
    return _done(key, value, changed, as_json)


def _unset(text: str, as_json: bool) -> int:
    """A key that is not known may stand in the file all the same: that is how it gets out."""
    from launcher.setup.config_file import change_config, keys_of
    from launcher.setup.config_values import check_key
    from launcher.setup.user_config import TABLES

    key = keys_of(text)
    changed = change_config({key: None})
    if not changed and key[-1:] != key[:1] and text not in TABLES:
        check_key(key)
    return _done(key, None, changed, as_json)


def _say_what_wins(key: Key) -> None:
    from launcher.spec.environment import from_environment

    for setting in from_environment(os.environ):
        if (*setting.table, setting.key) == key:
            print(f"{setting.origin} is set, and wins over it.", file=sys.stderr)


def _done(key: Key, value: Value, changed: bool, as_json: bool) -> int:
    from launcher.cli.render import short, show_lines
    from launcher.cli.render_config import in_words
    from launcher.setup.user_config import config_file

    name = ".".join(key)
    if as_json:
        data: dict[str, Any] = {"key": name, "value": value, "changed": changed, "file": str(config_file())}
        print(json.dumps(data))
        return 0
    where = f"in {short(config_file())}"
    if value is not None:
        said = f"{name} = {in_words(value)}, {where}" if changed else f"{name} is {in_words(value)} already, {where}"
    else:
        said = f"{name} was taken out of {short(config_file())}" if changed else f"{name} does not stand {where}"
    show_lines([f"{said}."])
    return 0
