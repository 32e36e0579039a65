"""How kl ends when its own output cannot be written, and when kl itself is wrong."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.cli import main


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_stdout_is_one_message() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "launcher", "--version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 73
    assert done.stderr == "error: The disk is full: standard output\n"


@pytest.mark.parametrize("error", [RuntimeError("oops"), OSError(errno.EPERM, "oops")])
def test_a_bug_of_kl_ends_with_70_and_says_so(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr(main, "_command", fail)
    assert main.run(["plan", "fox"]) == 70
    shown = capsys.readouterr().err
    assert "oops" in shown
    assert "bug in kl" in shown
