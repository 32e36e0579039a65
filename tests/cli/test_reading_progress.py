"""The line that says what is read: after a while, on a terminal only, and gone at the end."""

from __future__ import annotations

import io
import time

import pytest

from launcher.cli import reading_progress as module


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_one_large_file_brings_the_line_up(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Terminal()
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    with module.reading_progress() as say:
        say("[b]base.safetensors\n")
        deadline = time.monotonic() + 20
        while "Reading '[b]base.safetensors\\n'" not in stderr.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "Reading '[b]base.safetensors\\n'" in stderr.getvalue()
    shown = len(stderr.getvalue())
    say("nothing more")
    assert len(stderr.getvalue()) == shown


def test_what_is_quick_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Terminal()
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setattr(module, "_PATIENCE", 3600.0)
    with module.reading_progress() as say:
        say("base.safetensors")
    assert stderr.getvalue() == ""


def test_without_a_terminal_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with module.reading_progress() as say:
        say("base.safetensors")
    assert capsys.readouterr().err == ""
