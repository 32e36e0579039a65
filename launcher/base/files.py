"""Reading and writing files so that nothing is ever half-written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` so that a reader sees the old file or the new one, whole, whatever dies in between.

    Raises OSError when the folder cannot be written or the disk is full; no partial file is left.
    """
    import tempfile  # noqa: PLC0415 - whoever only reads does without, and without the random numbers it brings

    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def sha1_of(content: bytes) -> str:
    """The SHA-1 of `content` in hexadecimal, as `sha1sum` prints it."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def sha256_of(content: bytes) -> str:
    """The SHA-256 of `content` in hexadecimal, as `sha256sum` prints it."""
    return hashlib.sha256(content).hexdigest()
