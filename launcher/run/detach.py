"""Going on in the background: a kl without a terminal, in a session of its own, that reports its start."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from launcher.base.errors import ExitCode, KlError
from launcher.run.result import RunResult
from launcher.run.signals import leave_terminals

_STOP = (signal.SIGINT, signal.SIGTERM)
Work = Callable[[Callable[[], None]], RunResult]


@dataclass(frozen=True)
class _Report:
    """What the background kl has to say, once. None of it: the training has started."""

    result: RunResult | None = None  # it ended before that
    error: tuple[str, ExitCode, str | None, str | None] | None = None
    interrupted: bool = False
    bug: str | None = None


def detached(work: Work) -> RunResult | None:
    """Do `work` in the background, and wait until it calls what it is given: from then on it is on its own.

    Returns None then, or the result when it ended before. Raises the KlError that `work` raised before. This
    process is forked, so no thread may run in it; the plan that is trained is the very object that was checked.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)  # until each side is ready for them
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
        _in_background(work, writing)
    os.close(writing)
    with _passed_on_to(child):
        report = _report(child, reading)
    if report.error is not None:
        message, code, where, hint = report.error
        raise KlError(message, code=code, where=where, hint=hint)
    if report.interrupted:
        raise KeyboardInterrupt
    if report.bug is not None:
        raise RuntimeError(f"kl broke in the background:\n{report.bug}")
    return report.result


def _in_background(work: Work, pipe: int) -> NoReturn:
    """The child's life. It ends here, whatever happens: what the parent has yet to do is not for the child."""
    code = int(ExitCode.BUG)
    try:
        os.setsid()
        leave_terminals((0, 1, 2))
        try:
            result = work(lambda: _say(pipe, _Report()))
            code = result.exit_code
            _say(pipe, _Report(result))
        except KlError as error:
            code = int(error.code)
            _say(pipe, _Report(error=(error.message, error.code, error.where, error.hint)))
        except KeyboardInterrupt:
            _say(pipe, _Report(interrupted=True))
        except BaseException:
            _say(pipe, _Report(bug=traceback.format_exc()))
    finally:
        os._exit(code)


def _say(pipe: int, report: _Report) -> None:
    """Say it and close the pipe; once it is closed, nobody listens any more."""
    with suppress(OSError):
        content = pickle.dumps(report)
        while content:
            content = content[os.write(pipe, content) :]
        os.close(pipe)


@contextmanager
def _passed_on_to(child: int) -> Iterator[None]:
    """Pass on what is to stop this process: the background kl takes back what it took, and says so."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):  # it has ended, and is not waited for yet
            os.kill(child, number)

    before = {number: signal.getsignal(number) for number in _STOP}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _report(child: int, pipe: int) -> _Report:
    """Wait for the report."""
    content = b""
    while part := os.read(pipe, 1 << 16):
        content += part
    os.close(pipe)
    if content:
        report: _Report = pickle.loads(content)  # noqa: S301 - our own child's
        return report
    _, status = os.waitpid(child, 0)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    by = f" by {signal.Signals(number).name}" if number else ""
    message = f"kl was ended in the background{by} before the training had started."
    raise KlError(message, code=ExitCode.ENVIRONMENT_NOT_READY, hint="Without --detach more may be seen.")
