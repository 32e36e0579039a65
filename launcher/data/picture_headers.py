"""The headers of picture formats: which one a file is, and where each keeps its size."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

HEAD = 4096  # bytes read at once: enough for nearly every header
_MOST_PARTS = 1000  # JPEG segments or boxes looked at: real files have a few dozen
_LONGEST_META = 256 * 1024  # bytes of an AVIF's meta box: a grid of some hundred tiles


class Kind(Enum):
    """A format, under the name that people know it by."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WebP"
    WEBP_EXTENDED = "WebP (extended)"  # its canvas is stated in a chunk VP8X: has alpha, EXIF or a colour profile
    BMP = "BMP"
    GIF = "GIF"
    AVIF = "AVIF"
    JXL = "JPEG XL"


class DamagedError(Exception):
    """What a header should hold is not there."""


Found = tuple[int, int, int]  # width, height, and the offset in bytes at which the header ends


@dataclass(frozen=True)
class Bytes:
    """An open file: its size and first bytes, and the rest on demand."""

    handle: int
    size: int
    head: bytes

    def at(self, offset: int, number: int) -> bytes:
        """`number` bytes from `offset`; fewer at the end of the file."""
        if offset < 0 or offset >= self.size:
            return b""
        if offset + number <= len(self.head):
            return self.head[offset : offset + number]
        return os.pread(self.handle, number, offset)

    def need(self, offset: int, number: int) -> bytes:
        """The same. Raises DamagedError when there are fewer."""
        found = self.at(offset, number)
        if len(found) < number:
            raise DamagedError("the file ends in it")
        return found

    def tail(self, most: int, start: int) -> bytes:
        """The last bytes, `most` of them at most, none before `start`."""
        begin = max(start, self.size - most)
        return self.at(begin, self.size - begin)


def kind_of(head: bytes) -> Kind | str | None:
    """What a file is by its first bytes; a text says why it is no picture that the trainer could open."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind.WEBP_EXTENDED if head[12:16] == b"VP8X" else Kind.WEBP
    if head[4:8] == b"ftyp":
        return _film_or_picture(head)
    known = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    return known or ("it is a text" if _is_text(head) else None)


def _film_or_picture(head: bytes) -> Kind | str | None:
    """What an ISO base media file is, by its brands."""
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, 64, 4))}
    if brands & {b"avif", b"avis"}:
        return Kind.AVIF
    if brands & {b"heic", b"heix", b"hevc", b"mif1"}:
        return "it is a HEIC picture"
    return "it is a video" if brands & {b"isom", b"mp42", b"qt  "} else None


def _is_text(head: bytes) -> bool:
    """Whether a file begins as a text does, and as none of the picture formats that are texts."""
    if head.startswith((b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"/*", b"#define", b"%!PS")):
        return False
    try:
        text = head[:512].decode("utf-8", "strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        return False
    return "\0" not in text and sum(char.isprintable() or char.isspace() for char in text) >= len(text) * 0.9


def read_size(kind: Kind, content: Bytes) -> Found:
    """Width, height and the end of the header. Raises DamagedError, and OSError for a file that cannot be read."""
    try:
        return _READERS[kind](content)
    except struct.error:
        raise DamagedError("the file ends in it") from None


def _png(content: Bytes) -> Found:
    if content.need(12, 4) != b"IHDR":
        raise DamagedError("there is no IHDR chunk")
    width, height = struct.unpack(">II", content.need(16, 8))
    return width, height, 33


def _jpeg(content: Bytes) -> Found:
    offset = 2
    for _ in range(_MOST_PARTS):
        marker = content.need(offset, 4)
        while marker[1] == 0xFF and marker[0] == 0xFF:  # any number of fill bytes may stand before a marker
            offset = _after_fill(content, offset)
            marker = content.need(offset, 4)
        if marker[0] != 0xFF:
            raise DamagedError("a marker is missing")
        if 0xC0 <= marker[1] <= 0xCF and marker[1] not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content.need(offset + 5, 4))
            return width, height, offset + 9
        if marker[1] in (0xD9, 0xDA):
            raise DamagedError("the picture's data come before its size")
        offset += 2 + int.from_bytes(marker[2:4], "big")
    raise DamagedError("its size does not come")


def _after_fill(content: Bytes, offset: int) -> int:
    """The offset of the last of the bytes 0xFF that stand at `offset`. Raises DamagedError when there are too many."""
    run = content.at(offset, HEAD)
    length = len(run) - len(run.lstrip(b"\xff"))
    if length == len(run):
        raise DamagedError("its size does not come")
    return offset + length - 1


def _webp(content: Bytes) -> Found:
    chunk = content.need(12, 4)
    if chunk == b"VP8 ":
        if content.need(23, 3) != b"\x9d\x01\x2a":
            raise DamagedError("there is no key frame")
        width, height = struct.unpack("<HH", content.need(26, 4))
        return width & 0x3FFF, height & 0x3FFF, 30
    if chunk == b"VP8L":
        if content.need(20, 1) != b"\x2f":
            raise DamagedError("the lossless signature is missing")
        bits = int.from_bytes(content.need(21, 4), "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 25
    raise DamagedError("its first chunk is no picture")


def _webp_extended(content: Bytes) -> Found:
    sides = content.need(24, 6)
    return int.from_bytes(sides[:3], "little") + 1, int.from_bytes(sides[3:], "little") + 1, 30


def _bmp(content: Bytes) -> Found:
    (length,) = struct.unpack("<I", content.need(14, 4))
    if length == 12:
        width, height = struct.unpack("<HH", content.need(18, 4))
        return width, height, 26
    if not 40 <= length <= 124:
        raise DamagedError(f"it claims to be {length} bytes long")
    width, height = struct.unpack("<ii", content.need(18, 8))
    return width, abs(height), 54  # a negative height: the rows stand from top to bottom


def _gif(content: Bytes) -> Found:
    width, height = struct.unpack("<HH", content.need(6, 4))
    return width, height, 13


def _boxes(content: Bytes, offset: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of an ISO base media file from `offset` to `end`: type, and where their content begins and ends."""
    for _ in range(_MOST_PARTS):
        header = content.at(offset, 16)
        if len(header) < 8 or offset >= end:
            return
        length, start = int.from_bytes(header[:4], "big"), offset + 8
        if length == 1:
            length, start = int.from_bytes(header[8:16], "big"), offset + 16
        box_end = end if length == 0 else offset + length
        if box_end < start:
            raise DamagedError("a box is shorter than its own header")
        yield header[4:8], start, min(box_end, end)
        offset = box_end


def _avif(content: Bytes) -> Found:
    """The largest of the sizes stated: those of thumbnails, and of the tiles of a grid, are smaller."""
    start, end = _first_box(content, b"meta", 0, content.size)
    start, end = _first_box(content, b"iprp", start + 4, min(end, start + _LONGEST_META))
    start, end = _first_box(content, b"ipco", start, end)
    largest = (0, 0, 0)
    for name, begin, stop in _boxes(content, start, end):
        if name == b"ispe":
            width, height = struct.unpack(">II", content.need(begin + 4, 8))
            largest = max(largest, (width, height, stop), key=lambda found: found[0] * found[1])
    if not largest[2]:
        raise DamagedError("no size is stated")
    return largest


def _first_box(content: Bytes, wanted: bytes, offset: int, end: int) -> tuple[int, int]:
    """Where the content of the first box of this type begins and ends. Raises DamagedError when there is none."""
    for name, start, stop in _boxes(content, offset, end):
        if name == wanted:
            return start, stop
    raise DamagedError(f"there is no box {wanted.decode()}")


def _jxl(content: Bytes) -> Found:
    if content.head.startswith(b"\xff\x0a"):
        return _jxl_codestream(content, 0)
    for name, start, _ in _boxes(content, 0, content.size):
        if name in (b"jxlc", b"jxlp"):
            return _jxl_codestream(content, start + (4 if name == b"jxlp" else 0))
    raise DamagedError("there is no codestream in it")


# ISO/IEC 18181-1, SizeHeader: the ratio of width to height where only the height is stated.
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_DISTRIBUTION = (9, 13, 18, 30)  # bits of a side, by the two bits before it


def _jxl_codestream(content: Bytes, offset: int) -> Found:
    if content.need(offset, 2) != b"\xff\x0a":
        raise DamagedError("the codestream's signature is missing")
    data = content.at(offset + 2, 16)
    bits, at = int.from_bytes(data, "little"), 0

    def take(number: int) -> int:
        nonlocal at
        if at + number > len(data) * 8:
            raise DamagedError("the file ends in it")
        at += number
        return bits >> at - number & (1 << number) - 1

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take(_DISTRIBUTION[take(2)]) + 1

    height = side()
    ratio = take(3)
    width = height * _RATIOS[ratio][0] // _RATIOS[ratio][1] if ratio else side()
    return width, height, offset + 2 + (at + 7) // 8


_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"BM", Kind.BMP),
    (b"GIF87a", Kind.GIF),
    (b"GIF89a", Kind.GIF),
    (b"\xff\x0a", Kind.JXL),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", Kind.JXL),
)
_READERS: dict[Kind, Callable[[Bytes], Found]] = {
    Kind.PNG: _png,
    Kind.JPEG: _jpeg,
    Kind.WEBP: _webp,
    Kind.WEBP_EXTENDED: _webp_extended,
    Kind.BMP: _bmp,
    Kind.GIF: _gif,
    Kind.AVIF: _avif,
    Kind.JXL: _jxl,
}
