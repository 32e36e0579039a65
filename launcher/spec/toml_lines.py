"""On which line each key of a TOML text stands.

tomllib does not tell, so this walks over the text once more. It judges nothing but size and depth: where the text
is not TOML it stops, and tomllib says what is wrong. It runs before tomllib, which is slow or gives up on its own
way when keys have thousands of parts or lists are nested thousands of times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from launcher.spec.toml_parser import loads
from launcher.spec.tree import DEEPEST, MOST_VALUES, KeyPath, refused, too_deep, too_many

_GAP = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_KEY_PART = re.compile(
    r"""
    [ \t]*
    (?: (?P<bare> [A-Za-z0-9_-]+ ) | " (?P<basic> [^"\\\n]* (?:\\.[^"\\\n]*)* ) " | ' (?P<literal> [^'\n]* ) ' )
    [ \t]*
    """,
    re.VERBOSE,
)
_STRING = re.compile(
    r'''
      """ [^"\\]* (?: (?: \\[\s\S] | ""?(?!") ) [^"\\]* )* "{3,5}
    | \'\'\' [^']* (?: \'\'?(?!\') [^']* )* '{3,5}
    | " [^"\\\n]* (?: \\. [^"\\\n]* )* "
    | ' [^'\n]* '
    ''',
    re.VERBOSE,
)
_BARE_VALUE = re.compile(r"[^\n,\]}#\[{\"']+")
_DIGITS = re.compile(r"[+-]?[0-9_]+\s*")
LONGEST_NUMBER = 1000  # Python takes very long to read a decimal number of many thousand digits, or refuses to


class _NotTomlError(Exception):
    """The text cannot be followed further; tomllib will say why."""


@dataclass(frozen=True)
class TomlLines:
    """The line of every key, table and list item, counted from 1, and the first key or table that stands twice."""

    lines: Mapping[KeyPath, int]
    repeated: tuple[KeyPath, int] | None


def find_lines(text: str, label: str) -> TomlLines:
    """Find the line of every key.

    Tables that only a header or a dotted key implies stand where they are first named. Of a text that is not TOML
    the lines up to the fault are known. Raises KlError (spec refused) for more values or a deeper nesting than any
    spec has.
    """
    walk = _Walk(text, label)
    with suppress(_NotTomlError):
        walk.document()
    return TomlLines(walk.lines, walk.repeated)


class _Walk:
    """One walk over a text: where it is, and what it has seen."""

    def __init__(self, text: str, label: str) -> None:
        self.text = text
        self.label = label
        self.position = 0
        self.lines: dict[KeyPath, int] = {}
        self.repeated: tuple[KeyPath, int] | None = None
        self._defined: set[KeyPath] = set()  # what a second definition would repeat
        self._line = 1
        self._counted_to = 0
        self._list_lengths: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        self._skip(_GAP)
        while self.position < len(self.text):
            if self.text.startswith("[[", self.position):
                table = self._list_header()
            elif self.text.startswith("[", self.position):
                table = self._header()
            else:
                self._key_value(table)
            self._skip(_GAP)

    def _header(self) -> KeyPath:
        line = self._line_here()
        self._expect("[")
        table: KeyPath = ()
        for part in self._key():
            table = self._latest((*table, part))
            self._note(table, line)
        self._expect("]")
        if table in self._defined:
            self._repeat(table, line)
        self._defined.add(table)
        return table

    def _list_header(self) -> KeyPath:
        line = self._line_here()
        self._expect("[[")
        table: KeyPath = ()
        *parents, last = self._key()
        for part in parents:
            table = self._latest((*table, part))
            self._note(table, line)
        self._expect("]]")
        table = (*table, last)
        if table in self._defined:
            self._repeat(table, line)
        self._note(table, line)
        length = self._list_lengths.get(table, 0)
        self._list_lengths[table] = length + 1
        self._note((*table, length), line)
        return (*table, length)

    def _latest(self, table: KeyPath) -> KeyPath:
        """A header that names a list of tables means the list's last table."""
        length = self._list_lengths.get(table)
        return table if length is None else (*table, length - 1)

    def _key_value(self, table: KeyPath) -> None:
        line = self._line_here()
        *parents, last = self._key()
        for part in parents:
            table = (*table, part)
            self._note(table, line)
        table = (*table, last)
        if table in self.lines:
            self._repeat(table, line)
        self._defined.add(table)
        self._note(table, line)
        self._expect("=")
        self._value(table)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            match = _KEY_PART.match(self.text, self.position)
            if match is None:
                raise _NotTomlError
            self.position = match.end()
            parts.append(_key_text(match))
            if not self.text.startswith(".", self.position):
                return parts
            self.position += 1

    def _value(self, path: KeyPath) -> None:
        while self.text.startswith((" ", "\t"), self.position):
            self.position += 1
        start = self.text[self.position : self.position + 1]
        if start == "[":
            self._list(path)
        elif start == "{":
            self._inline_table(path)
        elif start in ('"', "'"):
            self._skip(_STRING)
        else:
            self._bare_value()

    def _bare_value(self) -> None:
        start = self.position
        self._skip(_BARE_VALUE)
        if self.position - start > LONGEST_NUMBER and _DIGITS.fullmatch(self.text, start, self.position):
            message = f"The number has more than {LONGEST_NUMBER} digits."
            raise refused(message, self.label, self._line_here(), "If it is text, put it in quotes.")

    def _list(self, path: KeyPath) -> None:
        self.position += 1
        index = 0
        self._skip(_GAP)
        while not self.text.startswith("]", self.position):
            self._note((*path, index), self._line_here())
            self._value((*path, index))
            index += 1
            self._skip(_GAP)
            if not self.text.startswith("]", self.position):
                self._expect(",")
                self._skip(_GAP)
        self.position += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.position += 1
        self._skip(_GAP)
        while not self.text.startswith("}", self.position):
            self._key_value(path)
            self._skip(_GAP)
            if not self.text.startswith("}", self.position):
                self._expect(",")
                self._skip(_GAP)
        self.position += 1

    def _note(self, path: KeyPath, line: int) -> None:
        if len(path) > DEEPEST:
            raise too_deep(self.label, line)
        self.lines.setdefault(path, line)
        if len(self.lines) > MOST_VALUES:
            raise too_many(self.label, line)

    def _repeat(self, path: KeyPath, line: int) -> None:
        self.repeated = self.repeated or (path, line)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.position)
        if match is None:
            raise _NotTomlError
        self.position = match.end()

    def _expect(self, token: str) -> None:
        if not self.text.startswith(token, self.position):
            raise _NotTomlError
        self.position += len(token)

    def _line_here(self) -> int:
        self._line += self.text.count("\n", self._counted_to, self.position)
        self._counted_to = self.position
        return self._line


def _key_text(match: re.Match[str]) -> str:
    kind = match.lastgroup or "bare"
    text: str = match[kind]
    if kind == "basic" and "\\" in text:
        try:
            return str(loads(f'k = "{text}"')["k"])
        except ValueError:
            raise _NotTomlError from None
    return text
