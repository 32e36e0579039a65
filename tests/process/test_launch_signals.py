"""Signals to kl while a training runs: what ends, in which order, and what goes on."""

from __future__ import annotations

import os
import pty
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from launching import LONG, SUCCESS, WAITING, Bed, launched, make_bed, make_plan, pid_of, runs, until

from launcher.record.manifest import read_manifest
from launcher.run.outcome import Outcome
from launcher.run.state import current_outcome

IGNORES_SIGINT = "signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + WAITING.replace("\n    ", "\n")
IGNORES_BOTH = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + IGNORES_SIGINT


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_kl_stops_the_trainer_when_it_is_asked_to(bed: Bed, number: signal.Signals) -> None:
    plan = make_plan(bed, WAITING)
    with launched(bed, plan) as kl:
        pid = pid_of(bed, "training")
        kl.send(number)
        code, said = kl.end()
    assert (code, said["outcome"], said["directory"]) == (128 + number, "stopped", None)
    assert not runs(pid)
    attempt = read_manifest(Path(said["removed_to"])).attempts[0]
    assert (attempt.stop_signal, attempt.outcome) == (number, "stopped")
    assert "KeyboardInterrupt" in (Path(said["removed_to"]) / "sdscripts.log").read_text()


def test_a_stopped_run_with_a_checkpoint_stays(bed: Bed) -> None:
    plan = make_plan(
        bed, '(OUT / (NAME + "-step00000001.safetensors")).write_bytes(b"x")' + WAITING.replace("\n    ", "\n")
    )
    with launched(bed, plan) as kl:
        pid_of(bed, "training")
        kl.send(signal.SIGINT)
        code, said = kl.end()
    assert (code, said["outcome"], said["directory"]) == (130, "stopped", str(plan.directory))
    assert said["artifacts"] == ["fox-v1s4-step00000001.safetensors"]
    assert read_manifest(plan.directory).outcome == "stopped"


def test_a_second_interrupt_goes_on_at_once(bed: Bed) -> None:
    with launched(bed, make_plan(bed, IGNORES_SIGINT)) as kl:
        pid = pid_of(bed, "training")
        kl.send(signal.SIGINT)
        until(lambda: kl.said("sent SIGINT"), "SIGINT was passed on")
        assert runs(pid)
        kl.send(signal.SIGINT)
        code, said = kl.end()
    assert (code, said["outcome"]) == (130, "stopped")
    assert not runs(pid)


def test_a_third_interrupt_kills(bed: Bed) -> None:
    with launched(bed, make_plan(bed, IGNORES_BOTH)) as kl:
        pid = pid_of(bed, "training")
        for said in ("sent SIGINT", "sent SIGTERM", "SIGKILL"):
            kl.send(signal.SIGINT)
            until(lambda said=said: kl.said(said), said)  # type: ignore[misc]
        code, end = kl.end()
    assert (code, end["outcome"]) == (130, "stopped")
    assert not runs(pid)


def test_patience_ends(bed: Bed) -> None:
    with launched(bed, make_plan(bed, IGNORES_BOTH), patience=0.3) as kl:
        pid = pid_of(bed, "training")
        kl.send(signal.SIGTERM)
        code, said = kl.end()
    assert (code, said["outcome"]) == (143, "stopped")
    assert not runs(pid)


@pytest.mark.parametrize("apart", [False, True], ids=["same session", "own session"])
def test_a_worker_that_ignores_the_interrupt_is_no_orphan(bed: Bed, apart: bool) -> None:
    plan = make_plan(bed, f"    start_worker({apart})" + WAITING)
    with launched(bed, plan, patience=0.5) as kl:
        worker = pid_of(bed, "worker")
        pid_of(bed, "training")
        kl.send(signal.SIGINT)
        code, said = kl.end()
    assert (code, said["outcome"]) == (130, "stopped")
    assert not runs(worker)


def test_a_worker_left_behind_by_a_trainer_that_ended_is_no_orphan(bed: Bed) -> None:
    with launched(bed, make_plan(bed, "    start_worker(False)" + SUCCESS), patience=0.5) as kl:
        worker = pid_of(bed, "worker")
        code, said = kl.end()
    assert (code, said["outcome"]) == (0, "succeeded")
    assert not runs(worker)


GATED = """
    bar(1, 4)
    sign("training")
    while not (SIGNS.parent / "go").exists():
        time.sleep(0.02)
"""


def test_a_hangup_does_not_end_the_training(bed: Bed) -> None:
    plan = make_plan(bed, GATED + SUCCESS)
    with launched(bed, plan) as kl:
        pid_of(bed, "training")
        kl.send(signal.SIGHUP)
        kl.send(signal.SIGHUP)
        (bed.folder / "go").touch()
        code, said = kl.end()
    assert (code, said["outcome"]) == (0, "succeeded")


def test_a_terminal_that_closes_does_not_end_the_training(bed: Bed) -> None:
    plan = make_plan(bed, GATED + SUCCESS)
    master, terminal = pty.openpty()
    with launched(bed, plan, terminal=terminal) as kl:
        os.close(terminal)
        pid_of(bed, "training")
        os.close(master)  # the terminal is gone: SIGHUP, and every write to it fails
        (bed.folder / "go").touch()
        code = kl.process.wait(60)
    assert code == 0
    assert read_manifest(plan.directory).outcome == "succeeded"


def test_a_killed_kl_does_not_end_the_training(bed: Bed) -> None:
    plan = make_plan(bed, GATED + SUCCESS)
    with launched(bed, plan) as kl:
        trainer = pid_of(bed, "training")
        kl.send(signal.SIGKILL)
        kl.process.wait(60)
        assert runs(trainer)
        manifest = read_manifest(plan.directory)
        assert current_outcome(plan.directory, manifest) is Outcome.RUNNING
        unknown = replace(manifest.attempts[0], pid=None, pid_started=None)  # killed before it could write them down
        assert current_outcome(plan.directory, replace(manifest, attempts=(unknown,))) is Outcome.RUNNING
        (bed.folder / "go").touch()
        until((plan.directory / "fox-v1s4.safetensors").exists, "the final model")
    manifest = read_manifest(plan.directory)
    assert manifest.outcome == "running" and manifest.attempts[0].ended is None
    until(lambda: current_outcome(plan.directory, manifest) is Outcome.LOST, "the trainer has ended")
    another = replace(manifest.attempts[0], pid=os.getpid(), pid_started=1.0)  # the id given to another since
    assert current_outcome(plan.directory, replace(manifest, attempts=(another,))) is Outcome.LOST


def test_an_ignored_interrupt_stays_ignored_but_the_trainer_can_be_stopped(bed: Bed) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell starts jobs in the background
    try:
        with launched(bed, make_plan(bed, WAITING), patience=LONG) as kl:
            pid = pid_of(bed, "training")
            kl.send(signal.SIGINT)
            kl.send(signal.SIGTERM)
            code, said = kl.end()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (code, said["outcome"]) == (143, "stopped")
    assert not runs(pid)
