"""Captions: which file belongs to a picture, and what the trainer takes from it.

library/train_util.py, DreamBoothDataset, read_caption: beside `fox_1.png` stands `fox_1` and the caption extension. A
path of five parts or more between underscores may also lose the last four of them (what face detection adds).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum

LONGEST = 1 << 20  # bytes read of a caption file: a text encoder takes some hundred


class Trouble(Enum):
    """Why the trainer fails at a caption file."""

    EMPTY = "empty"  # no byte in it; a line break is enough to pass
    NOT_UTF8 = "not UTF-8"
    UNREADABLE = "not readable"


@dataclass(frozen=True)
class Caption:
    """A caption file's text, with line ends made single; "" when there is trouble."""

    text: str
    trouble: Trouble | None = None

    def used(self, *, wildcards: bool) -> str:
        """What the trainer keeps of it: the first line, or with `enable_wildcard` every line that is not blank."""
        if not wildcards:
            return self.text.partition("\n")[0].strip()
        return "\n".join(line.strip() for line in self.text.split("\n") if line.strip())

    @property
    def first_line_only(self) -> bool:
        """Whether text follows the first line, which is lost without `enable_wildcard`."""
        return bool(self.text.partition("\n")[2].strip())


def candidates(picture: str, extension: str) -> tuple[str, ...]:
    """The paths at which a picture's caption may stand, the first one that exists is taken."""
    stem = os.path.splitext(picture)[0]  # noqa: PTH122 - the trainer's own cut: Path has another for "a.b/.png"
    parts = stem.split("_")
    return (stem + extension, "_".join(parts[:-4]) + extension) if len(parts) >= 5 else (stem + extension,)


def with_dot(extension: str) -> str:
    """A caption extension as the trainer uses it: `txt` becomes `.txt`, an empty one stays empty."""
    return f".{extension}" if extension and not extension.startswith(".") else extension


def read_caption(path: str) -> Caption:
    """The text of a caption file. Never raises, and reads no more than `LONGEST` bytes."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            content = os.read(handle, LONGEST)
        finally:
            os.close(handle)
    except (OSError, ValueError):
        return Caption("", Trouble.UNREADABLE)
    if not content:
        return Caption("", Trouble.EMPTY)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(content) < LONGEST or error.start < len(content) - 3:
            return Caption("", Trouble.NOT_UTF8)
        text = content[: error.start].decode("utf-8")  # cut by us, in the middle of a letter
    return Caption(text.replace("\r\n", "\n").replace("\r", "\n"))
