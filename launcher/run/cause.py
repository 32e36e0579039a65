"""A known cause of a failure: what it is recognised by, what it means, and what to do about it."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Options = Mapping[str, object]  # of the run, those that were set; empty when they are not known

_SIMPLE = (str, int, float)


@dataclass(frozen=True)
class Ending:
    """What is known of how a training ended.

    `exception` is the last one with its message, "" where there was none; `frames` is its traceback. `lines` are the
    last lines of the log that are not part of what accelerate says about its child. `disk_free` is the room that the
    run directory's disk had then, in bytes; None when it is not known.
    """

    exit_code: int
    exception: str = ""
    frames: str = ""
    lines: tuple[str, ...] = ()
    disk_free: int | None = None


@dataclass(frozen=True)
class Step:
    """One thing to do, when the options leave it open. `{name}` stands for an option or a word of the exception."""

    text: str
    when: Callable[[Options], bool] = lambda options: True


@dataclass(frozen=True)
class Cause:
    """How a cause is known, by regular expressions that match from the start of the text.

    `exceptions` are compared with the last exception, `frames` (searched) must stand in its traceback as well.
    `lines` are compared with the last lines of the log, where there was no exception and the exit code is one of
    `exit_codes`, if any are named. `signals` are those that ended the trainer without anything else being known.
    """

    name: str
    meaning: str
    steps: tuple[Step, ...]
    exceptions: tuple[str, ...] = ()
    frames: str = ""
    lines: tuple[str, ...] = ()
    exit_codes: tuple[int, ...] = ()
    signals: tuple[signal.Signals, ...] = ()


@dataclass(frozen=True)
class KnownCause:
    """The cause of one failure. `steps` is what to do about it, the most promising first."""

    name: str
    meaning: str
    steps: tuple[str, ...]


def error(classes: str, message: str) -> str:
    """An exception, written with its module or without, whose message starts so."""
    return rf"(?:[\w.]*\.)?(?:{classes}):\s{{0,20}}{message}"


def cuda(message: str) -> str:
    """An error of CUDA: torch raises AcceleratorError for it since 2.8, RuntimeError before."""
    return error("RuntimeError|AcceleratorError", rf"CUDA error: {message}")


def given(*names: str) -> Callable[[Options], bool]:
    """Whether one of these options was set."""
    return lambda options: any(_is_set(options.get(name)) for name in names)


def not_given(*names: str) -> Callable[[Options], bool]:
    """Whether none of these options was set."""
    return lambda options: not any(_is_set(options.get(name)) for name in names)


def more_than(name: str, number: float) -> Callable[[Options], bool]:
    """Whether an option was set to more than a number."""
    return lambda options: _number(options.get(name)) > number


def is_one_of(name: str, *values: str) -> Callable[[Options], bool]:
    """Whether an option was set to one of these words, whatever their case."""
    return lambda options: str(options.get(name) or "").lower() in values


def all_of(*conditions: Callable[[Options], bool]) -> Callable[[Options], bool]:
    """Whether every condition holds."""
    return lambda options: all(condition(options) for condition in conditions)


def told(cause: Cause, found: Mapping[str, str | None], options: Options) -> KnownCause:
    """The cause with the words of this failure. `found` are the named groups of the pattern that matched."""
    words = {name: str(value) for name, value in options.items() if isinstance(value, _SIMPLE)}
    words.update({name: value or "" for name, value in found.items()})
    steps = tuple(_filled(step.text, words) for step in cause.steps if step.when(options))
    return KnownCause(cause.name, _filled(cause.meaning, words), steps)


def _filled(text: str, words: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda place: words.get(place[1], ""), text)


def _is_set(value: object) -> bool:
    return value is not None and value is not False and value != ""


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
