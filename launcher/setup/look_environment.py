"""An environment as its folder shows it: interpreter, packages, torch's build, and what was left half installed."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from launcher.record.packages import installed_packages, torch_in
from launcher.setup.facts import EnvironmentFacts
from launcher.setup.made import is_taken, read_mark
from launcher.setup.torch_build import build_of
from launcher.trainer.packages import import_roots, site_packages

_REQUIRES = re.compile(r"^Requires-Dist:\s*(torch\b[^;\n]*)", re.MULTILINE)
_LIBRARY = "library"  # the name of sd-scripts' own package (its setup.py)


def look_at_environment(folder: Path) -> EnvironmentFacts:
    """What is there. Nothing is started or imported."""
    made = read_mark(folder)
    exists = is_taken(folder)
    python = folder / "bin" / "python"
    if not os.access(python, os.X_OK) or not _is_its_own(python, folder):
        return EnvironmentFacts(folder, exists, made)
    site = tuple(each for each in dict.fromkeys(site_packages(python)) if folder in each.parents)
    roots = import_roots(site)
    packages, _ = installed_packages(site, roots)
    torch = torch_in(roots)
    library = next((each.source_url for each in packages if each.key == _LIBRARY and each.editable), None)
    return EnvironmentFacts(
        folder,
        exists,
        made,
        python,
        _version(folder),
        {each.key: each.version for each in packages},
        Path(unquote(urlsplit(library).path)).resolve() if library else None,
        build_of(torch.cuda, torch.hip) if torch else None,
        tuple(_requires(site, "xformers")),
        tuple(broken_packages(site)) if made is not None and made.running else (),
    )


def _is_its_own(python: Path, folder: Path) -> bool:
    """Whether packages that this interpreter installs come into this folder: a link leads into another's without a
    pyvenv.cfg.
    """
    if (folder / "pyvenv.cfg").is_file():
        return True
    return Path(os.path.realpath(folder)) in Path(os.path.realpath(python)).parents


def broken_packages(site: Iterable[Path]) -> Iterator[str]:
    """Packages that an installation was broken off in: without the list of their files, or not with all of them."""
    for folder in site:
        for information in sorted(folder.glob("*.dist-info")):
            if not information.name.startswith("~") and not _is_whole(folder, information):
                yield information.name.partition("-")[0]


def _is_whole(folder: Path, information: Path) -> bool:
    installer = information / "INSTALLER"
    try:
        if installer.is_file() and installer.read_bytes().strip() == b"conda":
            return True  # conda has a record of its own
        with (information / "RECORD").open(encoding="utf-8", errors="replace", newline="") as file:
            rows = [row for row in csv.reader(file) if len(row) == 3]
        return bool(rows) and all(not size or _size(folder / name) == int(size) for name, _, size in rows)
    except (OSError, ValueError, csv.Error):
        return False


def _size(path: Path) -> int:
    return path.stat().st_size


def _version(folder: Path) -> tuple[int, int] | None:
    """The Python of an environment, by the name of its folder of packages."""
    for library in sorted((folder / "lib").glob("python3.*")):
        minor = library.name.removeprefix("python3.")
        if minor.isdecimal():
            return 3, int(minor)
    return None


def _requires(site: Iterable[Path], package: str) -> Iterator[str]:
    for folder in site:
        for file in folder.glob(f"{package}-*.dist-info/METADATA"):
            try:
                text = file.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            yield from (match[1].strip().replace("(", "").replace(")", "") for match in _REQUIRES.finditer(text))
