"""What a run is at this moment, worked out from its directory: the kl that launched it may be gone."""

from __future__ import annotations

import os
import time
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from launcher.base.times import as_written, moment
from launcher.data.safetensors_header import Header, Why, read_header
from launcher.record.hashes import HashError, files_below
from launcher.record.manifest import MANIFEST, Attempt, Manifest, ManifestError, read_manifest
from launcher.run.artifacts import final_model_there, find_artifacts
from launcher.run.attempt import artifact_records, end, write_end
from launcher.run.directory import LOG, held
from launcher.run.failure import explain, read_end
from launcher.run.outcome import Facts, Outcome, derive
from launcher.run.process import is_same_process, processes_of_run, same_process
from launcher.run.progress import parse_progress

# What training scripts say last when they end with 0 and trained nothing (train_network.py, fine_tune.py, …).
_LAST_WORDS = ("No data found",)
_ZIPPED = (".ckpt", ".pt", ".pth", ".bin")
_SILENCE = 3600.0  # seconds: the log of a run on another machine is older than this when it runs no more


def current_outcome(directory: Path, manifest: Manifest) -> Outcome:
    """The outcome of a run's last attempt, whatever its manifest says: it may have ended unseen.

    It runs while its kl, its leader or any other process of it lives. When nobody saw it end, the outcome is what
    the model and the log say that it left. A final model that was seen when the attempt ended counts also when it is
    gone now: people move their LoRA to where they use it.
    """
    if not manifest.attempts:
        return Outcome.PLANNED
    last = manifest.attempts[-1]
    if last.exit_code is not None:
        final = final_model_there(directory, manifest.final) or last.outcome == Outcome.SUCCEEDED.value
        return derive(Facts(True, False, last.exit_code, last.stop_signal, final))
    if last.ended is not None:
        return _as_settled(last)
    if _lives(directory, last):
        return Outcome.RUNNING
    return _by_what_is_left(directory, manifest)


def settle(directory: Path) -> tuple[Manifest, Outcome]:
    """The manifest of a run and its outcome now; an end that nobody saw is written down first, where that is possible.

    Raises OSError when there is no manifest, ManifestError when it is damaged.
    """
    manifest = read_manifest(directory)
    outcome = current_outcome(directory, manifest)
    if not _is_open(manifest) or outcome is Outcome.RUNNING or is_elsewhere(manifest.attempts[-1]):
        return manifest, outcome
    with suppress(OSError), held(directory) as mine:
        if mine:
            manifest = read_manifest(directory)  # another kl may have added an attempt meanwhile
            outcome = current_outcome(directory, manifest)
            if _is_open(manifest) and outcome is not Outcome.RUNNING:
                manifest = ended_unseen(directory, manifest, outcome, manifest.attempts[-1].stop_signal)
                write_end(manifest, directory)
    return manifest, outcome


def ended_unseen(directory: Path, manifest: Manifest, outcome: Outcome, stop_signal: int | None) -> Manifest:
    """The manifest with the end of an attempt whose exit code nobody saw, and what can be seen that it left."""
    log = directory / log_name(manifest)
    progress = None
    for line in read_end(log).replace("\r", "\n").split("\n"):
        progress = parse_progress(line) or progress
    *before, last = manifest.attempts
    if progress is not None:
        loss = last.last_loss if progress.loss is None else progress.loss
        last = replace(last, last_step=progress.step, total_steps=progress.total, last_loss=loss)
    # A hash is that of what stood there when the manifest was written.
    hashed = [each for each in manifest.artifacts if _is_older(directory / each.path, directory / MANIFEST)]
    artifacts = artifact_records(directory, find_artifacts(directory, manifest.final), hashed)
    manifest = replace(manifest, attempts=(*before, last), artifacts=artifacts)
    return end(manifest, outcome, None, stop_signal, as_written(_changed(log)))


def log_name(manifest: Manifest) -> str:
    """The name of the last attempt's log in the run directory."""
    return Path(manifest.attempts[-1].log).name if manifest.attempts and manifest.attempts[-1].log else LOG


def supervisor(attempt: Attempt) -> psutil.Process | None:
    """The kl that stays with an attempt; None when it is gone."""
    return None if is_elsewhere(attempt) else same_process(attempt.kl_pid, attempt.kl_started)


def is_let_go(directory: Path, attempt: Attempt) -> bool:
    """Whether the kl that stays with an attempt has written down its end and tidied up after it, or is gone."""
    if supervisor(attempt) is None:
        return True
    try:
        manifest = read_manifest(directory)
        if manifest.attempts and manifest.attempts[-1].ended is None:
            return False
        with held(directory) as free:
            return free
    except (OSError, ManifestError):  # removed, as a run without a model is
        return True


def is_elsewhere(attempt: Attempt) -> bool:
    """Whether an attempt was started on another machine, whose processes cannot be seen from here."""
    return attempt.host not in (None, "", os.uname().nodename)


def _is_open(manifest: Manifest) -> bool:
    return bool(manifest.attempts) and manifest.attempts[-1].ended is None and manifest.attempts[-1].exit_code is None


def _lives(directory: Path, attempt: Attempt) -> bool:
    if is_elsewhere(attempt):
        changed = _changed(directory / (Path(attempt.log).name or LOG))
        return changed is not None and time.time() - changed < _SILENCE
    return (
        is_same_process(attempt.pid, attempt.pid_started)
        or supervisor(attempt) is not None
        or bool(processes_of_run(directory))
    )


def _as_settled(attempt: Attempt) -> Outcome:
    try:
        return Outcome(attempt.outcome)
    except ValueError:
        return Outcome.LOST


def _by_what_is_left(directory: Path, manifest: Manifest) -> Outcome:
    last = manifest.attempts[-1]
    if any(_is_whole(directory / name, last.started) for name in manifest.final):
        return Outcome.SUCCEEDED
    if last.stop_signal is not None:
        return Outcome.STOPPED
    log_end = read_end(directory / log_name(manifest))
    failure = explain(1, log_end)
    said_last = any(words in line for line in failure.log_tail for words in _LAST_WORDS)
    return Outcome.FAILED if failure.exception or said_last else Outcome.LOST


def _is_whole(path: Path, started: str) -> bool:
    """Whether a final model is there to its last byte, and was written by an attempt that started at `started`."""
    changed = _changed(path)
    if changed is None or changed < (moment(started) or 0.0):
        return False
    if path.is_dir():
        return (path / "model_index.json").is_file()  # diffusers writes it last
    if path.suffix in _ZIPPED:
        return zipfile.is_zipfile(path)  # torch.save; its directory stands at the end
    header = read_header(path)
    if isinstance(header, Header):
        return header.missing == 0
    return header.why is Why.TOO_LARGE


def _is_older(path: Path, manifest: Path) -> bool:
    """Whether a file, or all in a folder, was last written before the manifest was."""
    written = _changed(manifest)
    newest = _changed(path)
    if path.is_dir():
        try:
            newest = max((each.status.st_mtime for each in files_below(path)), default=newest)
        except HashError:
            return False
    return written is not None and newest is not None and newest <= written


def _changed(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
