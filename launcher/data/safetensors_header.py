"""The header of a safetensors file: the names, types and shapes of its tensors, without the tensors themselves."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

# safetensors refuses headers above 100 MB. The largest of real models have some 1 MB; hostile ones above this size
# would take longer to read than a check may take.
_LARGEST_ALLOWED = 100_000_000
_LARGEST_READ = 3_000_000
_LENGTH_BYTES = 8
_LONGEST_NUMBER = 18  # digits: any longer is no size of anything
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


class Tensor(NamedTuple):
    """One tensor's type, in safetensors' words ("F16"), and its shape."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """What a safetensors file says of itself. `missing` is how many bytes of its tensors the file lacks."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    missing: int

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor; () where there is none of this name."""
        found = self.tensors.get(name)
        return found.shape if found else ()


class Why(str, Enum):
    """Why a file has no header that can be read."""

    MISSING = "missing"  # no such file
    NOT_A_FILE = "not-a-file"  # a folder, a device, …
    UNREADABLE = "unreadable"  # no permission, a broken disk
    PICKLE = "pickle"  # a checkpoint written by torch.save: reading it would run code
    DAMAGED = "damaged"  # safetensors itself refuses it too
    TOO_LARGE = "too-large"  # it may be right, and is too large to look at


@dataclass(frozen=True)
class Unreadable:
    """Why a header could not be read; `message` continues a sentence that begins with the file's name."""

    why: Why
    message: str


def read_header(path: Path) -> Header | Unreadable:
    """The header of a safetensors file, read once per process while the file stays as it is. Raises nothing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return Unreadable(Why.MISSING, "is not there")
    except (OSError, ValueError) as error:
        return Unreadable(Why.UNREADABLE, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if not stat.S_ISREG(status.st_mode):
        # Not opened: a pipe would wait for ever.
        return Unreadable(Why.NOT_A_FILE, "is a folder" if stat.S_ISDIR(status.st_mode) else "is not a file")
    return _read(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: Path, size: int, _changed: int) -> Header | Unreadable:
    try:
        with path.open("rb") as file:
            start = file.read(_LENGTH_BYTES + 1)
            length = int.from_bytes(start[:_LENGTH_BYTES], "little")
            unreadable = _unreadable(start, length, size)
            if unreadable:
                return unreadable
            file.seek(_LENGTH_BYTES)
            text = file.read(length)
    except OSError as error:
        return Unreadable(Why.UNREADABLE, f"cannot be read: {error.strerror or error}")
    return _parsed(text, size - _LENGTH_BYTES - length)


def _unreadable(start: bytes, length: int, size: int) -> Unreadable | None:
    # A header of some hundred bytes has a length that begins like a pickle; but it opens with a brace.
    if start.startswith(_PICKLE_STARTS) and start[_LENGTH_BYTES:] != b"{":
        return Unreadable(Why.PICKLE, "is a pickle, not safetensors")
    if len(start) < _LENGTH_BYTES:
        return Unreadable(Why.DAMAGED, f"is no safetensors file: it has {size} bytes")
    if length > _LARGEST_ALLOWED:
        return Unreadable(Why.DAMAGED, f"is no safetensors file: its header would have {length} bytes")
    if length > size - _LENGTH_BYTES:
        return Unreadable(Why.DAMAGED, "ends in its header")
    if length > _LARGEST_READ:
        return Unreadable(Why.TOO_LARGE, f"has a header of {length} bytes, too many to look at")
    return None


def _parsed(text: bytes, data_size: int) -> Header | Unreadable:
    try:
        found = json.loads(text, parse_int=_number)
        tensors: dict[str, Tensor] = {}
        end = 0
        metadata = found.pop("__metadata__", None) or {}
        for name, entry in found.items():
            shape, (_, stop) = tuple(entry["shape"]), entry["data_offsets"]
            if not _are_sizes((*shape, stop)) or not isinstance(entry["dtype"], str):
                raise ValueError(name)
            tensors[name] = Tensor(entry["dtype"], shape)
            end = max(end, stop)
        said = {key: value for key, value in metadata.items() if isinstance(value, str)}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Unreadable(Why.DAMAGED, "has no header of safetensors")
    return Header(tensors, said, max(0, end - data_size))


def _number(digits: str) -> int:
    # Without this, older Pythons take minutes for a number of a million digits.
    return int(digits) if len(digits) <= _LONGEST_NUMBER else -1


def _are_sizes(numbers: tuple[Any, ...]) -> bool:
    return all(type(number) is int and number >= 0 for number in numbers)
