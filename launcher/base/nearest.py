"""The nearest right name for a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, names: Iterable[str], *, cutoff: float = 0.7) -> str | None:
    """Return the name most like `word`, or None when none is near.

    Case, dashes and underscores do not count: `Network-Dim` is near `network_dim`. `cutoff` is the share of equal
    letters that makes a name near.
    """
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(_plain(name), name)
    found = get_close_matches(_plain(word), plain, n=1, cutoff=cutoff)
    return plain[found[0]] if found else None


def _plain(word: str) -> str:
    return word.lower().replace("-", "_").strip("_")
