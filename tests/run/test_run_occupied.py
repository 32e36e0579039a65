"""What is said of a run directory that exists already."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_run_states import make_state, zipped

from launcher.base.errors import KlError
from launcher.record.manifest import MANIFEST, Attempt, FileRecord, Manifest, write_manifest
from launcher.run.directory import take
from launcher.run.occupied import what_to_do

NAME = "fox-v1s12"
ENDED = Attempt(
    started="2026-01-01T00:00:00+00:00", ended="2026-01-01T00:01:00+00:00", exit_code=1, outcome="failed",
    host=os.uname().nodename, log="sdscripts.log",
)  # fmt: skip
RUN = Manifest(name=NAME, final=(f"{NAME}.safetensors",), files=(FileRecord("spec.toml"),))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / NAME
    folder.mkdir()
    return folder


def _is_a_run(directory: Path, *attempts: Attempt) -> None:
    write_manifest(replace(RUN, attempts=attempts), directory)


def test_an_empty_one(directory: Path) -> None:
    assert what_to_do(directory) == f"It is empty: kl clean {NAME} --yes removes it."
    (directory / f".{MANIFEST}.abc.partial").touch()
    assert "kl clean" in what_to_do(directory)


def test_what_is_no_run(directory: Path) -> None:
    (directory / "notes.txt").touch()
    said = what_to_do(directory)
    assert "another version" in said and "it has no run.json" in said and "kl " not in said


def test_one_in_which_nothing_was_started(directory: Path) -> None:
    _is_a_run(directory)
    assert f"kl clean {NAME} --yes" in what_to_do(directory)


@pytest.mark.parametrize("outcome", ["failed", "stopped", "lost"])
def test_one_that_left_nothing(directory: Path, outcome: str) -> None:
    stop_signal = 15 if outcome == "stopped" else None
    exit_code = None if outcome == "lost" else 1
    _is_a_run(directory, replace(ENDED, outcome=outcome, stop_signal=stop_signal, exit_code=exit_code))
    said = what_to_do(directory)
    assert f"kl clean {NAME} --yes" in said and outcome in said


def test_one_with_a_note_is_not_to_be_cleaned(directory: Path) -> None:
    _is_a_run(directory, ENDED)
    assert "kl clean" in what_to_do(directory)
    (directory / "notes.txt").touch()
    assert "kl clean" not in what_to_do(directory) and "has a note" in what_to_do(directory)


def test_one_with_a_state(directory: Path) -> None:
    _is_a_run(directory, ENDED)
    make_state(directory, f"{NAME}-step00000004-state", 4)
    make_state(directory, f"{NAME}-step00000006-state", 6)
    assert what_to_do(directory) == f"It failed and has a state of step 6: kl resume {NAME} goes on from it."


def test_one_with_half_a_state(directory: Path) -> None:
    _is_a_run(directory, ENDED)
    (make_state(directory, f"{NAME}-step00000004-state", 4) / "optimizer.bin").write_bytes(zipped()[:50])
    said = what_to_do(directory)
    assert "left no state to go on from" in said and "another version" in said and "kl " not in said


@pytest.mark.parametrize("moved_away", [False, True])
def test_one_that_succeeded(directory: Path, moved_away: bool) -> None:
    _is_a_run(directory, replace(ENDED, exit_code=0, outcome="succeeded"))
    if not moved_away:
        (directory / f"{NAME}.safetensors").write_bytes(b"model")
    said = what_to_do(directory)
    assert said.startswith("It succeeded.") and "another version" in said and "kl " not in said


def test_one_that_runs(directory: Path) -> None:
    kl = psutil.Process()
    _is_a_run(directory, replace(ENDED, ended=None, exit_code=None, kl_pid=kl.pid, kl_started=kl.create_time()))
    assert what_to_do(directory) == f"It is running: kl attach {NAME} shows it, kl stop {NAME} ends it."


def test_one_that_ended_unseen(directory: Path) -> None:
    _is_a_run(
        directory, replace(ENDED, ended=None, exit_code=None, outcome="running", pid=os.getpid(), pid_started=1.0)
    )
    before = (directory / MANIFEST).read_bytes()
    assert f"It was lost and left nothing: kl clean {NAME}" in what_to_do(directory)
    assert (directory / MANIFEST).read_bytes() == before


@pytest.mark.parametrize(
    "kind", ["file", "dangling link", "fifo", "damaged", "no manifest", "manifest folder", "manifest fifo"]
)
def test_whatever_stands_there(tmp_path: Path, kind: str) -> None:
    path = tmp_path / NAME
    if kind == "file":
        path.touch()
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
        if kind == "manifest folder":
            (path / MANIFEST).mkdir()
        elif kind == "manifest fifo":
            os.mkfifo(path / MANIFEST)
        else:
            (path / MANIFEST).write_text('{"manifest_version' if kind == "damaged" else "[]", "utf-8")
    with pytest.raises(KlError) as caught:
        take(path)
    assert caught.value.code == 73
    assert caught.value.hint is not None and "another version" in caught.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(["started", "ended", "pid", "pid_started", "kl_pid", "kl_started", "host", "exit_code", "log",
                          "stop_signal", "outcome"])  # fmt: skip


@settings(max_examples=40, deadline=None)  # each looks at all processes
@given(attempt=st.dictionaries(FIELDS, JSON), final=JSON, outcome=JSON)
def test_a_hostile_manifest_is_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, attempt: object, final: object, outcome: object
) -> None:
    directory = tmp_path_factory.mktemp("hostile") / NAME
    directory.mkdir()
    data = {"manifest_version": 1, "attempts": [attempt], "final": final, "outcome": outcome}
    (directory / MANIFEST).write_text(json.dumps(data), "utf-8")
    assert what_to_do(directory).endswith(".")
