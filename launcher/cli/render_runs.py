"""A list of runs as aligned lines or JSON."""

from __future__ import annotations

import math
import os
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from launcher.base.times import as_written
from launcher.cli.render import duration, short
from launcher.run.listing import ListedRun
from launcher.run.outcome import Outcome

_TITLES = ("name", "outcome", "steps", "loss", "when", "time", "size")
_RIGHT = ("steps", "loss", "time", "size")
_GIVEN_UP = ("size", "time", "loss")  # on a narrow terminal, in this order
_NARROWEST_NAME = 16
_GAP = "  "
_COLOURS = {
    Outcome.SUCCEEDED.value: "32",
    Outcome.RUNNING.value: "36",
    Outcome.FAILED.value: "31",
    Outcome.STOPPED.value: "33",
    Outcome.LOST.value: "33",
    "damaged": "31",
}


def runs_as_lines(runs: Sequence[ListedRun], *, width: int | None = None, coloured: bool = False) -> Iterator[str]:
    """A title and a line for each run, its values under one another. `width`: that of the terminal, which is kept.

    A name that two of them share is told by its folder. Nothing in the lines controls a terminal but our colours.
    """
    names = Counter(listed.run.name for listed in runs if not listed.run.removed)
    rows = [dict(zip(_TITLES, _cells(listed, names), strict=True)) for listed in runs]
    widths = {title: max(len(title), *(_width(row[title]) for row in rows)) for title in _TITLES}
    if width is not None:
        widths = _fitted(widths, width)
    yield _GAP.join(_aligned(title, title, size) for title, size in widths.items()).rstrip()
    for row in rows:
        cells = [_aligned(title, _cut(row[title], size), size) for title, size in widths.items()]
        if coloured:
            colour = _COLOURS.get(row["outcome"].partition(",")[0])
            at = _TITLES.index("outcome")
            cells[at] = f"\033[{colour}m{cells[at]}\033[0m" if colour else cells[at]
        yield _GAP.join(cells).rstrip()


def run_as_data(listed: ListedRun) -> dict[str, Any]:
    """A run as JSON holds it. Times are UTC in ISO 8601; a loss that is not a number is a word."""
    return {
        "name": listed.run.name,
        "directory": str(listed.run.directory),
        "outcome": None if listed.outcome is None else listed.outcome.value,
        "removed": listed.run.removed,
        "problem": listed.problem,
        "created": as_written(listed.created),
        "started": as_written(listed.started),
        "seconds": listed.seconds,
        "step": listed.step,
        "total_steps": listed.total_steps,
        "loss": number_as_data(listed.loss),
        "lowest_loss": number_as_data(listed.lowest_loss),
        "bytes": listed.size,
        "attempts": listed.attempts,
        "notes": listed.notes,
    }


def number_as_data(value: float | None) -> float | str | None:
    """A number as JSON can hold it."""
    return value if value is None or math.isfinite(value) else str(value)


def show_plainly(lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Write lines that are safe already; what the stream cannot encode is escaped."""
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    for line in lines:
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def has_colours(stream: TextIO) -> bool:
    """Whether colours are wanted on a stream."""
    return stream.isatty() and "NO_COLOR" not in os.environ


def safe(text: str) -> str:
    """A text in one line, its control characters and what is no character written out."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def bytes_as_text(size: float) -> str:
    """Bytes as a person says them: 812 B, 4.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def loss_as_text(loss: float | None) -> str:
    """A loss with four digits."""
    return "" if loss is None else f"{loss:.4g}"


def steps_as_text(step: int | None, total: int | None) -> str:
    """The step reached of those planned; "" where neither is known."""
    if step is None:
        return "" if total is None else f"0/{total}"
    return str(step) if total is None else f"{step}/{total}"


def time_as_text(seconds: float | None) -> str:
    """A time on this machine's clock: 2026-11-22 05:44."""
    try:
        return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return ""


def outcome_as_text(listed: ListedRun) -> str:
    """The outcome in a word, and whether the run was removed."""
    word = "damaged" if listed.outcome is None else listed.outcome.value
    return f"{word}, removed" if listed.run.removed else word


def _cells(listed: ListedRun, names: Counter[str]) -> tuple[str, ...]:
    run = listed.run
    several = not run.removed and names[run.name] > 1
    return (
        safe(short(Path(run.directory)) if several else run.name),
        outcome_as_text(listed),
        steps_as_text(listed.step, listed.total_steps),
        loss_as_text(listed.loss),
        time_as_text(listed.when or None),
        "" if listed.seconds is None else duration(listed.seconds),
        bytes_as_text(listed.size),
    )


def _fitted(widths: dict[str, int], width: int) -> dict[str, int]:
    """The widths on a terminal: values that matter less are given up, then the name is shortened."""
    widths = dict(widths)
    for title in (*_GIVEN_UP, ""):
        over = sum(widths.values()) + len(_GAP) * (len(widths) - 1) - width
        if over <= 0:
            break
        if widths["name"] - over >= _NARROWEST_NAME or not title:
            widths["name"] = max(_NARROWEST_NAME, widths["name"] - over)
            break
        del widths[title]
    return widths


def _aligned(title: str, text: str, size: int) -> str:
    space = " " * (size - _width(text))
    return space + text if title in _RIGHT else text + space


def _cut(text: str, size: int) -> str:
    if _width(text) <= size:
        return text
    while _width(text) > size - 1:
        text = text[:-1]
    return text + "…"


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
