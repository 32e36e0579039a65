"""The screen that shows what the trainer prints."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from launcher.run.echo import EchoScreen

DEADLINE = 30.0


def test_the_log_is_shown_byte_for_byte(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "sdscripts.log"
    screen = EchoScreen(log)
    screen.begin()  # the log is not there yet
    log.write_bytes(b"first\nsteps: 10%\rsteps: 20%")
    shown = ""
    end = time.monotonic() + DEADLINE
    while "20%" not in shown and time.monotonic() < end:
        shown += capfd.readouterr().out
        time.sleep(0.01)
    screen.announce("saved")
    with log.open("ab") as file:
        file.write(b"\rsteps: 30%\nlast \xff line")
    screen.close()
    rest = capfd.readouterr()
    assert shown == "first\nsteps: 10%\rsteps: 20%"
    assert rest.err == "\nsaved\n"  # not in the line of the bar
    assert rest.out == "\rsteps: 30%\nlast � line\n"


def test_a_log_that_is_another_runs_is_not_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "sdscripts.log"
    log.write_text("of another run\n")
    screen = EchoScreen(log)
    screen.announce("refused")
    screen.close()
    assert capfd.readouterr() == ("", "refused\n")


def test_a_log_that_is_gone_is_no_reason_to_fail(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    screen = EchoScreen(tmp_path / "nothing")
    screen.begin()
    screen.close()
    assert capfd.readouterr() == ("", "")


def test_a_reader_who_has_gone_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    before = os.dup(1)
    os.dup2(writing, 1)
    try:
        log = tmp_path / "sdscripts.log"
        log.write_text("text\n")
        screen = EchoScreen(log)
        screen.begin()
        screen.close()
    finally:
        os.dup2(before, 1)
        for handle in (before, writing):
            os.close(handle)
