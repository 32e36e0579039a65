"""The recorder beside a training that is only made up: what it finds, when it waits, what it leaves."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.base.files import sha256_of
from launcher.record import hashes
from launcher.record.dataset import DATASET, read_dataset_file
from launcher.record.environment import ENVIRONMENT, EnvironmentRecord, PythonRecord
from launcher.record.hash_memory import Kept
from launcher.record.inputs import inputs_of
from launcher.record.manifest import (
    ArtifactRecord,
    InputRecord,
    Manifest,
    OptionRecord,
    TrainerRecord,
    read_manifest,
    write_manifest,
)
from launcher.record.model_metadata import METADATA, ModelMetadata, read_metadata_file
from launcher.run import recorder_jobs
from launcher.run.artifacts import Artifact, ArtifactKind, find_artifacts
from launcher.run.attempt import artifact_records
from launcher.run.recorder import Recorder
from launcher.run.recorder_results import Result, merged, not_done
from launcher.run.signals import Asked

NAME = "fox-v1s4"
FINAL = (f"{NAME}.safetensors",)
DEADLINE = 60.0
HEADER = json.dumps(
    {"__metadata__": {"ss_steps": "4"}, "a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}
).encode()
MODEL = len(HEADER).to_bytes(8, "little") + HEADER + b"abcd"


class Said:
    """A screen that keeps what was announced."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def show_progress(self, progress: object) -> None:
        pass

    def announce(self, text: str) -> None:
        self.texts.append(text)

    def close(self) -> None:
        pass


class Bed:
    """A run directory, a model and two pictures with captions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "out" / NAME
        self.run.mkdir(parents=True)
        self.model = self.write("base.safetensors", b"m" * 3_000_000)
        self.pictures = folder / "img"
        for name in ("a", "b"):
            self.write(f"img/{name}.png", name)
            self.write(f"img/{name}.caption", f"fox {name}")
        config = f"[[datasets]]\n[[datasets.subsets]]\nimage_dir = '{self.pictures}'\n"
        (self.run / "config.toml").write_text(config)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def manifest(self, **options: Any) -> Manifest:
        options = {"pretrained_model_name_or_path": str(self.model), **options}
        options.setdefault("dataset_config", str(self.run / "config.toml"))
        records = tuple(OptionRecord(name, value) for name, value in options.items())
        inputs = inputs_of(records, self.run)
        trainer = TrainerRecord(str(self.folder))
        return Manifest(name=NAME, trainer=trainer, python="/python", options=records, final=FINAL, inputs=inputs)

    def artifacts(self) -> tuple[Artifact, ...]:
        return find_artifacts(self.run, FINAL)

    def finished(self, recorder: Recorder, manifest: Manifest, **more: Any) -> Manifest:
        found = self.artifacts()
        manifest = replace(manifest, artifacts=artifact_records(self.run, found, manifest.artifacts))
        return recorder.finish(manifest, found, more.pop("asked", Asked()), more.pop("screen", Said()), **more)


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No interpreter is started for these tests."""

    def read(python: Path, variables: object) -> tuple[EnvironmentRecord, tuple[str, ...]]:
        return EnvironmentRecord(python=PythonRecord(str(python))), ("packages: none were found",)

    monkeypatch.setattr(recorder_jobs, "read_environment", read)


class Gate:
    """Holds the hashing of large files up until it is opened; counts what was read."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()
        self.sizes: list[int] = []

    def wait(self, stop: hashes.Stop) -> None:
        self.reached.set()
        deadline = time.monotonic() + DEADLINE
        while not self.open.wait(0.01):
            if stop():
                raise hashes.Stopped
            assert time.monotonic() < deadline


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    found = Gate()
    real = hashes.digest

    def digest(handle: int, size: int, stop: hashes.Stop, *, weights: bool) -> Kept | None:
        found.sizes.append(size)
        if size > 1_000_000:
            found.wait(stop)
        return real(handle, size, stop, weights=weights)

    monkeypatch.setattr(hashes, "digest", digest)
    yield found
    found.open.set()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_everything_is_recorded_in_the_end(bed: Bed) -> None:
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    (bed.run / FINAL[0]).write_bytes(MODEL)
    found = bed.finished(recorder, manifest)
    [model] = found.inputs
    assert model.sha256 == sha256_of(bed.model.read_bytes()) and model.short_hash
    assert found.dataset and (found.dataset.pictures, found.dataset.captions, found.dataset.size) == (2, 2, 12)
    [artifact] = found.artifacts
    assert (artifact.sha256, artifact.weights_sha256) == (sha256_of(MODEL), sha256_of(b"abcd"))
    assert {record.name for record in found.files} == {ENVIRONMENT, DATASET, METADATA}
    for record in found.files:
        content = (bed.run / record.name).read_bytes()
        assert (record.sha256, record.size) == (sha256_of(content), len(content))
    assert read_metadata_file(bed.run) == ModelMetadata(FINAL[0], {"ss_steps": "4"})
    listing = read_dataset_file(bed.run)
    assert listing and listing.sha256 == found.dataset.sha256 and listing.changed_meanwhile == ()
    assert found.not_recorded == (f"{ENVIRONMENT}: packages: none were found",)


def test_what_is_ready_is_merged_while_it_trains(bed: Bed, gate: Gate) -> None:
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    gate.reached.wait(DEADLINE)
    seen: list[Manifest] = []

    def environment_there() -> bool:
        nonlocal manifest
        manifest, news = recorder.merge(manifest)
        seen.extend([manifest] if news else [])
        return ENVIRONMENT in {record.name for record in manifest.files}

    until(environment_there)
    assert len(seen) == 1 and recorder.merge(manifest) == (manifest, False)
    assert manifest.inputs[0].sha256 is None and manifest.dataset is None
    gate.open.set()
    assert bed.finished(recorder, manifest).inputs[0].sha256


def test_the_thread_has_the_lowest_priority(bed: Bed, gate: Gate) -> None:
    recorder = Recorder(bed.run, bed.manifest())
    recorder.start()
    gate.reached.wait(DEADLINE)
    [thread] = [each for each in threading.enumerate() if each.name == "recorder"]
    assert thread.native_id is not None
    assert os.getpriority(os.PRIO_PROCESS, thread.native_id) == 19
    assert os.getpriority(os.PRIO_PROCESS, 0) != 19
    gate.open.set()
    bed.finished(recorder, bed.manifest())


def test_a_run_of_no_worth_is_not_waited_for(bed: Bed, gate: Gate) -> None:
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    screen = Said()
    found = bed.finished(recorder, manifest, patience=0.2, screen=screen)
    why = "the training had ended, and it was not waited for"
    assert f"the hash of {bed.model}: {why}" in found.not_recorded
    assert f"{DATASET}: {why}" in found.not_recorded
    assert found.inputs == manifest.inputs and screen.texts == []


def test_a_signal_ends_the_waiting_and_one_line_says_what_is_waited_for(bed: Bed, gate: Gate) -> None:
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    asked, screen = Asked(), Said()

    def impatient() -> None:
        until(lambda: screen.texts)
        asked.times += 1

    other = threading.Thread(target=impatient)
    other.start()
    found = bed.finished(recorder, manifest, asked=asked, screen=screen)
    other.join()
    assert len(screen.texts) == 1
    assert f"the hash of {bed.model}" in screen.texts[0] and "Ctrl-C skips it" in screen.texts[0]
    assert f"the hash of {bed.model}: it was skipped" in found.not_recorded


def test_a_signal_that_stopped_the_training_skips_nothing(bed: Bed) -> None:
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    found = bed.finished(recorder, manifest, asked=Asked(stop_signal=2, times=2), patience=DEADLINE)
    assert found.inputs[0].sha256 and found.dataset


def test_the_next_attempt_does_what_is_missing_and_nothing_else(bed: Bed, gate: Gate) -> None:
    manifest = bed.manifest()
    (bed.run / f"{NAME}-step00000002.safetensors").write_bytes(MODEL)
    first = Recorder(bed.run, manifest)
    first.start()
    manifest = bed.finished(first, manifest, patience=0.2)
    assert any("not waited" in text for text in manifest.not_recorded)
    gate.open.set()
    second = Recorder(bed.run, manifest)
    second.start()
    manifest = bed.finished(second, manifest)
    assert manifest.not_recorded == (f"{ENVIRONMENT}: packages: none were found",)
    assert manifest.inputs[0].sha256 and manifest.dataset and manifest.artifacts[0].sha256
    gate.sizes.clear()
    third = Recorder(bed.run, manifest)
    third.start()
    (bed.run / FINAL[0]).write_bytes(MODEL)
    again = bed.finished(third, manifest)
    assert gate.sizes == [len(MODEL)]  # the new one
    assert again.artifacts[1] == ArtifactRecord(FINAL[0], "model", len(MODEL), sha256_of(MODEL), sha256_of(b"abcd"))
    assert again.artifacts[0] == manifest.artifacts[0]


def test_a_run_of_an_older_kl_gets_its_inputs_when_it_is_resumed(bed: Bed) -> None:
    manifest = replace(bed.manifest(), inputs=())
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    assert [each.path for each in bed.finished(recorder, manifest).inputs if each.sha256] == [str(bed.model)]


def test_what_was_changed_while_it_trained_is_listed(bed: Bed) -> None:
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()

    def recorded() -> bool:
        nonlocal manifest
        manifest, _ = recorder.merge(manifest)
        return manifest.dataset is not None

    until(recorded)
    bed.write("img/a.png", "another")
    bed.write("img/c.png", "new")
    (bed.pictures / "b.caption").unlink()
    bed.write("img/metadata_cache.json", "{}")
    before = manifest.dataset
    manifest = bed.finished(recorder, manifest)
    listing = read_dataset_file(bed.run)
    assert listing and [Path(path).name for path in listing.changed_meanwhile] == ["a.png", "b.caption", "c.png"]
    assert manifest.dataset == before  # what was there first
    [record] = [each for each in manifest.files if each.name == DATASET]
    assert record.sha256 == sha256_of((bed.run / DATASET).read_bytes())


def test_a_picture_that_is_changed_before_it_is_hashed_is_listed_too(bed: Bed, gate: Gate) -> None:
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    gate.reached.wait(DEADLINE)  # the model is hashed first
    bed.write("img/a.png", "another")
    gate.open.set()
    bed.finished(recorder, manifest)
    listing = read_dataset_file(bed.run)
    assert listing and listing.changed_meanwhile == (str(bed.pictures / "a.png"),)
    assert listing.files[str(bed.pictures / "a.png")].sha256 == sha256_of(b"another")


def test_a_model_that_is_changed_after_the_start_is_said(bed: Bed) -> None:
    manifest = bed.manifest()
    bed.write("base.safetensors", b"other")
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    found = bed.finished(recorder, manifest)
    assert f"the hash of {bed.model}: it was changed after the training was started" in found.not_recorded
    assert found.inputs[0].sha256 == sha256_of(b"other")


def test_a_checkpoint_that_is_written_over_is_hashed_again(bed: Bed) -> None:
    path = bed.run / f"{NAME}-step00000002.safetensors"
    path.write_bytes(MODEL)
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()

    def recorded() -> bool:
        nonlocal manifest
        found = bed.artifacts()
        manifest = replace(manifest, artifacts=artifact_records(bed.run, found, manifest.artifacts))
        recorder.saw(found)
        manifest, _ = recorder.merge(manifest)
        return manifest.artifacts[0].sha256 is not None

    until(recorded)
    other = MODEL[:-4] + b"wxyz"
    path.write_bytes(other)
    os.utime(path, (2_000_000_000, 2_000_000_000))
    [artifact] = bed.finished(recorder, manifest).artifacts
    assert (artifact.sha256, artifact.weights_sha256) == (sha256_of(other), sha256_of(b"wxyz"))


def test_a_checkpoint_that_the_trainer_took_away_is_no_problem(bed: Bed) -> None:
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    gone = Artifact(bed.run / f"{NAME}-step00000001.safetensors", ArtifactKind.CHECKPOINT, 5)
    recorder.saw([gone])
    recorder.start()
    assert bed.finished(recorder, manifest).not_recorded == (f"{ENVIRONMENT}: packages: none were found",)


def test_an_unreadable_artifact_is_a_problem(bed: Bed) -> None:
    os.mkfifo(bed.run / f"{NAME}-step00000001.safetensors")
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    recorder.saw([Artifact(bed.run / f"{NAME}-step00000001.safetensors", ArtifactKind.CHECKPOINT, 0)])
    found = bed.finished(recorder, manifest)
    assert f"the hash of {NAME}-step00000001.safetensors: it is not a file" in found.not_recorded


@pytest.mark.parametrize("where", ["option", "pictures"])
def test_a_pipe_never_blocks(bed: Bed, where: str) -> None:
    os.mkfifo(bed.folder / "img" / "pipe.png")
    os.mkfifo(bed.folder / "pipe")
    manifest = bed.manifest(**({"network_weights": str(bed.folder / "pipe")} if where == "option" else {}))
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    found = bed.finished(recorder, manifest)
    assert f"{DATASET}: {bed.folder / 'img' / 'pipe.png'} is not a file" in found.not_recorded
    assert found.dataset and found.dataset.sha256 is None and found.dataset.pictures == 3
    if where == "option":
        assert f"the hash of {bed.folder / 'pipe'}: it is not a file" in found.not_recorded


def test_a_state_is_hashed_by_the_list_of_its_files(bed: Bed) -> None:
    folder = bed.run / f"{NAME}-state"
    folder.mkdir()
    (folder / "optimizer.bin").write_bytes(b"o")
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    [artifact] = bed.finished(recorder, manifest).artifacts
    assert artifact.kind == "state" and artifact.sha256 == hashes.folder_hash(folder).sha256


def test_a_model_on_the_hub_that_was_fetched_meanwhile_has_its_commit(
    bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    manifest = bed.manifest(pretrained_model_name_or_path="owner/name")
    assert manifest.inputs == (InputRecord("pretrained_model_name_or_path", "owner/name"),)
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    folder = tmp_path / "hub" / "models--owner--name"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    assert bed.finished(recorder, manifest).inputs[0].revision == "abc"


def test_a_mistake_of_ours_is_written_down_and_stops_nothing(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(recorder_jobs, "read_environment", broken)
    monkeypatch.setattr(recorder_jobs.DatasetJobs, "look", broken)
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    found = bed.finished(recorder, manifest)
    assert f"{ENVIRONMENT}: ZeroDivisionError: a bug" in found.not_recorded
    assert "the list of the dataset: ZeroDivisionError: a bug" in found.not_recorded
    assert found.inputs[0].sha256


def test_without_a_thread_all_of_it_is_left(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    found = bed.finished(recorder, manifest)
    assert any(text.startswith(f"the hash of {bed.model}: ") for text in found.not_recorded)


def test_a_file_that_cannot_be_written_is_not_recorded(tmp_path: Path) -> None:
    (tmp_path / "in the way").mkdir()
    result = Result("x", files=(("in the way", b"text"), ("fine", b"text")))
    found = merged(Manifest(), result, tmp_path)
    assert [record.name for record in found.files] == ["fine"]
    assert len(found.not_recorded) == 1 and found.not_recorded[0].startswith("in the way: it could not be written: ")


def test_what_is_done_at_last_is_missing_no_more(tmp_path: Path) -> None:
    manifest = not_done(Manifest(not_recorded=("a: why",)), ["b", "b2"], "it was skipped")
    assert manifest.not_recorded == ("a: why", "b: it was skipped", "b2: it was skipped")
    assert merged(manifest, Result("b"), tmp_path).not_recorded == ("a: why", "b2: it was skipped")


def test_an_artifact_of_another_size_by_now_keeps_no_hash(tmp_path: Path) -> None:
    manifest = Manifest(artifacts=(ArtifactRecord("a", "checkpoint", 5),))
    result = Result("the hash of a", artifact=ArtifactRecord("a", "checkpoint", 4, "old"))
    assert merged(manifest, result, tmp_path) == manifest


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": 1}', '{"metadata": []}', "[" * 9000])
def test_a_damaged_metadata_file_is_none(tmp_path: Path, text: str) -> None:
    assert read_metadata_file(tmp_path) is None
    (tmp_path / METADATA).write_text(text)
    assert read_metadata_file(tmp_path) is None


def test_a_manifest_with_all_of_it_is_read_back(bed: Bed) -> None:
    manifest = bed.manifest()
    recorder = Recorder(bed.run, manifest)
    recorder.start()
    found = bed.finished(recorder, manifest)
    write_manifest(found, bed.run)
    assert replace(read_manifest(bed.run), variables=found.variables) == found
