"""kl.log: what kl had to say of a run, beside the trainer's log, for whoever was not there when it was said."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from launcher.base.times import now
from launcher.plan.secrets import without_secret_values
from launcher.run.directory import KL_LOG

LARGEST = 256 * 1024  # bytes; the older half goes then
_LONGEST = 16 * 1024  # bytes of one text: of a longer one the end is kept
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class KlLog:
    """The kl.log of a run directory. What cannot be written is lost: no training suffers from that."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / KL_LOG

    def write(self, text: str) -> None:
        """Add a line with the time in UTC, without secrets of the environment; its further lines are indented."""
        with suppress(OSError, ValueError):
            handle = os.open(self._path, _FLAGS, 0o644)
            try:
                if stat.S_ISREG(os.fstat(handle).st_mode):
                    _add(handle, _entry(without_secret_values(text, os.environ)))
            finally:
                os.close(handle)


def _entry(text: str) -> bytes:
    content = text.strip().replace("\n", "\n  ").encode("utf-8", "backslashreplace")
    if len(content) > _LONGEST:
        content = b"... " + content[-_LONGEST:]
    return f"{now()} ".encode() + content + b"\n"


def _add(handle: int, entry: bytes) -> None:
    size = os.fstat(handle).st_size
    if size + len(entry) > LARGEST:
        newer = os.pread(handle, LARGEST // 2, max(0, size - LARGEST // 2))
        os.ftruncate(handle, 0)
        os.write(handle, newer[newer.find(b"\n") + 1 :])
        size = os.fstat(handle).st_size
    if os.write(handle, entry) < len(entry):  # the disk is full: no half line, which the next would go on with
        os.ftruncate(handle, size)
