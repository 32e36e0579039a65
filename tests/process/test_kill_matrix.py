"""Who dies × by which signal × when: afterwards nothing runs, the outcome is true, nothing is lost, and kl goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from launching import (
    GATED_RUN,
    GATES_OF_KL,
    MOMENTS,
    SUCCESS,
    Bed,
    Launched,
    go_on,
    launched,
    make_bed,
    make_plan,
    own_home,
    pid_of,
    processes_of,
    until,
)

from launcher.record.manifest import read_manifest
from launcher.run.find import removed_runs
from launcher.run.launch import launch
from launcher.run.outcome import Outcome
from launcher.run.screen import NullScreen
from launcher.run.state import settle

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
NAME = "fox-v1s4"


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    own_home(tmp_path, monkeypatch)
    return make_bed(tmp_path)


def _models(bed: Bed) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (bed.root / NAME).glob("*.safetensors")}


def _reach(bed: Bed, moment: str) -> dict[str, bytes]:
    """Let the run come to a moment and no further; return the models that are there then."""
    waits = "training" if moment in ("start", "begun") else moment
    go_on(bed, *(other for other in MOMENTS if other != waits))
    pid_of(bed, "kl" if moment in GATES_OF_KL else moment)
    return _models(bed)


def _outcome(bed: Bed) -> Outcome | None:
    """What became of the run; None when there is no trace of it. What is written down says the same."""
    if (bed.root / NAME / "run.json").exists():
        manifest, outcome = settle(bed.root / NAME)
        assert manifest.outcome == read_manifest(bed.root / NAME).outcome == outcome.value
        return outcome
    assert not (bed.root / NAME).exists()
    return next((Outcome(read_manifest(run.directory).outcome) for run in removed_runs()), None)


def _check(bed: Bed, before: dict[str, bytes], expected: Outcome | None) -> None:
    until(lambda: not processes_of(bed), "nothing runs any more")
    until(lambda: _outcome(bed) is not Outcome.RUNNING, "it is over")  # a process that is ending has no environment
    assert _outcome(bed) is expected
    after = _models(bed)
    for name, content in before.items():
        assert after[name].startswith(content)  # one that was being written may be longer now
    assert launch(make_plan(bed, SUCCESS, name="fox-v2s4"), NullScreen()).outcome is Outcome.SUCCEEDED


def _expected_of_kl(number: signal.Signals, moment: str) -> Outcome | None:
    if moment == "before":
        return Outcome.SUCCEEDED if number == signal.SIGHUP else None
    if moment == "archive" and number != signal.SIGHUP:
        return Outcome.PLANNED if number == signal.SIGKILL else None
    if moment == "start" and number == signal.SIGKILL:
        return Outcome.LOST
    if number in (signal.SIGHUP, signal.SIGKILL) or moment == "conclude":
        return Outcome.SUCCEEDED
    return Outcome.STOPPED


@pytest.mark.parametrize("moment", [*GATES_OF_KL, *MOMENTS])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_kl_is_sent(bed: Bed, number: signal.Signals, moment: str) -> None:
    gate = moment if moment in GATES_OF_KL else ""
    with launched(bed, make_plan(bed, GATED_RUN, NAME), patience=5, gate=gate) as kl:
        before = _reach(bed, moment)
        kl.send(number)
        expected = _expected_of_kl(number, moment)
        if expected is not Outcome.STOPPED:  # a trainer that is stopped does not go on
            go_on(bed, "kl", *MOMENTS)
        (bed.folder / "go-kl").touch()
        code = kl.process.wait(60)
        stopped = 128 + number
        if number == signal.SIGKILL:
            assert code == -number
        else:
            assert code == (0 if expected is Outcome.SUCCEEDED else stopped)
        _check(bed, before, expected)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_the_script_is_sent(bed: Bed, number: signal.Signals, moment: str) -> None:
    with launched(bed, make_plan(bed, GATED_RUN, NAME), patience=5) as kl:
        before = _reach(bed, moment)
        os.kill(pid_of(bed, moment), number)
        _failed(kl, number)
        _check(bed, before, Outcome.FAILED)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_accelerate_is_sent(bed: Bed, number: signal.Signals) -> None:
    with launched(bed, make_plan(bed, GATED_RUN, NAME), patience=0.5) as kl:
        before = _reach(bed, "saving")
        os.kill(read_manifest(bed.root / NAME).attempts[0].pid or 0, number)
        _failed(kl, number)  # its script is left behind then, and ended
        _check(bed, before, Outcome.FAILED)


@pytest.mark.parametrize("moment", MOMENTS)
def test_everything_is_killed_at_once(bed: Bed, moment: str) -> None:
    """The machine's memory is full, or its power is gone."""
    with launched(bed, make_plan(bed, GATED_RUN, NAME), patience=5) as kl:
        before = _reach(bed, moment)
        kl.send(signal.SIGKILL)
        for process in processes_of(bed):
            process.kill()
        kl.process.wait(60)
        _check(bed, before, Outcome.SUCCEEDED if moment == "end" else Outcome.LOST)


def _failed(kl: Launched, number: signal.Signals) -> None:
    code, said = kl.end()
    assert (code, said["outcome"]) == (128 + number, "failed")
