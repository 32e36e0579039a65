"""Stopping a run with another command, whether the kl that launched it is there or not."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from launching import (
    GATED_RUN,
    SUCCESS,
    WAITING,
    Bed,
    Launched,
    kl,
    kl_environ,
    kl_words,
    launched,
    make_bed,
    make_plan,
    pid_of,
    processes_of,
    runs,
    until,
)

from launcher.record.manifest import read_manifest, write_manifest
from launcher.run import stop as stop_module
from launcher.run.find import removed_runs
from launcher.run.outcome import Outcome
from launcher.run.screen import NullScreen
from launcher.run.state import current_outcome
from launcher.run.stop import stop

NAME = "fox-v1s4"
IGNORES_SIGINT = "signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + WAITING.replace("\n    ", "\n")
IGNORES_BOTH = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + IGNORES_SIGINT


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / "state"))
    return make_bed(tmp_path)


def _kill_kl(launch: Launched) -> None:
    launch.send(signal.SIGKILL)
    launch.process.wait(60)


def test_the_kl_that_launched_it_is_asked(bed: Bed) -> None:
    with launched(bed, make_plan(bed, WAITING)) as launch:
        pid_of(bed, "training")
        stopped = kl(bed, "stop", NAME)
        code, said = launch.end()
        assert not processes_of(bed)
    assert stopped.code == 0, stopped.err
    assert f"asked kl (process {launch.process.pid}) to stop it: SIGINT now, SIGTERM after" in stopped.err
    assert "fox-v1s4 stopped after 1 steps" in stopped.out and "removed" in stopped.out
    assert (code, said["outcome"]) == (143, "stopped")


def test_a_run_that_nobody_stays_with_is_stopped_and_written_down(bed: Bed) -> None:
    plan = make_plan(bed, WAITING, keep_failed=True)
    with launched(bed, plan) as launch:
        pid_of(bed, "training")
        _kill_kl(launch)
        assert current_outcome(plan.directory, read_manifest(plan.directory)) is Outcome.RUNNING
        stopped = kl(bed, "stop", NAME)
        assert not processes_of(bed)
    assert stopped.code == 0, stopped.err
    assert "the kl that launched it is gone" in stopped.err and "sent SIGINT" in stopped.err
    assert "fox-v1s4 stopped after 1 steps" in stopped.out
    attempt = read_manifest(plan.directory).attempts[0]
    assert (attempt.outcome, attempt.stop_signal, attempt.exit_code) == ("stopped", signal.SIGTERM, None)
    assert attempt.ended is not None and attempt.last_step == 1
    again = kl(bed, "stop", NAME)
    assert again.code == 64 and "fox-v1s4 is not running: it was stopped." in again.err


def test_a_run_that_nobody_stays_with_is_tidied_up_as_its_launch_would(bed: Bed) -> None:
    with launched(bed, make_plan(bed, WAITING)) as launch:
        pid_of(bed, "training")
        _kill_kl(launch)
        stopped = kl(bed, "stop", NAME)
    assert stopped.code == 0, stopped.err
    assert "fox-v1s4 stopped after 1 steps" in stopped.out and "its directory was removed" in stopped.out
    assert not (bed.root / NAME).exists()
    record = next(removed_runs())
    assert record.name == NAME and read_manifest(record.directory).outcome == "stopped"


@pytest.mark.parametrize("why", ["--no-clean", "NO_CLEAN", "an older kl", "a model"])
def test_a_run_that_nobody_stays_with_stays(bed: Bed, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    script = '    save(NAME + "-step00000001.safetensors")' + WAITING if why == "a model" else WAITING
    with launched(bed, make_plan(bed, script, keep_failed=why == "--no-clean")) as launch:
        pid_of(bed, "training")
        _kill_kl(launch)
        if why == "an older kl":
            write_manifest(replace(read_manifest(bed.root / NAME), no_clean=None), bed.root / NAME)
        elif why == "NO_CLEAN":
            monkeypatch.setenv("NO_CLEAN", "1")
        stopped = kl(bed, "stop", NAME)
    assert stopped.code == 0, stopped.err
    assert "fox-v1s4 stopped" in stopped.out and "removed" not in stopped.out
    assert read_manifest(bed.root / NAME).outcome == "stopped"


def test_workers_in_sessions_of_their_own_are_ended_too(bed: Bed) -> None:
    with launched(bed, make_plan(bed, "    start_worker(True)" + WAITING)) as launch:
        worker, trainer = pid_of(bed, "worker"), pid_of(bed, "training")
        _kill_kl(launch)
        os.kill(read_manifest(bed.root / NAME).attempts[0].pid or 0, signal.SIGKILL)  # nobody is their parent now
        os.kill(trainer, signal.SIGKILL)
        until(lambda: not runs(trainer), "only the worker is left")
        assert current_outcome(bed.root / NAME, read_manifest(bed.root / NAME)) is Outcome.RUNNING
        stopped = kl(bed, "stop", NAME, "--timeout", "0.5")
        assert not runs(worker)
    assert stopped.code == 0, stopped.err


def test_a_kl_killed_before_it_knew_the_trainer(bed: Bed) -> None:
    with launched(bed, make_plan(bed, WAITING, keep_failed=True), gate="begun") as launch:
        pid_of(bed, "training")
        _kill_kl(launch)
        manifest = read_manifest(bed.root / NAME)
        assert manifest.attempts[0].pid is None
        assert current_outcome(bed.root / NAME, manifest) is Outcome.RUNNING
        stopped = kl(bed, "stop", NAME)
        assert not processes_of(bed)
    assert stopped.code == 0, stopped.err
    assert read_manifest(bed.root / NAME).outcome == "stopped"


@pytest.mark.parametrize("supervised", [True, False])
def test_the_timeout_ends_a_trainer_that_listens_to_nothing(bed: Bed, supervised: bool) -> None:
    with launched(bed, make_plan(bed, IGNORES_BOTH)) as launch:
        pid_of(bed, "training")
        if not supervised:
            _kill_kl(launch)
        stopped = kl(bed, "stop", NAME, "--timeout", "0.5")
        assert not processes_of(bed)
    assert stopped.code == 0, stopped.err
    assert "SIGKILL" in stopped.err and "fox-v1s4 stopped" in stopped.out


@pytest.mark.parametrize("supervised", [True, False])
def test_a_second_stop_is_quicker(bed: Bed, supervised: bool) -> None:
    with launched(bed, make_plan(bed, IGNORES_SIGINT)) as launch:
        trainer = pid_of(bed, "training")
        if not supervised:
            _kill_kl(launch)
        with _stopping(bed) as first:
            assert first.stderr is not None and first.stderr.readline()  # it has asked, or taken the run over
            assert runs(trainer)
            second = kl(bed, "stop", NAME)
            out, _ = first.communicate(timeout=60)
        assert not processes_of(bed)
    assert (first.returncode, second.code) == (0, 0), second.err
    assert "fox-v1s4 stopped" in out and "fox-v1s4 stopped" in second.out


@pytest.mark.parametrize("supervised", [True, False])
def test_ctrl_c_is_quicker(bed: Bed, supervised: bool) -> None:
    with launched(bed, make_plan(bed, IGNORES_SIGINT)) as launch:
        pid_of(bed, "training")
        if not supervised:
            _kill_kl(launch)
        with _stopping(bed) as stopping:
            assert stopping.stderr is not None
            while "Ctrl-C" not in stopping.stderr.readline():
                pass
            if supervised:
                until(lambda: launch.said("sent SIGINT"), "the first stage")
            stopping.send_signal(signal.SIGINT)
            out, _ = stopping.communicate(timeout=60)
        assert not processes_of(bed)
    assert stopping.returncode == 0 and "fox-v1s4 stopped" in out


def test_a_kl_that_does_not_answer_is_passed_by(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_module, "GRACE", 1.0)
    with launched(bed, make_plan(bed, WAITING)) as launch:
        trainer = pid_of(bed, "training")
        launch.send(signal.SIGSTOP)
        assert stop(bed.root / NAME, read_manifest(bed.root / NAME), NullScreen(), timeout=0.2)
        assert not runs(trainer)
        launch.send(signal.SIGCONT)
        code, said = launch.end()
    assert (code, said["outcome"]) == (143, "stopped")


def test_a_stop_that_comes_too_late_finds_a_success(bed: Bed) -> None:
    script = GATED_RUN.replace('gate("end")', "signal.signal(signal.SIGINT, signal.SIG_IGN)\n    gate('end')")
    with launched(bed, make_plan(bed, script)) as launch:
        for moment in ("loading", "training", "saving"):
            (bed.folder / f"go-{moment}").touch()
        pid_of(bed, "end")
        _kill_kl(launch)
        with _stopping(bed) as stopping:
            assert stopping.stderr is not None
            while "sent SIGINT" not in stopping.stderr.readline():
                pass
            (bed.folder / "go-end").touch()
            out, _ = stopping.communicate(timeout=60)
    assert stopping.returncode == 0 and "fox-v1s4 succeeded" in out
    assert read_manifest(bed.root / NAME).outcome == "succeeded"


def test_what_does_not_run_cannot_be_stopped(bed: Bed) -> None:
    with launched(bed, make_plan(bed, SUCCESS)) as launch:
        assert launch.end()[0] == 0
    ended = kl(bed, "stop", NAME)
    assert ended.code == 64 and "fox-v1s4 is not running: it succeeded." in ended.err
    unknown = kl(bed, "stop", "fox-v1s5")
    assert unknown.code == 64 and "Did you mean fox-v1s4?" in unknown.err


def test_a_run_of_another_machine_is_left_alone(bed: Bed) -> None:
    with launched(bed, make_plan(bed, WAITING)) as launch:
        trainer = pid_of(bed, "training")
        _kill_kl(launch)
        manifest = read_manifest(bed.root / NAME)
        attempt = replace(manifest.attempts[0], host="elsewhere")
        write_manifest(replace(manifest, attempts=(attempt,)), bed.root / NAME)
        refused = kl(bed, "stop", NAME)
        assert refused.code == 64 and "fox-v1s4 runs on elsewhere" in refused.err
        assert runs(trainer)


def test_a_failed_run_that_was_removed_is_not_running(bed: Bed) -> None:
    with launched(bed, make_plan(bed, "raise RuntimeError('no luck')")) as launch:
        assert launch.end()[0] == 1
    assert next(removed_runs()).name == NAME and not (bed.root / NAME).exists()
    refused = kl(bed, "stop", NAME)
    assert refused.code == 64 and "it failed" in refused.err


def _stopping(bed: Bed) -> subprocess.Popen[str]:
    return subprocess.Popen(
        kl_words("stop", NAME), env={**kl_environ(bed), "PYTHONUNBUFFERED": "1"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def test_the_tests_end_what_they_start(bed: Bed) -> None:
    with launched(bed, make_plan(bed, IGNORES_BOTH)):
        trainer = pid_of(bed, "training")
    until(lambda: not runs(trainer), "the trainer is gone")
    assert os.getpid() not in [process.pid for process in processes_of(bed)]
