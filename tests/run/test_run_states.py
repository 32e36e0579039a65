"""Which states can be gone on from: whole ones by their step, and what is said of the others."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.run.states import BrokenState, State, find_states, look_at_state

NAME = "fox-v1s12"


def zipped(text: str = "numbers") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("archive/data.pkl", text * 50)
    return content.getvalue()


def model(lacking: int = 0) -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return len(header).to_bytes(8, "little") + header + b"\0" * (16 - lacking)


def make_state(directory: Path, name: str, step: int, epoch: int = 1) -> Path:
    folder = directory / name
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(model())
    for file in ("optimizer.bin", "scheduler.bin", "random_states_0.pkl"):
        (folder / file).write_bytes(zipped())
    (folder / "train_state.json").write_text(json.dumps({"current_epoch": epoch, "current_step": step}))
    return folder


def test_the_newest_is_that_of_the_last_step_whatever_the_clock_says(tmp_path: Path) -> None:
    late = make_state(tmp_path, f"{NAME}-step00000010-state", 10, 4)
    for number, step in enumerate((2, 4), 1):
        early = make_state(tmp_path, f"{NAME}-step{step:08d}-state", step)
        os.utime(early, (2_000_000_000 + number,) * 2)
    make_state(tmp_path, f"{NAME}-000002-state", 6, 2)
    found = find_states(tmp_path, NAME)
    assert [state.step for state in found.whole] == [10, 6, 4, 2]
    assert found.whole[0] == State(late, 10, 4)
    assert not found.broken


def test_of_one_step_that_saved_at_the_end_of_the_epoch_comes_first(tmp_path: Path) -> None:
    make_state(tmp_path, f"{NAME}-step00000006-state", 6)
    make_state(tmp_path, f"{NAME}-000002-state", 6)
    assert [state.path.name for state in find_states(tmp_path, NAME).whole] == [
        f"{NAME}-000002-state", f"{NAME}-step00000006-state",
    ]  # fmt: skip


def test_only_states_of_the_run_count(tmp_path: Path) -> None:
    make_state(tmp_path, f"{NAME}-state", 12)
    make_state(tmp_path, "cat-v1-state", 14)
    make_state(tmp_path, f"{NAME}x-state", 14)
    (tmp_path / f"{NAME}-step00000014-state").write_text("a file")
    found = find_states(tmp_path, NAME)
    assert [state.step for state in found.whole] == [12]
    assert not found.broken


def test_weights_of_older_accelerate_will_do(tmp_path: Path) -> None:
    folder = make_state(tmp_path, f"{NAME}-state", 12)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(zipped())
    assert isinstance(look_at_state(folder), State)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("model.safetensors", None, "has no weights"),
        ("model.safetensors", model(lacking=3), "is not whole: model.safetensors lacks 3 bytes"),
        ("model.safetensors", b"", "is damaged: model.safetensors"),
        ("optimizer.bin", None, "has no optimizer.bin"),
        ("optimizer.bin", zipped()[:-20], "is not whole: optimizer.bin breaks off"),
        ("optimizer.bin", b"\0" * 500, "is not whole: optimizer.bin breaks off"),
        ("optimizer.bin", b"", "is not whole: optimizer.bin breaks off"),
        ("scheduler.bin", None, "has no scheduler.bin"),
        ("scaler.pt", zipped()[:-1], "is not whole: scaler.pt breaks off"),
        ("random_states_0.pkl", None, "has no random_states.pkl"),
        ("random_states_0.pkl", zipped()[:40], "is not whole: random_states_0.pkl breaks off"),
        ("train_state.json", None, "has no train_state.json"),
        ("train_state.json", b'{"current_epoch": 4, "curr', "is not whole: train_state.json is no JSON"),
        ("train_state.json", b"[" * 50_000, "is not whole: train_state.json is no JSON"),
        ("train_state.json", b"[12]", "has no step in its train_state.json"),
        ("train_state.json", b'{"current_step": true}', "has no step in its train_state.json"),
        ("train_state.json", b'{"current_step": 0}', "has no step in its train_state.json"),
        ("train_state.json", b'{"current_step": 4}', "is of step 4 by its train_state.json"),
    ],
)
def test_a_state_that_is_not_whole_is_named_with_the_reason(
    tmp_path: Path, file: str, content: bytes | None, reason: str
) -> None:
    folder = make_state(tmp_path, f"{NAME}-step00000012-state", 12)
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    found = find_states(tmp_path, NAME)
    assert not found.whole
    assert found.broken[0].path == folder
    assert found.broken[0].reason.startswith(reason)


def test_a_pipe_in_a_state_is_not_waited_for(tmp_path: Path) -> None:
    folder = make_state(tmp_path, f"{NAME}-state", 12)
    (folder / "optimizer.bin").unlink()
    os.mkfifo(folder / "optimizer.bin")
    assert isinstance(look_at_state(folder), BrokenState)
    (folder / "optimizer.bin").unlink()
    (folder / "optimizer.bin").write_bytes(zipped())
    (folder / "train_state.json").unlink()
    os.mkfifo(folder / "train_state.json")
    assert isinstance(look_at_state(folder), BrokenState)


def test_no_directory_has_no_states(tmp_path: Path) -> None:
    assert not find_states(tmp_path / "gone", NAME).whole


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    file=st.sampled_from(["model.safetensors", "optimizer.bin", "random_states_0.pkl", "train_state.json"]),
    content=st.binary(max_size=200),
)
def test_any_bytes_in_a_state_are_answered(tmp_path: Path, file: str, content: bytes) -> None:
    folder = tmp_path / f"{NAME}-state"
    if not folder.exists():
        make_state(tmp_path, folder.name, 12)
    before = (folder / file).read_bytes()
    (folder / file).write_bytes(content)
    try:
        assert isinstance(look_at_state(folder), (State, BrokenState))
    finally:
        (folder / file).write_bytes(before)
