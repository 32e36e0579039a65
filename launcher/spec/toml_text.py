"""TOML text to a tree of plain values with their lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from launcher.base.errors import KlError
from launcher.spec.toml_lines import TomlLines, find_lines
from launcher.spec.toml_parser import TOMLDecodeError, loads
from launcher.spec.tree import KeyPath, Tree, name_of, refused, too_deep, trouble_with

_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_AT_END = " (at end of document)"
_TWICE = ("Cannot ", "Duplicate ")  # how tomllib begins to say that something stands twice
_HINT_TWICE = "A key or a table can stand only once."
_HINT = "Text stands in quotes, a list in [ ], true and false in small letters."


def parse_toml(text: str, label: str) -> Tree:
    """Read TOML.

    Raises KlError (spec refused), with the line, for broken TOML, dates and times, integers beyond 64 bits, text that
    cannot be passed on, and more values or a deeper nesting than any spec has.
    """
    found = find_lines(text, label)
    try:
        values: dict[str, Any] = loads(text)
    except TOMLDecodeError as error:
        raise _broken(str(error), text, label, found) from None
    except RecursionError:
        raise too_deep(label, 1) from None
    except ValueError as error:  # an integer with thousands of digits: Python's own limit, without a place
        raise refused(f"A number cannot be read: {error}.", label) from None
    _check(values, (), found.lines, label)
    return Tree(values, found.lines)


def _broken(message: str, text: str, label: str, found: TomlLines) -> KlError:
    if found.repeated and message.startswith(_TWICE):
        path, line = found.repeated
        first = found.lines[path]
        return refused(f"{name_of(path)} stands twice, first in line {first}.", label, line, "Keep one of them.")
    place = _PLACE.search(message)
    if place:
        line, column = int(place[1]), int(place[2])
        message = message[: place.start()]
    else:
        line, column = text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1
        message = message.removesuffix(_AT_END) + " at the end of the file"
    hint = _HINT_TWICE if message.startswith(_TWICE) else _HINT
    return refused(f"This is not TOML: {message} (line {line}, column {column}).", label, line, hint)


def _check(value: Any, path: KeyPath, lines: Mapping[KeyPath, int], label: str) -> None:
    line = lines.get(path)
    if isinstance(value, dict):
        for key, item in value.items():
            trouble = trouble_with(key)
            if trouble:
                raise refused(f"A key cannot be used. {trouble}", label, lines.get((*path, key)), "Rename the key.")
            _check(item, (*path, key), lines, label)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, (*path, index), lines, label)
    elif isinstance(value, (datetime, date, time)):
        kind = "a time" if isinstance(value, time) else "a date"
        hint = f'Put it in quotes: "{value}".'
        raise refused(f"{name_of(path)} is {kind}, which no option takes.", label, line, hint)
    elif isinstance(value, (str, int)):
        trouble = trouble_with(value)
        if trouble:
            raise refused(f"{name_of(path)} cannot be used. {trouble}", label, line)
