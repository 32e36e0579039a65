"""Removing a run directory that holds nothing of worth.

Only files that kl wrote and did not change since, the log and TensorBoard's records are ever removed, one by one.
Anything else in the directory keeps all of it. No symbolic link is followed, no other file system entered.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from launcher.record.archive import REPOSITORIES
from launcher.record.manifest import MANIFEST, Manifest
from launcher.run.directory import LOG

_OF_TENSORBOARD = ("events.out.tfevents*", "hparams.yml")
_OF_KL = (MANIFEST, LOG, REPOSITORIES, f".{MANIFEST}.*.partial")
_NO_LINK = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = _NO_LINK | os.O_DIRECTORY


@dataclass(frozen=True)
class Known:
    """A file or folder that may be removed: its path in the directory and its identity."""

    path: tuple[str, ...]
    inode: int


@dataclass
class Survey:
    """What stands in a run directory. `foreign` are the paths that keep it; folders come after what is in them."""

    device: int
    inode: int
    files: list[Known] = field(default_factory=list)
    folders: list[Known] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def survey(directory: Path, manifest: Manifest) -> Survey:
    """Look at everything in a run directory. Raises OSError when the directory is a link or cannot be opened."""
    hashes = {file.name: file.sha256 for file in manifest.files}
    with _opened(directory) as handle:
        status = os.fstat(handle)
        found = Survey(status.st_dev, status.st_ino)
        _survey_folder(handle, (), hashes, found)
    return found


def remove(directory: Path, found: Survey) -> bool:
    """Remove what `survey` found, if nothing in it was foreign; return whether the directory is gone.

    A file that was put there since keeps the directory.
    """
    if found.foreign:
        return False
    try:
        with _opened(directory.parent) as parent, _opened(directory.name, parent) as handle:
            if os.fstat(handle).st_ino != found.inode or os.fstat(handle).st_dev != found.device:
                return False
            for known in found.files:
                _remove_file(handle, known)
            for known in found.folders:
                _remove_folder(handle, known)
            os.rmdir(directory.name, dir_fd=parent)
    except OSError:
        return False
    return True


def _survey_folder(handle: int, path: tuple[str, ...], hashes: Mapping[str, str], found: Survey) -> None:
    for name in sorted(os.listdir(handle)):
        inner = (*path, name)
        try:
            status = os.stat(name, dir_fd=handle, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode) and status.st_dev == found.device and _is_known_folder(inner, hashes):
                with _opened(name, handle) as folder:
                    _survey_folder(folder, inner, hashes, found)
                found.folders.append(Known(inner, status.st_ino))
            elif stat.S_ISREG(status.st_mode) and _is_known_file(handle, inner, hashes):
                found.files.append(Known(inner, status.st_ino))
            else:
                found.foreign.append("/".join(inner))
        except OSError:  # unreadable, or it changed while we looked: not ours to judge
            found.foreign.append("/".join(inner))


def _is_known_folder(path: tuple[str, ...], hashes: Mapping[str, str]) -> bool:
    if path[0] == "logs" or path == ("sample",):
        return True
    return any(name.startswith("/".join(path) + "/") for name in hashes)


def _is_known_file(folder: int, path: tuple[str, ...], hashes: Mapping[str, str]) -> bool:
    name = path[-1]
    if path[0] == "logs" and len(path) > 1:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in _OF_TENSORBOARD)
    written = hashes.get("/".join(path))
    if written:
        return _sha256(folder, name) == written  # changed by hand: somebody's work
    return len(path) == 1 and any(fnmatch.fnmatchcase(name, pattern) for pattern in _OF_KL)


def _sha256(folder: int, name: str) -> str:
    digest = hashlib.sha256()
    with os.fdopen(os.open(name, _NO_LINK, dir_fd=folder), "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _remove_file(handle: int, known: Known) -> None:
    with _folder_of(handle, known) as folder:
        status = os.stat(known.path[-1], dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode) and status.st_ino == known.inode:
            os.unlink(known.path[-1], dir_fd=folder)


def _remove_folder(handle: int, known: Known) -> None:
    with _folder_of(handle, known) as folder:
        os.rmdir(known.path[-1], dir_fd=folder)


@contextmanager
def _folder_of(handle: int, known: Known) -> Iterator[int]:
    """Go down to the folder of `known` step by step, each step refusing a link."""
    opened = [os.dup(handle)]
    try:
        for name in known.path[:-1]:
            opened.append(os.open(name, _FOLDER, dir_fd=opened[-1]))
        yield opened[-1]
    finally:
        for number in opened:
            os.close(number)


@contextmanager
def _opened(folder: Path | str, inside: int | None = None) -> Iterator[int]:
    # A link to the output root is the user's choice; a link to a run directory is not a run directory.
    handle = os.open(folder, _FOLDER, dir_fd=inside)
    try:
        yield handle
    finally:
        os.close(handle)
