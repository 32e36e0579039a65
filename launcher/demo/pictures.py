"""The demo's training pictures, drawn and written without an imaging library: kl's own install has none."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Colour = tuple[int, int, int]
SIDE = 64
PAPER: Colour = (236, 232, 224)

COLOURS: dict[str, Colour] = {
    "red": (204, 44, 52),
    "blue": (36, 84, 196),
    "green": (38, 148, 76),
    "yellow": (236, 188, 28),
}
# Each shape says whether a point lies in it; the picture's middle is (0, 0), its edges are at ±1.
SHAPES: dict[str, Callable[[float, float], bool]] = {
    "circle": lambda x, y: x * x + y * y < 0.4,
    "square": lambda x, y: max(abs(x), abs(y)) < 0.55,
    "triangle": lambda x, y: -0.6 < y < 0.55 and abs(x) < (y + 0.6) * 0.55,
    "cross": lambda x, y: max(abs(x), abs(y)) < 0.65 and min(abs(x), abs(y)) < 0.2,
}
PAIRS = (
    ("red", "circle"),
    ("blue", "square"),
    ("green", "triangle"),
    ("yellow", "cross"),
    ("blue", "circle"),
    ("red", "square"),
    ("yellow", "triangle"),
    ("green", "cross"),
)


@dataclass(frozen=True)
class Picture:
    """One training picture with its caption."""

    name: str
    caption: str
    png: bytes


def pictures() -> Iterator[Picture]:
    """The pictures, the same bytes every time."""
    for number, (colour, shape) in enumerate(PAIRS, start=1):
        yield Picture(f"{number:02d}-{colour}-{shape}", f"{shape}, {colour}, plain background", _draw(colour, shape))


def _draw(colour: str, shape: str) -> bytes:
    inside, ink = SHAPES[shape], COLOURS[colour]
    rows = []
    for row in range(SIDE):
        y = (row + 0.5) / SIDE * 2 - 1
        points = (inside((column + 0.5) / SIDE * 2 - 1, y) for column in range(SIDE))
        rows.append(b"\0" + b"".join(bytes(ink if point else PAPER) for point in points))
    return _png(b"".join(rows))


def _png(rows: bytes) -> bytes:
    """An RGB picture of SIDE × SIDE from its rows, each with filter type 0 in front."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
