"""Repositories to record and to make again, and what stands in them to the byte."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from launcher.record.manifest import RepositoryRecord
from launcher.record.recreate import recreate
from launcher.record.repositories import RecordedCode, record_code

IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always")


def own_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home and a cache in `folder`, with none of the user's settings of git."""
    (folder / "home").mkdir()
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


def git(folder: Path, *words: str, stdin: bytes | None = None, **variables: str) -> str:
    done = subprocess.run(
        ["git", *IDENTITY, *words],
        cwd=folder, check=True, capture_output=True, input=stdin, env={**os.environ, **variables},
    )  # fmt: skip
    return os.fsdecode(done.stdout).strip()


def new_repository(folder: Path, files: Mapping[str, bytes] | None = None) -> Path:
    """A repository with one commit of these files."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for name, content in (files or {"a.py": b"1\n"}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    git(folder, "add", "-f", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def commit_all(folder: Path, message: str = "more") -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def listing(folder: Path) -> dict[Path, tuple[object, ...]]:
    """Everything below a folder, git's own files too, with times: what must not change."""
    return {
        path: (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, _content(path))
        for path in (folder, *folder.rglob("*"))
        for status in [path.lstat()]
    }


def files(folder: Path) -> dict[str, tuple[object, ...]]:
    """Every file of a work tree, and whether it is a program. Folders without files are not there, as in git."""
    return {
        str(path.relative_to(folder)): (path.is_symlink(), bool(path.lstat().st_mode & 0o100), _content(path))
        for path in folder.rglob("*")
        if ".git" not in path.relative_to(folder).parts and (path.is_symlink() or not path.is_dir())
    }


def tree_by_git(folder: Path, scratch: Path) -> str:
    """The tree of everything in a work tree, as git itself makes it, but for conversions, in a copy."""
    subprocess.run(["cp", "-a", str(folder), str(scratch)], check=True)
    (scratch / ".git" / "info").mkdir(exist_ok=True)
    (scratch / ".git" / "info" / "attributes").write_text("* -text -eol -ident -filter -working-tree-encoding\n")
    index = str(scratch / ".git" / "another-index")
    git(scratch, "add", "-A", "-f", ".", GIT_INDEX_FILE=index)
    return git(scratch, "write-tree", GIT_INDEX_FILE=index)


def recorded(folder: Path, run: Path, name: str = "sd-scripts") -> RecordedCode:
    """Record a repository; its patches lie in the run directory."""
    return laid_down(record_code([(name, folder)]), run)


def laid_down(code: RecordedCode, run: Path) -> RecordedCode:
    for patch, content in code.patches.items():
        (run / patch).parent.mkdir(parents=True, exist_ok=True)
        (run / patch).write_bytes(content)
    return code


def made_again(
    records: Sequence[RepositoryRecord], run: Path, sources: Mapping[str, Sequence[str]] | None = None
) -> Path:
    return recreate(records, "sd-scripts", run, sources or {})


def _content(path: Path) -> str | None:
    if path.is_symlink():
        return str(path.readlink())
    return None if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
