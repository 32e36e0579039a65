"""Known causes of failures, and which of them a training ended by."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

from launcher.run.cause import Cause, Ending, KnownCause, Options, told
from launcher.run.causes_data import DATA
from launcher.run.causes_environment import ENVIRONMENT
from launcher.run.causes_gpu import GPU
from launcher.run.causes_machine import DISK_IS_FULL, MACHINE
from launcher.run.causes_training import LOSS_IS_NAN, TRAINING
from launcher.run.outcome import signal_of

# The first that matches counts: within each table the more particular ones stand first.
CAUSES: tuple[Cause, ...] = (*GPU, *MACHINE, *ENVIRONMENT, *DATA, *TRAINING, LOSS_IS_NAN)

_NEAR_THE_END = 30  # lines
_LONG = 4000  # characters: what an exception says of itself stands at its start
_FULL = 64 * 1024  # bytes: with less room than that, the log itself may end in the middle of a line
# What C++ prints of an exception that nobody caught, before it ends the process with SIGABRT.
_WHAT = re.compile(r"\s*what\(\):\s+(\S[^\n]*)")
_BAR_OF_NAN = re.compile(r"steps:\s*\d+%\|[^\]]*\b(?:avr_)?loss=(?:nan|[-+]?inf)\b", re.IGNORECASE)
_BAR = re.compile(r"steps:\s*\d+%\|")
# A process that ends by an exception does not end by these: what was printed before them was caught.
_FROM_OUTSIDE = frozenset({"SIGKILL", "SIGTERM", "SIGHUP", "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE"})


def find_cause(ending: Ending, options: Options) -> KnownCause | None:
    """The cause of the end, when it is a known one. Only the last exception counts, not what else was printed."""
    number = signal_of(ending.exit_code)
    if number is not None and number.name in _FROM_OUTSIDE:
        return _by_signal(number, options)
    for exception in _exceptions(ending):
        known = _by_exception(exception, ending.frames, options)
        if known is not None:
            return known
    if ending.disk_free is not None and ending.disk_free < _FULL:
        return told(DISK_IS_FULL, {}, options)
    if ending.exception:
        return None
    return _by_lines(ending, options) or (_by_signal(number, options) if number else None) or _by_loss(ending, options)


def loss_is_nan(options: Options) -> KnownCause:
    """The cause of a training that was stopped because its loss was no number."""
    return told(LOSS_IS_NAN, {}, options)


def _exceptions(ending: Ending) -> Iterator[str]:
    if ending.exception:
        yield ending.exception[:_LONG]
        return
    for line in reversed(ending.lines[-_NEAR_THE_END:]):
        what = _WHAT.match(line)
        if what:
            yield f"RuntimeError: {what[1]}"


def _by_exception(exception: str, frames: str, options: Options) -> KnownCause | None:
    for cause in CAUSES:
        if cause.frames and not re.search(cause.frames, frames):
            continue
        for pattern in cause.exceptions:
            found = re.match(pattern, exception)
            if found:
                return told(cause, found.groupdict(), options)
    return None


def _by_lines(ending: Ending, options: Options) -> KnownCause | None:
    for cause in CAUSES:
        if cause.exit_codes and ending.exit_code not in cause.exit_codes:
            continue
        for pattern in cause.lines:
            for line in ending.lines[-_NEAR_THE_END:]:
                found = re.match(pattern, line)
                if found:
                    return told(cause, found.groupdict(), options)
    return None


def _by_signal(number: signal.Signals, options: Options) -> KnownCause | None:
    return next((told(cause, {}, options) for cause in CAUSES if number in cause.signals), None)


def _by_loss(ending: Ending, options: Options) -> KnownCause | None:
    bars = [line for line in ending.lines if _BAR.match(line)]
    return told(LOSS_IS_NAN, {}, options) if bars and _BAR_OF_NAN.match(bars[-1]) else None
