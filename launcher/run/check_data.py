"""What a run was trained on against its record: the models and weights that its options name, its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from launcher.record.compare_dataset import DATASET, compare_listings, dataset_size
from launcher.record.compare_results import INPUTS
from launcher.record.dataset import DatasetListing, hashed, read_dataset_file
from launcher.record.dataset_now import dataset_of_run
from launcher.record.difference import Difference, short_hash
from launcher.record.inputs import hashed_input
from launcher.record.manifest import InputRecord, Manifest
from launcher.record.side import place_now
from launcher.run.check_files import check_content
from launcher.run.checked import Checked, Say, State, silent


def check_inputs(directory: Path, manifest: Manifest, *, quick: bool, say: Say = silent) -> Iterator[Checked]:
    """Every file and folder that the options name; with `quick` its size alone."""
    for record in manifest.inputs:
        on_hub = record.revision is not None or not record.path.startswith("/")
        path = record.path if on_hub else str(place_now(record.path, manifest, directory))
        name = f"{record.option} {path}"
        say(path)
        state, said = _of_hub(record) if on_hub else _input(replace(record, path=path), quick=quick)
        yield Checked(INPUTS, name, state, said)


def check_dataset(directory: Path, manifest: Manifest, *, quick: bool, say: Say = silent) -> Iterator[Checked]:
    """The pictures, captions and metadata, one by one; what is as it was is one line for all."""
    if manifest.dataset is None or not manifest.dataset.file:
        yield Checked(DATASET, "pictures and captions", State.NOT_RECORDED)
        return
    recorded = recorded_dataset(directory, manifest)
    if recorded is None:
        yield Checked(DATASET, Path(manifest.dataset.file).name, State.UNCHECKED, "cannot be read, so no picture was")
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
        yield Checked(DATASET, problem, State.UNCHECKED)
    if not gone and not differences:
        yield Checked(DATASET, dataset_size(recorded))


def recorded_dataset(directory: Path, manifest: Manifest) -> DatasetListing | None:
    """The files that a run trained on, as it recorded them; None when there is no such list, or it is damaged."""
    if manifest.dataset is None or not manifest.dataset.file:
        return None
    return read_dataset_file(directory / Path(manifest.dataset.file).name)


def _difference(difference: Difference) -> Checked:
    if difference.a is None:
        return Checked(DATASET, difference.name, State.DIFFERS, f"is new: a {difference.b}")
    if difference.b is None:
        return Checked(DATASET, difference.name, State.GONE, f"({difference.a})")
    if difference.name.startswith("renamed "):
        return Checked(DATASET, str(difference.a), State.DIFFERS, f"is called {difference.b} now")
    return Checked(DATASET, difference.name, State.DIFFERS, difference.note)


def _input(record: InputRecord, *, quick: bool) -> tuple[State, str]:
    state, said = check_content(Path(record.path), record.size, record.sha256, quick=quick)
    if state is State.NOT_RECORDED and record.problem:
        said = f"{said}: it {record.problem}"
    return state, said


def _of_hub(record: InputRecord) -> tuple[State, str]:
    if record.revision is None:
        return State.NOT_RECORDED, f"has no recorded revision{f': {record.problem}' if record.problem else ''}"
    now = hashed_input(replace(record, revision=None))
    if now.revision is None:
        return State.UNCHECKED, now.problem or "is not in the hub's cache"
    if now.revision == record.revision:
        return State.OK, ""
    return State.DIFFERS, f"stands at {short_hash(now.revision)} now, at {short_hash(record.revision)} then"
