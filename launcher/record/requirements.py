"""Recorded packages as pip and uv take them, and what of their answers tells why one cannot be had."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from launcher.base.words import listed
from launcher.record.environment import EnvironmentRecord
from launcher.record.environment_differences import NOT_TRAINING
from launcher.record.packages import HASHED, PackageRecord

# A version as it stands in the names of files. "==2.7.1" also takes 2.7.1+cpu, "===2.7.1" does not.
_PLAIN = re.compile(
    r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*((a|b|rc)(0|[1-9]\d*))?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9]+(\.[a-z0-9]+)*)?"
)
_NAME = re.compile(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", re.ASCII)
_WORD = re.compile(r"[^\s\x00-\x1f;,]+")
_NOT_HAD = ("no matching distribution", "no version of", "was not found", "not found in the", "no solution found")


@dataclass(frozen=True)
class Wanted:
    """What an environment is made of: lines of a requirements file, folders that are copied before they are built,
    editable packages with their folders, and what cannot be made as it was: in words, and the keys of the packages.
    """

    lines: tuple[str, ...]
    folders: tuple[tuple[PackageRecord, Path], ...]
    editable: tuple[tuple[PackageRecord, Path], ...]
    otherwise: tuple[str, ...]
    told: frozenset[str]


def wanted_of(record: EnvironmentRecord) -> Wanted:
    """What is to be installed for the packages of a record, by what still is where it was.

    Raises ValueError for a name, version or source that none can be: it would be an option to pip.
    """
    lines: list[str] = []
    folders: list[tuple[PackageRecord, Path]] = []
    editable: list[tuple[PackageRecord, Path]] = []
    otherwise: list[str] = []
    told: set[str] = set()
    for package in record.packages:
        if package.key in NOT_TRAINING:
            continue
        if not _NAME.fullmatch(package.name) or not _WORD.fullmatch(f"{package.version}{package.source_url}"):
            raise ValueError(f"{package.name!r} {package.version!r} is not a package")
        if package.changed:
            files = listed(package.changed)
            otherwise.append(f"{package.name} {package.version} is as it was published: {files} had been changed")
            told.add(package.key)
        folder = _file(package)
        if package.editable:
            if folder is not None and folder.is_dir():
                editable.append((package, folder))
            else:
                otherwise.append(f"{package.name} is left out: its folder {folder} is not there")
                told.add(package.key)
        elif folder is not None and folder.is_dir():
            folders.append((package, folder))
        elif folder is not None and not folder.exists():
            lines.append(pinned(package))
            otherwise.append(f"{package.name} comes from a package index: {folder} is not there")
            told.add(package.key)
        else:
            lines.append(_from_source(package) if package.source else pinned(package))
    if record.conda:
        otherwise.append("what conda had installed besides Python packages is left out")
    return Wanted(tuple(lines), tuple(folders), tuple(editable), tuple(otherwise), frozenset(told))


def pinned(package: PackageRecord) -> str:
    """The package in exactly its version, from an index."""
    equal = "===" if _PLAIN.fullmatch(package.version) else "=="
    return f"{package.name}{equal}{package.version}"


def why_not(output: str, packages: Iterable[PackageRecord]) -> PackageRecord | None:
    """The package that pip or uv says it cannot find; None when it failed for something else."""
    for line in output.splitlines():
        if any(words in line.lower() for words in _NOT_HAD):
            named = re.findall(r"[A-Za-z0-9][\w.-]*", line)
            for package in packages:
                if package.name.lower() in map(str.lower, named) or package.key in map(str.lower, named):
                    return package
    return None


def last_words(output: str, most: int = 3) -> str:
    """The last lines of an output that say something, on one line."""
    lines: Sequence[str] = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return " / ".join((errors or lines)[-most:])[:400]


def _from_source(package: PackageRecord) -> str:
    archive = package.sha256 and package.key not in HASHED and "+" not in urlsplit(package.source_url).scheme
    known = f"#sha256={package.sha256}" if archive and "#" not in package.source_url else ""
    return f"{package.name} @ {package.source_url}{known}"


def _file(package: PackageRecord) -> Path | None:
    """The file or folder that a package's source names; None for what comes from elsewhere."""
    url = urlsplit(package.source_url)
    inside = url.fragment.removeprefix("subdirectory=") if package.editable else ""
    return Path(unquote(url.path), unquote(inside)) if url.scheme == "file" else None
