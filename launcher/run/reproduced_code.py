"""The code of a run that is to be trained once more: a folder for each of its repositories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.record.git import GitError, git
from launcher.record.manifest import Manifest, ManifestError, RepositoryRecord, read_manifest
from launcher.record.recreate import CannotRecreate, recreate
from launcher.record.reproduce_script import CHECKOUT

Sources = Mapping[str, Sequence[str]]


def lay_out_code(directory: Path, manifest: Manifest, *, allowed: bool) -> tuple[dict[str, Path], tuple[str, ...]]:
    """The folder of each repository by its name, and what is not as it was recorded.

    Each is a work tree of kl's own; with `allowed` also what comes nearest to it: the commit without its changes,
    else the repository's own folder. Without a folder for the checkout nothing can be trained.
    """
    found: dict[str, Path] = {}
    said: list[str] = []
    sources = dict(_other_places(manifest))
    for name in _names(manifest):
        try:
            found[name] = _recreated(manifest.repositories, name, directory, sources)
        except CannotRecreate as error:
            said.append(str(error))
            nearest = _nearest(manifest, name, directory, sources) if allowed else None
            if nearest is not None:
                found[name] = nearest.folder
                said.append(f"{name} is {nearest.said} in the new run")
    return found, tuple(said)


def left_out_code(manifest: Manifest, work_trees: Mapping[str, Path]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the patches have not: of code (changed files of the commit, and new ones in Python), and of other files."""
    code, others = [], []
    for record in manifest.repositories:
        folder = _folder_of(record, work_trees)
        for line in record.left_out:
            path, _, why = line.partition(": ")
            if folder is not None and (path.endswith(".py") or (folder / path).is_file() or _of_many(path, why)):
                code.append(f"changes of {record.name} are not in its patch: {line}")
            else:
                others.append(f"untracked files of {record.name} are not in its patch: {line}")
    return tuple(code), tuple(others)


def _of_many(path: str, why: str) -> bool:
    """Whether a line that stands for several files of a folder is about changed ones (work_tree.py)."""
    return path.endswith("/") and why.partition(": ")[2].startswith(("it holds", "what was committed holds"))


def _folder_of(record: RepositoryRecord, work_trees: Mapping[str, Path]) -> Path | None:
    """Where the repository lies: a submodule in the work tree that it is a part of."""
    for name, folder in work_trees.items():
        if record.name == name or (record.inside and record.name.startswith(f"{name}/")):
            return folder / record.name.removeprefix(name).removeprefix("/")
    return None


@dataclass(frozen=True)
class _Nearest:
    folder: Path
    said: str


def _names(manifest: Manifest) -> Iterator[str]:
    """The checkout, and what Python imports beside it. Submodules are a part of them."""
    yield CHECKOUT
    for record in manifest.repositories:
        if record.name != CHECKOUT and not record.inside and record.path.startswith("/"):
            yield record.name


def _recreated(records: Sequence[RepositoryRecord], name: str, directory: Path, sources: Sources) -> Path:
    place = recreate(records, name, directory, sources)
    remote = _named(records, name).remote
    if remote:
        with suppress(GitError):
            # The new run records where its code came from: this folder may be tidied away.
            git(place, "config", "remote.origin.url", remote)
    return place


def _nearest(manifest: Manifest, name: str, directory: Path, sources: Sources) -> _Nearest | None:
    commit_alone = [
        replace(each, tree=None, patch=None, dirty=False) for each in manifest.repositories if each.commit is not None
    ]
    record = _named(manifest.repositories, name)
    with suppress(CannotRecreate):
        folder = _recreated(commit_alone, name, directory, sources)
        return _Nearest(folder, f"commit {str(record.commit)[:12]} without changes")
    own = record.path or (manifest.trainer.checkout if name == CHECKOUT else "")
    return _Nearest(Path(own), f"{own} as it stands now") if own and Path(own).is_dir() else None


def _named(records: Sequence[RepositoryRecord], name: str) -> RepositoryRecord:
    return next((each for each in records if each.name == name), RepositoryRecord(name))


def _other_places(manifest: Manifest) -> Iterator[tuple[str, list[str]]]:
    """Where the run that this one repeats had its code."""
    if manifest.reproduces is None or not manifest.reproduces.directory:
        return
    try:
        before = read_manifest(Path(manifest.reproduces.directory))
    except (OSError, ManifestError):
        return
    for record in before.repositories:
        yield record.name, [place for place in (record.path, record.remote) if place]
