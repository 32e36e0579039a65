"""Hashes of files that may be large: read once, and remembered until the file is another.

A file is known by its device, inode, size and times. Nothing here waits for a pipe, and a `stop` is heeded between two
pieces of a file.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from launcher.record.hash_memory import HashMemory, Kept

Stop = Callable[[], bool]
Progress = Callable[[int, int], None]  # files done, files in all

MOST_FILES = 100_000  # of a folder: one with more is no model
_PIECE = 1 << 20  # bytes read at once
_SHORT_AT, _SHORT = 0x100000, 0x10000  # library/train_util.py, model_hash
_SHORT_LETTERS = 8
_HEADER_LENGTH = 8  # bytes at the start of a safetensors file that say how long its header is
_DEEPEST = 40  # folders in folders
_SAVE_EVERY = 30.0  # seconds between two savings of what was worked out


class HashError(Exception):
    """Why there is no hash; the message continues a sentence that begins with the file's name."""


class Stopped(Exception):  # noqa: N818 - nothing is wrong
    """Somebody asked to stop."""


@dataclass(frozen=True)
class FileHash:
    """A file's size in bytes, when it was last written in ns, and its hashes.

    `short` is the first model hash of stable-diffusion-webui, of a file that has bytes there. `weights` is that of a
    safetensors file without its header; None where it was not asked for, or the file is none.
    """

    size: int
    modified: int
    sha256: str
    short: str = ""
    weights: str | None = None


class FoundFile(NamedTuple):
    """A file in a folder: its name relative to it, and its status when it was listed."""

    name: str
    status: os.stat_result


def never() -> bool:
    """Nobody stops it."""
    return False


def file_hash(path: Path, stop: Stop = never, *, weights: bool = False, remembered: bool = True) -> FileHash:
    """The hashes of one file; with `remembered` they are those of an earlier reading when it is the same file still.

    Raises HashError when it is no file, cannot be read or changes meanwhile, and Stopped.
    """
    try:
        folder = Path(os.path.realpath(path)).parent
    except (OSError, ValueError) as error:
        raise HashError(_said(error)) from None
    with memory_of(folder, remembered=remembered) as memory:
        return hash_in(memory, str(path), stop, weights=weights)


def weights_hash(path: Path, stop: Stop = never) -> str | None:
    """The SHA-256 of a safetensors file's bytes after its header; None for any other file.

    It is the sshs_model_hash of sd-scripts' own networks (library/train_util.py, addnet_hash_safetensors); LyCORIS
    hashes tensor by tensor in its own order.
    Raises what `file_hash` does.
    """
    return file_hash(path, stop, weights=True).weights


def short_hash(path: Path) -> str:
    """The first model hash of stable-diffusion-webui, by which ss_sd_model_hash knows a model. Raises HashError."""
    with _opened(str(path)) as handle:
        piece = os.pread(handle, _SHORT, _SHORT_AT)
    return hashlib.sha256(piece).hexdigest()[:_SHORT_LETTERS]


def file_hashes(
    folder: str,
    names: Sequence[str],
    stop: Stop = never,
    progress: Progress | None = None,
    *,
    remembered: bool = True,
) -> dict[str, FileHash | HashError]:
    """The hashes of files in a folder, or why one has none. Raises Stopped."""
    found: dict[str, FileHash | HashError] = {}
    with memory_of(Path(folder), remembered=remembered) as memory:
        for number, name in enumerate(names, 1):
            if stop():
                raise Stopped
            try:
                found[name] = hash_in(memory, os.path.join(folder, name), stop)  # noqa: PTH118 - texts
            except HashError as error:
                found[name] = error
            if progress:
                progress(number, len(names))
            if memory.unsaved_for() > _SAVE_EVERY:
                memory.save()
    return found


def files_below(folder: Path, most: int = MOST_FILES) -> Iterator[FoundFile]:
    """Every file in a folder and the folders below it, those behind links too; none is opened.

    What is neither file nor folder is among them. Raises HashError when there are more than `most`, or a folder
    cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    for number, found in enumerate(_walk(os.fspath(folder), "", seen), 1):
        if number > most:
            raise HashError(f"has more than {most} files")
        yield found


def folder_hash(folder: Path, stop: Stop = never, *, remembered: bool = True) -> FileHash:
    """The hash of a folder: the SHA-256 over a sorted list of its files, a line "PATH SHA256" for each.

    `size` is that of all files, `modified` the time of the newest. Raises HashError and Stopped.
    """
    lines: list[bytes] = []
    size = newest = 0
    by_folder: dict[str, list[str]] = {}
    for found in files_below(folder):
        head, _, name = found.name.rpartition("/")
        by_folder.setdefault(head, []).append(name)
    for head, names in by_folder.items():
        below = os.path.join(folder, head)  # noqa: PTH118 - texts
        for name, one in file_hashes(below, names, stop, remembered=remembered).items():
            path = f"{head}/{name}" if head else name
            if isinstance(one, HashError):
                raise HashError(f"has {path}, which {one}")
            lines.append(os.fsencode(path) + b" " + one.sha256.encode())
            size, newest = size + one.size, max(newest, one.modified)
    return FileHash(size, newest, hashlib.sha256(b"".join(line + b"\n" for line in sorted(lines))).hexdigest())


def hash_of_hashes(hashes: Iterable[str]) -> str:
    """The SHA-256 over a sorted list of hashes, one per line."""
    return hashlib.sha256("".join(f"{each}\n" for each in sorted(hashes)).encode()).hexdigest()


@contextmanager
def memory_of(folder: Path, *, remembered: bool = True) -> Iterator[HashMemory]:
    """What is remembered of a folder's files; what is new is written down at the end of the block."""
    memory = HashMemory(folder) if remembered else HashMemory(None)
    try:
        yield memory
    finally:
        memory.save()


def hash_in(memory: HashMemory, path: str, stop: Stop = never, *, weights: bool = False) -> FileHash:
    """The hashes of a file, out of what is remembered or read now. Raises HashError and Stopped."""
    try:
        status = os.stat(path)  # noqa: PTH116 - thousands of texts
    except (OSError, ValueError) as error:
        raise HashError(_said(error)) from None
    kept = memory.known(status)
    if kept is None or (weights and kept.weights is None):
        kept, status = _read(path, stop, weights=weights)
        memory.keep(status, kept)
    return FileHash(status.st_size, status.st_mtime_ns, kept.sha256, kept.short, kept.weights or None)


def _read(path: str, stop: Stop, *, weights: bool) -> tuple[Kept, os.stat_result]:
    with _opened(path) as handle:
        before = os.fstat(handle)
        kept = digest(handle, before.st_size, stop, weights=weights)
        after = os.fstat(handle)
    same = (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )
    if kept is None or not same:
        raise HashError("was changed while it was read")
    return kept, after


def digest(handle: int, size: int, stop: Stop, *, weights: bool) -> Kept | None:
    """Read an open file of `size` bytes from its start to its end; None when it is shorter. Raises Stopped."""
    whole, without_header = hashlib.sha256(), hashlib.sha256()
    short = hashlib.sha256()
    place, start = 0, _first_tensor(handle, size) if weights else 0
    while place < size:
        if stop():
            raise Stopped
        try:
            piece = os.read(handle, min(_PIECE, size - place))
        except OSError as error:
            raise HashError(_said(error)) from None
        if not piece:
            return None
        whole.update(piece)
        if start and place + len(piece) > start:
            without_header.update(piece[max(0, start - place) :])
        if place < _SHORT_AT + _SHORT and place + len(piece) > _SHORT_AT:
            short.update(piece[max(0, _SHORT_AT - place) : _SHORT_AT + _SHORT - place])
        place += len(piece)
    words = (without_header.hexdigest() if start else "") if weights else None
    return Kept(whole.hexdigest(), short.hexdigest()[:_SHORT_LETTERS], words)


def _first_tensor(handle: int, size: int) -> int:
    """Where the header of a safetensors file ends; 0 for a file that is none."""
    start = os.pread(handle, _HEADER_LENGTH + 1, 0)
    end = int.from_bytes(start[:_HEADER_LENGTH], "little") + _HEADER_LENGTH
    return end if start[_HEADER_LENGTH:] == b"{" and end <= size else 0


@contextmanager
def _opened(path: str) -> Iterator[int]:
    """A regular file opened for reading; a pipe or a device is not waited for."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - not even opened: a device may do something then
            raise HashError("is not a file")
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise HashError(_said(error)) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise HashError("is not a file")
        yield handle
    finally:
        os.close(handle)


def _walk(folder: str, inside: str, seen: set[tuple[int, int]]) -> Iterator[FoundFile]:
    try:
        status = os.stat(folder)  # noqa: PTH116 - texts
        identity = (status.st_dev, status.st_ino)
        if identity in seen or inside.count("/") > _DEEPEST:  # a link back to where we were
            return
        seen.add(identity)
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except (OSError, ValueError) as error:
        raise HashError(f"has {inside or 'a folder'}, which {_said(error)}" if inside else _said(error)) from None
    for entry in entries:
        path = f"{inside}/{entry.name}" if inside else entry.name
        try:
            status = entry.stat()
        except OSError as error:
            raise HashError(f"has {path}, which {_said(error)}") from None
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(entry.path, path, seen)
        else:
            yield FoundFile(path, status)


def _said(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "is not there"
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"
