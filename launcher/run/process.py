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

RUN_VARIABLE = "KL_RUN"  # names the run directory to everything that the trainer starts
_GONE = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


@dataclass
class Processes:
    """The processes of a run: the leader, those seen to descend from it, and those that have its RUN_VARIABLE.

    `started` is None for processes that another kl started; `leader` is None when it is gone then. A leader of our
    own is reaped last of all: until then its id, which is also the group's and the session's, cannot be given to
    another process, and signalling the group is safe.
    """

    directory: Path
    leader: psutil.Process | None
    started: subprocess.Popen[bytes] | None = None
    seen: set[psutil.Process] = field(default_factory=set)


def start(argv: Sequence[str], folder: Path, variables: Mapping[str, str], log: Path, directory: Path) -> Processes:
    """Start `argv` in `folder` for the run in `directory`, its output added to `log`, in a session of its own.

    The log is the process's own file, not a pipe of ours: a launcher that stalls or dies does not hold it up.
    Raises OSError when it cannot be started.
    """
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env={**variables, RUN_VARIABLE: str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            start_new_session=True,
        )
    finally:
        os.close(handle)
    return Processes(directory, psutil.Process(process.pid), process)


def adopt(directory: Path, pid: int | None, started: float | None) -> Processes:
    """The processes of a run that another kl started: `pid` and `started` are the leader's, where they are known."""
    leader = same_process(pid, started)
    return Processes(directory, leader)


def has_ended(processes: Processes) -> bool:
    """Whether the leader has ended; it is not reaped by looking."""
    return processes.leader is None or not _runs(processes.leader)


def remember_descendants(processes: Processes) -> None:
    """Note who descends from the leader now: workers in sessions of their own are found again when it is gone."""
    if processes.leader is not None:
        with suppress(psutil.Error):
            processes.seen |= set(processes.leader.children(recursive=True))


def survivors(processes: Processes) -> set[psutil.Process]:
    """What still runs of the run: group, session, noted descendants, whoever has its variable; without the leader."""
    found = {process for process in processes.seen if _runs(process)}
    for process in tuple(found):
        with suppress(psutil.Error):
            found |= set(process.children(recursive=True))
    leader = processes.leader
    if leader is not None and (processes.started is not None or _runs(leader)):  # else the id may be another's by now
        for pid in psutil.pids():
            if pid != leader.pid and _is_of(pid, leader.pid):
                with suppress(psutil.Error):
                    found.add(psutil.Process(pid))
    found |= processes_of_run(processes.directory)
    return {process for process in found if process != leader and _runs(process)}


def processes_of_run(directory: Path) -> set[psutil.Process]:
    """Every process that was started for the run in `directory`, by its environment; those of others not seen.

    A process that is kl's own child at the moment between its fork and its start is not found.
    """
    found = set()
    for pid in psutil.pids():
        if pid != os.getpid():
            with suppress(psutil.Error, OSError):
                process = psutil.Process(pid)
                if _names(process.environ().get(RUN_VARIABLE), directory) and _runs(process):
                    found.add(process)
    return found


def send(processes: Processes, number: signal.Signals) -> None:
    """Send a signal to the leader's whole group; one that must end them, to every other process of the run as well."""
    leader = processes.leader
    group: int | None = None
    if leader is not None and (processes.started is not None or _runs(leader)):
        group = leader.pid
        if processes.started is None or processes.started.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
    if number == signal.SIGINT and group is not None:
        return  # whoever started workers apart passes an interrupt on to them itself
    for process in survivors(processes):
        if group is None or not _in_group(process.pid, group):
            with suppress(psutil.Error):
                process.send_signal(number)  # psutil looks at the start time first


def reap(processes: Processes) -> int:
    """Wait for the leader that we started, and return its exit code: 128+N when signal N ended it."""
    if processes.started is None:
        raise ValueError("another kl started it")
    code = processes.started.wait()
    return 128 - code if code < 0 else code


def same_process(pid: int | None, started: float | None) -> psutil.Process | None:
    """The process `pid` that started at `started`, while it runs: an id alone may be another process by now."""
    if pid is None or started is None:
        return None
    try:
        process = psutil.Process(pid)
        # The start is worked out from the time of booting, which moves a little when the clock is set.
        same = abs(process.create_time() - started) < 2 and process.status() not in _GONE
    except (psutil.Error, ValueError, OverflowError):  # a damaged manifest may hold any number
        return None
    return process if same else None


def is_same_process(pid: int | None, started: float | None) -> bool:
    """Whether the process `pid` that started at `started` still runs."""
    return same_process(pid, started) is not None


def _names(value: str | None, directory: Path) -> bool:
    """Whether the variable's value is the run directory, by its name or by what stands there."""
    if value is None:
        return False
    if value == str(directory):
        return True
    try:
        return Path(value).name == directory.name and Path(value).samefile(directory)
    except (OSError, ValueError):
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
