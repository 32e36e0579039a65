"""`--set key=value`: one setting from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time
from typing import Any

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.spec.flatten import WHOLE
from launcher.spec.toml_lines import find_lines
from launcher.spec.toml_parser import loads
from launcher.spec.tree import trouble_with

_USE = "Use --set KEY=VALUE, or --set TABLE.KEY=VALUE, as in --set network_args.conv_dim=8."


def parse_set(text: str) -> Setting:
    """Take `key=value` or `table.key=value` apart.

    The value is read as TOML (`8`, `1e-4`, `true`, `"8"`, `[1, 2]`); whatever is not a TOML value is text, and so are
    dates. Raises KlError (wrong usage) without a `=`, with an empty key, and for a table as value.
    """
    flag = f"--set {text}"
    path, equals, written = text.partition("=")
    if not equals:
        raise _refused(f"{text!r} has no =.", flag, _USE)
    *table, key = (part.strip() for part in path.split("."))
    if not key or not all(table):
        raise _refused(f"{text!r} has an empty key.", flag, _USE)
    if (*table, key) == ("extends",):
        raise _refused("extends cannot be set from outside.", flag, "Write it at the top of the spec.")
    value = _value(written, flag)
    if isinstance(value, dict) and not (key in WHOLE and not table):
        raise _refused("A table cannot be set at once.", flag, f"Set its keys, as in --set {path.strip()}.KEY=VALUE.")
    for part in (*table, key):
        _check(part, flag)
    return Setting(tuple(table), key, value, Origin(Source.SET, flag))


def _value(written: str, flag: str) -> Value:
    value = _toml_value(written.strip(), flag)
    if value is None or isinstance(value, (date, time)):
        value = written
    for leaf in _leaves(value):
        if isinstance(leaf, (date, time)):
            raise _refused("No option takes a date or a time.", flag, "Put it in quotes.")
        _check(leaf, flag)
    result: Value = value
    return result


def _toml_value(text: str, flag: str) -> Any:
    """The value when the text is one TOML value and nothing more: no comment, no second key; else None."""
    # A comment would swallow the brace of the one, and a second key or a stray brace is no TOML in one of the two.
    plain, inline = f"v = {text}", f"v = {{ v = {text} }}"
    try:
        find_lines(inline, flag)
        loads(inline)
        return loads(plain)["v"]
    except KlError as error:  # deeper or longer than any spec may be
        raise _refused(error.message, flag, error.hint) from None
    except ValueError:
        return None


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _check(value: Any, flag: str) -> None:
    trouble = trouble_with(value) if isinstance(value, (str, int)) else None
    if trouble:
        raise _refused(trouble, flag, "Put it in quotes if it is text." if isinstance(value, int) else None)


def _refused(message: str, flag: str, hint: str | None) -> KlError:
    return KlError(message, code=ExitCode.USAGE, where=flag, hint=hint)
