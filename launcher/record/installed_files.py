"""The files of an installed package against the list that its installer left (RECORD)."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from launcher.base.files import sha256_of

_MOST = 1 << 24  # bytes of a RECORD that are read


def installed_files(information: Path) -> tuple[str | None, tuple[str, ...]]:
    """One hash over a package's installed files, and those that are not as they were installed.

    The hash is the SHA-256 of the sorted lines "SHA256  NAME": the same on every machine that has the same files.
    Scripts, compiled files and the metadata are left out, for they differ. None when there is no list of files.
    Modules that somebody added beside the package's own are changes too. Raises OSError, ValueError.
    """
    listed = dict(_listed(information))
    if not listed:
        return None, ()
    root = information.parent
    folders = {name.split("/")[0] for name in listed if "/" in name}
    added = {name for folder in folders for name in _modules(root, folder)} - set(listed)
    lines, changed = [], []
    for name in sorted({*listed, *added}):
        found = _hash(root / name)
        if found is not None:
            lines.append(f"{found.hex()}  {name}\n")
        if found is None or found != listed.get(name):
            changed.append(name)
    return sha256_of("".join(lines).encode("utf-8", "surrogateescape")), tuple(changed)


def _listed(information: Path) -> Iterator[tuple[str, bytes]]:
    """The name of each file, with its SHA-256 as it was installed."""
    try:
        with (information / "RECORD").open("rb") as stream:
            text = stream.read(_MOST).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return
    try:
        rows = list(csv.reader(text.splitlines()))
    except csv.Error as error:
        raise ValueError(f"its RECORD cannot be read: {error}") from None
    for row in rows:
        name = os.path.normpath(row[0]) if row else ""
        outside = name.startswith(("..", "/", information.name + "/")) or "\0" in name
        if len(row) < 2 or not row[1].startswith("sha256=") or outside:
            continue
        value = row[1].removeprefix("sha256=")
        try:
            yield name, base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except ValueError:
            yield name, b""


def _modules(root: Path, folder: str) -> Iterator[str]:
    for parent, names, files in os.walk(root / folder):
        names[:] = [name for name in names if name != "__pycache__"]
        for file in files:
            if file.endswith(".py"):
                yield os.path.relpath(os.path.join(parent, file), root)  # noqa: PTH118 - thousands of names


def _hash(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.digest()
