"""Taking a run directory: whoever creates it has it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from launcher.base.errors import ExitCode, KlError

LOG = "sdscripts.log"
KL_LOG = "kl.log"  # what kl itself had to say
_TRIES = 3  # another launch may take away the folders above that it made, between our looking and our making


@dataclass(frozen=True)
class Taken:
    """A run directory that this launch created, and the folders above it that it had to create, outermost first."""

    path: Path
    parents: tuple[Path, ...]


def take(path: Path) -> Taken:
    """Create the run directory. Raises KlError (OUTPUT_UNAVAILABLE) when it exists or cannot be created."""
    for _ in range(_TRIES):
        made: list[Path] = []
        try:
            for parent in _missing(path):
                with suppress(FileExistsError):  # another launch was quicker, which is as good
                    parent.mkdir()
                    made.append(parent)
            path.mkdir()  # of two launches at once only one succeeds
        except FileExistsError:
            raise exists_already(path) from None
        except (OSError, ValueError) as error:
            _remove_folders(made)
            problem = error
            if not isinstance(error, FileNotFoundError):
                break
        else:
            return Taken(path, tuple(made))
    raise unavailable(path, problem)


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold a run directory: True inside when no other kl does. Whoever stays with a run, or writes its manifest,
    holds it; where a file system knows no such locks everybody gets True.

    Raises OSError when the directory cannot be opened.
    """
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = True
        except OSError as error:
            mine = error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
        yield mine
    finally:
        os.close(handle)


def give_back(taken: Taken, names: Iterable[str]) -> None:
    """Take away a run directory in which nothing was trained: the files `names` that kl wrote, and empty folders.

    Anything else stays, and so does the directory then.
    """
    for name in names:
        path = taken.path / name
        with suppress(OSError):
            path.unlink()
        for folder in path.relative_to(taken.path).parents:
            if folder != Path():
                with suppress(OSError):
                    (taken.path / folder).rmdir()
    _remove_folders([*taken.parents, taken.path])


def unavailable(path: Path, error: Exception) -> KlError:
    """The message for a run directory that cannot be made or written."""
    reason = getattr(error, "strerror", None) or str(error)
    return KlError(
        f"The run directory {path} cannot be written: {reason}.",
        code=ExitCode.OUTPUT_UNAVAILABLE,
        hint="Choose another output root (OUTPUT_DIR or run.output_root), or make this one writable.",
    )


def exists_already(path: Path) -> KlError:
    """The message for a run directory that is another run's."""
    from launcher.run.occupied import what_to_do  # noqa: PLC0415 - it needs this module, and only a refusal needs it

    message = f"The run directory {path} exists already."
    return KlError(message, code=ExitCode.OUTPUT_UNAVAILABLE, hint=what_to_do(path))


def _missing(path: Path) -> list[Path]:
    missing: list[Path] = []
    for parent in path.parents:
        if parent.exists():
            break
        missing.insert(0, parent)
    return missing


def _remove_folders(folders: Iterable[Path]) -> None:
    for folder in reversed(list(folders)):
        with suppress(OSError):  # somebody uses it by now
            folder.rmdir()
