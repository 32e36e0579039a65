"""On which line each key of a JSON text stands, and which keys stand twice. Judges nothing: json does that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from launcher.spec.tree import KeyPath

_TOKEN = re.compile(r'(?P<space>\s+)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<sign>[{}\[\],:])|(?P<word>[^\s{}\[\],:"]+)')
_DEEPEST = 64  # deeper down, no lines are wanted


@dataclass(frozen=True)
class JsonLines:
    """The line of every key and list item, counted from 1. `repeated`: keys that stand twice, first line, line."""

    lines: Mapping[KeyPath, int]
    repeated: tuple[tuple[KeyPath, int, int], ...]


@dataclass
class _Open:
    """A table or list that is being read: the path to it, and the key or index of what comes next."""

    path: KeyPath
    is_list: bool
    index: int = 0
    key: str | None = None

    def next(self) -> KeyPath | None:
        if self.is_list:
            return (*self.path, self.index)
        return None if self.key is None else (*self.path, self.key)


def find_json_lines(text: str) -> JsonLines:
    """Walk over the text as far as it is JSON."""
    lines: dict[KeyPath, int] = {}
    repeated: list[tuple[KeyPath, int, int]] = []
    stack: list[_Open] = []
    for word, line in _tokens(text):
        top = stack[-1] if stack else None
        if word in "}]":
            if top is None:
                break
            stack.pop()
        elif word == "," and top is not None:
            top.index, top.key = top.index + 1, None
        elif top is not None and not top.is_list and top.key is None and word.startswith('"'):
            top.key = _unquoted(word)
            path = (*top.path, top.key)
            if path in lines:
                repeated.append((path, lines[path], line))
            lines.setdefault(path, line)
        elif word != ":":
            path = (top.next() or top.path) if top else ()
            if top is not None and top.is_list:
                lines.setdefault(path, line)
            if word in "{[":
                if len(stack) >= _DEEPEST:
                    break
                stack.append(_Open(path, word == "["))
    return JsonLines(lines, tuple(repeated))


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return
        if match.lastgroup != "space":
            yield match[0], line
        line += match[0].count("\n")
        position = match.end()


def _unquoted(token: str) -> str:
    try:
        return str(json.loads(token))
    except ValueError:
        return token[1:-1]
