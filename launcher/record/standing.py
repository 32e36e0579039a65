"""Where a git repository stands: its commit, and which of its files are otherwise than committed. Only looks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.record.git import GitError, git, without_credentials

GONE, LINK, SUBMODULE, FILE, PROGRAM = "000000", "120000", "160000", "100644", "100755"  # git's modes of files


@dataclass(frozen=True)
class Change:
    """A tracked file that is otherwise than in HEAD. `mode` is as it stands, GONE when it does not.

    `committed` is the hash of what HEAD has, None where it has no such file.
    """

    path: bytes
    mode: str
    committed: str | None


@dataclass(frozen=True)
class Standing:
    """A repository at one moment. `untracked` are files, and with a slash at the end folders that have some.

    `hidden` are tracked files with a flag by which git does not look at them (assume-unchanged, skip-worktree), and
    `absent` how many of the second kind are not there: a sparse checkout has such.
    `filters` are the programs through which git would send files, by their names in the configuration; none is run.
    """

    root: Path
    objects: Path
    commit: str | None
    branch: str
    remote: str | None
    filters: tuple[str, ...]
    changes: tuple[Change, ...]
    untracked: tuple[bytes, ...]
    hidden: tuple[Change, ...]
    absent: int
    submodules: tuple[bytes, ...]
    credentials: Mapping[str, str]  # that its configuration holds, by the key of the setting; never written down
    keeps_modes: bool  # False: core.fileMode says that this file system knows no programs


def root_of(folder: Path) -> Path | None:
    """The root of the repository that has `folder` in it, as git finds it."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - a link to a checkout keeps the name it has
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)


def standing_of(folder: Path, *, untracked: bool) -> Standing | None:
    """Where the repository of a folder stands. None when there is none, or it has no file of the folder.

    Raises GitError when git cannot say.
    """
    root = root_of(folder)
    if root is None or not _belongs(root, folder):
        return None
    objects = root / os.fsdecode(ask(root, "rev-parse", "--git-path", "objects").removesuffix(b"\n"))
    settings = _settings(root)
    standing = _status(root, objects, _filters(settings), untracked=untracked)
    hidden, absent, submodules = _index(root)
    modes = settings.get("core.filemode", "true").lower() not in ("false", "no", "off", "0")
    return replace(
        standing,
        remote=_remote(settings),
        hidden=hidden,
        absent=absent,
        submodules=submodules,
        credentials=dict(_credentials(settings)),
        keeps_modes=modes,
    )


def ask(root: Path, *words: str, stdin: bytes | None = None, also_fine: Sequence[int] = ()) -> bytes:
    """What git answers about the repository with this root, and never about one around it. Raises GitError."""
    return git(root, *words, stdin=stdin, variables={"GIT_CEILING_DIRECTORIES": str(root.parent)}, also_fine=also_fine)


def place_of(root: Path, path: bytes) -> bytes:
    """Where a file is that git names with its own path, which need not be text."""
    return os.path.join(os.fsencode(root), path)  # noqa: PTH118 - bytes


def filters_of(root: Path) -> tuple[str, ...]:
    """The names of the filters that are configured for a repository. Raises GitError."""
    return _filters(_settings(root))


def _filters(settings: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key[7:].rpartition(".")[0] for key in settings if key.startswith("filter.")))


def without_filters(names: Sequence[str]) -> list[str]:
    """Words for git by which it runs none of these filters: files come and go as they are."""
    words = []
    for name in names:
        if "=" in name:
            raise GitError(f"the filter {name} has a name that cannot be written")
        for key, value in (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false")):
            words += ["-c", f"filter.{name}.{key}={value}"]
    return words


def _belongs(root: Path, folder: Path) -> bool:
    """A folder inside a repository that has none of its files, such as a home folder's, is not of that repository."""
    if (folder / ".git").exists():
        return True
    inside = os.path.relpath(folder.absolute(), root)
    return bool(ask(root, "--literal-pathspecs", "ls-files", "-z", "--", inside))


def _settings(root: Path) -> dict[str, str]:
    """The configuration. Sections and the last words of keys are lowercase."""
    listed = ask(root, "config", "--list", "-z")
    pairs = (os.fsdecode(entry).partition("\n") for entry in listed.split(b"\0") if entry)
    return {key: value if separator else "true" for key, separator, value in pairs}


def _remote(settings: Mapping[str, str]) -> str | None:
    """The URL of "origin", else of another remote."""
    urls = {key: url for key, url in settings.items() if key.startswith("remote.") and key.endswith(".url")}
    url = urls.get("remote.origin.url") or next(iter(urls.values()), None)
    return None if url is None else without_credentials(url)


_LONG_USER = 20  # letters: it is a token, as in https://TOKEN:x-oauth-basic@…


def _credentials(settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Passwords and tokens in URLs and headers: `git submodule add` writes such a URL into .gitmodules too."""
    for key, value in settings.items():
        found = re.search(r"://([^/\s]*)@", value)
        if found:
            user, _, password = found[1].partition(":")
            yield key, password or user
            if len(user) >= _LONG_USER:
                yield f"{key}'s user", user
        for name, given in re.findall(r"[?&]([^=&\s]*)=([^&\s]+)", value if "://" in value else ""):
            yield f"{key}'s {name}", given
        if key.endswith(".extraheader"):
            yield key, value.rpartition(" ")[2]


def _status(root: Path, objects: Path, filters: Sequence[str], *, untracked: bool) -> Standing:
    """`git status`, whose second porcelain form is stable (git-status(1))."""
    how = ["--no-renames", "--no-ahead-behind", "--ignore-submodules=dirty"]
    how.append(f"--untracked-files={'normal' if untracked else 'no'}")
    answer = ask(root, *without_filters(filters), "status", "--porcelain=v2", "--branch", "-z", *how)
    facts: dict[str, str] = {}
    changes, others = [], []
    for entry in answer.split(b"\0"):
        kind, _, rest = entry.partition(b" ")
        if kind == b"#":
            key, _, value = os.fsdecode(rest).partition(" ")
            facts[key] = value
        elif kind == b"?":
            others.append(rest)
        elif kind == b"1":  # XY sub mH mI mW hH hI path
            words = rest.split(b" ", 7)
            changes.append(Change(words[7], words[4].decode(), _hash(words[5])))
        elif kind == b"u":  # a conflict: XY sub m1 m2 m3 mW h1 h2 h3 path; what HEAD has is "ours", the second
            words = rest.split(b" ", 9)
            changes.append(Change(words[9], words[5].decode(), _hash(words[7])))
    commit = facts.get("branch.oid", "(initial)")
    head = facts.get("branch.head", "(detached)")
    return Standing(
        root,
        objects,
        None if commit == "(initial)" else commit,
        "HEAD" if head == "(detached)" else head,
        None,
        tuple(filters),
        tuple(changes),
        tuple(others),
        (),
        0,
        (),
        {},
        keeps_modes=True,
    )


def _hash(text: bytes) -> str | None:
    return text.decode() if text.strip(b"0") else None


def _index(root: Path) -> tuple[tuple[Change, ...], int, tuple[bytes, ...]]:
    """Tracked files that git does not look at, as the index has them; how many more are absent; and submodules."""
    hidden, submodules = [], []
    absent = 0
    for tag, mode, of_index, path in _entries(ask(root, "ls-files", "-z", "-v", "-s")):
        if mode == SUBMODULE:
            submodules.append(path)
        elif tag in "Ss" and not os.path.lexists(place_of(root, path)):
            absent += 1
        elif tag == "S" or tag.islower():
            hidden.append(Change(path, mode, of_index))
    return tuple(hidden), absent, tuple(dict.fromkeys(submodules))


def _entries(listed: bytes) -> Iterator[tuple[str, str, str, bytes]]:
    for entry in listed.split(b"\0"):
        facts, separator, path = entry.partition(b"\t")
        if separator:
            tag, mode, of_index, _ = facts.decode("ascii").split(" ")
            yield tag, mode, of_index, path
