"""The sides of a comparison: a run as it is recorded, what is there of it now, and what a plan would train."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from launcher.base.files import sha256_of
from launcher.base.times import seconds_of
from launcher.plan.plan import Plan
from launcher.record.archive import code_of, first_manifest
from launcher.record.compare_options import FILES
from launcher.record.dataset import dataset_record, hashed
from launcher.record.dataset_now import dataset_of_plan
from launcher.record.environment import read_environment, recorded_environment
from launcher.record.hashes import Progress
from launcher.record.inputs import hashed_input
from launcher.record.manifest import FileRecord, Manifest
from launcher.record.side import Side
from launcher.run.check_data import recorded_dataset
from launcher.run.outcome import Outcome

_READ = tuple(f"{stem}." for stem in FILES.values())
_LARGEST = 16 << 20  # bytes of one of them


def recorded_side(name: str, directory: Path, manifest: Manifest, outcome: Outcome) -> Side:
    """A run as it is recorded, wherever it lies now. What has no record is None."""
    spans = ((attempt.started, attempt.ended) for attempt in manifest.attempts)
    contents = {each.name: _content(directory / each.name) for each in manifest.files if each.name.startswith(_READ)}
    return Side(
        name=name,
        directory=directory,
        manifest=manifest,
        files={name: content for name, content in contents.items() if content is not None},
        dataset=recorded_dataset(directory, manifest),
        environment=recorded_environment(directory),
        outcome=outcome.value,
        seconds=seconds_of(spans, running=outcome is Outcome.RUNNING),
    )


def planned_side(plan: Plan, progress: Progress | None = None) -> Side:
    """What a plan would train now. Everything it would read is hashed, or known from an earlier reading."""
    code = code_of(plan)
    contents = {**{file.name: file.content for file in plan.files}, **code.patches}
    files = tuple(FileRecord(name, sha256=sha256_of(content)) for name, content in contents.items())
    manifest = first_manifest(plan, code.repositories, files)
    dataset = hashed(dataset_of_plan(plan, manifest.options), progress=progress)
    environ = {**os.environ, **(manifest.variables or {})}
    inputs = tuple(hashed_input(record, environ=environ) for record in manifest.inputs)
    return Side(
        name=plan.name,
        directory=plan.directory,
        manifest=replace(manifest, inputs=inputs, dataset=dataset_record(dataset)),
        files={name: content for name, content in contents.items() if name.startswith(_READ)},
        dataset=dataset,
        environment=read_environment(plan.environment.python, dict(manifest.variables or {}))[0],
        planned=True,
    )


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= _LARGEST else None
    except (OSError, ValueError):
        return None
