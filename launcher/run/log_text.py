"""The trainer's log as a terminal would show it: of a bar that draws over itself only the last state is left."""

from __future__ import annotations

import re
from pathlib import Path

_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 16  # of a line without an end only this much is kept: memory stays bounded
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")  # colours, cursor, titles


class LogText:
    """Reads a log line by line while it grows. The file stays open: a run that is removed meanwhile is read to its end.

    Raises OSError when it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._rest = b""

    @property
    def open_line(self) -> str:
        """The line that has no end yet: during training, the bar."""
        return _shown(self._rest)

    def read(self) -> list[str]:
        """The lines that were completed since the last call."""
        lines: list[str] = []
        while chunk := self._file.read(_CHUNK):
            *whole, rest = (self._rest + chunk).split(b"\n")
            self._rest = b"\r".join(_last_drawn(rest))[-_LONGEST_LINE:]
            lines += map(_shown, whole)
        return lines

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _last_drawn(line: bytes) -> list[bytes]:
    """What a line was drawn over with last, and the blanks after it."""
    drawn = line.split(b"\r")
    position = len(drawn) - 1
    while position > 0 and not drawn[position].strip():
        position -= 1
    return drawn[position:]


def _shown(line: bytes) -> str:
    return _CONTROL.sub(b"", _last_drawn(line)[0]).decode("utf-8", "replace").expandtabs().rstrip()
