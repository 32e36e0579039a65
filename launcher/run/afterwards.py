"""What a run came to, told from its directory or from the record of a removed one, by a kl that did not launch it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from launcher.base.times import seconds_of
from launcher.record.manifest import MANIFEST, Manifest, ManifestError, read_manifest
from launcher.run.artifacts import find_artifacts
from launcher.run.failure import Failure, explain, read_end, recorded_options
from launcher.run.find import FoundRun, removed_runs
from launcher.run.outcome import Outcome, kl_exit_code
from launcher.run.result import RunResult
from launcher.run.state import current_outcome, log_name, settle


def look_at(run: FoundRun) -> tuple[Manifest, Outcome]:
    """The manifest and the outcome of a run now; an end that nobody saw is written down.

    Raises OSError when there is no manifest any more, ManifestError when it is damaged.
    """
    if run.removed:
        manifest = read_manifest(run.directory)
        return manifest, current_outcome(run.directory, manifest)
    return settle(run.directory)


def where_it_is_now(run: FoundRun, manifest: Manifest) -> FoundRun:
    """The run itself, or its record when it was removed since `manifest` was read."""
    if (run.directory / MANIFEST).is_file():
        return run
    for removed in removed_runs():
        with suppress(OSError, ManifestError):
            if removed.name == run.name and read_manifest(removed.directory).created == manifest.created:
                return removed
    return run


def result_afterwards(run: FoundRun, manifest: Manifest, outcome: Outcome) -> RunResult:
    """The result of a run whose last attempt has ended."""
    last = manifest.attempts[-1]
    code = 0 if last.exit_code is None else last.exit_code
    return RunResult(
        name=run.name,
        directory=None if run.removed else run.directory,
        outcome=outcome,
        exit_code=kl_exit_code(outcome, code, last.stop_signal),
        steps=last.last_step,
        last_loss=last.last_loss,
        artifacts=() if run.removed else find_artifacts(run.directory, manifest.final),
        seconds=seconds_of([(last.started, last.ended)]) or 0.0,
        failure=failure_of(run, manifest) if outcome is Outcome.FAILED else None,
        removed_to=run.directory if run.removed else None,
        log=log_name(manifest),
    )


def failure_of(run: FoundRun, manifest: Manifest) -> Failure:
    """Why the last attempt of a run failed, by its log and the options of the run."""
    code = manifest.attempts[-1].exit_code
    end, options = read_end(run.directory / log_name(manifest)), recorded_options(manifest)
    if code is not None:
        return explain(code, end, options)
    return replace(explain(1, end, options), reason="the trainer ended, and nobody saw its exit code")
