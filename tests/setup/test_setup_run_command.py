"""The programs of a set-up: their logs, what they are not given, and that they end with kl."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.setup.run_command import SETUP_VARIABLE, Stop, Stopped, alone, end_leftovers, run_command, stopping
from launcher.setup.step import Command


def _run(tmp_path: Path, text: str, stop: Stop | None = None) -> tuple[int, str]:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        code = run_command(Command((sys.executable, "-c", text), tmp_path), stream, tmp_path, stop or Stop())
    return code, log.read_text()


def test_what_it_prints_and_how_it_ends(tmp_path: Path) -> None:
    code, log = _run(tmp_path, "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)")
    assert code == 3 and log.startswith("$ ") and log.endswith("out\nerr\n")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as stream:
        assert run_command(Command(("/none/such",), tmp_path), stream, tmp_path, Stop()) == 127
    assert "error:" in (tmp_path / "log").read_text()


def test_variables_that_would_lead_elsewhere_are_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_TARGET", "GIT_DIR", "VIRTUAL_ENV", "PYTHONPATH"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mine.invalid/simple")
    code, log = _run(tmp_path, "import os, sys; print(sorted(os.environ)); print(sys.stdin.read() == '')")
    assert code == 0 and "'PIP_INDEX_URL'" in log and "'PIP_NO_INPUT'" in log and "True" in log
    assert not any(f"'{name}'" in log for name in ("PIP_TARGET", "GIT_DIR", "VIRTUAL_ENV", "PYTHONPATH"))


def test_credentials_are_not_logged(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as stream:
        words = (sys.executable, "-c", "pass", "--index-url", "https://me:secret@mine.invalid/simple")
        run_command(Command(words, tmp_path), stream, tmp_path, Stop())
    assert "secret" not in (tmp_path / "log").read_text() and "mine.invalid" in (tmp_path / "log").read_text()


def test_asked_to_stop_it_ends_all_that_was_started(tmp_path: Path) -> None:
    text = (
        "import subprocess, sys, pathlib, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        f"import os; os.kill({os.getpid()}, {int(signal.SIGTERM)})\n"
        "time.sleep(600)\n"
    )
    with stopping() as stop, pytest.raises(Stopped) as caught:
        _run(tmp_path, text, stop)
    assert caught.value.signal_number == signal.SIGTERM
    assert _ended(int((tmp_path / "pid").read_text()))
    with pytest.raises(Stopped):  # and nothing is started any more
        _run(tmp_path, "open('never', 'w')", stop)
    assert not (tmp_path / "never").exists()


def test_signals_mean_what_they_meant_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stopping():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_a_killed_kl_left_is_ended_and_nothing_else(tmp_path: Path) -> None:
    def started(state: Path) -> subprocess.Popen[bytes]:
        environ = {**os.environ, SETUP_VARIABLE: str(state)}
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=environ)

    mine, other = started(tmp_path / "a"), started(tmp_path / "b")
    try:
        limit = time.monotonic() + 60
        while end_leftovers(tmp_path / "a") == 0:  # it may not have its variables yet
            assert time.monotonic() < limit
        assert mine.wait(60) is not None and other.poll() is None
    finally:
        for process in (mine, other):
            process.kill()
            process.wait()


def test_one_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path / "x"):
        with pytest.raises(KlError) as caught, alone(tmp_path / "x"):
            pass
        assert caught.value.code is ExitCode.OUTPUT_UNAVAILABLE
        with alone(tmp_path / "y"):
            pass
    with alone(tmp_path / "x"):
        pass


def _ended(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() == psutil.STATUS_ZOMBIE or not psutil.wait_procs([process], timeout=60)[1]
    except psutil.NoSuchProcess:
        return True
