"""What the recorder does in its thread, job by job: each reads what it needs and gives a result."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from launcher.plan.survey_metadata import CACHE_FILE
from launcher.record.dataset import (
    DATASET,
    DatasetListing,
    changed_between,
    dataset_bytes,
    dataset_record,
    hashed,
    read_dataset_file,
)
from launcher.record.environment import ENVIRONMENT, environment_bytes, read_environment
from launcher.record.hashes import HashError, Stop, file_hash, folder_hash
from launcher.record.inputs import hashed_input
from launcher.record.manifest import InputRecord, Manifest
from launcher.record.model_metadata import METADATA, metadata_bytes, metadata_of
from launcher.run.artifacts import Artifact
from launcher.run.recorder_results import Result, artifact_of

CHANGES = "changes of the dataset meanwhile"


def is_on_hub(record: InputRecord) -> bool:
    """Whether an input is a model on the hub and no file."""
    return not os.path.isabs(record.path)  # noqa: PTH117 - a text


def record_environment(manifest: Manifest) -> Result:
    """The environment of the interpreter that trains."""
    found, problems = read_environment(Path(manifest.python), manifest.variables or {})
    said = tuple(f"{ENVIRONMENT}: {problem}" for problem in problems)
    return Result(ENVIRONMENT, files=((ENVIRONMENT, environment_bytes(found)),), problems=said)


def record_input(label: str, record: InputRecord, stop: Stop, environ: Mapping[str, str]) -> Result:
    """An input with its hashes. Raises Stopped."""
    found = hashed_input(record, stop, environ)
    problem = found.problem
    # The size and time in the manifest are those of the start.
    if problem is None and record.size is not None and (found.size, found.modified) != (record.size, record.modified):
        problem = "was changed after the training was started"
    return Result(label, inputs=(found,), problems=(f"{label}: it {problem}",) if problem else ())


def record_artifact(label: str, path: str, artifact: Artifact, final: tuple[str, ...], stop: Stop) -> Result:
    """An artifact with its hashes, and what a final model says of its training. Raises Stopped."""
    try:
        if artifact.path.is_dir():
            found = folder_hash(artifact.path, stop)
        else:
            found = file_hash(artifact.path, stop, weights=True)
    except HashError as error:
        # Older checkpoints are taken away by the trainer: nothing of them is to be recorded.
        gone = not os.path.lexists(artifact.path)
        return Result(label, problems=() if gone else (f"{label}: it {error}",))
    said = metadata_of(artifact.path) if path in final else None
    files = ((METADATA, metadata_bytes(said)),) if said else ()
    return Result(label, artifact=artifact_of(path, artifact.kind.value, artifact.size, found), files=files)


@dataclass
class DatasetJobs:
    """Lists the dataset when training starts, hashes it, and looks at the end what was changed meanwhile."""

    directory: Path
    manifest: Manifest
    _before: DatasetListing = field(default_factory=DatasetListing)
    _known: DatasetListing | None = None

    def look(self) -> None:
        """See what is there, with sizes and times, or what an earlier attempt has recorded."""
        recorded = self.manifest.dataset is not None and self.manifest.dataset.sha256 is not None
        self._known = read_dataset_file(self.directory) if recorded else None
        self._before = self._known or self._now()

    def record(self, stop: Stop) -> Result:
        """Every file with its hash. Raises Stopped."""
        if self._known is not None or not (self._before.folders or self._before.problems):
            return Result(DATASET)
        self._known = hashed(self._before, stop)
        return self._result(DATASET)

    def look_again(self) -> Result:
        """The list with what was written, added or taken away since."""
        if self._known is None or not self._known.folders:
            return Result(CHANGES)
        changed = {*changed_between(self._before, self._known), *changed_between(self._known, self._now())}
        # The trainer's own list of pictures, which it makes when there is none.
        made = {path for path in changed if path not in self._before.files and Path(path).name == CACHE_FILE}
        meanwhile = tuple(sorted({*self._known.changed_meanwhile, *(changed - made)}))
        if meanwhile == self._known.changed_meanwhile:
            return Result(CHANGES)
        self._known = replace(self._known, changed_meanwhile=meanwhile)
        return self._result(CHANGES)

    def _now(self) -> DatasetListing:
        from launcher.record.dataset_now import dataset_of_run  # noqa: PLC0415 - not before it trains

        return dataset_of_run(self.directory, self.manifest)

    def _result(self, label: str) -> Result:
        listing = self._known or self._before
        record = dataset_record(listing)
        files = ((DATASET, dataset_bytes(listing)),) if listing.folders else ()
        said = (f"{DATASET}: {record.problem}",) if record.problem else ()
        return Result(label, dataset=record, files=files, problems=said)
