"""The attempt in the manifest, from the start of the trainer to its end."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from launcher.base.times import now
from launcher.record.manifest import MANIFEST, ArtifactRecord, Attempt, Manifest, write_manifest
from launcher.run.artifacts import Artifact
from launcher.run.outcome import Outcome, signal_of
from launcher.run.process import Processes
from launcher.run.screen import Screen
from launcher.run.watch import Watch

RESERVE = f".{MANIFEST}.reserve.partial"  # clean-up knows it by this ending
_RESERVED = 128 * 1024  # bytes; a manifest with some hundred artifacts


def begin(manifest: Manifest, log: str, attempt: Attempt) -> Manifest:
    """The manifest with a new attempt, which this kl is about to start; `attempt` holds what is known of it."""
    kl = psutil.Process()
    attempt = replace(
        attempt,
        started=now(),
        kl_pid=kl.pid,
        kl_started=kl.create_time(),
        host=os.uname().nodename,
        outcome=Outcome.RUNNING.value,
        total_steps=manifest.steps,
        log=log,
    )
    return replace(manifest, attempts=(*manifest.attempts, attempt), outcome=Outcome.RUNNING.value)


def begun(manifest: Manifest, processes: Processes) -> Manifest:
    """The manifest with the process that was started for its attempt."""
    leader = processes.leader
    if leader is None:
        return manifest
    *before, attempt = manifest.attempts
    attempt = replace(attempt, pid=leader.pid, pid_started=leader.create_time())
    return replace(manifest, attempts=(*before, attempt))


def see(manifest: Manifest, watch: Watch, stop_reason: str | None = None) -> Manifest:
    """The manifest with what was seen of the running attempt, and why kl stops it by itself."""
    artifacts = artifact_records(watch.directory, watch.artifacts, manifest.artifacts)
    *before, attempt = manifest.attempts
    progress = watch.progress
    if progress is not None:
        attempt = replace(attempt, last_step=progress.step, total_steps=progress.total, last_loss=progress.loss)
        attempt = replace(attempt, lowest_loss=watch.lowest_loss)
    if stop_reason is not None:
        attempt = replace(attempt, stop_reason=stop_reason)
    return replace(manifest, attempts=(*before, attempt), artifacts=artifacts)


def artifact_records(
    directory: Path, artifacts: Iterable[Artifact], before: Iterable[ArtifactRecord]
) -> tuple[ArtifactRecord, ...]:
    """The records of artifacts; those of the same path and size keep the hashes that they had `before`."""
    known = {(record.path, record.size): record for record in before if record.sha256 is not None}
    found = []
    for artifact in artifacts:
        path = str(artifact.path.relative_to(directory))
        new = ArtifactRecord(path, artifact.kind.value, artifact.size)
        same = known.get((path, artifact.size), new)
        found.append(replace(new, sha256=same.sha256, weights_sha256=same.weights_sha256))
    return tuple(found)


def end(
    manifest: Manifest, outcome: Outcome, exit_code: int | None, stop_signal: int | None, ended: str | None = None
) -> Manifest:
    """The manifest with the attempt ended, now or at `ended`. `exit_code` is None where nobody saw it."""
    *before, attempt = manifest.attempts
    attempt = replace(
        attempt,
        ended=ended or now(),
        exit_code=exit_code,
        signal=None if exit_code is None else signal_of(exit_code),
        stop_signal=stop_signal,
        outcome=outcome.value,
    )
    return replace(manifest, attempts=(*before, attempt), outcome=outcome.value)


def reserve(directory: Path) -> None:
    """Take some room on the disk, so that the end of an attempt can be written down also when training filled it."""
    place = directory / RESERVE
    try:
        place.write_bytes(os.urandom(_RESERVED))  # not zeros: some file systems would keep no room for those
    except OSError:
        with suppress(OSError):
            place.unlink()


def write_end(manifest: Manifest, directory: Path) -> None:
    """Write the manifest with the room that was reserved. Raises OSError when that is not enough."""
    with suppress(OSError):
        (directory / RESERVE).unlink(missing_ok=True)
    write_manifest(manifest, directory)


def write(manifest: Manifest, directory: Path, screen: Screen, *, last: bool = False) -> None:
    """Write the manifest. When the disk is full the one before stays, and the training goes on.

    The `last` one of an attempt takes the room that was reserved for it.
    """
    try:
        (write_end if last else write_manifest)(manifest, directory)
    except OSError as error:
        screen.announce(f"run.json could not be written: {error.strerror}")
