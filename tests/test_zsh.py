"""zsh/_kl, the completion: the text that kl itself gives out, and what it does in a real zsh."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from launcher.base.places import shipped_folder

FILE = shipped_folder("zsh") / "_kl"
REGISTERS = "compdef _kl_completion kl"  # the last line of typer's text; an autoloaded file must complete at once too
BIN = Path(sys.executable).parent


def test_the_completion_is_the_one_that_kl_gives_out() -> None:
    environment = {**os.environ, "_KL_COMPLETE": "source_zsh"}
    given = subprocess.run(
        [sys.executable, "-m", "launcher"], env=environment, capture_output=True, text=True, check=False
    )
    assert given.returncode == 0, given.stderr
    given_lines = given.stdout.split()
    assert given_lines[-3:] == REGISTERS.split()
    ours = FILE.read_text("utf-8").split()
    assert ours[: len(given_lines) - 3] == given_lines[:-3]
    assert REGISTERS in FILE.read_text("utf-8")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
@pytest.mark.skipif(not (BIN / "kl").exists(), reason="needs kl to be installed beside this Python")
def test_the_first_tab_completes_a_command(tmp_path: Path) -> None:
    environment = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "TERM": "dumb",
        "HOME": str(tmp_path),
        "ZDOTDIR": str(tmp_path),
        "LC_ALL": "C.UTF-8",
    }
    shell = pexpect.spawn("zsh", ["-f", "-i"], env=environment, encoding="utf-8", dimensions=(40, 120), timeout=30)
    try:
        shell.sendline(f"PS1='ready> '; fpath=({FILE.parent} $fpath)")
        shell.sendline("autoload -Uz compinit; compinit -u -D; echo on''ce")
        shell.expect_exact("once")
        shell.expect_exact("ready> ")
        shell.send("kl opti\t")
        shell.expect_exact("ons ")
    finally:
        shell.close(force=True)
