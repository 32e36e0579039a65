"""Following the trainer's log while it grows."""

from __future__ import annotations

import re
from pathlib import Path

_ENDS = re.compile(rb"[\r\n]")
_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 16  # of a line without an end only this much is kept: memory stays bounded


class LogFollower:
    """Reads what was added to a file since the last time, line by line.

    A progress bar draws over itself with carriage returns, so those end a line too, and the newest bar is always
    a line without an end: `rest` holds it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._rest = b""

    @property
    def rest(self) -> str:
        """The line that has no end yet."""
        return self._rest.decode("utf-8", "replace")

    def read(self) -> list[str]:
        """The lines that were completed since the last call; none while the file cannot be read."""
        lines: list[str] = []
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                while chunk := file.read(_CHUNK):
                    self._position += len(chunk)
                    *whole, self._rest = _ENDS.split(self._rest + chunk)
                    self._rest = self._rest[-_LONGEST_LINE:]
                    lines += [line.decode("utf-8", "replace") for line in whole if line]
        except OSError:
            pass  # the next look may find it
        return lines
