"""Pictures and captions of a small dataset, and the names under which a spec finds them."""

from __future__ import annotations

import struct
import zlib

_CAPTIONS = ("fox, sitting, forest", "fox, running, snow", "fox, asleep, den", "fox, close up, portrait")


def png(width: int, height: int) -> bytes:
    """A picture of one colour that any reader opens."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes((1 + 3 * width) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    )


def photographs(folder: str, side: int, number: int = 8, *, captions: str = ".txt") -> dict[str, bytes | str]:
    """So many pictures in three shapes, each with its caption; none with captions=""."""
    shapes = [png(side, side), png(side, side * 3 // 2), png(side * 3 // 2, side)]
    files: dict[str, bytes | str] = {}
    for index in range(number):
        files[f"{folder}/{index:02}.png"] = shapes[index % 3]
        if captions:
            files[f"{folder}/{index:02}{captions}"] = _CAPTIONS[index % 4]
    return files
