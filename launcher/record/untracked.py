"""Untracked files of a repository: which of them go into its patch. Some do not, and it is said why."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISLNK, S_ISREG

from launcher.base.words import counted
from launcher.record.standing import ask, place_of

_MIB = 1 << 20
_SECRET_NAMES = re.compile(r"\.env.*|.*\.pem|.*\.key|id_.*|.*token.*|.*secret.*|.*credentials.*", re.DOTALL)
_SECRET_WORDS = {"token", "tokens", "secret", "secrets", "credentials"}
_MOST_LINES = 50  # of what was left out


@dataclass(frozen=True)
class Rules:
    """What goes into a patch. Sizes are in bytes; `looked_at` is how much may lie in one untracked folder.

    `secrets` are values that must not stand in a patch, by how each is called ("the value of WANDB_API_KEY").
    """

    file: float = _MIB
    all: float = 8 * _MIB
    count: float = 1000
    looked_at: float = 5000
    tracked_file: float = 8 * _MIB
    tracked_all: float = 16 * _MIB
    careful: bool = True  # files whose names say that they hold secrets, or that go through filters, stay out
    secrets: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """A file, or with a slash at the end a folder, that the patch has not."""

    path: bytes
    why: str


def find_untracked(root: Path, listed: Iterable[bytes], rules: Rules) -> tuple[list[bytes], list[LeftOut]]:
    """The untracked files within the rules, code first, out of what `git status` lists: files and whole folders.

    Raises GitError.
    """
    found: list[bytes] = []
    left_out: list[LeftOut] = []
    for path in listed:
        if path.endswith(b"/"):
            inside, without = _inside(root, path, rules)
            found += inside
            left_out += without
        elif not _is_bytecode(path):
            found.append(path)
    chosen, without = _within(root, sorted(found, key=_rank), rules)
    return chosen, left_out + without


def may_hold_secrets(path: bytes) -> bool:
    """Whether the name of a file says so. Of Python's own files only a whole word does: tokenizer.py holds none."""
    name = os.fsdecode(path.rpartition(b"/")[2]).lower()
    if name.endswith(".py"):
        return bool(_SECRET_WORDS & set(re.split(r"[^a-z]+", name)))
    return _SECRET_NAMES.fullmatch(name.replace("tokeniz", "").replace("tokenis", "")) is not None


def lines_of(left_out: Sequence[LeftOut]) -> tuple[str, ...]:
    """One line for each, "PATH: why"; many in one folder with the same reason together."""
    groups: dict[tuple[bytes, str], list[bytes]] = {}
    for each in left_out:
        folder = each.path.partition(b"/")[0] if b"/" in each.path.rstrip(b"/") else b""
        groups.setdefault((folder, each.why), []).append(each.path)
    lines = []
    for (folder, why), paths in groups.items():
        if len(paths) > 3 and folder:
            lines.append(f"{_shown(folder)}/: {counted(len(paths), 'file')}: {why}")
        else:
            lines += [f"{_shown(path)}: {why}" for path in paths]
    more = len(lines) - _MOST_LINES
    return (*lines[:_MOST_LINES], *([f"and {more} more"] if more > 0 else ()))


def size_of(number: float) -> str:
    """A size as it is said of files here: "1.5 MiB"."""
    return f"{number / _MIB:.3g} MiB"


def _shown(path: bytes) -> str:
    return os.fsdecode(path).replace("\n", "\\n")


def _is_bytecode(path: bytes) -> bool:
    return path.endswith((b".pyc", b".pyo"))


def _rank(path: bytes) -> tuple[bool, int, bytes]:
    return (not path.endswith(b".py"), path.count(b"/"), path)


def _inside(root: Path, folder: bytes, rules: Rules) -> tuple[list[bytes], list[LeftOut]]:
    """The files of an untracked folder that are not ignored, level by level: an ignored folder is not entered."""
    files: list[bytes] = []
    left_out: list[LeftOut] = []
    level, seen = [folder], 0
    while level:
        level = _not_ignored(root, level)
        below: list[bytes] = []
        for each in level:
            if os.path.lexists(place_of(root, each + b".git")):
                left_out.append(LeftOut(each, "a git repository of its own"))
                continue
            try:
                with os.scandir(place_of(root, each)) as entries:
                    for entry in entries:
                        seen += 1
                        if seen > rules.looked_at:
                            return [], [LeftOut(folder, f"more than {rules.looked_at:.0f} files")]
                        if entry.is_dir(follow_symlinks=False):
                            below += [each + entry.name + b"/"] if entry.name != b"__pycache__" else []
                        elif not _is_bytecode(entry.name):
                            files.append(each + entry.name)
            except OSError as error:
                left_out.append(LeftOut(each, f"cannot be read: {error.strerror}"))
        level = below
    return _not_ignored(root, files), left_out


def _not_ignored(root: Path, paths: list[bytes]) -> list[bytes]:
    if not paths:
        return []
    listed = b"".join(b"./" + path + b"\0" for path in paths)  # a name that begins with a colon is no pattern so
    ignored = set(ask(root, "check-ignore", "-z", "--stdin", stdin=listed, also_fine=(1,)).split(b"\0"))
    return [path for path in paths if b"./" + path not in ignored]


def _within(root: Path, paths: Iterable[bytes], rules: Rules) -> tuple[list[bytes], list[LeftOut]]:
    chosen: list[bytes] = []
    left_out: list[LeftOut] = []
    total = 0
    for path in paths:
        try:
            status = os.lstat(place_of(root, path))
        except OSError as error:
            left_out.append(LeftOut(path, f"cannot be read: {error.strerror}"))
            continue
        if not (S_ISREG(status.st_mode) or S_ISLNK(status.st_mode)):
            continue  # git does not know pipes and devices either
        why = _why_not(path, status.st_size, total, len(chosen), rules)
        if why is None:
            chosen.append(path)
            total += status.st_size
        else:
            left_out.append(LeftOut(path, why))
    return chosen, left_out


def _why_not(path: bytes, size: int, total: int, count: int, rules: Rules) -> str | None:
    if rules.careful and may_hold_secrets(path):
        return "its name says that it holds a secret"
    if size > rules.file:
        return f"larger than {size_of(rules.file)}"
    if total + size > rules.all:
        return f"the untracked files have more than {size_of(rules.all)}"
    if count >= rules.count:
        return f"more than {rules.count:.0f} untracked files"
    return None
