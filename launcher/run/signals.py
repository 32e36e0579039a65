"""The signals kl takes while a training runs. Handlers only set flags; the loop acts on them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_STOP = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Asked:
    """What kl was asked for by signals so far, or found a reason for itself."""

    stop_signal: int | None = None  # the first one
    times: int = 0
    hangup: bool = False
    stop_reason: str | None = None  # why kl stops the training by itself

    def stop_because(self, reason: str) -> bool:
        """Ask for the stop that the user set a condition for; False when the training is being stopped already."""
        if self.times > 0:
            return False
        self.stop_reason = reason
        self.times = 1
        return True


@contextmanager
def signals_taken() -> Iterator[Asked]:
    """Take SIGINT, SIGTERM and SIGHUP for as long as the block lasts; the handlers before are put back after it.

    A signal that was ignored when kl started stays without effect on kl (a job in the background, `nohup`), but has
    a handler nevertheless: a process started meanwhile then has it at its default, and can be stopped with it.
    """
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # only the main thread may set handlers
        return
    taken = (*_STOP, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in taken}
    ignored = {number for number, handler in before.items() if handler is signal.SIG_IGN}

    def note(number: int, frame: FrameType | None) -> None:
        if number in ignored:
            return
        if number == signal.SIGHUP:
            asked.hangup = True
            return
        asked.times += 1
        if asked.stop_signal is None:
            asked.stop_signal = int(number)

    for number in taken:
        signal.signal(number, note)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            # None: it was set by something other than Python, and cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def terminals() -> tuple[int, ...]:
    """Those of stdin, stdout and stderr that are terminals."""
    return tuple(number for number in (0, 1, 2) if _is_terminal(number))


def leave_terminals(numbers: tuple[int, ...]) -> None:
    """Point these file descriptors nowhere: whatever still writes to them can no longer fail for a terminal gone."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in numbers:
        os.dup2(nowhere, number)
    os.close(nowhere)


def _is_terminal(number: int) -> bool:
    try:
        return os.isatty(number)
    except OSError:
        return False
