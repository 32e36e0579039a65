"""The programs of a set-up: started with a log, ended with kl, and found again when a kl was killed."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from launcher.base.errors import ExitCode, KlError
from launcher.record.installers import surroundings
from launcher.record.packages import without_secrets
from launcher.setup.step import Command

SETUP_VARIABLE = "KL_SETUP"  # names the set-up to everything that it starts
_PATIENCE = 10.0  # seconds from asking a program to end to ending it
_LOOK = 0.1  # seconds between two looks whether it has ended, or somebody wants to stop


class Stopped(Exception):  # noqa: N818 - what it says
    """A signal asked kl to stop; `signal_number` is it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.signal_number = signal_number


class Stop:
    """Whether somebody wants to stop: signals are noted, and acted on where nothing can be left behind."""

    def __init__(self) -> None:
        self.signal_number: int | None = None

    def note(self, number: int, _frame: object) -> None:
        """A handler of signals."""
        self.signal_number = number

    def check(self) -> None:
        """Raises Stopped when a signal came."""
        if self.signal_number is not None:
            raise Stopped(self.signal_number)


@contextmanager
def stopping() -> Iterator[Stop]:
    """SIGINT, SIGTERM and SIGHUP are noted inside, and were they ignored, stay so."""
    stop = Stop()
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, stop.note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Hold this set-up. Raises KlError (output unavailable) while another kl works on it."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        handle = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        message = f"{state} cannot be made: {error.strerror}."
        raise KlError(message, code=ExitCode.OUTPUT_UNAVAILABLE) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KlError(
                f"Another kl setup of {state.name} is running.",
                code=ExitCode.OUTPUT_UNAVAILABLE,
                hint="Wait for it, or choose another --name.",
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)


def run_command(command: Command, log: IO[bytes], state: Path, stop: Stop) -> int:
    """Run it to its end, its output in the log. Returns its exit status.

    It has a session of its own: no terminal to ask, and all of it is ended when kl is asked to stop. Raises Stopped.
    """
    log.write(f"$ {without_secrets(shlex.join(command.argv))}\n".encode())
    log.flush()
    stop.check()
    try:
        process = subprocess.Popen(
            command.argv,
            cwd=command.folder,
            env={**surroundings(), "PYTHONUNBUFFERED": "1", SETUP_VARIABLE: str(state)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    except OSError as error:
        log.write(f"error: {error}\n".encode())
        log.flush()
        return 127
    while True:
        try:
            return process.wait(timeout=_LOOK)
        except subprocess.TimeoutExpired:
            if stop.signal_number is not None:
                _end(process)
                stop.check()


def end_leftovers(state: Path) -> int:
    """End what a killed kl has left running of this set-up. Returns how many processes that were.

    To be called by who holds it alone: then nobody watches over them any more.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(SETUP_VARIABLE) == str(state):
                found.append(process)
    for process in found:
        with suppress(psutil.Error):
            process.terminate()
    _, still = psutil.wait_procs(found, timeout=_PATIENCE)
    for process in still:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(still, timeout=_PATIENCE)
    return len(found)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(OSError):  # its whole session; not reaped before, so the id is its own
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_PATIENCE)
    # SIGKILL goes to the group in any case: what the first signal left of it has nobody to end it later.
