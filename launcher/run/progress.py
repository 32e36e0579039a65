"""How far a training is: what the trainer's progress bar says."""

from __future__ import annotations

import re
from dataclasses import dataclass

# tqdm's line as sd-scripts sets it up: "steps:  50%|█████     | 2/4 [00:15<00:15,  7.53s/it, avr_loss=1.21]"
_BAR = re.compile(
    r"steps:\s*\d+%\|[^|\r\n]*\|\s*(?P<step>\d+)/(?P<total>\d+) "
    r"\[(?P<passed>[\d:]+)<(?P<left>[\d:]+|\?),\s*(?P<rate>[^,\]]+)(?:,\s*(?P<postfix>[^\]]*))?\]"
)
_RATE = re.compile(r"(?P<number>[\d.]+)\s*(?P<unit>s/it|it/s)")
_NUMBER = r"[-+]?(?:nan|inf|[\d.]+(?:e[-+]?\d+)?)"
# `avr_loss` since 2023, `loss` before; a norm or another value may stand beside it.
_LOSSES = tuple(re.compile(rf"(?<![\w/]){name}=({_NUMBER})", re.IGNORECASE) for name in ("avr_loss", "loss"))


@dataclass(frozen=True)
class Progress:
    """One reading of the progress bar. `speed` is in steps per second, `left` in seconds."""

    step: int
    total: int
    loss: float | None = None
    speed: float | None = None
    left: float | None = None


def parse_progress(line: str) -> Progress | None:
    """The last progress bar of steps that stands in `line`, or None."""
    last = None
    for last in _BAR.finditer(line):  # noqa: B007 - only the last one counts
        pass
    if last is None:
        return None
    return Progress(
        step=int(last["step"]),
        total=int(last["total"]),
        loss=_loss(last["postfix"] or ""),
        speed=_speed(last["rate"]),
        left=_seconds(last["left"]),
    )


def _loss(postfix: str) -> float | None:
    for pattern in _LOSSES:
        found = pattern.search(postfix)
        if found:
            try:
                return float(found[1])
            except ValueError:  # "1.2.3": no number after all
                return None
    return None


def _speed(rate: str) -> float | None:
    found = _RATE.search(rate)
    if found is None:  # "?it/s" before the first step
        return None
    try:
        number = float(found["number"])
    except ValueError:
        return None
    if found["unit"] == "it/s":
        return number
    return 1 / number if number else None


def _seconds(clock: str) -> float | None:
    seconds = 0
    for part in clock.split(":"):
        if not part.isdigit():
            return None
        seconds = seconds * 60 + int(part)
    return float(seconds)
