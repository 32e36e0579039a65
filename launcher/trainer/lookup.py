"""Where a dotted name of a package is really defined, found in source text alone: nothing is imported.

Re-exports are followed as far as they are plain: `from .x import Name`, `from .x import *`, `Name = Other`, also
inside `try` and `if`. What a package makes up while it is imported cannot be followed, and is said to be open.
Answers are kept for as long as the process lives: nothing here is installed meanwhile.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path

from launcher.trainer.packages import Packages
from launcher.trainer.source_text import definitions

_LARGEST = 5_000_000  # bytes: no module is larger
_MOST = 60  # re-exports followed for one name; they may be nested deep, not without end
_IMPORT = re.compile(r"[ \t]*(?:from[ \t]+[\w.]+[ \t]+import[ \t]+(?:\([^)]*\)|(?:[^\n\\]|\\\n)+)|import[ \t]+[^\n;]+)")
# What lets a module have names that its text does not show.
_MADE_UP = re.compile(r"def __getattr__|\bglobals\(\)|\bvars\(\)|\bsetattr\(|sys\.modules\[|\bexec\(|import_structure")
# One of these stands in all that the pattern finds: looked for first, for it takes 25 ms for a large file.
_MADE_UP_WORDS = ("__getattr__", "globals()", "vars()", "setattr(", "sys.modules[", "exec(", "import_structure")
_ENCLOSING = re.compile(r"(?:try|else|finally)\s*:|(?:if|elif|except|with|for)\b")


class Kind(Enum):
    """What a name turns out to be."""

    CLASS = "class"
    FUNCTION = "function"
    VALUE = "value"
    MODULE = "module"


class Absence(Enum):
    """Why there is no definition: the module is missing, the name is not in it, or it cannot be known."""

    NO_MODULE = "no module"
    NO_NAME = "no name"
    OPEN = "open"


@dataclass(frozen=True)
class Definition:
    """A name's definition. `text` is its source without indentation, for a value the right side of its `=`.

    `module` is the dotted name of the module that it stands in, `file` that module's file.
    """

    kind: Kind
    name: str
    module: str
    file: Path
    text: str


Found = Definition | Absence
_Seen = dict[tuple[str, str], Found]


@lru_cache(maxsize=512)
def find_definition(packages: Packages, dotted: str) -> Found:
    """What `dotted` (`torch.optim.AdamW`) stands for."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        module = ".".join(parts[:count])
        if packages.find(module):
            break
    else:
        return Absence.NO_MODULE
    rest = parts[count:]
    if not rest:
        return _module(packages, module)
    found = name_in_module(packages, module, rest[0])
    if len(rest) == 1 or isinstance(found, Absence):
        return found
    if found.kind is not Kind.MODULE:
        return Absence.OPEN  # something inside a class
    return find_definition(packages, ".".join((found.module, *rest[1:]))) if found.module != module else Absence.OPEN


@lru_cache(maxsize=512)
def name_in_module(packages: Packages, module: str, name: str) -> Found:
    """What `name` stands for in a module."""
    return _in_module(packages, module, name, {})


def _in_module(packages: Packages, module: str, name: str, seen: _Seen) -> Found:
    key = (module, name)
    if key not in seen:
        seen[key] = Absence.OPEN  # for modules that import one another in a circle
        seen[key] = _looked_up(packages, module, name, seen) if len(seen) < _MOST else Absence.OPEN
    return seen[key]


def _looked_up(packages: Packages, module: str, name: str, seen: _Seen) -> Found:  # noqa: PLR0911
    place = packages.find(module)
    if place is None:
        return Absence.NO_MODULE
    if place.file is None:
        return Absence.OPEN
    file = place.root / place.file
    text = text_of(file)
    if text is None:
        return Absence.OPEN
    own = _own(text, name, module, file)
    if own is not None:
        return own
    is_package = file.name == "__init__.py"
    followed: list[Found] = [
        _in_module(packages, target, original, seen) if original else _module(packages, target)
        for target, original in imported(text, name, module, is_package)
    ]
    other = _same_as(text, name)
    if other and other != name:
        followed.append(_in_module(packages, module, other, seen))
    found = next((each for each in followed if isinstance(each, Definition)), None)
    if found or followed:
        return found or (followed[0] if followed[0] is Absence.NO_NAME else Absence.OPEN)
    value = _value(text, name)
    if value is not None:
        return Definition(Kind.VALUE, name, module, file, value)
    starred = [_in_module(packages, each, name, seen) for each in _starred(text, module, is_package)]
    found = next((each for each in starred if isinstance(each, Definition)), None)
    if found:
        return found
    if is_package and packages.find(f"{module}.{name}"):
        return _module(packages, f"{module}.{name}")
    doubtful = _makes_up_names(text) or any(each is not Absence.NO_NAME for each in starred)
    return Absence.OPEN if doubtful else Absence.NO_NAME


def imported(text: str, name: str, module: str, is_package: bool) -> Iterator[tuple[str, str | None]]:
    """What imports in a module's text bind to `name`: a module and the name in it, None for the module itself."""
    for node in _imports(text, name):
        for alias in node.names:
            if isinstance(node, ast.Import):
                if alias.asname == name:
                    yield alias.name, None
                elif alias.asname is None and alias.name.partition(".")[0] == name:
                    yield name, None
            elif (alias.asname or alias.name) == name:
                yield _absolute(node, module, is_package), alias.name


def public_names(packages: Packages, module: str) -> tuple[str, ...]:
    """The class-like names that a module's text imports or defines, for finding the nearest right one."""
    place = packages.find(module)
    text = text_of(place.root / place.file) if place and place.file else None
    if text is None:
        return ()
    names = [alias.asname or alias.name for node in _imports(text, None) for alias in node.names]
    names += re.findall(r"^class +(\w+)", text, re.MULTILINE)
    return tuple(dict.fromkeys(name for name in names if re.match(r"[A-Z]\w*[a-z]|[A-Z]{3}", name)))


@lru_cache(maxsize=64)
def block(text: str, name: str) -> str | None:
    """The definition of a class or function that stands at the top of a module; the last one where there are more."""
    found = _blocks(text, name)
    return found[-1] if found else None


def text_of(file: Path) -> str | None:
    """The text of a source file; None when it cannot be read."""
    try:
        state = file.stat()
        return _text(file, state.st_mtime_ns, state.st_size) if state.st_size <= _LARGEST and file.is_file() else None
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=32)
def _text(file: Path, _changed: int, _size: int) -> str:
    return file.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")


def _module(packages: Packages, dotted: str) -> Found:
    place = packages.find(dotted)
    if place is None:
        return Absence.NO_MODULE
    return Definition(Kind.MODULE, dotted.rpartition(".")[2], dotted, place.root / (place.file or ""), "")


def _own(text: str, name: str, module: str, file: Path) -> Found | None:
    blocks = _blocks(text, name)
    if not blocks:
        return None
    if len(set(blocks)) > 1:
        return Absence.OPEN  # which of them counts depends on what happens at import
    lines = [line for line in blocks[0].splitlines() if not line.startswith("@")]
    kind = Kind.CLASS if lines and lines[0].startswith("class") else Kind.FUNCTION
    return Definition(kind, name, module, file, blocks[0])


def _blocks(text: str, name: str) -> list[str]:
    """Definitions of `name` that belong to the module itself, with their decorators."""
    found = []
    for begin, end, indentation in definitions(text, name):
        if indentation and not _is_conditional(text[:begin], len(indentation.expandtabs())):
            continue
        above = text[max(0, begin - 2000) : begin]
        decorators = re.search(rf"(?:^{indentation}@[^\n]*\n)+\Z", above, re.MULTILINE) if "@" in above else None
        block = text[begin - (len(decorators[0]) if decorators else 0) : end]
        found.append(textwrap.dedent(block) if indentation else block)
    return found


def _line_start(text: str, position: int) -> int:
    return text.rfind("\n", 0, position) + 1


def _is_conditional(before: str, depth: int) -> bool:
    """Whether what stands this deep behind the text stands only in `if` and `try`, not in a class or function."""
    for line in reversed(before.splitlines()):
        stripped = line.strip()
        indent = len(line.expandtabs()) - len(line.expandtabs().lstrip())
        if stripped and not stripped.startswith("#") and indent < depth:
            if not _ENCLOSING.match(stripped):
                return False
            depth = indent
        if depth == 0:
            return True
    return depth == 0


def _imports(text: str, word: str | None) -> Iterator[ast.Import | ast.ImportFrom]:
    for source in _import_statements(text):
        node = _import(source) if word is None or word in source else None
        if node is not None:
            yield node


@lru_cache(maxsize=32)
def _import_statements(text: str) -> tuple[str, ...]:
    found = []
    end = 0
    for word in re.finditer("import", text):
        statement = _IMPORT.match(text, _line_start(text, word.start())) if word.start() >= end else None
        if statement:
            end = statement.end()
            found.append(statement[0].strip())
    return tuple(found)


@lru_cache(maxsize=512)
def _import(source: str) -> ast.Import | ast.ImportFrom | None:
    try:
        (node,) = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return node if isinstance(node, (ast.Import, ast.ImportFrom)) else None


def _makes_up_names(text: str) -> bool:
    return any(word in text for word in _MADE_UP_WORDS) and _MADE_UP.search(text) is not None


def _starred(text: str, module: str, is_package: bool) -> Iterator[str]:
    for node in _imports(text, "*"):
        if isinstance(node, ast.ImportFrom):
            yield _absolute(node, module, is_package)


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    keep = len(parts) - node.level + (1 if is_package else 0)
    return ".".join([*parts[: max(0, keep)], *([node.module] if node.module else [])])


def _same_as(text: str, name: str) -> str | None:
    text = f"\n{text}"
    if f"\n{name}" not in text:
        return None
    found = re.search(rf"^{re.escape(name)}[ \t]*=[ \t]*([A-Za-z_]\w*)[ \t]*(?:#.*)?$", text, re.MULTILINE)
    return found[1] if found and found[1] not in ("None", "True", "False") else None


def _value(text: str, name: str) -> str | None:
    """The right side of `name = …`, to its last closing bracket."""
    found = name in text and re.search(rf"^[ \t]*{re.escape(name)}[ \t]*(?::[^=\n]+)?=[ \t]*", text, re.MULTILINE)
    if not found:
        return None
    end = re.compile(r"\n(?![ \t)\]}#\n])").search(text, found.end())
    return text[found.end() : end.start() if end else len(text)]
