"""Settings to the text of a spec: TOML under headings, with comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Union

from launcher.base.settings import Value

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_COLUMN = 42  # where the comments beside the settings begin
_WIDEST = 110  # letters of a list in one line


@dataclass(frozen=True)
class Number:
    """A number as somebody wrote it: 1e-4 stays 1e-4."""

    text: str


Written = Union[Value, Number, Sequence["Written"]]  # noqa: UP007 - `|` takes no name that is still to come


@dataclass(frozen=True)
class Entry:
    """One setting. `off`: it is not known, and stands as a comment with this reason."""

    table: tuple[str, ...]
    key: str
    value: Written
    above: tuple[str, ...] = ()
    beside: str | None = None
    below: tuple[str, ...] = ()
    off: str | None = None


def number_or_text(text: str) -> Number | str:
    """The number as it was written where TOML has it so; else the text."""
    return Number(text) if _NUMBER.fullmatch(text) else text


def spec_text(entries: Iterable[Entry], comments: Sequence[str] = ()) -> str:
    """The text of a spec: its comments first, then what stands in no table, then each table once.

    The tables come in the order in which they are first seen, and so do the keys in each.
    """
    tables: dict[tuple[str, ...], list[Entry]] = {(): []}
    for entry in entries:
        tables.setdefault(entry.table, []).append(entry)
    blocks = [[*map(_comment, comments)]]
    for table, held in tables.items():
        heading = [f"[{'.'.join(map(_key, table))}]"] if table else []
        blocks.append([*heading, *(line for entry in held for line in _lines(entry))] if held else [])
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _lines(entry: Entry) -> Iterator[str]:
    yield from map(_comment, entry.above)
    written = f"{_key(entry.key)} = {_value(entry.value)}"
    if entry.off is not None:
        written = "\n".join(f"# {line}" for line in written.splitlines())
    beside = "; ".join(text for text in (entry.beside, entry.off) if text)
    if beside and "\n" in written:
        yield _comment(beside)
    yield f"{written:<{_COLUMN}} {_comment(beside)}" if beside and "\n" not in written else written
    yield from map(_comment, entry.below)


def _comment(text: str) -> str:
    """One line; TOML allows no control characters in it."""
    return f"# {''.join(char if char.isprintable() else ' ' for char in text)}".rstrip()


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Written) -> str:
    if isinstance(value, Number):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Sequence):
        return _list([_value(item) for item in value])
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    return repr(value)


def _list(items: list[str]) -> str:
    """In one line where it fits, else in several."""
    line = f"[{', '.join(items)}]"
    if len(line) <= _WIDEST:
        return line
    lines, row = ["["], "   "
    for item in items:
        if len(row) + len(item) > _WIDEST and row.strip():
            lines.append(row)
            row = "   "
        row += f" {item},"
    return "\n".join([*lines, row, "]"])
