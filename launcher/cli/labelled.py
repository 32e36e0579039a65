"""Lines with a name on the left and what there is to say on the right, broken at a width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

LABEL = 18  # columns of the names on the left


def labelled(label: str, texts: Iterable[str], width: int, *, separator: str = ", ") -> Iterator[str]:
    """Texts behind a label, one after another and broken between them at `width`; nothing when there are none.

    With a line break as `separator` each has lines of its own.
    """
    room = max(20, width - LABEL - 2)
    line = ""
    for text in texts:
        if not text:
            continue
        if line and (separator == "\n" or len(line) + len(separator) + len(text) > room):
            yield from _behind(label, line + separator.rstrip(), room)
            line, label = "", ""
        line = f"{line}{separator}{text}" if line else text
    if line:
        yield from _behind(label, line, room)


def _behind(label: str, text: str, room: int) -> Iterator[str]:
    for line in textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False):
        yield f"  {label:<{LABEL - 1}} {line}"  # a longer label has a blank behind it too
        label = ""
