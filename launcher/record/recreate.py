"""The code of a run once more: a work tree of its own at the recorded commit, with the recorded changes.

It is made below the cache folder, whole or not at all. The user's checkout is only read from.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from launcher.base.files import sha256_of
from launcher.base.places import cache_folder
from launcher.base.words import some_of
from launcher.record.code_store import NotThere, locked, new_repository, store_with
from launcher.record.git import GitError, git
from launcher.record.manifest import RepositoryRecord
from launcher.record.standing import (
    GONE,
    LINK,
    PROGRAM,
    SUBMODULE,
    ask,
    filters_of,
    place_of,
    standing_of,
    without_filters,
)
from launcher.record.untracked import Rules
from launcher.record.work_tree import committed_contents, uncommitted

_EVERYTHING = Rules(
    file=math.inf,
    all=math.inf,
    count=math.inf,
    looked_at=math.inf,
    tracked_file=math.inf,
    tracked_all=math.inf,
    careful=False,
)
_PATIENCE = 120.0  # seconds for the files of one repository on a slow disk
_MOST_TREES = 100  # of one state: each was changed by somebody after it was made


class CannotRecreate(Exception):  # noqa: N818 - what it says
    """The recorded code cannot be had again. The text says why, in one sentence."""


@dataclass(frozen=True)
class _Part:
    """A repository and where it lies in the work tree: the main one in "", a submodule in its path."""

    record: RepositoryRecord
    path: str
    sources: tuple[str, ...]


def recreate(
    records: Sequence[RepositoryRecord], name: str, patches: Path, sources: Mapping[str, Sequence[str]]
) -> Path:
    """The work tree of the repository `name` and its submodules as they were recorded, in the user's cache.

    `patches` is the run directory, in which the patches have the names that the records say. `sources` are folders
    and URLs to look for a commit besides the recorded ones, by the name of the repository. A work tree that was made
    before is used again when it still is what was recorded. Raises CannotRecreate.
    """
    parts = list(_parts(records, name, sources))
    contents = {part.record.name: _patch(part.record, patches) for part in parts}
    home = cache_folder() / "work-trees"
    key = _key(parts, contents)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / f"{key}.lock"):
            return _sound(home, key, parts, contents)
    except GitError as error:
        raise CannotRecreate(f"The code of {name} cannot be laid out below {home}: {error}.") from None
    except OSError as error:
        why = f"{error.strerror or error}. XDG_CACHE_HOME names another cache folder"
        raise CannotRecreate(f"The code of {name} cannot be laid out below {home}: {why}.") from None


def _parts(
    records: Sequence[RepositoryRecord], name: str, sources: Mapping[str, Sequence[str]]
) -> Iterator[_Part]:
    """The repository, then its submodules, then theirs."""
    known = {record.name: record for record in records}
    main = known.get(name)
    if main is None:
        raise CannotRecreate(f"No repository {name} was recorded.")
    _check(main)
    yield (above := _Part(main, "", _sources(main, sources, ())))
    waiting = [above]
    while waiting:
        above = waiting.pop(0)
        for record in records:
            if record.inside != above.record.name or not record.name.startswith(f"{record.inside}/"):
                continue
            path = record.name[len(above.record.name) + 1 :]
            if any(word in ("", ".", "..", ".git") for word in path.split("/")):
                raise CannotRecreate(f"{path!r} is no path of a submodule.")
            _check(record)
            around = [place for source in above.sources for place in _within(source, path)]
            part = _Part(record, str(PurePosixPath(above.path) / path), _sources(record, sources, around))
            yield part
            waiting.append(part)


def _check(record: RepositoryRecord) -> None:
    if record.commit is None and record.tree is None:
        raise CannotRecreate(f"What {record.name} stood at was not recorded: {record.problem or 'nothing says why'}.")
    if record.tree is None and record.dirty is not False:
        raise CannotRecreate(f"{record.name} had changes that were not committed, and they were not recorded.")


def _sources(record: RepositoryRecord, more: Mapping[str, Sequence[str]], around: Sequence[str]) -> tuple[str, ...]:
    places = (record.path, *more.get(record.name, ()), *around, *([record.remote] if record.remote else []))
    return tuple(dict.fromkeys(places))


def _within(source: str, path: str) -> Iterator[str]:
    """Where a repository keeps its submodule, also while another commit without it is checked out."""
    for place in (Path(source) / path, Path(source) / ".git" / "modules" / path):
        if place.is_dir():
            yield str(place)


def _patch(record: RepositoryRecord, directory: Path) -> bytes:
    if record.patch is None:
        return b""
    try:
        return (directory / record.patch).read_bytes()
    except OSError as error:
        why = f"{record.patch} cannot be read: {error.strerror}"
        raise CannotRecreate(f"The changes of {record.name} are lost: {why}.") from None


def _key(parts: Sequence[_Part], contents: Mapping[str, bytes]) -> str:
    """The same for the same files, wherever they come from."""
    facts = [
        [part.path, part.record.commit, part.record.tree, sha256_of(contents[part.record.name])] for part in parts
    ]
    return sha256_of(json.dumps(facts).encode())[:24]


def _sound(home: Path, key: str, parts: Sequence[_Part], contents: Mapping[str, bytes]) -> Path:
    """A work tree that is as recorded. One that is not stays where it is: something may be running in it."""
    own = Path(parts[0].record.path).name.removesuffix(".git").strip(".") or "code"
    for number in range(1, _MOST_TREES):
        folder = home / (key if number == 1 else f"{key}-{number}") / own
        if not folder.parent.exists():
            _make(folder, parts, contents)
            return folder
        if _is_as_recorded(folder, parts):
            return folder
    raise CannotRecreate(f"Each of the {_MOST_TREES} work trees {home / key}-… was changed; remove some.")


def _is_as_recorded(folder: Path, parts: Sequence[_Part]) -> bool:
    try:
        return all(_stands(folder / part.path, part.record) for part in parts)
    except (GitError, OSError):
        return False


def _stands(folder: Path, record: RepositoryRecord) -> bool:
    if not (folder / ".git").is_dir():
        return False
    standing = standing_of(folder, untracked=True)
    if standing is None or standing.commit != record.commit or standing.absent > record.absent:
        return False
    found = uncommitted(standing, _EVERYTHING)
    committed = ask(folder, "rev-parse", f"{record.commit}^{{tree}}").decode().strip() if record.tree is None else ""
    return not found.left_out and found.tree == (record.tree or committed)


def _make(folder: Path, parts: Sequence[_Part], contents: Mapping[str, bytes]) -> None:
    """Under another name first, so that a work tree is whole or not there."""
    for left in folder.parent.parent.glob(f"{folder.parent.name}.*.partial"):
        shutil.rmtree(left, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.parent.name}.", suffix=".partial", dir=folder.parent.parent))
    try:
        for part in parts:
            _lay_out(partial / folder.name / part.path, part, contents[part.record.name])
        if not _is_as_recorded(partial / folder.name, parts):
            raise CannotRecreate(f"The files of {parts[0].record.name} are not as they were recorded.")
        partial.rename(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _lay_out(folder: Path, part: _Part, patch: bytes) -> None:
    record = part.record
    folder.mkdir(parents=True, exist_ok=True)
    if record.commit is None:
        git(folder.parent, "init", "-q", "--template=", str(folder))
    else:
        try:
            store = store_with(record.commit, part.sources, some_will_do=record.absent > 0)
        except NotThere as error:
            raise CannotRecreate(f"The commit {record.commit[:12]} of {record.name} cannot be had: {error}.") from None
        new_repository(folder, record.commit, store)
    quietly = without_filters(filters_of(folder))
    before = _checked_out(folder, record, quietly)
    if patch:
        _change(folder, record, before, patch)
    git(folder, *quietly, "update-index", "-q", "--refresh", patience=_PATIENCE, also_fine=(1,))


def _checked_out(folder: Path, record: RepositoryRecord, quietly: Sequence[str]) -> str:
    """Lay out the files of the commit; the hash of its tree."""
    if record.commit is None:
        return git(folder, "hash-object", "-w", "-t", "tree", "--stdin", stdin=b"").decode().strip()
    git(folder, "read-tree", record.commit)
    lost = _lost(folder)
    if len(lost) > record.absent:
        some = some_of(os.fsdecode(path) for path in lost)
        raise CannotRecreate(f"Files of {record.name}'s commit {record.commit[:12]} are nowhere to be had: {some}.")
    git(folder, "update-index", "-z", "--skip-worktree", "--stdin", stdin=b"".join(path + b"\0" for path in lost))
    git(folder, *quietly, "checkout-index", "-a", "-f", "-u", "-q", patience=_PATIENCE)
    return git(folder, "rev-parse", f"{record.commit}^{{tree}}").decode().strip()


def _lost(folder: Path) -> list[bytes]:
    """Files in the index whose content no source had: such as a sparse checkout of a partial clone leaves out."""
    entries = [entry.partition(b"\t") for entry in git(folder, "ls-files", "-z", "-s").split(b"\0") if entry]
    files = [(facts.split(b" ")[1], path) for facts, _, path in entries if not facts.startswith(SUBMODULE.encode())]
    names = b"".join(name + b"\n" for name, _ in files)
    answers = git(folder, "cat-file", "--batch-check", stdin=names, patience=_PATIENCE).splitlines()
    return [path for (_, path), answer in zip(files, answers, strict=True) if answer.endswith(b" missing")]


def _change(folder: Path, record: RepositoryRecord, before: str, patch: bytes) -> None:
    """Apply the patch to the index, then write the changed files as they stand there, through no conversion."""
    what = f"The changes of {record.name}, {record.patch},"
    try:
        git(folder, "apply", "--cached", "--binary", "--whitespace=nowarn", "-", stdin=patch, patience=_PATIENCE)
    except GitError as error:
        raise CannotRecreate(f"{what} cannot be applied to its commit: {error}.") from None
    after = git(folder, "write-tree", "--missing-ok").decode().strip()
    if record.tree is not None and after != record.tree:
        raise CannotRecreate(f"{what} do not give the recorded files.")
    words = git(folder, "diff-tree", "-r", "-z", "--raw", "--no-renames", before, after).split(b"\0")
    changes = [(facts.decode().split(" "), path) for facts, path in zip(words[::2], words[1::2], strict=False)]
    for _, path in changes:
        _remove(folder, path)
    written = [(facts[1], facts[3], path) for facts, path in changes if facts[1] != GONE]
    files = [each for each in written if each[0] != SUBMODULE]
    for (mode, _, path), content in zip(files, committed_contents(folder, [each[1] for each in files]), strict=True):
        _write(place_of(folder, path), mode, content)
    for mode, _, path in written:
        if mode == SUBMODULE:
            os.makedirs(place_of(folder, path), exist_ok=True)  # noqa: PTH103 - bytes


def _remove(folder: Path, path: bytes) -> None:
    """Remove a file, or the empty folder of a submodule, and the folders around it that are empty then."""
    place = place_of(folder, path)
    if os.path.isdir(place) and not os.path.islink(place):  # noqa: PTH112, PTH114 - bytes
        with suppress(OSError):
            os.rmdir(place)  # noqa: PTH106 - bytes
    else:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(place)  # noqa: PTH108 - bytes
    with suppress(OSError):
        while (path := path.rpartition(b"/")[0]) != b"":
            os.rmdir(place_of(folder, path))  # noqa: PTH106 - bytes


def _write(place: bytes, mode: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120 - bytes
    if mode == LINK:
        os.symlink(content, place)  # noqa: PTH211 - bytes
        return
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o777 if mode == PROGRAM else 0o666)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
