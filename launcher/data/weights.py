"""Two safetensors files compared tensor by tensor: which differ, and by how much. Read in pieces, never as a whole."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from launcher.data.safetensors_header import Header, Unreadable, Why, read_header

_LENGTH_BYTES = 8
_LONGEST_OFFSET = 18  # digits
_PIECE = 1 << 20  # bytes of each file that are held at once
# One letter of Python's struct for each type that it knows.
_KNOWN_TO_STRUCT = {
    "F64": "d", "F32": "f", "F16": "e", "I64": "q", "U64": "Q", "I32": "i", "U32": "I", "I16": "h", "U16": "H",
    "I8": "b", "U8": "B", "BOOL": "B",
}  # fmt: skip
_OWN_BYTES = {"BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
_NO_NUMBER = 127  # of F8_E4M3, without its sign


@dataclass(frozen=True)
class Largest:
    """The largest absolute difference between two values in one place, with the tensor and both values.

    `difference` is infinite where one of them is, or is no number at all.
    """

    difference: float
    tensor: str
    first: float
    second: float


@dataclass(frozen=True)
class WeightsComparison:
    """What two files of weights have in common. `tensors` is how many both have in the same type and shape.

    `differing` are those of them with other bytes; `other_forms` those that both have in another type or shape, each
    with both. `largest` is None where no values differ, as with 0 and -0, or none can be read: `unread` are the
    types that are compared by their bytes alone. `not_numbers` counts values that are a number on one side only.
    """

    tensors: int
    only_in_first: tuple[str, ...] = ()
    only_in_second: tuple[str, ...] = ()
    other_forms: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    largest: Largest | None = None
    not_numbers: int = 0
    unread: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether both have the same tensors, bit for bit. Metadata and the order in the file do not count."""
        return not (self.only_in_first or self.only_in_second or self.other_forms or self.differing)


class _Place(NamedTuple):
    """A tensor with its bytes in the file, from `start` to before `end`."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def compare_weights(first: Path, second: Path) -> WeightsComparison | Unreadable:
    """Compare the tensors of two safetensors files.

    Unreadable says, with the file's name, which file is none or is cut off. Raises OSError when one of them
    changes while it is read.
    """
    places = []
    for path in (first, second):
        found = _places(path)
        if isinstance(found, Unreadable):
            return Unreadable(found.why, f"{path} {found.message}")
        places.append(found)
    with first.open("rb") as one, second.open("rb") as other:
        return _compared((one, other), places[0], places[1])


def _places(path: Path) -> Mapping[str, _Place] | Unreadable:
    header = read_header(path)
    if isinstance(header, Unreadable):
        return header
    if header.missing:
        return Unreadable(Why.DAMAGED, f"is cut off: {header.missing} bytes of its tensors are missing")
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            entries = json.loads(file.read(length), parse_int=_offset)
        places = {name: _place(header, name, entries[name]["data_offsets"], length) for name in header.tensors}
    except (ValueError, KeyError, TypeError):  # it is another file by now
        return Unreadable(Why.DAMAGED, "was changed while it was read")
    wrong = next((name for name, place in places.items() if place is None), None)
    if wrong is not None:
        return Unreadable(Why.DAMAGED, f"is damaged: the place of {wrong} does not fit its shape")
    return {name: place for name, place in places.items() if place is not None}


def _place(header: Header, name: str, offsets: Sequence[object], length: int) -> _Place | None:
    """Where a tensor stands in the file; None when its shape says another number of bytes."""
    dtype, shape = header.tensors[name]
    start, end = offsets
    if type(start) is not int or type(end) is not int or not 0 <= start <= end:
        return None
    each = _bytes_of(dtype)
    if each is not None and end - start != each * math.prod(shape):
        return None
    begin = _LENGTH_BYTES + length
    return _Place(dtype, shape, begin + start, begin + end)


def _offset(digits: str) -> int:
    return int(digits) if len(digits) <= _LONGEST_OFFSET else -1  # older Pythons take minutes for a million digits


def _bytes_of(dtype: str) -> int | None:
    letter = _KNOWN_TO_STRUCT.get(dtype)
    return struct.calcsize(f"<{letter}") if letter else _OWN_BYTES.get(dtype)


def _compared(
    files: tuple[BinaryIO, BinaryIO], first: Mapping[str, _Place], second: Mapping[str, _Place]
) -> WeightsComparison:
    common = [name for name in first if name in second]
    alike = [name for name in common if first[name][:2] == second[name][:2]]
    sizes = [first[name].end - first[name].start == second[name].end - second[name].start for name in alike]
    alike = [name for name, same_size in zip(alike, sizes, strict=True) if same_size]
    tally = _Tally()
    for name in alike:
        _compare_tensor(files, name, first[name], second[name], tally)
    others = set(alike)
    return WeightsComparison(
        tensors=len(alike),
        only_in_first=tuple(name for name in first if name not in second),
        only_in_second=tuple(name for name in second if name not in first),
        other_forms=tuple(
            f"{name}: {_form(first[name])} and {_form(second[name])}" for name in common if name not in others
        ),
        differing=tuple(tally.differing),
        largest=tally.largest,
        not_numbers=tally.not_numbers,
        unread=tuple(sorted(tally.unread)),
    )


class _Tally:
    """What was found so far."""

    def __init__(self) -> None:
        self.differing: list[str] = []
        self.largest: Largest | None = None
        self.not_numbers = 0
        self.unread: set[str] = set()

    def count(self, name: str, values: Iterable[tuple[float, float]]) -> None:
        """Take in the pairs of values that differ in one tensor."""
        for one, other in values:
            if one != one and other != other:  # noqa: PLR0124 - neither is a number
                continue
            difference = abs(one - other)
            if not math.isfinite(difference):
                self.not_numbers += 1
                difference = math.inf
            if self.largest is None or difference > self.largest.difference:
                self.largest = Largest(difference, name, one, other)


def _compare_tensor(files: tuple[BinaryIO, BinaryIO], name: str, first: _Place, second: _Place, tally: _Tally) -> None:
    at, differs = 0, False
    size = first.end - first.start
    while at < size:
        one, other = (
            _read(file, place.start + at, min(_PIECE, size - at))
            for file, place in zip(files, (first, second), strict=True)
        )
        at += _PIECE
        if one == other:
            continue
        differs = True
        values = _values(first.dtype, one), _values(first.dtype, other)
        if values[0] is None or values[1] is None:
            tally.unread.add(first.dtype)
            break
        tally.count(name, (pair for pair in zip(values[0], values[1], strict=True) if pair[0] != pair[1]))
    if differs:
        tally.differing.append(name)


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    content = file.read(size)
    if len(content) != size:
        message = "it was changed while it was read"
        raise OSError(message)
    return content


def _values(dtype: str, content: bytes) -> Sequence[float] | None:
    """The values of a tensor's bytes; None for a type that is not known here."""
    letter = _KNOWN_TO_STRUCT.get(dtype)
    if letter:
        return struct.unpack(f"<{len(content) // struct.calcsize(f'<{letter}')}{letter}", content)
    if dtype == "BF16":  # the upper half of an F32
        wide = bytearray(2 * len(content))
        wide[2::4], wide[3::4] = content[::2], content[1::2]
        return struct.unpack(f"<{len(content) // 2}f", wide)
    if dtype == "F8_E5M2":  # the upper half of an F16
        wide = bytearray(2 * len(content))
        wide[1::2] = content
        return struct.unpack(f"<{len(content)}e", wide)
    if dtype == "F8_E4M3":
        table = _e4m3()
        return [table[byte] for byte in content]
    return None


@lru_cache(maxsize=1)
def _e4m3() -> tuple[float, ...]:
    """The value of each byte as torch's float8_e4m3fn: no infinity, and one bit pattern that is no number."""
    values = []
    for byte in range(256):
        exponent, fraction = byte >> 3 & 15, byte & 7
        size = math.ldexp(8 + fraction, exponent - 10) if exponent else math.ldexp(fraction, -9)
        values.append(math.copysign(math.nan if byte & 127 == _NO_NUMBER else size, -1 if byte >> 7 else 1))
    return tuple(values)


def _form(place: _Place) -> str:
    return f"{place.dtype} {list(place.shape)}"
