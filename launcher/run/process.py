"""The trainer's processes: started in a session of their own, known by id and start time, signalled together."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_GONE = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


@dataclass
class Processes:
    """The process that was started, the leader, and those seen to descend from it.

    The leader is reaped last of all: until then its id, which is also the group's and the session's, cannot be
    given to another process, and signalling the group is safe.
    """

    started: subprocess.Popen[bytes]
    leader: psutil.Process
    seen: set[psutil.Process] = field(default_factory=set)

    @property
    def pid(self) -> int:
        return self.leader.pid


def start(argv: Sequence[str], folder: Path, variables: Mapping[str, str], log: Path) -> Processes:
    """Start `argv` in `folder`, its output added to `log`, in a session of its own.

    The log is the process's own file, not a pipe of ours: a launcher that stalls or dies does not hold it up.
    Raises OSError when it cannot be started.
    """
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            start_new_session=True,
        )
    finally:
        os.close(handle)
    return Processes(process, psutil.Process(process.pid))


def has_ended(processes: Processes) -> bool:
    """Whether the leader has ended; it is not reaped by looking."""
    try:
        return processes.leader.status() in _GONE
    except psutil.NoSuchProcess:
        return True


def remember_descendants(processes: Processes) -> None:
    """Note who descends from the leader now: workers in sessions of their own are found again when it is gone."""
    with suppress(psutil.Error):
        processes.seen |= set(processes.leader.children(recursive=True))


def survivors(processes: Processes) -> set[psutil.Process]:
    """The leader's group, session and noted descendants that still run, the leader itself left out."""
    found = {process for process in processes.seen if _runs(process)}
    for process in tuple(found):
        with suppress(psutil.Error):
            found |= set(process.children(recursive=True))
    for pid in psutil.pids():
        if pid != processes.pid and _is_of(pid, processes.pid):
            with suppress(psutil.Error):
                found.add(psutil.Process(pid))
    return {process for process in found if _runs(process)}


def send(processes: Processes, number: signal.Signals) -> None:
    """Send a signal to the leader's whole group; one that must end them, to every noted descendant as well."""
    if processes.started.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(processes.pid, number)
    if number != signal.SIGINT:  # whoever started workers apart passes an interrupt on to them itself
        for process in survivors(processes):
            if not _in_group(process.pid, processes.pid):
                with suppress(psutil.Error):
                    process.send_signal(number)  # psutil looks at the start time first


def reap(processes: Processes) -> int:
    """Wait for the leader and return its exit code, 128+N when signal N ended it."""
    code = processes.started.wait()
    return 128 - code if code < 0 else code


def is_same_process(pid: int, started: float) -> bool:
    """Whether the process `pid` that started at `started` still runs: an id alone may be another process by now."""
    try:
        process = psutil.Process(pid)
        # The start is worked out from the time of booting, which moves a little when the clock is set.
        return abs(process.create_time() - started) < 2 and process.status() not in _GONE
    except psutil.Error:
        return False


def _is_of(pid: int, leader: int) -> bool:
    try:
        return os.getpgid(pid) == leader or os.getsid(pid) == leader
    except OSError:
        return False


def _in_group(pid: int, leader: int) -> bool:
    try:
        return os.getpgid(pid) == leader
    except OSError:
        return False


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() not in _GONE
    except psutil.Error:
        return False
