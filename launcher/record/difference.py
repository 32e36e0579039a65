"""What differs between two runs, and when two values are the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One thing that two runs have not in common. `a` and `b` are what each has, None where it has none.

    `section` says what it is about (`compare.SECTIONS`, or an option of key=value items by its own name). `note` is
    what else is known of it.
    """

    section: str
    name: str
    a: Any
    b: Any
    note: str = ""


def same_value(a: Any, b: Any) -> bool:
    """Whether two values reach the trainer as the same: 1e-4 and "0.0001", true and "True" do, 1 and true do not."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same_value(*pair) for pair in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_value(a[key], b[key]) for key in a)
    if isinstance(a, bool) or isinstance(b, bool):
        return str(a) == str(b)
    if isinstance(a, (int, float)) != isinstance(b, (int, float)):
        a, b = _number(a), _number(b)
    return bool(a == b) or (a != a and b != b)  # noqa: PLR0124 - nan alone is not itself


def replaced(value: Any, other: Callable[[str], Any]) -> Any:
    """A value with every text in it replaced by what `other` makes of it."""
    if isinstance(value, str):
        return other(value)
    if isinstance(value, (list, tuple)):
        return [replaced(each, other) for each in value]
    if isinstance(value, dict):
        return {name: replaced(each, other) for name, each in value.items()}
    return value


def short_hash(digest: str | None) -> str | None:
    """The beginning of a hash or commit, long enough to know it by."""
    return digest[:12] if digest else None


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return int(value) if value.lstrip("+-").isdecimal() else float(value)
    except ValueError:  # also of more digits than Python reads
        return value
