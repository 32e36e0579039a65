"""Which code two runs were trained with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from launcher.base.words import counted
from launcher.record.difference import Difference, short_hash
from launcher.record.manifest import Manifest, RepositoryRecord
from launcher.record.repositories import commits_between
from launcher.record.side import Side

CODE = "code"


def compare_code(a: Side, b: Side) -> Iterator[Difference]:
    """The script, and commit and uncommitted changes of each repository. Where a checkout lies is no difference."""
    if a.manifest.trainer.script != b.manifest.trainer.script:
        yield Difference(CODE, "script", a.manifest.trainer.script, b.manifest.trainer.script)
    of_a, of_b = ({each.name: each for each in side.manifest.repositories} for side in (a, b))
    for name in [*of_a, *(name for name in of_b if name not in of_a)]:
        old, new = of_a.get(name), of_b.get(name)
        if old is None or new is None:
            yield Difference(CODE, name, _stands_at(old), _stands_at(new))
        else:
            yield from _repository(old, new, a.manifest, b.manifest)


def code_not_recorded(side: Side) -> Iterator[str]:
    """What is not known of the code of one side."""
    for each in side.manifest.repositories:
        if each.commit is None:
            yield f"the commit of {each.name}"
        elif each.dirty and each.tree is None:
            yield f"the uncommitted changes of {each.name}"
        yield from (f"{each.name}: {left}" for left in each.left_out)


def how_many_between(checkouts: list[str], a: str, b: str) -> str:
    """How many commits lie between two, as one of the checkouts has them; "" when none has both."""
    for checkout in dict.fromkeys(checkouts):
        found = commits_between(Path(checkout), a, b)
        if found is not None:
            ahead, behind = found
            if not ahead or not behind:
                return f"{counted(ahead or behind, 'commit')} {'earlier' if ahead else 'later'}"
            return f"{counted(behind, 'commit')} that only B has, {counted(ahead, 'commit')} that only A has"
    return ""


def same_changes(old: RepositoryRecord, new: RepositoryRecord) -> bool:
    """Whether two records of one commit have the same uncommitted changes, as far as they are recorded."""
    if old.tree and new.tree:
        return old.tree == new.tree
    return None in (old.dirty, new.dirty) or old.dirty == new.dirty


def _repository(old: RepositoryRecord, new: RepositoryRecord, a: Manifest, b: Manifest) -> Iterator[Difference]:
    if old.commit != new.commit and old.commit and new.commit:
        note = how_many_between([new.path, old.path], old.commit, new.commit)
        if old.tree and old.tree == new.tree:
            note = f"{note}; the files are the same" if note else "the files are the same"
        yield Difference(CODE, old.name, f"commit {short_hash(old.commit)}", f"commit {short_hash(new.commit)}", note)
    if not _same_changes(old, new, a, b):
        yield Difference(CODE, f"{old.name}, not committed", _changes(old, a), _changes(new, b))


def _same_changes(old: RepositoryRecord, new: RepositoryRecord, a: Manifest, b: Manifest) -> bool:
    """Whether both have the same uncommitted changes, as far as they are recorded."""
    if old.tree and new.tree and old.commit != new.commit:
        return _patch(old, a) == _patch(new, b)
    return same_changes(old, new)


def _patch(record: RepositoryRecord, manifest: Manifest) -> str | None:
    return next((file.sha256 for file in manifest.files if file.name == record.patch), None)


def _changes(record: RepositoryRecord, manifest: Manifest) -> str:
    patch = _patch(record, manifest)
    if patch:
        return f"{record.patch} ({short_hash(patch)})"
    return "changed files" if record.dirty else "nothing"


def _stands_at(record: RepositoryRecord | None) -> str | None:
    return None if record is None else f"commit {short_hash(record.commit) or 'unknown'}"
