"""The text of the trainer's source files, for rules that speak only where the checkout at hand really has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_LARGEST = 20_000_000  # bytes: no source file is larger
_DEFINES = re.compile(r"([ \t]*)(?:async +)?(?:def|class) +")
_GOES_ON = re.compile(r"\w")


@dataclass(frozen=True)
class Evidence:
    """What must stand in the checkout for a rule to be true of it.

    `function` is the name of a function, method or class in `file`, or "" for the whole file. `patterns` are regular
    expressions that must all be found in its text, in any order; white space in the text counts as one blank each.
    """

    file: str
    function: str
    patterns: tuple[str, ...]


@dataclass
class SourceText:
    """Reads source files below `root`, each once."""

    root: Path
    _texts: dict[str, str] = field(default_factory=dict)
    _functions: dict[tuple[str, str], str] = field(default_factory=dict)

    def text(self, file: str) -> str:
        """The text of a file; "" when it is not there."""
        if file not in self._texts:
            self._texts[file] = _read(self.root / file)
        return self._texts[file]

    def function(self, file: str, name: str) -> str:
        """The text of every function, method or class of this name in a file, with white space made single blanks.

        "" when there is none. With name "" that of the whole file.
        """
        key = (file, name)
        if key not in self._functions:
            text = "\n".join(_blocks(self.text(file), name)) if name else self.text(file)
            self._functions[key] = re.sub(r"\s+", " ", text)
        return self._functions[key]

    def says(self, evidence: Evidence) -> bool:
        """Whether all of its patterns stand where it says."""
        text = self.function(evidence.file, evidence.function)
        return bool(text) and all(re.search(pattern, text) for pattern in evidence.patterns)


def _blocks(text: str, name: str) -> list[str]:
    """The definitions of `name`: from the line of `def` or `class` to the next line that is indented no deeper."""
    return [text[begin:end] for begin, end, _ in definitions(text, name)]


def definitions(text: str, name: str) -> Iterator[tuple[int, int, str]]:
    """Where the definitions of `name` begin and end, with their indentation.

    Each goes from the line of `def` or `class`, without decorators, to the next line that is indented no deeper.
    """
    # The name first and the start of its line afterwards: a search for whole lines takes 20 times as long.
    found = text.find(name) if name else -1
    while found >= 0:
        begin, behind = text.rfind("\n", 0, found) + 1, found + len(name)
        start = _DEFINES.fullmatch(text, begin, found)
        if start and not _GOES_ON.match(text, behind):
            # Lines of the signature's closing bracket stand at the same depth: ") -> None:".
            end = re.compile(rf"^(?!{start[1]}[ \t])[ \t]*[^\s)#]", re.MULTILINE).search(text, behind)
            yield begin, end.start() if end else len(text), start[1]
        found = text.find(name, behind)


def _read(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        return path.read_bytes().decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
