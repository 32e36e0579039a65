"""What the repositories behind a training stand at. Problems are recorded too: they never make a training fail."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from launcher.record.manifest import RepositoryRecord

_PATIENCE = 5.0  # seconds that one question to git may take; a checkout on a slow disk must not hold up a training


def repository_at(name: str, folder: Path) -> RepositoryRecord:
    """Branch, commit, remote of the git repository whose root is `folder`, and whether tracked files were changed."""
    if not (folder / ".git").exists():
        return RepositoryRecord(name, str(folder), problem="not a git repository")
    try:
        git = _import_git()
        with git.Repo(folder) as repository:
            return _facts(name, folder, repository)
    except Exception as error:
        return RepositoryRecord(name, str(folder), problem=_said(error))


def without_credentials(url: str) -> str:
    """The URL of a remote, or a text with URLs in it, without names, passwords and tokens before a host."""
    return re.sub(r"([a-zA-Z][\w+.-]*://)[^/\s]*@", r"\1", url)


def repository_line(record: RepositoryRecord) -> str:
    """The line of a repository in repos.git: "PATH: (BRANCH) COMMIT"."""
    return f"{one_line(record.path)}: ({record.branch or 'no branch'}) {record.commit or 'unknown'}"


def one_line(path: str) -> str:
    """A path as it may stand in a line of repos.git: a newline in it is written as sha1sum writes it."""
    return path.replace("\\", "\\\\").replace("\n", "\\n") if "\n" in path else path


def _import_git() -> ModuleType:
    """Import GitPython only now; without a `git` command it would print a page of advice."""
    before = os.environ.get("GIT_PYTHON_REFRESH")
    os.environ["GIT_PYTHON_REFRESH"] = "quiet"
    try:
        import git  # noqa: PLC0415
    finally:
        del os.environ["GIT_PYTHON_REFRESH"]  # the trainer inherits the variables
        if before is not None:
            os.environ["GIT_PYTHON_REFRESH"] = before
    return git


def _facts(name: str, folder: Path, repository: Any) -> RepositoryRecord:
    try:
        commit: str | None = repository.head.commit.hexsha
    except ValueError:  # nothing committed yet
        commit = None
    branch = "HEAD" if repository.head.is_detached else str(repository.head.ref.name)
    problem = None
    dirty: bool | None = None
    try:
        # One question for what GitPython's is_dirty() asks three for. The index is the user's: it is not refreshed.
        with repository.git.custom_environment(GIT_OPTIONAL_LOCKS="0"):
            changed = repository.git.status(
                "--porcelain", "--untracked-files=no", "--ignore-submodules=none", kill_after_timeout=_PATIENCE
            )
        dirty = bool(changed)
    except Exception as error:
        problem = f"whether files were changed is not known: {_said(error)}"
    return RepositoryRecord(name, str(folder), commit, branch, dirty, _remote(repository), problem)


def _remote(repository: Any) -> str | None:
    remotes = {remote.name: remote for remote in repository.remotes}
    remote = remotes.get("origin") or next(iter(remotes.values()), None)
    try:
        return without_credentials(remote.url) if remote is not None else None
    except Exception:
        return None


def _said(error: Exception) -> str:
    text = getattr(error, "stderr", None) or str(error) or type(error).__name__
    return without_credentials(" ".join(str(text).split())[:300])
