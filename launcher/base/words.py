"""Names and numbers as a person says them."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[str], last: str = "and") -> str:
    """Names with a word before the last one: "a, b and c". "" for none."""
    every = list(names)
    return f"{', '.join(every[:-1])} {last} {every[-1]}" if len(every) > 1 else "".join(every)


def some_of(names: Iterable[str], most: int = 3) -> str:
    """The first names, and how many more there are: "a, b, c and 4 more"."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def counted(number: int, what: str) -> str:
    """A number with its noun: "1 picture", "7 pictures"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
