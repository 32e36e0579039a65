"""The size of a picture, from its header: a few KB are read, whatever the file says of itself.

What a file is, its first bytes say, never its name: the trainer opens it with Pillow, which goes by them too.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from launcher.data.picture_headers import HEAD, Bytes, DamagedError, Kind, kind_of, read_size

_TAIL = 1 << 20  # bytes searched for a JPEG's end: what phones put behind it holds the same two bytes by chance
_PNG_END = b"IEND\xaeB`\x82"
_LARGEST_SIDE = 2**31 - 1


@dataclass(frozen=True)
class PictureSize:
    """A picture's width and height in pixels, as stored: no EXIF orientation is applied, the trainer applies none.

    `whole` is False where the file ends before the picture does.
    """

    width: int
    height: int
    kind: Kind
    whole: bool = True


@dataclass(frozen=True)
class Unreadable:
    """Why a file gives no size. `sure`: no reader of pictures would take it; else kl only does not know what it is."""

    reason: str
    sure: bool = True


def size_of(path: str | Path) -> PictureSize | Unreadable:
    """The size that a picture's header states. Never raises, never waits, and reads no more than `_TAIL` bytes."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe would wait for its writer
    except (OSError, ValueError) as error:
        return Unreadable(_said(error))
    try:
        return _size_of_open(handle)
    except OSError as error:
        return Unreadable(_said(error))
    finally:
        os.close(handle)


def _size_of_open(handle: int) -> PictureSize | Unreadable:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        return Unreadable("it is a folder" if stat.S_ISDIR(status.st_mode) else "it is no regular file")
    if status.st_size == 0:
        return Unreadable("the file is empty")
    content = Bytes(handle, status.st_size, os.pread(handle, HEAD, 0))
    kind = kind_of(content.head)
    if kind is None:
        return Unreadable("its first bytes are of no kind of picture that kl knows", sure=False)
    return Unreadable(kind) if isinstance(kind, str) else _size_in(kind, content)


def _size_in(kind: Kind, content: Bytes) -> PictureSize | Unreadable:
    try:
        width, height, offset = read_size(kind, content)
    except DamagedError as damage:
        return Unreadable(f"its {kind.value} header is damaged: {damage}")
    if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE):
        return Unreadable(f"its {kind.value} header says {width}×{height} pixels")
    return PictureSize(width, height, kind, _is_whole(kind, content, offset))


def _is_whole(kind: Kind, content: Bytes, offset: int) -> bool:
    """Whether the file goes on to the picture's end. `offset` is where its header ends, in bytes."""
    if kind is Kind.JPEG:
        return content.at(content.size - 2, 2) == b"\xff\xd9" or b"\xff\xd9" in content.tail(_TAIL, offset)
    if kind is Kind.PNG:
        return content.at(content.size - 8, 8) == _PNG_END or _PNG_END in content.tail(_TAIL, offset)
    if kind in (Kind.WEBP, Kind.WEBP_EXTENDED):
        return content.size >= int.from_bytes(content.head[4:8], "little") + 8
    return True


def _said(error: OSError | ValueError) -> str:
    reason = getattr(error, "strerror", None)
    return f"it cannot be read: {reason or error}"
