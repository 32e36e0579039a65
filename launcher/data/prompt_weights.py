"""The weights in a prompt, `(a word:1.3)`, as the pipelines that draw samples for SD and SDXL take them apart.

Their brackets and numbers are no words for the model: what is between two changes of weight is tokenized for itself
(library/lpw_stable_diffusion.py and library/sdxl_lpw_stable_diffusion.py, parse_prompt_attention).
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from math import prod

# An escaped character, a bracket, a weight with the bracket that it closes, a colon, plain text.
_PART = re.compile(r"\\[()\[\]\\]?|[(\[]|:(?P<weight>[+-]?[.\d]+)\)|[)\]]|[^\\()\[\]:]+|:")
_UP, _DOWN = 1.1, 1 / 1.1


@dataclass(frozen=True)
class Weighted:
    """The pieces of a prompt that are tokenized each for itself, and a weight that is no number, if there is one."""

    pieces: tuple[str, ...]
    bad_weight: str | None = None


def weighted(text: str) -> Weighted:
    """Take a prompt apart at its weights."""
    walk = _Walk()
    for match in _PART.finditer(text):
        part, weight = match[0], match["weight"]
        if part == "(":
            walk.rounds.append(len(walk.pieces))
        elif part == "[":
            walk.squares.append(len(walk.pieces))
        elif weight is not None and walk.rounds:
            factor = _number(weight)
            if factor is None:
                return Weighted((text,), weight)
            walk.weigh(walk.rounds.pop(), factor)
        elif part == ")" and walk.rounds:
            walk.weigh(walk.rounds.pop(), _UP)
        elif part == "]" and walk.squares:
            walk.weigh(walk.squares.pop(), _DOWN)
        else:
            walk.pieces.append(part[1:] if part.startswith("\\") else part)
    # A bracket that is never closed holds to the end.
    for start in walk.rounds:
        walk.weigh(start, _UP)
    for start in walk.squares:
        walk.weigh(start, _DOWN)
    return Weighted(walk.joined())


class _Walk:
    """What has been read: pieces, the brackets open, and the factors that begin and end before each piece."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.rounds: list[int] = []
        self.squares: list[int] = []
        self._begin: defaultdict[int, list[float]] = defaultdict(list)
        self._end: defaultdict[int, list[float]] = defaultdict(list)

    def weigh(self, start: int, factor: float) -> None:
        if start < len(self.pieces):
            self._begin[start].append(factor)
            self._end[len(self.pieces)].append(factor)

    def joined(self) -> tuple[str, ...]:
        """Neighbours of one weight are one piece: where as much weight begins as ends."""
        joined: list[list[str]] = []
        for index, text in enumerate(self.pieces):
            if not joined or prod(self._begin.get(index, ())) != prod(self._end.get(index, ())):
                joined.append([])
            joined[-1].append(text)
        return tuple("".join(each) for each in joined)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
