"""What a run was trained on against its record: the models and weights that its options name, its pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from launcher.record.compare_dataset import DATASET, compare_listings, dataset_size
from launcher.record.compare_results import INPUTS
from launcher.record.dataset import DATASET as DATASET_FILE
from launcher.record.dataset import DatasetFile, DatasetFolder, DatasetListing, hashed, read_dataset_file
from launcher.record.dataset_now import dataset_of_run
from launcher.record.difference import Difference, short_hash
from launcher.record.inputs import hashed_input
from launcher.record.manifest import InputRecord, Manifest
from launcher.record.side import place_now
from launcher.run.check_files import check_content
from launcher.run.checked import Checked, Say, State, silent


def check_inputs(directory: Path, manifest: Manifest, *, quick: bool, say: Say = silent) -> Iterator[Checked]:
    """Every file and folder that the options name; with `quick` its size alone."""
    environ = {**os.environ, **(manifest.variables or {})}
    for record in manifest.inputs:
        on_hub = record.revision is not None or not record.path.startswith("/")
        path = record.path if on_hub else str(place_now(record.path, manifest, directory))
        name = f"{record.option} {path}"
        say(path)
        state, said = _of_hub(record, environ) if on_hub else _input(replace(record, path=path), quick=quick)
        yield Checked(INPUTS, name, state, said)


def check_dataset(directory: Path, manifest: Manifest, *, quick: bool, say: Say = silent) -> Iterator[Checked]:
    """The pictures, captions and metadata, one by one; what is as it was is one line for all."""
    recorded = recorded_dataset(directory, manifest)
    if recorded is None and (manifest.dataset is None or manifest.dataset.sha256 is None):
        problem = manifest.dataset.problem if manifest.dataset else None
        yield Checked(DATASET, "pictures and captions", State.NOT_RECORDED, f"({problem})" if problem else "")
        return
    if recorded is None:
        yield Checked(DATASET, DATASET_FILE, State.UNCHECKED, "cannot be read")
        return
    now = dataset_of_run(directory, manifest)
    now = now if quick else hashed(now, progress=lambda done, total: say(f"file {done} of {total} of the dataset"))
    gone = {folder.path for folder in recorded.folders if folder.files and not Path(folder.path).is_dir()}
    for path in sorted(gone):
        yield Checked(DATASET, path, State.GONE, "with all its pictures and captions")
    there = replace(recorded, folders=tuple(each for each in recorded.folders if each.path not in gone))
    differences = list(compare_listings(there, now))
    yield from map(_difference, differences)
    for path in recorded.changed_meanwhile:
        yield Checked(DATASET, path, State.NOTED, "was changed while it trained")
    for problem in now.problems:
        if problem in recorded.problems or problem.startswith(tuple(gone)):
            continue
        yield Checked(DATASET, problem, State.UNCHECKED)
    if not gone and not differences:
        yield Checked(DATASET, dataset_size(recorded))


def changed_data(directory: Path, manifest: Manifest) -> Iterator[Checked]:
    """The inputs and files of the dataset that are otherwise now. Only those are read whose size or time is another."""
    for record in manifest.inputs:
        path = place_now(record.path, manifest, directory)
        if record.sha256 and not _is_untouched(path, record):
            state, said = check_content(path, record.size, record.sha256, quick=False)
            if state in (State.DIFFERS, State.GONE):
                yield Checked(INPUTS, f"{record.option} {path}", state, said)
    recorded = recorded_dataset(directory, manifest)
    if recorded is not None:
        now = _hashed_where_touched(dataset_of_run(directory, manifest), recorded)
        yield from map(_difference, compare_listings(recorded, now))


def recorded_dataset(directory: Path, manifest: Manifest) -> DatasetListing | None:
    """The files that a run trained on, as it recorded them; None when there is no such list, or it is damaged."""
    if manifest.dataset is None or not manifest.dataset.file:
        return None
    return read_dataset_file(directory / Path(manifest.dataset.file).name)


def _is_untouched(path: Path, record: InputRecord) -> bool:
    try:
        found = path.stat()
        return path.is_file() and (found.st_size, found.st_mtime) == (record.size, record.modified)
    except (OSError, ValueError):
        return False


def _hashed_where_touched(now: DatasetListing, recorded: DatasetListing) -> DatasetListing:
    """The listing with the recorded hashes of files that have the recorded size and time, and those of the others."""
    known = recorded.files

    def as_recorded(folder: DatasetFolder, file: DatasetFile) -> DatasetFile | None:
        before = known.get(folder.join(file.name))
        return before if before is not None and before[:4] == file[:4] else None

    touched = [
        replace(folder, files=tuple(file for file in folder.files if as_recorded(folder, file) is None))
        for folder in now.folders
    ]
    read = hashed(replace(now, folders=tuple(touched))).files
    folders = [
        replace(folder, files=tuple(as_recorded(folder, file) or read[folder.join(file.name)] for file in folder.files))
        for folder in now.folders
    ]
    return replace(now, folders=tuple(folders))


def _difference(difference: Difference) -> Checked:
    if difference.a is None:
        return Checked(DATASET, difference.name, State.DIFFERS, f"is new: a {difference.b}")
    if difference.b is None:
        return Checked(DATASET, difference.name, State.GONE)
    if difference.name.startswith("renamed "):
        return Checked(DATASET, str(difference.a), State.DIFFERS, f"is called {difference.b} now")
    return Checked(DATASET, difference.name, State.DIFFERS, f"is another {difference.note.split()[0]} now")


def _input(record: InputRecord, *, quick: bool) -> tuple[State, str]:
    state, said = check_content(Path(record.path), record.size, record.sha256, quick=quick)
    if state is State.NOT_RECORDED and record.problem:
        said = f"{said}: it {record.problem}"
    return state, said


def _of_hub(record: InputRecord, environ: Mapping[str, str]) -> tuple[State, str]:
    if record.revision is None:
        return State.NOT_RECORDED, f"has no recorded revision{f': {record.problem}' if record.problem else ''}"
    now = hashed_input(replace(record, revision=None), environ=environ)
    if now.revision is None:
        return State.UNCHECKED, now.problem or "is not in the hub's cache"
    if now.revision == record.revision:
        return State.OK, ""
    return State.DIFFERS, f"stands at {short_hash(now.revision)} now, at {short_hash(record.revision)} then"
