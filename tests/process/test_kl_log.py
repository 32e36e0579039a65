"""What kl says of a run that nobody watches is found again afterwards."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from launching import GATED_RUN, SUCCESS, WAITING, Bed, go_on, kl, launched, make_bed, make_plan, pid_of, until

from launcher.record.manifest import read_manifest
from launcher.run.directory import KL_LOG
from launcher.run.launch import launch
from launcher.run.outcome import Outcome
from launcher.run.process import processes_of_run
from launcher.run.screen import NullScreen
from launcher.run.state import settle
from launcher.run.watch import Watch

NAME = "fox-v1s4"
NAN = """
    for step in (1, 2):
        sys.stderr.write(f"\\rsteps:  50%|###  | {step}/4 [00:01<00:01,  1.50s/it, avr_loss=nan]")
        sys.stderr.flush()
    raise RuntimeError("no luck")
"""


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / "state"))
    return make_bed(tmp_path)


def test_a_launch_in_the_background_leaves_word(bed: Bed) -> None:
    with launched(bed, make_plan(bed, GATED_RUN, NAME), detach=True) as foreground:
        assert foreground.process.wait(60) == 0
        go_on(bed)
        until(lambda: settle(bed.root / NAME)[1] is Outcome.SUCCEEDED, "it succeeds")
        until(lambda: "succeeded" in (bed.root / NAME / KL_LOG).read_text("utf-8"), "the last word")
    said = kl(bed, "logs", NAME, "--kl")
    assert said.code == 0 and "loading" not in said.out
    for words in ("the trainer has started", f"saved model {NAME}.safetensors", f"{NAME} succeeded after 4 steps"):
        assert words in said.out, said.out
    assert "loading" in kl(bed, "logs", NAME).out


def test_a_closed_terminal_does_not_end_the_word(bed: Bed) -> None:
    with launched(bed, make_plan(bed, GATED_RUN, NAME)) as launching:
        pid_of(bed, "loading")
        launching.send(signal.SIGHUP)
        until(lambda: "the terminal was closed" in (bed.root / NAME / KL_LOG).read_text("utf-8"), "kl is silent")
        go_on(bed)
        assert launching.end()[0] == 0
    assert f"saved model {NAME}.safetensors" in (bed.root / NAME / KL_LOG).read_text("utf-8")


def test_the_record_of_a_removed_run_has_it(bed: Bed) -> None:
    result = launch(make_plan(bed, NAN, NAME), NullScreen())
    assert result.outcome is Outcome.FAILED and result.directory is None
    said = kl(bed, "logs", NAME, "--kl").out
    assert "nan" in said and f"{NAME} failed after 2 steps: the trainer ended with 1" in said
    assert "  RuntimeError: no luck" in said
    assert kl(bed, "logs", NAME, "--kl", "-n", "1").out.count("\n") == 1


def test_a_run_without_it_says_so(bed: Bed) -> None:
    result = launch(make_plan(bed, SUCCESS, NAME), NullScreen())
    assert result.directory is not None
    (result.directory / KL_LOG).unlink()
    said = kl(bed, "logs", NAME, "--kl")
    assert said.code == 64 and f"{NAME} has no kl.log" in said.err


def test_a_bug_is_written_down_and_the_training_goes_on(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(bed, GATED_RUN, NAME)

    def broken(self: Watch) -> bool:
        raise ZeroDivisionError("not expected")

    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        patched.setattr(Watch, "look", broken)
        launch(plan, NullScreen())
    said = kl(bed, "logs", NAME, "--kl").out
    assert "a bug in kl" in said and "Traceback" in said and "ZeroDivisionError: not expected" in said
    manifest = read_manifest(plan.directory)
    assert manifest.attempts[0].ended is None and processes_of_run(plan.directory)
    go_on(bed)
    until(lambda: not processes_of_run(plan.directory), "it has ended")
    assert (plan.directory / f"{NAME}.safetensors").exists()


def test_nothing_is_left_of_a_launch_that_did_not_start(bed: Bed) -> None:
    with launched(bed, make_plan(bed, WAITING, NAME, python="/nowhere/bin/python")) as launching:
        assert launching.end()[0] == 69
    assert not bed.root.exists()


def test_a_run_that_stays_keeps_it(bed: Bed) -> None:
    result = launch(replace(make_plan(bed, NAN, NAME), keep_failed=True), NullScreen())
    assert result.directory is not None and "no luck" in (result.directory / KL_LOG).read_text("utf-8")
