"""The checkout of sd-scripts: whether it is one, what it stands at, and what was changed in it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher.base.errors import KlError
from launcher.base.times import as_written
from launcher.base.words import counted, some_of
from launcher.record.git import GitError, git
from launcher.setup.doctor.diagnosis import Diagnosis, advice, fine, wrong
from launcher.setup.doctor.folders import allow_writing
from launcher.trainer.checkout import SD_SCRIPTS, open_checkout

CHECKOUT = "checkout"
_UNDO = {  # what git leaves in .git while it is busy with it, and how that is ended
    "MERGE_HEAD": "merge --abort",
    "rebase-merge": "rebase --abort",
    "rebase-apply": "rebase --abort",
    "CHERRY_PICK_HEAD": "cherry-pick --abort",
    "REVERT_HEAD": "revert --abort",
}


@dataclass(frozen=True)
class TreeState:
    """A work tree as git sees it: files by path below it. `behind` and `ahead` of `upstream` in commits.

    `fetched` is when its remote was asked last, None when that is not known; `busy` the command that ends what git
    was doing when it was interrupted.
    """

    branch: str | None
    commit: str
    upstream: str | None = None
    ahead: int = 0
    behind: int = 0
    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    unmerged: tuple[str, ...] = ()
    shallow: bool = False
    fetched: str | None = None
    busy: str | None = None


def look_at_checkout(folder: Path | None, script: str | None = None) -> Iterator[Diagnosis]:
    """The checkout in this folder; `script` is the training script that is wanted of it."""
    if folder is None:
        return
    try:
        checkout = open_checkout(folder)
    except KlError as error:
        there = folder.expanduser() if not str(folder).startswith("~") else folder
        mend = None if there.exists() else f"git clone {SD_SCRIPTS} {shlex.quote(str(there))}"
        yield wrong(
            CHECKOUT, error.message, mend or (allow_writing(there) if "cannot be read" in error.message else None)
        )
        return
    root = checkout.path
    if script is not None and not (root / script).is_file():
        yield wrong(CHECKOUT, f"{root} has no {script}: it has {some_of(checkout.scripts, 30)}.")
    has = f"{counted(len(checkout.scripts), 'training script')}: {some_of(checkout.scripts, 30)}"
    if not (root / ".git").exists():
        message = f"{root} is no git repository: which commit a run was trained with is not recorded."
        yield advice(CHECKOUT, f"{message} {has}.", f"git clone {SD_SCRIPTS} {shlex.quote(f'{root}-git')}")
        return
    try:
        state = tree_state(root)
    except GitError as error:
        yield _git_refuses(root, str(error))
        return
    stands = f"{state.branch or 'no branch'}, commit {state.commit[:12]}"
    yield fine(CHECKOUT, f"{root}: {stands}; {has}.")
    yield from judge_tree(root, state)


def judge_tree(root: Path, state: TreeState) -> Iterator[Diagnosis]:
    """What there is to say about the work tree of a checkout."""
    at = f"git -C {shlex.quote(str(root))}"
    if state.unmerged or state.busy:
        what = f"with conflicts in {some_of(state.unmerged)}" if state.unmerged else "that was not ended"
        mend = f"{at} {state.busy}" if state.busy else f"{at} checkout HEAD -- {_paths(state.unmerged)}"
        yield wrong(CHECKOUT, f"git is in the middle of a merge or rebase {what}.", mend)
    if state.deleted:
        message = f"{counted(len(state.deleted), 'file')} of the commit {_are(state.deleted)} not there: "
        lost = wrong if any(name.endswith(".py") for name in state.deleted) else advice
        yield lost(CHECKOUT, message + f"{some_of(state.deleted)}.", f"{at} checkout HEAD -- {_paths(state.deleted)}")
    if state.changed:
        message = f"{counted(len(state.changed), 'file')} {_are(state.changed)} changed and not committed: "
        kept = "Every run records the changes; git stash pop brings them back."
        yield advice(CHECKOUT, f"{message}{some_of(state.changed)}. {kept}", f"{at} stash")
    if state.behind and state.upstream:
        when = f", as it was on {state.fetched[:10]}" if state.fetched else ""
        message = f"{counted(state.behind, 'commit')} behind {state.upstream}{when}"
        apart = f", and {state.ahead} ahead of it" if state.ahead else ""
        yield advice(
            CHECKOUT, f"{message}{apart}.", f"{at} {'rebase' if state.ahead else 'merge --ff-only'} @{{upstream}}"
        )
    if state.shallow:
        message = "It is a shallow clone: other releases and the commits of earlier runs are not in it."
        yield advice(CHECKOUT, message, f"{at} fetch --unshallow --tags")


def tree_state(root: Path) -> TreeState:
    """Ask git about a work tree. Raises GitError."""
    words = ("status", "--porcelain=v2", "--branch", "--untracked-files=no", "--ignore-submodules=dirty", "-z")
    lines = git(root, *words).decode("utf-8", "surrogateescape").split("\0")
    headers = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# ") and " " in line[2:])
    entries = [line.split(" ", 8) for line in lines if line.startswith(("1 ", "2 ", "u "))]
    changed = [each for each in entries if each[0] != "u"]
    ahead, behind = _counts(headers.get("branch.ab", ""))
    folder, shallow = git(root, "rev-parse", "--absolute-git-dir", "--is-shallow-repository").decode().split("\n")[:2]
    head = headers.get("branch.head", "")
    return TreeState(
        branch=_tag(root) if head == "(detached)" else head or None,
        commit=headers.get("branch.oid", ""),
        upstream=headers.get("branch.upstream"),
        ahead=ahead,
        behind=behind,
        changed=tuple(_path(each) for each in changed if "D" not in each[1]),
        deleted=tuple(_path(each) for each in changed if "D" in each[1]),
        unmerged=tuple(each[8].split(" ", 2)[-1] for each in entries if each[0] == "u"),
        shallow=shallow == "true",
        fetched=_fetched(Path(folder)),
        busy=next((undo for name, undo in _UNDO.items() if Path(folder, name).exists()), None),
    )


def _git_refuses(root: Path, said: str) -> Diagnosis:
    """git looks at no repository that belongs to somebody else, unless it is told that this is meant."""
    owned = "dubious ownership" in said
    mend = f"git config --global --add safe.directory {shlex.quote(str(root))}" if owned else None
    message = "the repository belongs to another user, and git does not look at it" if owned else f"git says: {said}"
    return wrong(CHECKOUT, f"{root}: {message}.", mend)


def _tag(root: Path) -> str | None:
    found = git(root, "describe", "--tags", "--exact-match", "HEAD", also_fine=(128,)).decode("utf-8", "replace")
    return f"release {found.strip()}" if found.strip() else None


def _fetched(folder: Path) -> str | None:
    try:
        return as_written((folder / "FETCH_HEAD").stat().st_mtime)
    except OSError:
        return None


def _path(entry: list[str]) -> str:
    # "2" (renamed) has one word more before the path; its old path is an item of its own.
    return entry[8] if entry[0] == "1" else entry[8].split(" ", 1)[-1]


def _counts(text: str) -> tuple[int, int]:
    ahead, _, behind = text.partition(" ")
    return abs(int(ahead or 0)), abs(int(behind or 0))


def _paths(paths: tuple[str, ...]) -> str:
    return " ".join(shlex.quote(path) for path in paths[:20]) if len(paths) <= 20 else "."


def _are(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"
