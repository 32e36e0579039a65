"""kl.log keeps what kl said, in bounds, and harms nothing where it cannot."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from launcher.run import kl_log
from launcher.run.directory import KL_LOG
from launcher.run.kl_log import KlLog
from launcher.run.screen import NullScreen, SafeScreen

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"


def test_each_text_is_a_line_with_its_time(tmp_path: Path) -> None:
    KlLog(tmp_path).write("saved model fox.safetensors (1 B)")
    KlLog(tmp_path).write("broke:\nTraceback\n  ZeroDivisionError\n")
    written = (tmp_path / KL_LOG).read_text("utf-8")
    assert re.fullmatch(rf"{TIME} saved model fox\.safetensors \(1 B\)\n{TIME} broke:\n  Trac.*\n    Zero.*\n", written)


def test_a_secret_that_the_trainer_printed_stays_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    KlLog(tmp_path).write("RuntimeError: 401 with 0123456789abcdef, 0123")
    assert (tmp_path / KL_LOG).read_text("utf-8").endswith(" RuntimeError: 401 with $WANDB_API_KEY, 0123\n")


def test_names_that_are_no_utf_8_are_escaped(tmp_path: Path) -> None:
    KlLog(tmp_path).write("saved sample \udcff.png")
    assert (tmp_path / KL_LOG).read_text("utf-8").endswith(" saved sample \\udcff.png\n")


def test_the_newest_lines_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kl_log, "LARGEST", 1000)
    for number in range(200):
        KlLog(tmp_path).write(f"text {number}")
        assert (tmp_path / KL_LOG).stat().st_size <= 1000
    lines = (tmp_path / KL_LOG).read_text("utf-8").splitlines()
    assert all(re.fullmatch(rf"{TIME} text \d+", line) for line in lines)
    assert [int(line.split()[-1]) for line in lines] == list(range(200 - len(lines), 200))
    assert len(lines) > 10


def test_of_a_long_text_the_end_is_kept(tmp_path: Path) -> None:
    KlLog(tmp_path).write("x" * 10_000_000 + "last word")
    written = (tmp_path / KL_LOG).read_bytes()
    assert len(written) < kl_log.LARGEST and written.endswith(b"last word\n")


def test_no_half_line_stays_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KlLog(tmp_path).write("whole")
    whole = (tmp_path / KL_LOG).read_bytes()
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, content: real(handle, content[:5]))
    KlLog(tmp_path).write("half")
    assert (tmp_path / KL_LOG).read_bytes() == whole


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "gone"])
def test_where_it_cannot_be_written_nothing_happens(tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    directory = tmp_path / "run"
    if kind != "gone":
        directory.mkdir()
    if kind == "link":
        (directory / KL_LOG).symlink_to(outside)
    elif kind == "fifo":
        os.mkfifo(directory / KL_LOG)
    elif kind == "folder":
        (directory / KL_LOG).mkdir()
    KlLog(directory).write("text")
    assert outside.read_bytes() == b"precious"
    assert directory.exists() == (kind != "gone")


def test_a_silent_screen_still_keeps_what_is_said(tmp_path: Path) -> None:
    screen = SafeScreen(NullScreen())
    screen.announce("before it has a run")
    screen.keep_in(KlLog(tmp_path))
    screen.announce("loss is nan")
    screen.go_silent()
    screen.announce("saved")
    screen.note("only here")
    lines = (tmp_path / KL_LOG).read_text("utf-8").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["loss is nan", "saved", "only here"]


def test_a_note_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    from launcher.run.screen import PlainScreen

    screen = SafeScreen(PlainScreen())
    screen.note("only in the file")
    screen.announce("shown")
    assert capsys.readouterr().err == "shown\n"
