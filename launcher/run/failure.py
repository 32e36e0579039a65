"""Why a training failed, read from the end of its log."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.plan.secrets import without_secret_values
from launcher.record.manifest import Manifest
from launcher.run.outcome import signal_of

if TYPE_CHECKING:
    from launcher.run.cause import KnownCause

_READ = 1 << 18  # bytes of the log's end that are looked at
_TAIL_LINES = 20
_LONGEST_LINE = 2000
_MESSAGE_LINES = 60
_NEAR_THE_END = 30  # lines: a traceback farther from the end was caught, and training went on

_HEADER = "Traceback (most recent call last):"
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_BAR = re.compile(r"[^|\r\n]{0,80}?\d+%\|[^|\r\n]*\| *[\d.]+\S*/[\d.]+\S* \[[^\]\r\n]*\]")
_RANK = re.compile(r"^\[rank\d+\]:\s?")
_ACCELERATE_FRAME = re.compile(r'^\s*File ".*accelerate[/\\]commands[/\\]')
_OF_A_CHILD = re.compile(r"(?:[\w.]*\.)?(?:CalledProcessError|ChildFailedError|SignalException)\b")
_EXIT = re.compile(r"returned non-zero exit status (\d+)\.\s*$")
_KILLED = re.compile(r"died with (?:<Signals\.\w+: (\d+)>|unknown signal (\d+))\.\s*$")
_WORKER = re.compile(r"^\s*exitcode\s*:\s*(-?\d+)")
# What may be printed after an exception and is no part of its message.
_NEXT_SUBJECT = re.compile(
    r"^(\S+:\d+: \w*Warning: |\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\s*(?:DEBUG|INFO|WARNING|ERROR)\b|wandb: |"
    r"[IWEF]\d{4} \d\d:|Exception ignored in|During handling of the above exception|"
    r"The above exception was the direct cause)"
)
_ARGPARSE = re.compile(r"^\S+: error: \S")


@dataclass(frozen=True)
class Failure:
    """`reason` says in one line how the trainer ended, `exception` is what it said itself ("" when it said nothing).

    `log_tail` are the last meaningful lines of the log. `cause` is what it was, when that is known, and what to do.
    """

    reason: str
    exception: str
    log_tail: tuple[str, ...]
    cause: KnownCause | None = None


@dataclass(frozen=True)
class _Block:
    """A traceback: the lines from `start` up to `end`, and the exception with its message.

    `of_accelerate` when it only says that the script failed.
    """

    start: int
    end: int
    exception: str
    frames: str
    of_accelerate: bool


def read_end(log: Path) -> str:
    """The last part of the log, without the secrets of the environment; "" when it cannot be read."""
    try:
        if not log.is_file():  # a pipe would be waited for
            return ""
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _READ))
            return without_secret_values(file.read().decode("utf-8", "replace"), os.environ)
    except OSError:
        return ""


def recorded_options(manifest: Manifest) -> dict[str, object]:
    """The options of a run that were set, by name; of one that accelerate has too, the script's own."""
    first = sorted(manifest.options, key=lambda option: option.command == "trainer")
    return {option.name: option.value for option in first}


def free_bytes(directory: Path) -> int | None:
    """The room on a directory's disk; None when it cannot be told."""
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return None


def trainer_exit_code(exit_code: int, log_end: str) -> int:
    """The script's own code: `accelerate launch` ends with 1 whatever the script ended with, but its traceback says it.

    128+N when the script was ended by signal N.
    """
    if exit_code != 1:
        return exit_code
    lines = _lines(log_end)
    blocks = [block for block in _blocks(lines) if block.of_accelerate]
    if not blocks:
        return exit_code
    for line in lines[blocks[-1].start : blocks[-1].end]:
        for pattern, offset in ((_EXIT, 0), (_KILLED, 128)):
            found = pattern.search(line)
            if found:
                return offset + int(found[1] or found[2])
        found = _WORKER.match(line)  # several processes: the first one that failed is listed last
        if found and int(found[1]):
            exit_code = int(found[1]) if int(found[1]) > 0 else 128 - int(found[1])
    return exit_code


def explain(
    exit_code: int, log_end: str, options: Mapping[str, object] | None = None, disk_free: int | None = None
) -> Failure:
    """What can be said about a training that ended with the script's own `exit_code` and did not succeed.

    `options` are those of the run that were set: what to do about a known cause depends on them. `disk_free` is the
    room on its disk in bytes: a disk that is full may have cut off the log as well.
    """
    from launcher.run.cause import Ending  # noqa: PLC0415 - long tables, needed only when a run fails
    from launcher.run.causes import find_cause  # noqa: PLC0415 - the same

    lines = _lines(log_end)
    blocks = _blocks(lines)
    own = [line for i, line in enumerate(lines) if not any(b.of_accelerate and b.start <= i < b.end for b in blocks)]
    exception, frames = _exception(lines, blocks)
    tail = _tail(own)
    cause = find_cause(Ending(exit_code, exception, frames, _ends(own), disk_free), options or {})
    return Failure(_reason(exit_code), exception, tail, cause)


def _ends(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for line in lines if line.strip())[-2 * _NEAR_THE_END :]


def _reason(exit_code: int) -> str:
    if exit_code == 0:
        return "the trainer ended with 0 but left no final model"
    number = signal_of(exit_code)
    return f"the trainer was ended by {number.name}" if number else f"the trainer ended with {exit_code}"


def _exception(lines: Sequence[str], blocks: Sequence[_Block]) -> tuple[str, str]:
    """The last exception with its message, and its traceback."""
    own = [block for block in blocks if not block.of_accelerate]
    if own and _is_last_word(lines, own[-1], blocks):
        return own[-1].exception, own[-1].frames
    errors = [line for line in lines[-_NEAR_THE_END:] if _ARGPARSE.match(line)]
    return (errors[-1] if errors else ""), ""


def _is_last_word(lines: Sequence[str], block: _Block, blocks: Sequence[_Block]) -> bool:
    """Whether nothing much came after a traceback: otherwise it was caught, and training went on."""
    others = [other for other in blocks if other.of_accelerate]
    after = [
        line
        for i, line in enumerate(lines[block.end :], block.end)
        if line.strip() and not any(other.start <= i < other.end for other in others)
    ]
    bars = {line for line in after if _BAR.fullmatch(line.strip())}
    return len(after) <= _NEAR_THE_END and len(bars) <= 1


def _lines(text: str) -> list[str]:
    """The lines as they were meant: bars apart from what was printed behind them, repeated bars left out."""
    lines: list[str] = []
    for line in re.split(r"\r\n|\n|\r", _COLOUR.sub("", text)):
        rest = _RANK.sub("", line)
        bar = _BAR.match(rest)
        if bar:
            if lines and _BAR.fullmatch(lines[-1]):
                lines.pop()
            lines.append(bar[0].strip())
            rest = rest[bar.end() :]
            if not rest.strip():
                continue
        before, header, after = rest.partition(_HEADER)
        if header and before.strip(" +|"):  # something else without an end of its own
            lines.append(before[:_LONGEST_LINE])
            rest = header + after
        lines.append(rest[:_LONGEST_LINE].rstrip())
    return lines


def _blocks(lines: Sequence[str]) -> list[_Block]:
    starts = [i for i, line in enumerate(lines) if line.lstrip(" +|").startswith(_HEADER)]
    ends = [*starts[1:], len(lines)]
    return [_block(lines, start, end) for start, end in zip(starts, ends, strict=False)]


def _block(lines: Sequence[str], start: int, following: int) -> _Block:
    at = start + 1
    while at < following and (not lines[at].strip() or lines[at][0].isspace() or _BAR.fullmatch(lines[at])):
        at += 1
    through_accelerate = any(_ACCELERATE_FRAME.match(line) for line in lines[start:at])
    of_accelerate = through_accelerate and at < following and _OF_A_CHILD.match(lines[at]) is not None
    end = at
    message: list[str] = []
    while end < following and not (end > at and _NEXT_SUBJECT.match(lines[end]) and not of_accelerate):
        if _BAR.fullmatch(lines[end]):
            break  # drawn once more when the trainer closes it: the message is over
        message.append(lines[end])
        end += 1
    if sum(1 for line in message[1:] if line.strip() and not line[0].isspace()) > _NEAR_THE_END:
        message, end = message[:1], at + 1  # no message is that long: the trainer printed other things
    exception = "\n".join(message[:_MESSAGE_LINES]).strip()
    return _Block(start, end, exception, "\n".join(lines[start:at]), of_accelerate)


def _tail(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for line in lines if line.strip())[-_TAIL_LINES:]
