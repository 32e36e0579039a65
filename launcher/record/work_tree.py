"""The uncommitted state of a repository as one patch and one hash. Nothing is written in the repository.

Files are read and stored as they stand, through no filter and no conversion of line endings, in a folder of objects
of its own. So what git would normalise comes back byte for byte, and no program that a repository names is run: files
that go through one (Git LFS) are left out, and it is said.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.record.git import git
from launcher.record.standing import FILE, GONE, LINK, PROGRAM, SUBMODULE, Change, Standing, ask, place_of
from launcher.record.untracked import LeftOut, Rules, find_untracked, lines_of, may_hold_secrets, size_of
from launcher.trainer.commit import head_commit

PATCH_WORDS = (
    "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color",
    "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short", "--ignore-submodules=none", "--unified=3",
)  # fmt: skip
# A patch of what cannot be compressed must not take long.
_CONFIG = "[core]\nrepositoryFormatVersion = 0\nbare = true\ncompression = 0\n"
_CONFIG_64 = "[core]\nrepositoryFormatVersion = 1\nbare = true\ncompression = 0\n[extensions]\nobjectFormat = sha256\n"


@dataclass(frozen=True)
class Uncommitted:
    """What makes the files of a repository out of its commit. `tree` is git's hash of them all."""

    tree: str
    patch: bytes
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    """A file as it goes into the index: its hash in git, or GONE."""

    path: bytes
    mode: str
    hash: str


def uncommitted(standing: Standing, rules: Rules) -> Uncommitted:
    """The uncommitted changes of a repository. Raises GitError, and OSError when there is no room for them."""
    with tempfile.TemporaryDirectory(prefix="kl-record-") as folder:
        store = _Store(Path(folder), standing)
        tracked = _tracked(standing)
        untracked = dict.fromkeys([*standing.untracked, *_in_place_of_files(standing.root, tracked)])
        paths, left_out = find_untracked(standing.root, untracked, rules)
        new = [Change(path, _mode_on_disk(standing, path), None) for path in paths]
        left_out += _filtered(standing, [*tracked, *new]) if rules.careful else []
        left_out += _held_before(standing, tracked, rules)
        known = {each.path for each in left_out}
        entries, without = store.read([each for each in (*tracked, *new) if each.path not in known], rules)
        left_out += without
        if not entries:
            return Uncommitted(store.committed(), b"", lines_of(left_out))
        tree = store.tree(entries)
        return Uncommitted(tree, store.patch(tree), lines_of(left_out))


class _Store:
    """A repository of our own, with the objects of the other to read. Git freshens the times of objects that it would
    write and finds there: so where it writes, it does not see them.
    """

    def __init__(self, folder: Path, standing: Standing) -> None:
        self._standing = standing
        self._folder = folder
        self._objects = folder / "objects"
        self._of_64 = len(standing.commit or "") == 64  # made with --object-format=sha256
        self._objects.mkdir()
        (folder / "refs").mkdir()
        (folder / "HEAD").write_text("ref: refs/heads/main\n", "ascii")
        (folder / "config").write_text(_CONFIG_64 if self._of_64 else _CONFIG, "ascii")
        of_repository = str(standing.objects.resolve()).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        self._other = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{of_repository}"'}

    def _git(self, *words: str, stdin: bytes | None = None, sees_other: bool = True) -> bytes:
        variables = {"GIT_DIR": str(self._folder), **(self._other if sees_other else {})}
        return git(self._folder, *words, stdin=stdin, variables=variables)

    def committed(self) -> str:
        """The hash of the tree of HEAD; of no files when nothing was committed."""
        if self._standing.commit is None:
            return self._git("hash-object", "-t", "tree", "--stdin", stdin=b"").decode().strip()
        return self._git("rev-parse", f"{self._standing.commit}^{{tree}}").decode().strip()

    def read(self, changes: Iterable[Change], rules: Rules) -> tuple[list[_Entry], list[LeftOut]]:
        """Store the files as they stand."""
        entries: list[_Entry] = []
        left_out: list[LeftOut] = []
        total = 0
        for change in changes:
            if change.mode == GONE:
                entries.append(_Entry(change.path, GONE, ""))
                continue
            content = _content(self._standing.root, change, min(rules.tracked_file, rules.tracked_all - total))
            why = content if isinstance(content, str) else _holds(content, rules.secrets, "it holds")
            if isinstance(content, str) or why is not None:
                left_out.append(LeftOut(change.path, str(why)))
                continue
            total += len(content)
            hash_of = content.decode() if change.mode == SUBMODULE else self._keep(content)
            entries.append(_Entry(change.path, change.mode, hash_of))
        return entries, left_out

    def tree(self, entries: Sequence[_Entry]) -> str:
        """The hash of all files with these ones in place of the committed ones."""
        if self._standing.commit is not None:
            self._git("read-tree", self._standing.commit)
        gone_first = sorted(entries, key=lambda entry: entry.mode != GONE)
        lines = [_index_line(entry) for entry in gone_first]
        self._git("update-index", "-z", "--index-info", stdin=b"".join(lines), sees_other=False)
        return self._git("write-tree", "--missing-ok", sees_other=False).decode().strip()

    def patch(self, tree: str) -> bytes:
        """What makes this tree out of the committed one."""
        before = self.committed()
        return b"" if before == tree else self._git("diff-tree", *PATCH_WORDS, before, tree)

    def _keep(self, content: bytes) -> str:
        whole = b"blob %d\0" % len(content) + content
        name = (hashlib.sha256(whole) if self._of_64 else hashlib.sha1(whole, usedforsecurity=False)).hexdigest()
        path = self._objects / name[:2] / name[2:]
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(whole, 0))
        return name


def _tracked(standing: Standing) -> list[Change]:
    """The changes that git sees, and the files that it was told not to look at."""
    seen = {change.path for change in standing.changes}
    hidden = [
        replace(change, mode=_mode_on_disk(standing, change.path))
        for change in standing.hidden
        if change.path not in seen
    ]
    return [*standing.changes, *hidden]


def _in_place_of_files(root: Path, tracked: Sequence[Change]) -> list[bytes]:
    """Folders where tracked files were: git does not list them as untracked."""
    gone = [change.path for change in tracked if change.mode == GONE]
    return [path + b"/" for path in gone if stat.S_ISDIR(_status_mode(root, path))]


def _status_mode(root: Path, path: bytes) -> int:
    try:
        return os.lstat(place_of(root, path)).st_mode
    except OSError:
        return 0


def _mode_on_disk(standing: Standing, path: bytes) -> str:
    mode = _status_mode(standing.root, path)
    if mode == 0 or stat.S_ISDIR(mode):
        return GONE
    if stat.S_ISLNK(mode):
        return LINK
    return PROGRAM if mode & stat.S_IXUSR and standing.keeps_modes else FILE


def _content(root: Path, change: Change, most: float) -> bytes | str:
    """What git would store of a file; or why it cannot be had."""
    path = place_of(root, change.path)
    if change.mode == SUBMODULE:
        commit = head_commit(Path(os.fsdecode(path)))
        return commit.encode() if commit else "a submodule without a commit"
    try:
        if change.mode == LINK:
            return os.readlink(path)  # noqa: PTH115 - bytes
        return _read(path, most)
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _read(path: bytes, most: float) -> bytes | str:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return "not a file any more"
        if status.st_size > most:
            return f"{size_of(status.st_size)}, more than a patch may take"
        return file.read()


def _index_line(entry: _Entry) -> bytes:
    facts = f"0 {'0' * 40}" if entry.mode == GONE else f"{entry.mode} {entry.hash}"
    return facts.encode() + b"\t" + entry.path + b"\0"


def _filtered(standing: Standing, changes: Sequence[Change]) -> list[LeftOut]:
    """Changed files that git would send through a program."""
    if not standing.filters or not changes:
        return []
    paths = b"".join(change.path + b"\0" for change in changes)
    words = ask(standing.root, "check-attr", "-z", "--stdin", "filter", stdin=paths).split(b"\0")
    return [
        LeftOut(path, f"it goes through the filter {name}, which is not run")
        for path, name in zip(words[::3], map(os.fsdecode, words[2::3]), strict=False)
        if name in standing.filters
    ]


def _held_before(standing: Standing, changes: Sequence[Change], rules: Rules) -> list[LeftOut]:
    """Changed files that a patch would show secrets of: by their names when they are new, or as they were committed."""
    left_out = [
        LeftOut(change.path, "its name says that it holds a secret")
        for change in changes
        if rules.careful and change.committed is None and change.mode != GONE and may_hold_secrets(change.path)
    ]
    committed = [change for change in changes if change.committed and change.mode != SUBMODULE]
    if not rules.secrets or not committed:
        return left_out
    contents = committed_contents(standing.root, [str(change.committed) for change in committed])
    for change, content in zip(committed, contents, strict=False):
        why = _holds(content, rules.secrets, "what was committed holds")
        if why is not None:
            left_out.append(LeftOut(change.path, why))
    return left_out


def committed_contents(root: Path, hashes: Sequence[str]) -> list[bytes]:
    """What git keeps under these hashes; nothing for one that it has not. Raises GitError."""
    answer = ask(root, "cat-file", "--batch", stdin="".join(each + "\n" for each in hashes).encode())
    contents, start = [], 0
    for _ in hashes:
        end = answer.index(b"\n", start)
        words = answer[start:end].split(b" ")
        size = int(words[2]) if len(words) == 3 else 0
        contents.append(answer[end + 1 : end + 1 + size])
        start = end + 1 + (size + 1 if len(words) == 3 else 0)
    return contents


def _holds(content: bytes, secrets: Mapping[str, bytes], how: str) -> str | None:
    return next((f"{how} {name}" for name, value in secrets.items() if value in content), None)
