"""The attempt in the manifest, from the start of the trainer to its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from launcher.record.archive import now
from launcher.record.manifest import ArtifactRecord, Attempt, Manifest, write_manifest
from launcher.run.directory import LOG
from launcher.run.outcome import Outcome, signal_of
from launcher.run.process import Processes
from launcher.run.screen import Screen
from launcher.run.watch import Watch


def begin(manifest: Manifest, processes: Processes) -> Manifest:
    """The manifest with a new attempt, which runs."""
    attempt = Attempt(
        started=now(),
        pid=processes.pid,
        pid_started=processes.leader.create_time(),
        outcome=Outcome.RUNNING.value,
        total_steps=manifest.steps,
        log=LOG,
    )
    return replace(manifest, attempts=(*manifest.attempts, attempt), outcome=Outcome.RUNNING.value)


def see(manifest: Manifest, watch: Watch) -> Manifest:
    """The manifest with what was seen of the running attempt."""
    artifacts = tuple(
        ArtifactRecord(str(artifact.path.relative_to(watch.directory)), artifact.kind.value, artifact.size)
        for artifact in watch.artifacts
    )
    *before, attempt = manifest.attempts
    progress = watch.progress
    if progress is not None:
        attempt = replace(attempt, last_step=progress.step, total_steps=progress.total, last_loss=progress.loss)
    return replace(manifest, attempts=(*before, attempt), artifacts=artifacts)


def end(manifest: Manifest, outcome: Outcome, exit_code: int, stop_signal: int | None) -> Manifest:
    """The manifest with the attempt ended."""
    *before, attempt = manifest.attempts
    attempt = replace(
        attempt,
        ended=now(),
        exit_code=exit_code,
        signal=signal_of(exit_code),
        stop_signal=stop_signal,
        outcome=outcome.value,
    )
    return replace(manifest, attempts=(*before, attempt), outcome=outcome.value)


def write(manifest: Manifest, directory: Path, screen: Screen) -> None:
    """Write the manifest. When the disk is full the one before stays, and the training goes on."""
    try:
        write_manifest(manifest, directory)
    except OSError as error:
        screen.announce(f"run.json could not be written: {error.strerror}")
