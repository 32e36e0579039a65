"""What is recorded beside a training, whoever dies or asks to stop meanwhile."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from launching import (
    GATED_RUN,
    GATES_OF_RECORD,
    MOMENTS,
    SUCCESS,
    Bed,
    go_on,
    kl,
    launched,
    make_bed,
    make_plan,
    own_home,
    pid_of,
    processes_of,
    until,
)
from odd_files import make_pipe, make_socket

from launcher.base.files import sha256_of
from launcher.base.origin import Origin, Source
from launcher.plan.plan import Argument, Plan
from launcher.record import hash_memory, hashes
from launcher.record.dataset import read_dataset_file
from launcher.record.manifest import Manifest, read_manifest
from launcher.run.launch import launch
from launcher.run.outcome import Outcome
from launcher.run.screen import NullScreen
from launcher.run.state import settle

NAME = "fox-v1s4"
LARGE = 200_000_000
UNREADABLE = b"nobody may read this"
KL = Origin(Source.KL, "kl")


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    own_home(tmp_path, monkeypatch)
    return make_bed(tmp_path)


def recorded_plan(bed: Bed, script: str, name: str = NAME, keep_failed: bool = False, size: int = 1000) -> Plan:
    """A plan with a base model and two pictures, one of them with a caption."""
    plan = make_plan(bed, script, name, keep_failed)
    model = bed.folder / "base.ckpt"
    if not model.exists():
        model.write_bytes(b"model")
        os.truncate(model, size)
    images = bed.folder / "img"
    images.mkdir(exist_ok=True)
    for file in ("a.png", "b.png", "a.caption"):
        (images / file).write_bytes(file.encode())
    config = f"[[datasets]]\n[[datasets.subsets]]\nimage_dir = '{images}'\n".encode()
    options = {"pretrained_model_name_or_path": str(model), "dataset_config": str(plan.directory / "config.toml")}
    arguments = tuple(Argument(option, (f"--{option}={value}",), value, KL) for option, value in options.items())
    spec, copy = plan.files
    return replace(plan, arguments=(*plan.arguments, *arguments), files=(spec, replace(copy, content=config)))


def is_true(directory: Path) -> Manifest:
    """The manifest, once all that it says of files is so."""
    manifest = read_manifest(directory)
    for record in manifest.files:
        content = (directory / record.name).read_bytes()
        assert (record.sha256, record.size) == (sha256_of(content), len(content)), record.name
    for artifact in manifest.artifacts:
        if artifact.sha256 is not None:
            assert artifact.sha256 == hashes.file_hash(directory / artifact.path).sha256
    for each in manifest.inputs:
        assert each.sha256 in (None, hashes.file_hash(Path(each.path)).sha256)
    return manifest


def test_all_of_it_is_there_after_a_launch(bed: Bed) -> None:
    plan = recorded_plan(bed, SUCCESS)
    assert launch(plan, NullScreen()).outcome is Outcome.SUCCEEDED
    manifest = is_true(plan.directory)
    assert {"environment.json", "dataset.json"} <= {record.name for record in manifest.files}
    assert [each.sha256 is not None for each in manifest.inputs] == [True]
    assert manifest.dataset and (manifest.dataset.pictures, manifest.dataset.captions) == (2, 1)
    assert len(manifest.artifacts) == 3 and all(each.sha256 for each in manifest.artifacts)


def test_the_first_manifest_lists_the_inputs(bed: Bed) -> None:
    plan = recorded_plan(bed, GATED_RUN)
    with launched(bed, plan, gate="start"):
        pid_of(bed, "kl")
        [each] = read_manifest(plan.directory).inputs
        assert (each.path, each.size, each.sha256) == (str(bed.folder / "base.ckpt"), 1000, None)


def test_a_second_launch_does_not_read_the_model_again(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_memory, "_JUST_NOW", 0)
    read: list[int] = []
    real = hashes.digest

    def digest(handle: int, size: int, stop: hashes.Stop, *, weights: bool) -> hash_memory.Kept | None:
        read.append(size)
        return real(handle, size, stop, weights=weights)

    monkeypatch.setattr(hashes, "digest", digest)
    plans = [recorded_plan(bed, SUCCESS, name, size=LARGE) for name in (NAME, "fox-v2s4")]
    for plan in plans:
        launch(plan, NullScreen())
    first, second = (read_manifest(plan.directory).inputs[0] for plan in plans)
    assert first == second and first.sha256 and first.size == LARGE
    assert read.count(LARGE) == 1


@pytest.mark.parametrize("gate", GATES_OF_RECORD)
@pytest.mark.parametrize("moment", ["training", "end"])
def test_a_kl_that_is_killed_leaves_a_true_manifest(bed: Bed, gate: str, moment: str) -> None:
    plan = recorded_plan(bed, GATED_RUN)
    go_on(bed, *(each for each in MOMENTS if each != moment))
    with launched(bed, plan, gate=gate) as started:
        pid_of(bed, "kl")
        pid_of(bed, moment)
        started.send(signal.SIGKILL)
        started.process.wait(60)
        go_on(bed)
        until(lambda: not processes_of(bed), "nothing runs any more")
        until(lambda: settle(plan.directory)[1] is not Outcome.RUNNING, "it is over")
    manifest = is_true(plan.directory)
    assert manifest.outcome == "succeeded"
    assert [each.path for each in manifest.artifacts if each.kind == "model"] == [f"{NAME}.safetensors"]


@pytest.mark.parametrize("gate", GATES_OF_RECORD)
def test_what_a_killed_kl_left_of_the_record_keeps_no_worthless_run(bed: Bed, gate: str) -> None:
    plan = recorded_plan(bed, "gate('training')\nsys.exit(3)")
    with launched(bed, plan, gate=gate) as started:
        pid_of(bed, "kl")
        pid_of(bed, "training")
        started.send(signal.SIGKILL)
        started.process.wait(60)
        go_on(bed, "training")
        until(lambda: not processes_of(bed), "nothing runs any more")
    said = kl(bed, "clean", NAME, "--yes")
    assert said.code == 0 and not plan.directory.exists(), said.err + said.out


@pytest.mark.parametrize("keep_failed", [False, True])
def test_a_training_that_fails_is_not_held_up(bed: Bed, keep_failed: bool) -> None:
    plan = recorded_plan(bed, "sys.exit(3)", keep_failed=keep_failed)
    with launched(bed, plan, gate="hash") as started:  # the hash is never there
        code, result = started.end()
        assert not started.said("Ctrl-C skips it")
    assert (code, result["outcome"]) == (3, "failed")
    kept = plan.directory if keep_failed else Path(result["removed_to"])
    why = "the training had ended, and it was not waited for"
    assert f"the hash of {bed.folder / 'base.ckpt'}: {why}" in read_manifest(kept).not_recorded


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_skips_what_is_left_at_the_end(bed: Bed, number: signal.Signals) -> None:
    plan = recorded_plan(bed, SUCCESS)
    with launched(bed, plan, gate="hash") as started:
        until(lambda: started.said("Ctrl-C skips it"), "what is waited for")
        assert read_manifest(plan.directory).outcome == "succeeded"  # written down before
        started.send(number)
        code, result = started.end()
    assert (code, result["outcome"]) == (0, "succeeded")
    manifest = is_true(plan.directory)
    assert f"the hash of {bed.folder / 'base.ckpt'}: it was skipped" in manifest.not_recorded
    assert len(manifest.artifacts) == 3


def test_a_terminal_that_is_closed_skips_nothing(bed: Bed) -> None:
    plan = recorded_plan(bed, SUCCESS)
    with launched(bed, plan, gate="hash") as started:
        until(lambda: started.said("Ctrl-C skips it"), "what is waited for")
        started.send(signal.SIGHUP)
        go_on(bed, "kl")
        code, _ = started.end()
    manifest = is_true(plan.directory)
    assert code == 0 and manifest.inputs[0].sha256 and manifest.dataset and manifest.dataset.sha256


def test_a_run_that_is_stopped_is_not_waited_for(bed: Bed) -> None:
    plan = recorded_plan(bed, GATED_RUN)
    go_on(bed, "loading")
    with launched(bed, plan, patience=0.5, gate="hash") as started:
        pid_of(bed, "training")
        pid_of(bed, "kl")
        started.send(signal.SIGINT)
        code, result = started.end()
    assert (code, result["outcome"]) == (130, "stopped")
    assert any("was not waited for" in text for text in read_manifest(plan.directory).not_recorded)


def test_a_picture_that_is_changed_while_it_trains_is_listed(bed: Bed) -> None:
    plan = recorded_plan(bed, GATED_RUN)
    go_on(bed, *(each for each in MOMENTS if each != "training"))
    with launched(bed, plan) as started:
        pid_of(bed, "training")
        until(lambda: read_manifest(plan.directory).dataset, "the dataset is recorded")
        before = read_manifest(plan.directory).dataset
        (bed.folder / "img" / "a.png").write_bytes(b"another")
        go_on(bed)
        assert started.end()[0] == 0
    listing = read_dataset_file(plan.directory)
    assert listing and listing.changed_meanwhile == (str(bed.folder / "img" / "a.png"),)
    assert is_true(plan.directory).dataset == before


def _unreadable(path: Path) -> None:
    path.write_bytes(UNREADABLE)


@pytest.mark.parametrize("make", [make_pipe, make_socket, _unreadable])
def test_what_cannot_be_read_blocks_nothing(bed: Bed, make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.read

    def read(handle: int, size: int) -> bytes:
        found = real(handle, size)
        if found == UNREADABLE:  # root may read everything: no permissions keep it from that
            raise OSError(5, "Input/output error")
        return found

    monkeypatch.setattr(os, "read", read)
    plan = recorded_plan(bed, SUCCESS)
    make(bed.folder / "img" / "c.png")  # type: ignore[operator]
    make(bed.folder / "weights")  # type: ignore[operator]
    value = str(bed.folder / "weights")
    plan = replace(plan, arguments=(*plan.arguments, Argument("network_weights", ("-x",), value, KL)))
    assert launch(plan, NullScreen()).outcome is Outcome.SUCCEEDED
    manifest = read_manifest(plan.directory)
    said = "\n".join(manifest.not_recorded)
    assert f"the hash of {value}: it " in said and f"dataset.json: {bed.folder / 'img' / 'c.png'} " in said
    assert manifest.dataset and manifest.dataset.sha256 is None and manifest.dataset.problem
    assert [each.sha256 is None for each in manifest.inputs] == [False, True]
