"""The source files of a checkout, and a record of every file that was looked at or looked for."""

from __future__ import annotations

import ast
import sys
import warnings
from functools import lru_cache
from pathlib import Path, PurePosixPath

from launcher.base.files import sha1_of

FOLDER = "folder"
_PYTHON = ".".join(map(str, sys.version_info[:2]))
_LARGEST = 20_000_000  # bytes: no source file is larger


class Sources:
    """Reads source files below `root`, and remembers what was there and what was not.

    `seen` maps each path looked at (relative, with "/") to the SHA-1 of its content, to `FOLDER`, or to None
    where there was nothing. A reading holds for as long as `unchanged(root, seen)`.
    With `package`, all other modules count as somebody else's, even where they stand below `root`.
    """

    def __init__(self, root: Path, package: str | None = None) -> None:
        self.root = root
        self.package = package
        self.seen: dict[str, str | None] = {}

    def parse(self, file: str) -> ast.Module | str:
        """The syntax tree of a file, or in words why there is none."""
        content = _content(self.root / file)
        self.seen[file] = None if content is None else sha1_of(content)
        if content is None:
            return "the file is missing or cannot be read"
        return _parsed(content)

    def find(self, dotted: str) -> tuple[str | None, bool] | None:
        """The file of a module and whether it is a package, in Python's own order; None when it is not of this root.

        A folder without `__init__.py` is a package too, without a file.
        """
        first = dotted.partition(".")[0]
        if first in sys.stdlib_module_names or (self.package is not None and first != self.package):
            return None
        path = dotted.replace(".", "/")
        for file, is_package in ((f"{path}/__init__.py", True), (f"{path}.py", False)):
            if self._is_file(file):
                return file, is_package
        is_folder = (self.root / path).is_dir()
        self.seen[f"{path}/"] = FOLDER if is_folder else None
        return (None, True) if is_folder else None

    def _is_file(self, file: str) -> bool:
        if file not in self.seen:
            content = _content(self.root / file)
            self.seen[file] = None if content is None else sha1_of(content)
        return self.seen[file] is not None


def unchanged(root: Path, seen: dict[str, str | None]) -> bool:
    """Whether every path that a reading looked at is still as it was then."""
    for path, before in seen.items():
        if path.endswith("/"):
            now = FOLDER if (root / path).is_dir() else None
        else:
            content = _content(root / path)
            now = None if content is None else sha1_of(content)
        if now != before:
            return False
    return True


def dotted_name(file: str) -> tuple[str, str, bool]:
    """The name a file is imported by, the file, and whether it is a package."""
    parts = PurePosixPath(file).with_suffix("").parts
    return (".".join(parts[:-1]), file, True) if parts[-1] == "__init__" else (".".join(parts), file, False)


@lru_cache(maxsize=64)
def _parsed(content: bytes) -> ast.Module | str:
    """Parsed once in a process: the scripts of a checkout share their library. Nobody changes a tree."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # doubtful escapes in strings are the trainer's business
            return ast.parse(content)
    except SyntaxError as error:
        return f"not valid for Python {_PYTHON}, which kl runs on: {error.msg}, line {error.lineno}"
    except (ValueError, RecursionError, MemoryError):
        return f"not valid for Python {_PYTHON}, which kl runs on"


def _content(path: Path) -> bytes | None:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:  # a pipe would be waited for without end
            return None
        return path.read_bytes()
    except (OSError, ValueError):
        return None
