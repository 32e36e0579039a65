"""A launch in the background: refused in the foreground, then on its own, followed and left by other commands."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from launching import (
    DEADLINE,
    GATED_RUN,
    SUCCESS,
    Bed,
    go_on,
    kl,
    kl_environ,
    kl_words,
    launched,
    make_bed,
    make_plan,
    pid_of,
    processes_of,
    until,
)

from launcher.base.errors import ExitCode, KlError
from launcher.record.manifest import read_manifest
from launcher.run.detach import detached
from launcher.run.outcome import Outcome
from launcher.run.state import settle

NAME = "fox-v1s4"


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)


def _ended(bed: Bed) -> Outcome:
    until(lambda: not processes_of(bed), "nothing runs any more")
    until(lambda: settle(bed.root / NAME)[1] is not Outcome.RUNNING, "it is over")
    return settle(bed.root / NAME)[1]


def test_it_goes_on_in_a_session_of_its_own_without_a_terminal(bed: Bed) -> None:
    with launched(bed, make_plan(bed, GATED_RUN, NAME), detach=True) as foreground:
        assert foreground.process.wait(60) == 0
        assert foreground.output.read_text().splitlines()[-1] == NAME
        attempt = read_manifest(bed.root / NAME).attempts[0]
        assert attempt.pid is not None and attempt.kl_pid is not None
        assert os.getsid(attempt.kl_pid) == attempt.kl_pid != os.getsid(attempt.pid)
        assert psutil.Process(attempt.kl_pid).create_time() == attempt.kl_started
        if sys.platform == "linux":
            for number in (0, 1, 2):
                assert os.readlink(f"/proc/{attempt.kl_pid}/fd/{number}") == os.devnull  # noqa: PTH115
        go_on(bed)
        assert _ended(bed) is Outcome.SUCCEEDED


def test_a_closed_terminal_is_nothing_to_it(bed: Bed) -> None:
    with launched(bed, make_plan(bed, GATED_RUN, NAME), detach=True) as foreground:
        assert foreground.process.wait(60) == 0
        os.kill(read_manifest(bed.root / NAME).attempts[0].kl_pid or 0, signal.SIGHUP)
        go_on(bed)
        assert _ended(bed) is Outcome.SUCCEEDED


def test_a_taken_directory_is_refused_in_the_foreground(bed: Bed) -> None:
    (bed.root / NAME).mkdir(parents=True)
    with launched(bed, make_plan(bed, SUCCESS, NAME), detach=True) as foreground:
        code, said = foreground.end()
    assert (code, said["error"]) == (73, f"The run directory {bed.root / NAME} exists already.")
    assert list((bed.root / NAME).iterdir()) == []


def test_a_trainer_that_cannot_start_is_said_in_the_foreground(bed: Bed) -> None:
    with launched(bed, make_plan(bed, SUCCESS, NAME, python="/nowhere/bin/python"), detach=True) as foreground:
        code, said = foreground.end()
    assert code == 69 and "/nowhere/bin/python" in said["error"]
    assert not bed.root.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_start_takes_everything_back(bed: Bed, number: signal.Signals) -> None:
    with launched(bed, make_plan(bed, SUCCESS, NAME), detach=True, gate="archive") as foreground:
        pid_of(bed, "kl")
        foreground.send(number)
        background = [process for process in processes_of(bed) if process.pid != foreground.process.pid]
        assert len(background) == 1
        until(lambda: _caught_up(foreground.process.pid), "the signal was passed on")
        (bed.folder / "go-kl").touch()
        code = foreground.process.wait(60)
        until(lambda: not processes_of(bed), "nothing runs any more")
    assert code == 128 + number
    assert not bed.root.exists()


def _caught_up(pid: int) -> bool:
    """Whether a process has no signal waiting and sleeps again: it has done what it does for a signal."""
    status = psutil.Process(pid)
    return status.status() == psutil.STATUS_SLEEPING


def test_a_background_kl_that_is_killed_before_the_start_is_said(bed: Bed) -> None:
    with launched(bed, make_plan(bed, SUCCESS, NAME), detach=True, gate="before") as foreground:
        pid_of(bed, "kl")
        for process in psutil.Process(foreground.process.pid).children():
            process.kill()
        code, said = foreground.end()
    assert code == 69 and "SIGKILL" in said["error"]


def test_a_bug_in_the_background_is_one_in_the_foreground() -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("here")

    with pytest.raises(RuntimeError, match="ZeroDivisionError: here"):
        detached(broken)  # type: ignore[arg-type]


def test_an_error_keeps_its_code_and_hint() -> None:
    def refused(_: object) -> None:
        raise KlError("No.", code=ExitCode.OUTPUT_UNAVAILABLE, where="fox.toml:3", hint="Yes.")

    with pytest.raises(KlError) as caught:
        detached(refused)  # type: ignore[arg-type]
    error = caught.value
    assert (error.message, error.code, error.where, error.hint) == ("No.", 73, "fox.toml:3", "Yes.")


def test_attach_shows_the_run_to_its_end_and_returns_its_code(bed: Bed) -> None:
    with launched(bed, make_plan(bed, GATED_RUN, NAME), detach=True) as foreground:
        assert foreground.process.wait(60) == 0
        go_on(bed, "loading", "training")
        pid_of(bed, "saving")
        with _command(bed, "attach", NAME) as attached:
            assert attached.stderr is not None
            said = ""
            while "step 1/4" not in said:
                said += attached.stderr.readline()
            go_on(bed)
            out, err = attached.communicate(timeout=60)
    assert attached.returncode == 0
    assert "saved checkpoint fox-v1s4-step00000002.safetensors" in said + err
    assert "fox-v1s4 succeeded after 4 steps" in out
    again = kl(bed, "attach", NAME)
    assert again.code == 0 and "fox-v1s4 succeeded" in again.out


NVML = """
from types import SimpleNamespace
class NVMLError(Exception):
    pass
def nvmlInit(): pass
def nvmlDeviceGetCount(): return 1
def nvmlDeviceGetHandleByIndex(number): return number
def nvmlDeviceGetName(device): return "H200"
def nvmlDeviceGetMemoryInfo(device): return SimpleNamespace(used=2 << 30, total=8 << 30)
def nvmlDeviceGetUtilizationRates(device): return SimpleNamespace(gpu=97)
"""
STEPPING = """
    step = 0
    while not (SIGNS.parent / "go").exists():
        step += 1
        bar(step, 1000000)
        time.sleep(0.05)
"""


def test_attach_has_the_gpus_of_the_run_in_its_line(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    (bed.folder / "nvml").mkdir()
    (bed.folder / "nvml" / "pynvml.py").write_text(NVML, "utf-8")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with launched(bed, make_plan(bed, STEPPING, NAME), detach=True) as foreground:
        assert foreground.process.wait(60) == 0
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # says nothing about the run
        environ = kl_environ(bed) | {"TERM": "xterm", "COLUMNS": "200"}
        environ["PYTHONPATH"] += f":{bed.folder / 'nvml'}"
        master, slave = pty.openpty()
        said = b""
        with subprocess.Popen(
            kl_words("attach", NAME), env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave
        ) as attached:
            os.close(slave)
            deadline = time.monotonic() + DEADLINE
            while b"GPU 2.0/8.0 GiB 97 %" not in said and time.monotonic() < deadline:
                said += os.read(master, 1 << 16)
            attached.send_signal(signal.SIGINT)
            with suppress(OSError):  # the other end is closed
                while os.read(master, 1 << 16):
                    pass
        os.close(master)
        assert b"GPU 2.0/8.0 GiB 97 %" in said
        (bed.folder / "go").touch()
        until(lambda: not processes_of(bed), "nothing runs any more")


def test_attach_says_that_nobody_stays_with_the_run(bed: Bed) -> None:
    with launched(bed, make_plan(bed, GATED_RUN, NAME)) as launch:
        pid_of(bed, "loading")
        launch.send(signal.SIGKILL)
        launch.process.wait(60)
        with _command(bed, "attach", NAME) as attached:
            assert attached.stderr is not None
            said = attached.stderr.readline()
            go_on(bed)
            out, _ = attached.communicate(timeout=60)
    assert "the kl that launched it is gone; kl logs fox-v1s4 --kl" in said
    assert attached.returncode == 0 and "fox-v1s4 succeeded" in out


def test_attach_to_a_run_that_fails_and_is_removed_says_why(bed: Bed) -> None:
    script = GATED_RUN[: GATED_RUN.index("    bar(0, 4)")] + "    raise RuntimeError('no luck')\n"
    with launched(bed, make_plan(bed, script, NAME), detach=True) as foreground:
        assert foreground.process.wait(60) == 0
        pid_of(bed, "loading")
        with _command(bed, "attach", NAME) as attached:
            until(lambda: _sleeps_in(attached.pid, bed), "it looks at the run")
            go_on(bed)
            out, err = attached.communicate(timeout=60)
    assert attached.returncode == 1
    assert "RuntimeError: no luck" in err and "fox-v1s4 failed" in out and "removed" in out
    assert not (bed.root / NAME).exists()


def _sleeps_in(pid: int, bed: Bed) -> bool:
    """Whether a command has come so far that it waits: it has read the manifest then."""
    return psutil.Process(pid).status() == psutil.STATUS_SLEEPING and bool(processes_of(bed))


def test_ctrl_c_only_detaches(bed: Bed) -> None:
    with launched(bed, make_plan(bed, GATED_RUN, NAME), detach=True) as foreground:
        assert foreground.process.wait(60) == 0
        go_on(bed, "loading", "training")
        pid_of(bed, "saving")
        with _command(bed, "attach", NAME) as attached:
            assert attached.stderr is not None
            while "step 1/4" not in attached.stderr.readline():
                pass
            attached.send_signal(signal.SIGINT)
            _, err = attached.communicate(timeout=60)
        assert attached.returncode == 0
        assert "fox-v1s4 goes on" in err and "kl stop fox-v1s4 ends it" in err
        go_on(bed)
        assert _ended(bed) is Outcome.SUCCEEDED


def _command(bed: Bed, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        kl_words(*words), env=kl_environ(bed), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
