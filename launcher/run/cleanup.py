"""Removing a run directory that holds nothing of worth.

Only files that kl wrote and did not change since, the log and TensorBoard's records are ever removed, one by one.
Anything else in the directory keeps all of it. No symbolic link is followed, no other file system entered.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from launcher.record.archive import REPOSITORIES
from launcher.record.dataset import DATASET
from launcher.record.environment import ENVIRONMENT
from launcher.record.manifest import MANIFEST, Manifest
from launcher.record.model_metadata import METADATA
from launcher.record.notes import NOTES
from launcher.run.artifacts import MODEL_SUFFIXES
from launcher.run.directory import KL_LOG, LOG
from launcher.run.removed import is_log

PARTIAL = f".{MANIFEST}.*.partial"
_OF_TENSORBOARD = ("events.out.tfevents*", "hparams.yml")
# What the recorder writes beside the training: a kl that is killed then may not have written its hash down yet.
_OF_RECORDER = (ENVIRONMENT, DATASET, METADATA)
_OF_KL = (
    MANIFEST, LOG, KL_LOG, REPOSITORIES, PARTIAL, *_OF_RECORDER, *(f".{name}.*.partial" for name in _OF_RECORDER),
)  # fmt: skip
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_MODEL_FOLDER = frozenset({"model_index.json", "unet"})  # what Diffusers' folders hold
_BARE_REPOSITORY = frozenset({"HEAD", "objects", "refs"})
_DEEPEST = 40  # folders in folders; TensorBoard's records stand two or three deep
_NO_LINK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = _NO_LINK | os.O_DIRECTORY


class Keeps(str, Enum):
    """Why a file or folder keeps the directory that it is in."""

    MODEL = "model"
    STATE = "state"
    SAMPLE = "sample"
    NOTE = "note"
    REPOSITORY = "repository"
    LINK = "link"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    MOUNT = "mount"
    FOREIGN = "foreign"  # neither kl nor the trainer made it


@dataclass(frozen=True)
class Kept:
    """Something that keeps the directory: its path in it, and why."""

    path: str
    why: Keeps


@dataclass(frozen=True)
class Known:
    """A file or folder that may be removed: its path in the directory, and what it was when it was looked at.

    `stamp` is when a file was last changed in any way; a folder has none, what is in it counts.
    """

    path: tuple[str, ...]
    inode: int
    size: int = 0
    stamp: tuple[int, int] = (0, 0)


# Says why a file with that handle of its folder, path and status keeps the directory; None when it may go.
FileRule = Callable[[int, tuple[str, ...], os.stat_result], "Keeps | None"]


@dataclass(frozen=True)
class Rules:
    """What of a directory may go. `folder` says whether a folder is one that kl or the trainer makes."""

    file: FileRule
    folder: Callable[[tuple[str, ...]], bool]


@dataclass
class Survey:
    """What stands in a run directory. `kept` is what keeps it; folders come after what is in them."""

    device: int
    inode: int
    mount: int | None
    rules: Rules
    files: list[Known] = field(default_factory=list)
    folders: list[Known] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes that its removal frees."""
        return sum(known.size for known in self.files)

    def places(self) -> set[tuple[int, int]]:
        """Device and inode of the directory and of everything in it that may go."""
        return {(self.device, inode) for inode in (self.inode, *(each.inode for each in (*self.files, *self.folders)))}


def survey(directory: Path, manifest: Manifest) -> Survey:
    """Look at everything in a run directory. Raises OSError when the directory is a link or cannot be opened."""
    return survey_by(directory, _rules_of_a_run(manifest))


def survey_by(directory: Path, rules: Rules) -> Survey:
    """The same by other rules."""
    with _opened(directory) as handle:
        return _look(handle, rules)


def remove(directory: Path, found: Survey) -> bool:
    """Remove what `survey` found, if nothing in it is to be kept; return whether the directory is gone.

    It is looked at once more: anything that was changed or put there since keeps it all. The log and the manifest
    go last, so that a removal which is cut short leaves a run that is still known.
    """
    if found.kept:
        return False
    try:
        with _opened(directory.parent, links=True) as parent, _opened(directory.name, parent) as handle:
            if _mount(parent) != _mount(handle) or _look(handle, found.rules) != found:
                return False
            last = [known for known in found.files if _goes_last(known)]
            for known in found.files:
                if known not in last:
                    _remove_file(handle, known)
            for known in found.folders:
                _remove_folder(handle, known)
            if not {known.path[0] for known in last}.issuperset(os.listdir(handle)):  # noqa: PTH208 - a handle
                return False
            for known in sorted(last, key=lambda known: known.path[0] == MANIFEST):
                _remove_file(handle, known)
            os.rmdir(directory.name, dir_fd=parent)
    except OSError:
        return False
    return True


def sha_of(folder: int, name: str, kind: str = "sha256") -> str:
    """The hash of a file in an open folder, in hexadecimal. Raises OSError; a link is not followed."""
    digest = hashlib.new(kind, usedforsecurity=False)
    with os.fdopen(os.open(name, _NO_LINK, dir_fd=folder), "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_small(folder: int, name: str, most: int) -> bytes | None:
    """A file in an open folder; None when it is not there, cannot be read, or is larger than `most` bytes."""
    try:
        with os.fdopen(os.open(name, _NO_LINK, dir_fd=folder), "rb") as file:
            content = file.read(most + 1)
    except OSError:
        return None
    return content if len(content) <= most else None


def _look(handle: int, rules: Rules) -> Survey:
    status = os.fstat(handle)
    found = Survey(status.st_dev, status.st_ino, _mount(handle), rules)
    _look_into(handle, (), found)
    return found


def _look_into(handle: int, path: tuple[str, ...], found: Survey) -> None:
    for name in sorted(os.listdir(handle)):
        inner = (*path, name)
        try:
            status = os.stat(name, dir_fd=handle, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                why = _look_into_folder(handle, inner, status, found)
            else:
                why = _why_file_stays(handle, inner, status, found)
        except OSError:  # unreadable, or it changed while we looked: not ours to judge
            why = Keeps.UNREADABLE
        if why is not None:
            found.kept.append(Kept("/".join(inner), why))


def _look_into_folder(handle: int, path: tuple[str, ...], status: os.stat_result, found: Survey) -> Keeps | None:
    with _opened(path[-1], handle) as folder:
        if status.st_dev != found.device or _mount(folder) != found.mount:
            return Keeps.MOUNT
        why = _special_folder(path, folder)
        if why is None and not (found.rules.folder(path) and len(path) <= _DEEPEST):
            why = Keeps.FOREIGN
        if why is None:
            _look_into(folder, path, found)
            found.folders.append(Known(path, status.st_ino))
    return why


def _special_folder(path: tuple[str, ...], folder: int) -> Keeps | None:
    """Why a folder stays whatever the rules say of it."""
    names = set(os.listdir(folder))
    if path[-1] == ".git" or ".git" in names or names >= _BARE_REPOSITORY:
        return Keeps.REPOSITORY
    if path[-1].endswith("-state"):
        return Keeps.STATE
    return Keeps.MODEL if names & _MODEL_FOLDER else None


def _why_file_stays(handle: int, path: tuple[str, ...], status: os.stat_result, found: Survey) -> Keeps | None:
    name = path[-1].lower()
    if stat.S_ISLNK(status.st_mode):
        return Keeps.LINK
    if not stat.S_ISREG(status.st_mode):
        return Keeps.FOREIGN
    if name.endswith(MODEL_SUFFIXES):
        return Keeps.MODEL
    if name == ".git":  # a work tree whose repository is elsewhere
        return Keeps.REPOSITORY
    if path[0] == "sample" and name.endswith(_PICTURES):
        return Keeps.SAMPLE
    why = Keeps.NOTE if path == (NOTES,) else found.rules.file(handle, path, status)
    if why is None and status.st_nlink > 1:  # somebody gave it a second name
        why = Keeps.LINK
    if why is None:
        stamp = (status.st_mtime_ns, status.st_ctime_ns)
        found.files.append(Known(path, status.st_ino, status.st_size, stamp))
    return why


def _rules_of_a_run(manifest: Manifest) -> Rules:
    hashes = {file.name: file.sha256 for file in manifest.files}
    logs = {attempt.log for attempt in manifest.attempts if is_log(attempt.log)}

    def rule(handle: int, path: tuple[str, ...], status: os.stat_result) -> Keeps | None:
        return None if _is_known_file(handle, path, hashes, logs) else _foreign_or_changed(path, hashes)

    return Rules(rule, lambda path: _is_known_folder(path, hashes))


def _foreign_or_changed(path: tuple[str, ...], hashes: Mapping[str, str]) -> Keeps:
    return Keeps.CHANGED if "/".join(path) in hashes else Keeps.FOREIGN


def _is_known_folder(path: tuple[str, ...], hashes: Mapping[str, str]) -> bool:
    if path[0] == "logs" or path == ("sample",):
        return True
    return any(name.startswith("/".join(path) + "/") for name in hashes)


def _is_known_file(folder: int, path: tuple[str, ...], hashes: Mapping[str, str], logs: Iterable[str]) -> bool:
    name = path[-1]
    if path[0] == "logs" and len(path) > 1:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in _OF_TENSORBOARD)
    written = hashes.get("/".join(path))
    if written:
        return sha_of(folder, name) == written  # changed by hand: somebody's work
    return len(path) == 1 and (name in logs or any(fnmatch.fnmatchcase(name, pattern) for pattern in _OF_KL))


def _goes_last(known: Known) -> bool:
    return len(known.path) == 1 and (known.path[0] == MANIFEST or is_log(known.path[0]))


def _remove_file(handle: int, known: Known) -> None:
    with _folder_of(handle, known) as folder:
        status = os.stat(known.path[-1], dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode) or status.st_ino != known.inode or status.st_size != known.size:
            raise FileExistsError(known.path[-1])
        os.unlink(known.path[-1], dir_fd=folder)


def _remove_folder(handle: int, known: Known) -> None:
    with _folder_of(handle, known) as folder:
        if os.stat(known.path[-1], dir_fd=folder, follow_symlinks=False).st_ino != known.inode:
            raise FileExistsError(known.path[-1])
        os.rmdir(known.path[-1], dir_fd=folder)


def _mount(handle: int) -> int | None:
    """Which mount an open folder is of: a folder bound from elsewhere has the same device. None where unknown."""
    with suppress(OSError, ValueError), open(f"/proc/self/fdinfo/{handle}", "rb") as file:  # noqa: PTH123
        for line in file:
            if line.startswith(b"mnt_id:"):
                return int(line.split(b":")[1])
    return None


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
def _opened(folder: Path | str, inside: int | None = None, *, links: bool = False) -> Iterator[int]:
    # A link to the output root is the user's choice; a link to a run directory is not a run directory.
    handle = os.open(folder, _FOLDER & ~os.O_NOFOLLOW if links else _FOLDER, dir_fd=inside)
    try:
        yield handle
    finally:
        os.close(handle)
