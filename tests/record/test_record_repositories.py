"""What repositories stand at, and where LyCORIS was installed from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from code_bed import git

from launcher.record.git import without_credentials
from launcher.record.installed import lycoris_folder, lycoris_from_url
from launcher.record.repositories import one_line, repository_at, repository_line


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "sd-scripts"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "dev/main")
    (folder / "a.py").write_text("1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def test_a_clean_repository(repository: Path) -> None:
    git(repository, "remote", "add", "other", "https://example.org/other")
    git(repository, "remote", "add", "origin", "https://me:ghp_secret@example.org/sd-scripts.git")
    (repository / "untracked.txt").write_text("x")
    record = repository_at("sd-scripts", repository)
    commit = git(repository, "rev-parse", "HEAD")
    assert (record.commit, record.branch, record.dirty, record.problem) == (commit, "dev/main", False, None)
    assert record.remote == "https://example.org/sd-scripts.git"
    assert repository_line(record) == f"{repository}: (dev/main) {commit}"


@pytest.mark.parametrize("staged", [False, True])
def test_a_changed_repository(repository: Path, staged: bool) -> None:
    (repository / "a.py").write_text("2\n")
    if staged:
        git(repository, "add", ".")
    index = (repository / ".git" / "index").read_bytes()
    assert repository_at("sd-scripts", repository).dirty is True
    assert (repository / ".git" / "index").read_bytes() == index


def test_a_detached_head(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    assert repository_line(repository_at("x", repository)).startswith(f"{repository}: (HEAD) ")


def test_a_linked_working_tree(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "tree"))
    record = repository_at("x", tmp_path / "tree")
    assert (record.branch, record.commit) == ("side", git(repository, "rev-parse", "HEAD"))


def test_nothing_committed_yet(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    record = repository_at("x", tmp_path)
    assert (record.commit, record.branch, record.problem) == (None, "main", None)
    assert repository_line(record) == f"{tmp_path}: (main) unknown"


def test_no_repository_and_a_damaged_one(tmp_path: Path, repository: Path) -> None:
    assert repository_at("x", tmp_path).problem == "not a git repository"
    (repository / ".git" / "HEAD").write_bytes(b"\xff\0")
    damaged = repository_at("x", repository)
    assert damaged.commit is None and damaged.problem


def test_without_git(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    record = repository_at("x", repository)
    assert record.commit in (commit, None) and record.dirty is None and record.problem


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://user:token@example.org/a.git", "https://example.org/a.git"),
        ("https://token@example.org/a@b.git", "https://example.org/a@b.git"),
        ("https://u:p@ss@example.org/a", "https://example.org/a"),
        ("https://example.org/a@b", "https://example.org/a@b"),
        ("https://u:p@example.org/a.git?access_token=abc", "https://example.org/a.git"),
        ("access 'https://example.org/a?private_token=b/': 403", "access 'https://example.org/a': 403"),
        ("/a/what? a path", "/a/what? a path"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
        ("/a/path", "/a/path"),
    ],
)
def test_credentials_are_left_out(url: str, clean: str) -> None:
    assert without_credentials(url) == clean


def test_a_newline_in_a_path_stays_in_its_line() -> None:
    assert one_line("/a\nb\\") == "/a\\nb\\\\"
    assert one_line("/a\\b") == "/a\\b"


def install(environment: Path, data: object) -> Path:
    information = environment / "lib" / "python3.11" / "site-packages" / "lycoris_lora-3.1.dist-info"
    information.mkdir(parents=True)
    (information / "direct_url.json").write_text(data if isinstance(data, str) else json.dumps(data))
    return environment / "bin" / "python"


def test_lycoris_as_an_editable_install(tmp_path: Path, repository: Path) -> None:
    odd = repository.rename(tmp_path / "my lycoris ü")
    python = install(tmp_path / "env", {"url": odd.as_uri(), "dir_info": {"editable": True}})
    assert lycoris_folder(python) == odd
    assert lycoris_from_url(python) is None


def test_lycoris_installed_from_a_repository(tmp_path: Path) -> None:
    url = "https://t0ken@example.org/LyCORIS"
    python = install(tmp_path, {"url": url, "vcs_info": {"vcs": "git", "commit_id": "b" * 40}})
    record = lycoris_from_url(python)
    assert record is not None
    assert (record.path, record.commit, record.remote) == (
        "https://example.org/LyCORIS", "b" * 40, "https://example.org/LyCORIS",
    )  # fmt: skip
    assert lycoris_folder(python) is None


def test_lycoris_copied_out_of_a_folder_is_none_of_a_repository(tmp_path: Path, repository: Path) -> None:
    python = install(tmp_path / "env", {"url": repository.as_uri(), "dir_info": {}})
    assert (lycoris_folder(python), lycoris_from_url(python)) == (None, None)


NONSENSE = ["", "[]", "{}", '{"url": 1, "dir_info": 2}', '{"url": "x", "vcs_info": 3}', "[" * 100_000,
            '{"url": "https://x", "vcs_info": {"commit_id": 3}}', '{"url": "file:///x", "dir_info": {"editable": 1}}',
            '{"url": "https://example.org/l.whl", "archive_info": {}}']  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE)
def test_lycoris_from_elsewhere_and_nonsense(tmp_path: Path, text: str) -> None:
    python = install(tmp_path, text)
    record = lycoris_from_url(python)
    assert lycoris_folder(python) is None
    assert record is None or record.commit is None


def test_no_lycoris(tmp_path: Path) -> None:
    python = tmp_path / "none" / "bin" / "python"
    assert (lycoris_folder(python), lycoris_from_url(python)) == (None, None)
