"""Everything that is known of one run at this moment: what its manifest records, and what is there."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from launcher.base.errors import ExitCode, KlError
from launcher.base.nearest import nearest
from launcher.base.times import seconds_of
from launcher.record.environment import EnvironmentRecord, recorded_environment
from launcher.record.manifest import Attempt, Manifest, ManifestError
from launcher.record.model_metadata import ModelMetadata, read_metadata_file
from launcher.record.notes import Note, read_notes
from launcher.run.afterwards import failure_of
from launcher.run.artifacts import Artifact, ArtifactKind, find_artifacts
from launcher.run.directory import LOG
from launcher.run.failure import Failure
from launcher.run.find import FoundRun
from launcher.run.listing import live_progress
from launcher.run.outcome import Outcome
from launcher.run.size import bytes_of


@dataclass(frozen=True)
class RunAccount:
    """A run with all that is known of it.

    `seconds` is how long its attempts took together, `size` the bytes in its directory. `artifacts` are those that
    are there; `gone` are the paths of files and artifacts that are recorded and are not. `failure` is why it failed,
    `noted` what somebody noted on it with `kl note`, `environment` None where it is not recorded,
    `said_by_model` the metadata of a final model that is not there any more.
    """

    run: FoundRun
    manifest: Manifest
    outcome: Outcome
    seconds: float | None
    size: int
    artifacts: tuple[Artifact, ...]
    gone: tuple[str, ...]
    failure: Failure | None
    noted: tuple[Note, ...] = ()
    environment: EnvironmentRecord | None = None
    said_by_model: ModelMetadata | None = None


def account_of(run: FoundRun, manifest: Manifest, outcome: Outcome) -> RunAccount:
    """All that is known of a run with this manifest. Raises ManifestError when what it holds is of another kind."""
    manifest = sound(manifest)
    if outcome is Outcome.RUNNING:
        manifest = _as_it_runs(run, manifest)
    recorded = (*(file.name for file in manifest.files), *(artifact.path for artifact in manifest.artifacts))
    spans = ((attempt.started, attempt.ended) for attempt in manifest.attempts)
    artifacts = () if run.removed else find_artifacts(run.directory, manifest.final)
    has_model = any(artifact.kind is ArtifactKind.MODEL for artifact in artifacts)
    return RunAccount(
        run=run,
        manifest=manifest,
        outcome=outcome,
        seconds=seconds_of(spans, running=outcome is Outcome.RUNNING),
        size=bytes_of(run.directory),
        artifacts=artifacts,
        gone=() if run.removed else tuple(name for name in recorded if not os.path.lexists(run.directory / name)),
        failure=failure_of(run, manifest) if outcome is Outcome.FAILED else None,
        noted=read_notes(run.directory),
        environment=recorded_environment(run.directory),
        said_by_model=None if has_model else read_metadata_file(run.directory),
    )


def file_of(run: FoundRun, name: str) -> Path:
    """The path of a file or folder in a run's directory. Raises KlError (wrong usage) for any other."""
    directory = os.path.abspath(run.directory)  # noqa: PTH100 - by its text alone
    path = os.path.normpath(os.path.join(directory, name))  # noqa: PTH118 - the same
    try:
        inside = path.startswith(directory + "/") and Path(path).resolve().is_relative_to(Path(directory).resolve())
        there = os.path.lexists(path)
    except (OSError, ValueError, RuntimeError):  # a loop of links, or a NUL
        inside = there = False
    if there and inside:
        return Path(path)
    if there:
        raise KlError(f"{name} is not in the directory of {run.name}.", code=ExitCode.USAGE)
    near = nearest(name, _names_in(Path(directory)))
    removed = " Of a removed run only its log and manifest are left." if run.removed else ""
    hint = f"Did you mean {near}?" if near else f"kl show {run.name} lists its files.{removed}"
    raise KlError(f"{run.name} has no file {name}.", code=ExitCode.USAGE, hint=hint)


def log_of(attempt: Attempt) -> str:
    """The name of an attempt's log."""
    return os.path.basename(attempt.log) or LOG  # noqa: PTH119 - of any text


def sound(manifest: Manifest) -> Manifest:
    """The manifest, if every value in it is of its kind: anybody may have written it. Raises ManifestError."""
    attempts = tuple(
        replace(each, lowest_loss=float(each.lowest_loss)) if isinstance(each.lowest_loss, str) else each
        for each in manifest.attempts
    )
    try:
        converted = msgspec.convert(asdict(replace(manifest, attempts=attempts)), Manifest)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise ManifestError(str(error)) from None
    if any("\0" in name for name in (*converted.final, *(file.name for file in converted.files))):
        raise ManifestError("a file's name has a NUL in it")
    return converted


def _as_it_runs(run: FoundRun, manifest: Manifest) -> Manifest:
    """With the step and the loss of this moment: the manifest is written only when something is saved."""
    *before, last = manifest.attempts
    live = live_progress(run.directory / log_of(last))
    if live is None:
        return manifest
    loss = last.last_loss if live.loss is None else live.loss
    known = [each for each in (last.lowest_loss, live.loss) if each is not None and not math.isnan(each)]
    last = replace(last, last_step=live.step, total_steps=live.total, last_loss=loss)
    last = replace(last, lowest_loss=min(known, default=None))
    return replace(manifest, attempts=(*before, last))


def _names_in(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 - names only
    except OSError:
        return []
