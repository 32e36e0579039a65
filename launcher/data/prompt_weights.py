"""The weights in a prompt, `(a word:1.3)`, as the pipelines that draw samples for SD and SDXL take them apart.

Their brackets and numbers are no words for the model: what is between two changes of weight is tokenized for itself
(library/lpw_stable_diffusion.py and library/sdxl_lpw_stable_diffusion.py, parse_prompt_attention).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# An escaped character, a bracket, a weight with the bracket that it closes, a colon, plain text.
_TOKEN = re.compile(r"\\[()\[\]\\]?|[(\[]|:(?P<weight>[+-]?[.\d]+)\)|[)\]]|[^\\()\[\]:]+|:")
_UP, _DOWN = 1.1, 1 / 1.1
_MOST_BRACKETS = 100  # every bracket is weighed with all that follows it: hostile text would take long


@dataclass(frozen=True)
class Weighted:
    """The pieces of a prompt that are tokenized each for itself, and a weight that is no number, if there is one."""

    pieces: tuple[str, ...]
    bad_weight: str | None = None


def weighted(text: str) -> Weighted:
    """Take a prompt apart at its weights.

    A text with more brackets than any prompt has is left as one piece.
    """
    if text.count("(") + text.count("[") > _MOST_BRACKETS:
        return Weighted((text,))
    pieces: list[tuple[str, float]] = []
    rounds: list[int] = []
    squares: list[int] = []
    for match in _TOKEN.finditer(text):
        part, weight = match[0], match["weight"]
        if part == "(":
            rounds.append(len(pieces))
        elif part == "[":
            squares.append(len(pieces))
        elif weight is not None and rounds:
            factor = _number(weight)
            if factor is None:
                return Weighted((text,), weight)
            _weigh(pieces, rounds.pop(), factor)
        elif part == ")" and rounds:
            _weigh(pieces, rounds.pop(), _UP)
        elif part == "]" and squares:
            _weigh(pieces, squares.pop(), _DOWN)
        else:
            pieces.append((part[1:] if part.startswith("\\") else part, 1.0))
    # A bracket that is never closed holds to the end.
    for start in rounds:
        _weigh(pieces, start, _UP)
    for start in squares:
        _weigh(pieces, start, _DOWN)
    return Weighted(_joined(pieces))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _weigh(pieces: list[tuple[str, float]], start: int, factor: float) -> None:
    for index in range(start, len(pieces)):
        text, weight = pieces[index]
        pieces[index] = (text, weight * factor)


def _joined(pieces: list[tuple[str, float]]) -> tuple[str, ...]:
    """Neighbours of one weight are one piece."""
    joined: list[list[str]] = []
    last: float | None = None
    for text, weight in pieces:
        if weight != last or not joined:
            joined.append([])
        joined[-1].append(text)
        last = weight
    return tuple("".join(each) for each in joined)
