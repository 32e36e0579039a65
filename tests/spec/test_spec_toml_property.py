"""The line finder against documents whose author knows every line, and TOML against YAML of the same data."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from launcher.spec.reader import read_settings
from launcher.spec.toml_lines import find_lines
from launcher.spec.toml_parser import loads
from launcher.spec.tree import KeyPath

Draw = Callable[[st.SearchStrategy[Any]], Any]

_KEYS = st.text(alphabet="ab1_-. \"'#=[]é\\,", max_size=5)
# What a finder that looked for "key =" or "[table]" by line would fall for.
_SINGLE = st.sampled_from(
    ["1", "-1.5e3", "true", "0xff", '"x"', '"a = 1 # [t] \\" ]"', "'[t] # '", '""', "''", '"\\\\"', '"""x"""', "inf"]
)
_MULTI = st.sampled_from([
    '"""\n[fake]\na = 1\n"""',
    "'''\n[[fake]]\n# a = 1\n'''",
    '"""a\\\n  b = "" \\""" = 2\n"""""',
    "'''it's ''\n]\n'''''",
    '""""quoted"\n"""',
])  # fmt: skip
_BREAKS = st.sampled_from(["", "\n", " # [x] = 1\n", "\n\n  ", "\t"])
_BETWEEN = st.sampled_from(["", "\n", "# a = 1\n", "  \n# [t]\n", '\t# """\n'])


class _Author:
    """Writes a document piece by piece and notes the line of each key."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.text = ""
        self.lines: dict[KeyPath, int] = {}

    def note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def key(self, parts: list[str]) -> str:
        space = self.draw(st.sampled_from(["", " ", "\t"]))
        return f"{space}.{space}".join(self._part(part) for part in parts)

    def _part(self, part: str) -> str:
        forms = ['"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"']
        forms.append('"' + "".join(f"\\u{ord(c):04x}" for c in part) + '"')
        if "'" not in part:
            forms.append(f"'{part}'")
        if part and all(c in "ab1_-" for c in part):
            forms += [part, part]
        form: str = self.draw(st.sampled_from(forms))
        return form

    def pairs(self, path: KeyPath, depth: int, write: Callable[[], None], taken: set[str]) -> None:
        for first in self.draw(st.lists(_KEYS, max_size=4, unique=True)):
            if first in taken:
                continue
            taken.add(first)
            parts = [first, *self.draw(st.lists(_KEYS, max_size=2))]
            write()
            for end in range(1, len(parts) + 1):
                self.note((*path, *parts[:end]))
            self.text += self.key(parts) + self.draw(st.sampled_from(["=", " = ", "\t= "]))
            self.value((*path, *parts), depth)

    def value(self, path: KeyPath, depth: int) -> None:
        kind = self.draw(st.integers(0, 5)) if depth < 3 else 0
        if kind <= 2:
            self.text += self.draw(_SINGLE)
        elif kind == 3:
            self.text += self.draw(_MULTI)
        elif kind == 4:
            self._list(path, depth)
        else:
            self._inline(path, depth)

    def _list(self, path: KeyPath, depth: int) -> None:
        self.text += "["
        for index in range(self.draw(st.integers(0, 3))):
            self.text += ("," if index else "") + self.draw(_BREAKS)
            self.note((*path, index))
            self.value((*path, index), depth + 1)
            self.text += self.draw(_BREAKS)
        self.text += "]"

    def _inline(self, path: KeyPath, depth: int) -> None:
        self.text += "{ "
        first = True

        def comma() -> None:
            nonlocal first
            self.text += "" if first else " , "
            first = False

        self.pairs(path, depth + 1, comma, set())
        self.text += " }"

    def statements(self, path: KeyPath, taken: set[str]) -> None:
        def line() -> None:
            if self.text and not self.text.endswith("\n"):
                self.text += self.draw(st.sampled_from(["\n", " # c = 1\n"]))
            self.text += self.draw(_BETWEEN) + self.draw(st.sampled_from(["", "  "]))

        self.pairs(path, 0, line, taken)
        line()

    def header(self, path: KeyPath, written: list[str], *, listed: bool) -> None:
        for end in range(1, len(path) + 1):
            self.note(path[:end])
        opening, closing = ("[[", "]]") if listed else ("[", "]")
        self.text += f"{opening} {self.key(written)} {closing}"


@st.composite
def _documents(draw: Draw) -> tuple[str, dict[KeyPath, int]]:
    author = _Author(draw)
    taken: set[str] = set()
    author.statements((), taken)
    for name in draw(st.lists(_KEYS, max_size=4, unique=True)):
        if name in taken:
            continue
        taken.add(name)
        if draw(st.booleans()):
            more = draw(st.lists(_KEYS, max_size=2))
            author.header((name, *more), [name, *more], listed=False)
            author.statements((name, *more), set())
            continue
        for index in range(draw(st.integers(1, 3))):
            inner: set[str] = set()
            author.header((name, index), [name], listed=True)
            author.statements((name, index), inner)
            for sub in draw(st.lists(_KEYS, max_size=2, unique=True)):
                if sub not in inner:
                    author.header((name, index, sub, 0), [name, sub], listed=True)
                    author.statements((name, index, sub, 0), set())
    return author.text, author.lines


def _paths(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path}.union(*(_paths(item, (*path, key)) for key, item in items))


@settings(deadline=None, max_examples=300)
@given(_documents(), st.booleans())
def test_every_key_has_the_line_its_author_gave_it(document: tuple[str, dict[KeyPath, int]], windows: bool) -> None:
    text, lines = document
    values = loads(text.replace("\n", "\r\n") if windows else text)  # the author writes TOML
    found = find_lines(text, "fox.toml")
    assert found.lines == lines
    assert found.repeated is None
    assert _paths(values) - {()} == set(lines)


_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=8)
_WORDS = st.sampled_from(
    ["no", "yes", "true", "null", "~", "1e-4", "1_0", "0o7", "010", ".5", "2024-01-01", "<<", "", "- a"]
)
_SCALARS = (
    _TEXT | _WORDS | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT | _WORDS, inner, max_size=3),
    max_leaves=10,
)
_DATA = st.dictionaries(
    (_TEXT | _WORDS | st.sampled_from(["datasets", "general"])).filter(lambda k: k != "extends"), _TREES
)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str):
        return _quoted(value)
    return str(value).lower()


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@settings(deadline=None, max_examples=150)
@given(_DATA)
def test_the_same_data_in_toml_and_in_yaml_gives_the_same_settings(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        toml, flow, block = (Path(folder) / name for name in ("fox.toml", "flow.yaml", "block.yaml"))
        toml.write_text("".join(f"{_quoted(key)} = {_toml(value)}\n" for key, value in data.items()), "utf-8")
        flow.write_text(json.dumps(data, ensure_ascii=False, indent=1), "utf-8")
        writer: Any = YAML(typ="safe", pure=True)
        writer.default_flow_style, writer.allow_unicode, writer.sort_base_mapping_type_on_output = False, True, False
        with block.open("w", encoding="utf-8") as file:
            writer.dump(data, file)
        said = [[(s.table, s.key, repr(s.value)) for s in read_settings(path).settings] for path in (toml, flow, block)]
    assert said[0] == said[1] == said[2]
