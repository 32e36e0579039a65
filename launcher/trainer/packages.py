"""Where the modules are that the trainer will import: the checkout first, then the environment's packages.

Nothing is imported and no interpreter is started.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_MAPPING = re.compile(rb"^MAPPING[^=\n]*= *(\{.*\})\s*$", re.MULTILINE)  # of setuptools' __editable___*_finder.py


@dataclass(frozen=True)
class ModuleFile:
    """A module found: the folder that Python finds it from, and its file below that, with "/".

    `file` is None for a folder without `__init__.py` and for a module that is not Python source.
    """

    root: Path
    file: str | None

    @property
    def package(self) -> str:
        """The name of the outermost package or module."""
        return (self.file or "").split("/", maxsplit=1)[0].removesuffix(".py")


@dataclass(frozen=True)
class Packages:
    """The folders that the training interpreter imports from, in its order.

    `site` are the environment's own; empty when the environment is not known.
    """

    checkout: Path
    site: tuple[Path, ...]

    @property
    def known(self) -> bool:
        """Whether the environment's packages could be found at all: without them nothing is missing for sure."""
        return bool(self.site)

    def find(self, dotted: str) -> ModuleFile | None:
        """The module of this name, as Python would find it; None when it is nowhere."""
        parts = dotted.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        for root in (self.checkout, *_import_roots(self.site)):
            found = _in_folder(root, parts)
            if found:
                return found
        folder = _editable(self.site).get(parts[0])
        return _in_folder(Path(folder).parent, parts) if folder else None

    def version(self, distribution: str) -> str | None:
        """The version of an installed distribution (`lycoris_lora`, `lycoris-lora`), by its metadata's folder."""
        wanted = normal_name(distribution)
        return next((version for name, version in _distributions(self.site) if name == wanted), None)


def site_packages(python: Path) -> Iterator[Path]:
    """The folders of packages that this interpreter has, as far as the layout of its environment tells."""
    here, real = python.parent.parent, python.resolve().parent.parent
    for prefix in (here,) if stands_alone(python) else dict.fromkeys((here, real)):
        for lib in ("lib", "lib64", "local/lib"):
            for packages in ("site-packages", "dist-packages"):
                yield from sorted((prefix / lib).glob(f"python3*/{packages}"))
                yield from sorted((prefix / lib).glob(f"python3/{packages}"))
    if python == Path(sys.executable):
        yield from (Path(entry) for entry in sys.path if entry)


def stands_alone(python: Path) -> bool:
    """Whether it is the interpreter of a venv that sees no packages but its own."""
    config = python.parent.parent / "pyvenv.cfg"
    if not config.is_file():
        return False
    text = config.read_text(encoding="utf-8", errors="replace").lower()
    return not any(line.replace(" ", "") == "include-system-site-packages=true" for line in text.splitlines())


def _in_folder(root: Path, parts: Sequence[str]) -> ModuleFile | None:
    path = "/".join(parts)
    for file in (f"{path}/__init__.py", f"{path}.py"):
        if _is_file(root / file):
            return ModuleFile(root, file)
    stem = f"{parts[-1]}."
    names = _names(root.joinpath(*parts[:-1]))
    compiled = any(name.startswith(stem) and name.endswith(".so") for name in names)
    return ModuleFile(root, None) if compiled or (parts[-1] in names and _is_folder(root / path)) else None


def import_roots(site: tuple[Path, ...]) -> tuple[Path, ...]:
    """The folders themselves and those that their .pth files add (site.py, addpackage)."""
    roots = list(site)
    for folder in site:
        for file in _listed(folder, "*.pth"):
            for line in _read(file).decode("utf-8", "replace").splitlines():
                entry = line.strip()
                if entry and not entry.startswith(("#", "import ", "import\t")) and "\0" not in entry:
                    roots.append(folder / entry)
    return tuple(dict.fromkeys(roots))


_import_roots = lru_cache(maxsize=8)(import_roots)


@lru_cache(maxsize=8)
def _editable(site: tuple[Path, ...]) -> dict[str, str]:
    """Packages of editable installations that setuptools maps by name instead of adding a folder."""
    mapped: dict[str, str] = {}
    for folder in site:
        for file in _listed(folder, "__editable___*_finder.py"):
            found = _MAPPING.search(_read(file))
            try:
                mapping = ast.literal_eval(found[1].decode()) if found else {}
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            mapped.update({str(name): str(path) for name, path in mapping.items()})
    return mapped


@lru_cache(maxsize=8)
def _distributions(site: tuple[Path, ...]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (normal_name(name), version)
        for folder in site
        for entry in sorted(_names(folder))
        if entry.endswith("-info")
        for name, _, version in [entry.rpartition(".")[0].partition("-")]
        if version
    )


def normal_name(name: str) -> str:
    """A distribution's name as package indexes compare it: `lycoris_lora` and `LyCORIS.lora` are `lycoris-lora`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _listed(folder: Path, pattern: str) -> Iterator[Path]:
    try:
        yield from sorted(folder.glob(pattern))
    except OSError:
        return


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are all that is asked for
    except OSError:
        return []
