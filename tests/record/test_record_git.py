"""git as a command: its errors, its time, its credentials."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from launcher.record.git import GitError, git


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    """A program of the name git in the PATH."""
    program = folder / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program


def test_its_answer_and_its_refusal(tmp_path: Path) -> None:
    assert git(tmp_path, "hash-object", "--stdin", stdin=b"").startswith(b"e69de29")
    with pytest.raises(GitError, match="not a git repository"):
        git(tmp_path, "status")
    with pytest.raises(GitError, match="is not there"):
        git(tmp_path / "none", "status")


def test_its_exit_code_may_be_an_answer(tmp_path: Path) -> None:
    words = ("config", "--file", os.devnull, "--get", "a.b")
    assert git(tmp_path, *words, also_fine=(1,)) == b""
    with pytest.raises(GitError, match="git config ended with 1"):
        git(tmp_path, *words)


def test_one_that_does_not_answer_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, f"sleep 600 & echo $! >{tmp_path}/child; wait")
    with pytest.raises(GitError, match=r"git status took longer than 0.5 seconds"):
        git(tmp_path, "status", patience=0.5)
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 30
    while psutil.pid_exists(child) and time.monotonic() < until:
        time.sleep(0.01)
    assert not psutil.pid_exists(child)


def test_credentials_in_a_complaint_are_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, "echo 'fatal: https://me:ghp_secret@example.org/x not found' >&2; exit 128")
    with pytest.raises(GitError) as caught:
        git(tmp_path, "fetch")
    assert str(caught.value) == "fatal: https://example.org/x not found"


def test_it_cannot_ask_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, 'cat; (echo x >/dev/tty) 2>/dev/null && echo terminal; echo "$GIT_TERMINAL_PROMPT"')
    assert git(tmp_path, "fetch") == b"0\n"


def test_a_git_that_reads_nothing_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, "exec 0<&-; echo done")
    assert git(tmp_path, "apply", stdin=b"x" * (1 << 20)) == b"done\n"


def test_what_reaches_others_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, "env")
    for name in ("GIT_SSH_COMMAND", "GIT_CONFIG_GLOBAL", "GIT_DIR", "GIT_INDEX_FILE", "GIT_AUTHOR_NAME"):
        monkeypatch.setenv(name, "given")
    found = {line.partition(b"=")[0] for line in git(tmp_path, "x").splitlines() if line.endswith(b"=given")}
    assert found == {b"GIT_SSH_COMMAND", b"GIT_CONFIG_GLOBAL"}
