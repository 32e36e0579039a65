"""What is remembered of files that were hashed, from one run to the next."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from launcher.base.files import sha256_of, write_whole
from launcher.base.places import cache_folder

_FORMAT = 1  # of the file: another number makes older ones worthless
_MOST = 200_000  # files remembered of one folder
_FOLDERS = 500  # remembered; the ones not looked at for longest are forgotten
_JUST_NOW = 2_000_000_000  # ns: a file this new may change again within one tick of its file system's clock
_LARGEST = 100_000_000  # bytes of a file that kl would write
_WORTH_IT = 8_000_000  # bytes: fewer are read again sooner than looked up


class Kept(NamedTuple):
    """The hashes of a file. `weights` is "" of a file that is no safetensors, None where nobody asked."""

    sha256: str
    short: str
    weights: str | None


class HashMemory:
    """The hashes of the files of one folder, by what they are and not by their names.

    `folder` None remembers nothing. One that cannot be read or written is no error.
    """

    def __init__(self, folder: Path | None, cache: Path | None = None) -> None:
        self._path = None
        if folder is not None:
            place = cache or cache_folder() / "hashes"
            self._path = place / f"{sha256_of(os.fsencode(os.path.realpath(folder)))[:40]}.json"
        self._known = _load(self._path) if self._path else {}
        self._new: dict[str, Kept] = {}
        self._bytes = 0  # of the new ones
        self._since = time.monotonic()

    def known(self, status: os.stat_result) -> Kept | None:
        """The hashes of the file with this status."""
        name = _identity(status)
        return self._new.get(name) or self._known.get(name)

    def keep(self, status: os.stat_result, hashes: Kept) -> None:
        """Remember a file, unless it is so new that it may change without a sign."""
        settled = time.time_ns() - _JUST_NOW
        if status.st_mtime_ns < settled and status.st_ctime_ns < settled:
            self._new[_identity(status)] = hashes
            self._bytes += status.st_size

    def unsaved_for(self) -> float:
        """For how many seconds something has been waiting to be written down."""
        return time.monotonic() - self._since if self._new else 0.0

    def save(self) -> None:
        """Write down what is new, beside what another kl has written since."""
        self._since = time.monotonic()
        if self._path is None or self._bytes < _WORTH_IT:
            return
        together = {**_load(self._path), **self._new}
        entries = dict(list(together.items())[-_MOST:])  # the oldest go first
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, json.dumps({"format": _FORMAT, "files": entries}).encode("ascii"))
            _forget_oldest(self._path.parent)
        except (OSError, ValueError):
            return
        self._known, self._new, self._bytes = entries, {}, 0


def _identity(status: os.stat_result) -> str:
    """Device, inode, size and both times: a file with these has not been written since."""
    return f"{status.st_dev}-{status.st_ino}-{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"


def _load(path: Path) -> dict[str, Kept]:
    try:
        if path.stat().st_size > _LARGEST:
            return {}
        data = json.loads(path.read_bytes())
        if data["format"] != _FORMAT:
            return {}
        found = {name: Kept(*hashes) for name, hashes in data["files"].items()}
        if not all(_is_sound(each) for each in found.values()):
            return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    with suppress(OSError):
        os.utime(path)  # looked at just now
    return found


def _is_sound(kept: Kept) -> bool:
    whole = isinstance(kept.sha256, str) and len(kept.sha256) == 64
    return whole and isinstance(kept.short, str) and (kept.weights is None or isinstance(kept.weights, str))


def _forget_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[_FOLDERS:]:
        file.unlink(missing_ok=True)
