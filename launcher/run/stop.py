"""Stopping a run from outside: the kl that stays with it is asked to, or, when it is gone, the trainer itself."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from launcher.record.manifest import Manifest, write_manifest
from launcher.run.attempt import write_end
from launcher.run.directory import held
from launcher.run.outcome import Outcome
from launcher.run.process import Processes, adopt, has_ended, send, survivors
from launcher.run.screen import Screen
from launcher.run.signals import Asked, signals_taken
from launcher.run.state import current_outcome, ended_unseen, is_let_go, supervisor
from launcher.run.supervise import WHEN_ASKED, stay

INTERVAL = 0.1
GRACE = 20.0  # seconds beyond all stages for a kl to answer; it copies the log, say


def stop(directory: Path, manifest: Manifest, screen: Screen, timeout: float | None = None) -> bool:
    """Stop a run that runs on this machine, and wait until it has ended. Returns whether it has.

    After `timeout` seconds what is left is ended with SIGKILL; None takes the patience of WHEN_ASKED. SIGINT and
    SIGTERM to this process make it quicker.
    """
    with signals_taken() as asked:
        kl = supervisor(manifest.attempts[-1])
        if kl is not None and kl.pid != os.getpid():
            return _ask(kl, directory, manifest, asked, screen, timeout)
        return _stop_trainer(directory, manifest, asked, screen, timeout)


def _ask(
    kl: psutil.Process, directory: Path, manifest: Manifest, asked: Asked, screen: Screen, timeout: float | None
) -> bool:
    stages = ", ".join(
        f"{stage.signal.name} {f'after {before:g} s' if before else 'now'}"
        for stage, before in zip(WHEN_ASKED, _begins(), strict=True)
        if stage.signal is not None
    )
    screen.announce(f"asked kl (process {kl.pid}) to stop it: {stages}; Ctrl-C is quicker")
    _terminate(kl)
    patience = _begins()[-1] + GRACE if timeout is None else timeout
    deadline = time.monotonic() + patience
    answered = 0
    while not is_let_go(directory, manifest.attempts[-1]):
        if answered < asked.times:
            answered += 1
            screen.announce("asked it once more")
            _terminate(kl)
        if time.monotonic() >= deadline:
            return _end_by_force(kl, directory, manifest, screen)
        time.sleep(INTERVAL)
    return True


def _end_by_force(kl: psutil.Process, directory: Path, manifest: Manifest, screen: Screen) -> bool:
    """End the trainer; the kl that stays with it, if it is not stuck, sees that and writes it down."""
    screen.announce("ending the trainer's processes with SIGKILL")
    processes = _processes(directory, manifest)
    deadline = time.monotonic() + GRACE
    while not is_let_go(directory, manifest.attempts[-1]) and time.monotonic() < deadline:
        send(processes, signal.SIGKILL)
        time.sleep(INTERVAL)
    if not is_let_go(directory, manifest.attempts[-1]):
        screen.announce(f"kl (process {kl.pid}) does not answer")
    return has_ended(processes) and not survivors(processes)


def _stop_trainer(directory: Path, manifest: Manifest, asked: Asked, screen: Screen, timeout: float | None) -> bool:
    screen.announce("the kl that launched it is gone: stopping the trainer itself")
    deadline = None if timeout is None else time.monotonic() + timeout
    processes = _processes(directory, manifest)
    with held(directory) as mine:
        asked.times += 1 if mine else 2  # another kl stop is at work: this one goes on to the next stage
        if mine:
            last = replace(manifest.attempts[-1], stop_signal=int(signal.SIGTERM))
            manifest = replace(manifest, attempts=(*manifest.attempts[:-1], last))
            with suppress(OSError):  # a full disk is no reason not to stop
                write_manifest(manifest, directory)

        def look() -> None:
            if deadline is not None and time.monotonic() >= deadline:
                asked.times = max(asked.times, len(WHEN_ASKED))

        stay(processes, asked, look, screen)
        over = has_ended(processes) and not survivors(processes)
        if over and mine:
            outcome = current_outcome(directory, manifest)
            outcome = Outcome.STOPPED if outcome is Outcome.LOST else outcome
            with suppress(OSError):
                write_end(ended_unseen(directory, manifest, outcome, int(signal.SIGTERM)), directory)
    return over


def _processes(directory: Path, manifest: Manifest) -> Processes:
    last = manifest.attempts[-1]
    return adopt(directory, last.pid, last.pid_started)


def _begins() -> list[float]:
    """When each stage of WHEN_ASKED begins, in seconds from the first."""
    return [sum(stage.patience for stage in WHEN_ASKED[:position]) for position in range(len(WHEN_ASKED))]


def _terminate(kl: psutil.Process) -> None:
    with suppress(psutil.Error):  # just gone
        kl.send_signal(signal.SIGTERM)
