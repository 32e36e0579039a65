"""The list of runs tells the truth about each, whatever stands in its directory."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.record.manifest import ArtifactRecord, Attempt, Manifest, read_manifest, write_manifest
from launcher.run.find import FoundRun
from launcher.run.listing import ListedRun, list_runs, listed, removed_count
from launcher.run.outcome import Outcome
from launcher.run.removed import keep_record
from launcher.run.size import bytes_of

STARTED, ENDED = "2026-11-01T10:00:00+00:00", "2026-11-01T10:30:00+00:00"
DONE = Attempt(started=STARTED, ended=ENDED, exit_code=0, outcome="succeeded", last_step=9, total_steps=10)
FINAL = "fox-v1s10.safetensors"
NO_PROCESS = 2**22 + 5  # Linux gives no id as high


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def _run(root: Path, *attempts: Attempt, model: bool = False, **more: Any) -> FoundRun:
    directory = root / "fox-v1s10"
    directory.mkdir(parents=True)
    manifest = Manifest(name=directory.name, created=STARTED, final=(FINAL,), attempts=attempts)
    write_manifest(replace(manifest, **more), directory)
    if model:
        (directory / FINAL).write_bytes(b"x" * 1000)
    return FoundRun(directory.name, directory)


def _damaged(root: Path, content: bytes) -> ListedRun:
    (root / "bad").mkdir(parents=True, exist_ok=True)
    (root / "bad" / "run.json").write_bytes(content)
    return listed(FoundRun("bad", root / "bad"))


def test_what_a_line_holds(tmp_path: Path) -> None:
    first = replace(DONE, started="2026-11-01T09:00:00+00:00", ended="2026-11-01T09:10:00+00:00", exit_code=1)
    first = replace(first, outcome="failed", last_step=5, last_loss=0.5, lowest_loss=0.25)
    run = _run(tmp_path, first, replace(DONE, last_loss=float("nan")), model=True, notes="lower rate", steps=10)
    found = listed(run)
    assert (found.outcome, found.problem, found.failed) == (Outcome.SUCCEEDED, None, False)
    assert (found.step, found.total_steps, found.lowest_loss, found.attempts) == (9, 10, 0.25, 2)
    assert found.loss is not None and found.loss != found.loss
    assert found.seconds == 40 * 60 and found.notes == "lower rate"
    assert found.when == found.started == 1793527200.0
    assert found.created == found.started


def test_an_attempt_that_saw_no_step_leaves_the_one_before_it(tmp_path: Path) -> None:
    begun = Attempt(started=ENDED, ended=ENDED, exit_code=1, outcome="failed")
    found = listed(_run(tmp_path, replace(DONE, last_loss=0.5), begun))
    assert (found.step, found.total_steps, found.loss) == (9, 10, 0.5)
    assert found.outcome is Outcome.FAILED and found.failed


def test_the_outcome_is_derived_and_not_believed(tmp_path: Path) -> None:
    without_model = replace(DONE, outcome="failed")
    assert listed(_run(tmp_path / "a", without_model, outcome="succeeded")).outcome is Outcome.FAILED
    assert listed(_run(tmp_path / "b")).outcome is Outcome.PLANNED
    stopped = replace(DONE, exit_code=130, stop_signal=2)
    assert listed(_run(tmp_path / "c", stopped)).outcome is Outcome.STOPPED


def test_a_run_that_succeeded_did_so_also_when_its_model_was_moved_away(tmp_path: Path) -> None:
    assert listed(_run(tmp_path, DONE)).outcome is Outcome.SUCCEEDED


def test_a_run_whose_kl_lives_is_running_and_shows_what_its_log_says(tmp_path: Path) -> None:
    me = psutil.Process()
    attempt = Attempt(
        started=STARTED, kl_pid=me.pid, kl_started=me.create_time(), host=os.uname().nodename, last_step=1,
        total_steps=10, log="sdscripts.log",
    )  # fmt: skip
    run = _run(tmp_path, attempt)
    before = (run.directory / "run.json").read_bytes()
    assert (listed(run).outcome, listed(run).step) == (Outcome.RUNNING, 1)
    bar = "\rsteps:  30%|###       | 3/10 [00:01<00:02,  1.50s/it, avr_loss=0.125]"
    (run.directory / "sdscripts.log").write_text(bar * 3 + "\n saving\n")
    found = listed(run)
    assert (found.step, found.total_steps, found.loss, found.lowest_loss) == (3, 10, 0.125, 0.125)
    assert found.seconds is not None and found.seconds > 0
    assert (run.directory / "run.json").read_bytes() == before


def test_an_end_that_nobody_saw_is_found_and_written_down(tmp_path: Path) -> None:
    attempt = Attempt(started=STARTED, pid=NO_PROCESS, pid_started=1.0, host=os.uname().nodename, outcome="running")
    run = _run(tmp_path, attempt, outcome="running")
    found = listed(run)
    assert found.outcome is Outcome.LOST and found.failed
    assert read_manifest(run.directory).outcome == "lost"
    assert listed(run).outcome is Outcome.LOST


def test_the_size_is_of_the_files_there_with_states_as_recorded(tmp_path: Path) -> None:
    state, gone = ArtifactRecord("fox-state", "state", 5000), ArtifactRecord("old-state", "state", 70_000)
    run = _run(tmp_path, DONE, model=True, artifacts=(state, gone, ArtifactRecord(FINAL, "model", 1000)))
    (run.directory / "fox-state").mkdir()
    (run.directory / "link").symlink_to("/usr/bin")
    manifest = (run.directory / "run.json").stat().st_size
    link = (run.directory / "link").lstat().st_size
    assert listed(run).size == 1000 + manifest + link + 5000
    assert bytes_of(run.directory) == 1000 + manifest + link


def test_every_run_below_the_roots_once(tmp_path: Path) -> None:
    _run(tmp_path / "a", DONE, model=True)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert [each.run.directory for each in list_runs([tmp_path / "a", tmp_path / "b", tmp_path / "none"])] == [
        tmp_path / "a" / "fox-v1s10"
    ]


def test_removed_runs_are_listed_when_asked_for(tmp_path: Path) -> None:
    run = _run(tmp_path, replace(DONE, exit_code=1, log="sdscripts.log"))
    (run.directory / "sdscripts.log").write_text("it failed")
    assert removed_count() == 0
    keep_record(run.directory, read_manifest(run.directory))
    assert removed_count() == 1
    assert [each.run.removed for each in list_runs([tmp_path])] == [False]
    (removed,) = (each for each in list_runs([tmp_path], removed=True) if each.run.removed)
    assert removed.run.name == "fox-v1s10" and removed.outcome is Outcome.FAILED and removed.failed


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"name": "fox"}', b'{"manifest_version": 1, "attempts": 5}',
        b'{"manifest_version": 1, "attempts": [{"log": 5}]}', b'{"manifest_version": 1, "created": null}',
        b"[" * 100_000,
        b'{"manifest_version": 1, "final": ["a\\u0000b"], "attempts": [{"exit_code": 0}]}',
    ],
)  # fmt: skip
def test_a_damaged_manifest_is_a_line_with_its_problem(tmp_path: Path, content: bytes) -> None:
    found = _damaged(tmp_path, content)
    assert found.outcome is None and found.problem and not found.failed
    assert found.when > 0 and found.size == len(content)


def test_names_that_are_no_utf8_and_unknown_fields_are_no_damage(tmp_path: Path) -> None:
    attempt = {"exit_code": 0, "new": {}}
    data = {"manifest_version": 99, "final": ["a\udcff.safetensors"], "attempts": [attempt], "more": [1]}
    found = _damaged(tmp_path, json.dumps(data).encode())
    assert (found.outcome, found.problem) == (Outcome.FAILED, None)
    nan = b'{"exit_code": 1, "last_step": 1, "last_loss": NaN}'
    found = _damaged(tmp_path, b'{"manifest_version": 1, "attempts": [' + nan + b"]}")
    assert found.problem is None and found.loss != found.loss
    assert _damaged(tmp_path, b'{"manifest_version": ' + b"1" * 100_000 + b"}").problem is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_TEXT = st.text(max_size=10)
_ATTEMPTS = st.fixed_dictionaries(
    {},
    optional={
        "started": _TEXT | _JSON, "ended": _TEXT | st.none(), "pid": st.integers() | st.none(), "log": _TEXT,
        "pid_started": st.floats(), "exit_code": st.integers() | st.none(), "last_loss": _JSON, "host": _TEXT,
    },
)  # fmt: skip
_MANIFESTS = st.fixed_dictionaries(
    {"manifest_version": st.integers()},
    optional={
        "attempts": st.lists(_ATTEMPTS, max_size=2) | _JSON, "final": st.lists(_TEXT, max_size=2), "created": _TEXT,
        "artifacts": st.lists(st.fixed_dictionaries({"path": _TEXT, "size": st.integers()}), max_size=2),
        "notes": _JSON,
    },
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(data=_MANIFESTS | _JSON)
def test_whatever_stands_in_a_manifest(tmp_path: Path, data: object) -> None:
    found = _damaged(tmp_path, json.dumps(data).encode())
    assert (found.outcome is None) is (found.problem is not None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=200))
def test_whatever_bytes_a_manifest_has(tmp_path: Path, content: bytes) -> None:
    assert _damaged(tmp_path, content).problem
