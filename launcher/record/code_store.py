"""Commits that runs were made with, in a bare repository of kl's own: fetched from wherever one is, and kept."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.base.files import sha1_of, write_whole
from launcher.base.places import cache_folder
from launcher.record.git import GitError, git, without_credentials
from launcher.record.standing import root_of

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PATIENCE = 600.0  # seconds for one fetch: over a slow line sd-scripts takes some
_KEPT = "refs/kl"
_QUIET = ("-c", "gc.auto=0", "-c", "maintenance.auto=false")  # nothing that was kept is ever tidied away


class NotThere(Exception):  # noqa: N818 - what it says
    """No source has the commit. The text says what was wrong with each."""


def store_with(commit: str, sources: Iterable[str], *, some_will_do: bool) -> Path:
    """The repository of kl's own with this commit in it, taken from the first source that has it.

    A source is a folder or a URL. A folder may have the commit on no branch; it is only read. Where no source has all
    files of the commit (a folder may be a partial clone), those that one has are there; with `some_will_do` it is
    not looked further then. Raises NotThere, and GitError when kl's own repository cannot be made or used.
    """
    if not _HASH.fullmatch(commit):
        raise NotThere(f"{commit!r} is not a commit")
    folder = cache_folder() / "repositories"
    folder.mkdir(parents=True, exist_ok=True)
    kind = "sha256" if len(commit) == 64 else "sha1"
    whole, partial = folder / f"{kind}.git", folder / f"{kind}-partial.git"
    with locked(folder / f"{kind}.lock"):
        if _has(whole, commit):
            return whole
        if some_will_do and _has(partial, commit):
            return partial
        return _taken(commit, sources, whole, partial, some_will_do=some_will_do)


def new_repository(folder: Path, commit: str, store: Path) -> None:
    """Make an empty repository that stands at this commit of the store. Its work tree has no files yet.

    Raises GitError, OSError.
    """
    git(folder.parent, "init", "-q", "--template=", *_format(len(commit) == 64), str(folder))
    (folder / ".git" / "objects" / "info").mkdir(exist_ok=True)
    alternates = str(store / "objects")
    (folder / ".git" / "objects" / "info" / "alternates").write_bytes(os.fsencode(alternates) + b"\n")
    shallow = store / "shallow"
    if shallow.exists() and commit in shallow.read_text("ascii").split():
        (folder / ".git" / "shallow").write_text(f"{commit}\n", "ascii")  # its parents are not there
    git(folder, "update-ref", "--no-deref", "HEAD", commit)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; another kl waits here until it is free. Raises OSError when there can be none."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _format(of_64: bool) -> tuple[str, ...]:
    return ("--object-format=sha256",) if of_64 else ()  # an older git knows no such word


def _has(store: Path, commit: str) -> bool:
    """Whether a store, which may not be there yet, has the commit for good."""
    if not (store / "HEAD").exists():
        git(store.parent, "init", "-q", "--bare", "--template=", *_format(len(commit) == 64), str(store))
    return _knows(store, f"{_KEPT}/{commit}")


def _knows(store: Path, name: str) -> bool:
    try:
        git(store, "--git-dir=.", "cat-file", "-e", f"{name}^{{commit}}")
    except GitError:
        return False
    return True


def _taken(commit: str, sources: Iterable[str], whole: Path, partial: Path, *, some_will_do: bool) -> Path:
    problems = []
    for source in dict.fromkeys(sources):
        try:
            if not Path(source).is_dir():
                _fetch(whole, commit, source)
                return whole
            there, missing = _objects(commit, Path(source))
            if not missing:
                _copy(commit, there, Path(source), whole)
                return whole
            if some_will_do or not _has(partial, commit):
                _copy(commit, there, Path(source), partial)
            if some_will_do:
                return partial
        except GitError as error:
            problems.append(f"{without_credentials(source)}: {error}")
    if _has(partial, commit):
        return partial
    raise NotThere("; ".join(problems) or "nothing says where to look for it")


def _asked(folder: Path, *words: str, stdin: bytes | None = None) -> bytes:
    """What git says about the repository of a folder: a work tree, or git's own files, whose work tree may be gone."""
    if (folder / "HEAD").is_file() and (folder / "objects").is_dir():
        words = ("--git-dir=.", "--work-tree=.", *words)
    else:
        folder = root_of(folder) or folder
    return git(folder, *words, stdin=stdin, patience=_PATIENCE)


def _objects(commit: str, folder: Path) -> tuple[list[bytes], bool]:
    """What a repository has of a commit without its history, and whether something is missing there."""
    try:
        _asked(folder, "cat-file", "-e", f"{commit}^{{commit}}")
    except GitError as error:
        raise GitError("has no such commit" if "Not a valid object" in str(error) else str(error)) from None
    words = ("rev-list", "--objects", "--no-object-names", "--missing=print", "--max-count=1", commit)
    listed = _asked(folder, *words).splitlines()
    there = [name for name in listed if not name.startswith(b"?")]
    return there, len(there) < len(listed)


def _copy(commit: str, names: Iterable[bytes], folder: Path, store: Path) -> None:
    words = ("pack-objects", "--stdout", "--quiet", "--window=0", "--delta-base-offset")
    listed = b"".join(name + b"\n" for name in names)
    pack = _asked(folder, *words, stdin=listed)
    git(store, "--git-dir=.", "index-pack", "--stdin", stdin=pack, patience=_PATIENCE)
    shallow = store / "shallow"
    known = shallow.read_text("ascii").split() if shallow.exists() else []
    write_whole(shallow, "".join(f"{each}\n" for each in dict.fromkeys([*known, commit])).encode())
    git(store, "--git-dir=.", "update-ref", f"{_KEPT}/{commit}", commit)


def _fetch(store: Path, commit: str, source: str) -> None:
    """Only this commit, without its history. A server that gives out branches alone is asked for all of them."""
    if source.startswith(("/", ".", "~", "-")) or ":" not in source:
        raise GitError("is not there")
    words = ("--git-dir=.", *_QUIET, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
    try:
        git(store, *words, "--depth=1", "--", source, f"+{commit}:{_KEPT}/{commit}", patience=_PATIENCE)
    except GitError:
        place = f"refs/sources/{sha1_of(os.fsencode(source))}"
        wanted = (f"+refs/heads/*:{place}/heads/*", f"+refs/tags/*:{place}/tags/*")
        git(store, *words, "--", source, *wanted, patience=_PATIENCE)
        if not _knows(store, commit):
            raise GitError("has no such commit") from None
        git(store, "--git-dir=.", "update-ref", f"{_KEPT}/{commit}", commit)
