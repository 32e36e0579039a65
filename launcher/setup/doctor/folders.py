"""Whether a folder can be written to, and what would help."""

from __future__ import annotations

import errno
import os
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WriteTrial:
    """`existing` is the folder itself or the nearest one above it that is there; `error` what writing there gave."""

    existing: Path
    error: OSError | None

    @property
    def full(self) -> bool:
        """Whether there was no room for one file."""
        return self.error is not None and self.error.errno in (errno.ENOSPC, errno.EDQUOT)

    @property
    def read_only(self) -> bool:
        """Whether the whole disk takes nothing."""
        return self.error is not None and self.error.errno == errno.EROFS


def try_writing(folder: Path) -> WriteTrial:
    """Write a small file, and remove it: what a permission says is not all that can be in the way."""
    existing = nearest_existing(folder)
    try:
        handle, name = tempfile.mkstemp(prefix=".kl-doctor-", dir=existing)
    except OSError as error:
        return WriteTrial(existing, error)
    try:
        os.write(handle, b"kl")
    except OSError as error:
        return WriteTrial(existing, error)
    finally:
        os.close(handle)
        Path(name).unlink(missing_ok=True)
    return WriteTrial(existing, None)


def nearest_existing(path: Path) -> Path:
    """The path itself when there is anything, else the nearest folder above it."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def allow_writing(folder: Path) -> str | None:
    """The command that lets this user write to a folder; None when it is no folder."""
    try:
        status = folder.stat()
    except OSError:
        return None
    quoted = shlex.quote(str(folder))
    if status.st_uid == os.geteuid():
        return f"chmod u+rwx {quoted}"
    return f"sudo chown {os.geteuid()}:{os.getegid()} {quoted}"
