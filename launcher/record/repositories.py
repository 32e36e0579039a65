"""What the repositories behind a training stand at. Problems are recorded too: they never make a training fail."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.plan.secrets import names_a_secret
from launcher.record.git import GitError, git, without_credentials
from launcher.record.manifest import RepositoryRecord
from launcher.record.standing import Standing, root_of, standing_of
from launcher.record.untracked import Rules
from launcher.record.work_tree import uncommitted
from launcher.trainer.commit import head_commit

PATCHES = "patches"
_SHORTEST_SECRET = 8  # letters: a shorter value stands in any text
_NO_REPOSITORY = "not a git repository"


@dataclass(frozen=True)
class RecordedCode:
    """Repositories, submodules after the one they are in, and patches by their names in the run directory."""

    repositories: tuple[RepositoryRecord, ...]
    patches: Mapping[str, bytes]


def repository_at(name: str, folder: Path) -> RepositoryRecord:
    """Branch, commit, remote of the git repository that `folder` is in, and whether tracked files were changed."""
    try:
        standing = standing_of(folder, untracked=False)
        if standing is None:
            return RepositoryRecord(name, str(folder), problem=_NO_REPOSITORY)
        return replace(_facts(name, standing), dirty=_dirty(standing))
    except Exception as error:
        return _without_git(name, folder, error)


def record_code(named: Sequence[tuple[str, Path]]) -> RecordedCode:
    """The repositories that these folders are in, each once, with their uncommitted changes; and their submodules.

    The first folder's repository is the first record. Nothing is raised: what cannot be recorded is a `problem`.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only a launch needs it

    with ThreadPoolExecutor(max_workers=4) as pool:
        recorded = [
            found
            for several in pool.map(lambda each: _recorded(*each), _each_once(named))
            for found in several
        ]
    taken = {record.path for record, _ in recorded if record.inside}
    recorded = [(record, patch) for record, patch in recorded if record.inside or record.path not in taken]
    records: list[RepositoryRecord] = []
    patches: dict[str, bytes] = {}
    for record, patch in recorded:
        if patch:
            file = _patch_name(record.name, patches)
            patches[file] = patch
            record = replace(record, patch=file)  # noqa: PLW2901
        records.append(record)
    return RecordedCode(tuple(records), patches)


def commits_between(checkout: Path, a: str, b: str) -> tuple[int, int] | None:
    """How many commits `a` has that `b` has not, and the reverse; None when the checkout does not have both."""
    try:
        counts = git(checkout, "rev-list", "--left-right", "--count", "--end-of-options", f"{a}...{b}").split()
        return int(counts[0]), int(counts[1])
    except (GitError, OSError, ValueError, IndexError):
        return None


def commit_there(record: RepositoryRecord) -> bool | None:
    """Whether the repository still has the recorded commit; None when that cannot be asked."""
    if record.commit is None or root_of(Path(record.path)) is None:
        return None
    try:
        git(Path(record.path), "rev-parse", "--git-dir")
        found = git(Path(record.path), "cat-file", "--batch-check", stdin=f"{record.commit}^{{commit}}\n".encode())
    except (GitError, OSError):
        return None
    return found.rstrip().rpartition(b" ")[0].endswith(b" commit")


def repository_line(record: RepositoryRecord) -> str:
    """The line of a repository in repos.git: "PATH: (BRANCH) COMMIT"."""
    return f"{one_line(record.path)}: ({record.branch or 'no branch'}) {record.commit or 'unknown'}"


def one_line(path: str) -> str:
    """A path as it may stand in a line of repos.git: a newline in it is written as sha1sum writes it."""
    return path.replace("\\", "\\\\").replace("\n", "\\n") if "\n" in path else path


def _secrets(environ: Mapping[str, str], credentials: Mapping[str, str]) -> dict[str, bytes]:
    """What must not stand in a patch, by how it is called there."""
    values = {f"the value of {name}": value for name, value in environ.items() if names_a_secret(name)}
    values.update((f"the password in {key}", value) for key, value in credentials.items())
    return {name: os.fsencode(value) for name, value in values.items() if len(value) >= _SHORTEST_SECRET}


def _each_once(named: Sequence[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """Folders of one repository are one; two of the same name get numbers."""
    chosen: dict[Path, tuple[str, Path]] = {}
    names: set[str] = set()
    for name, folder in named:
        place = (root_of(folder) or folder).resolve()
        if place in chosen:
            continue
        number, own = 2, name
        while own in names:
            own, number = f"{name}-{number}", number + 1
        names.add(own)
        chosen[place] = (own, folder)
    return list(chosen.values())


Recorded = tuple[RepositoryRecord, bytes]


def _recorded(name: str, folder: Path, inside: str | None = None) -> list[Recorded]:
    """A repository with its submodules after it, each with its patch."""
    try:
        standing = standing_of(folder, untracked=True)
    except Exception as error:
        return [(replace(_without_git(name, folder, error), inside=inside), b"")]
    if standing is None:
        return [(RepositoryRecord(name, str(folder), problem=_NO_REPOSITORY, inside=inside), b"")]
    submodules = [
        found
        for path, place in _submodules(standing)
        for found in _recorded(f"{name}/{path}", place, inside=name)
    ]
    changed_below = any(record.dirty for record, _ in submodules)
    dirty = bool(standing.changes) or changed_below
    facts = replace(_facts(name, standing), dirty=dirty, inside=inside)
    try:
        found = uncommitted(standing, Rules(secrets=_secrets(os.environ, standing.credentials)))
    except Exception as error:
        problem = f"what was not committed could not be recorded: {_said(error)}"
        return [(replace(facts, problem=problem), b""), *submodules]
    return [(replace(facts, tree=found.tree, left_out=found.left_out), found.patch), *submodules]


def _submodules(standing: Standing) -> Iterator[tuple[str, Path]]:
    """Those that are checked out."""
    for path in map(os.fsdecode, standing.submodules):
        if (standing.root / path / ".git").exists():
            yield path, standing.root / path


def _facts(name: str, standing: Standing) -> RepositoryRecord:
    return RepositoryRecord(
        name, str(standing.root), standing.commit, standing.branch, remote=standing.remote, absent=standing.absent
    )


def _dirty(standing: Standing) -> bool:
    return bool(standing.changes) or any(repository_at(path, place).dirty for path, place in _submodules(standing))


def _without_git(name: str, folder: Path, error: Exception) -> RepositoryRecord:
    """What can be said of a repository without git."""
    commit = head_commit(root_of(folder) or folder)
    return RepositoryRecord(name, str(folder), commit, problem=f"git could not be asked: {_said(error)}")


def _patch_name(name: str, taken: Mapping[str, bytes]) -> str:
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "repository"
    file, number = f"{PATCHES}/{plain}.patch", 2
    while file in taken:
        file, number = f"{PATCHES}/{plain}-{number}.patch", number + 1
    return file


def _said(error: Exception) -> str:
    if isinstance(error, GitError):
        return str(error)
    return without_credentials(" ".join((str(error) or type(error).__name__).split())[:300])
