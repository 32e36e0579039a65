"""The code of a run against its record: whether the commits are still there, and where the repositories stand now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from launcher.record.compare_code import CODE, how_many_between, same_changes
from launcher.record.difference import short_hash
from launcher.record.installed import lycoris_folder, lycoris_from_url
from launcher.record.manifest import Manifest, RepositoryRecord
from launcher.record.repositories import commit_there, record_code
from launcher.run.checked import Checked, State

_LYCORIS = "LyCORIS"


def check_code(manifest: Manifest) -> Iterator[Checked]:
    """Whether each commit can still be had, and what is otherwise in its checkout now, which is no fault."""
    for before in manifest.repositories:
        if before.commit is None:
            yield Checked(CODE, before.name, State.NOT_RECORDED, f"has no recorded commit: {before.problem}")
            continue
        commit = short_hash(before.commit)
        there = commit_there(before)
        if there or "://" in before.path:  # installed from a URL: no folder has it
            yield Checked(CODE, f"{before.name} {commit}")
        elif there is None:
            yield Checked(CODE, before.name, State.UNCHECKED, f"{commit}: no git repository is at {before.path}")
        else:
            yield Checked(CODE, before.name, State.GONE, f"has no commit {commit} any more")
    yield from changed_code(manifest)


def changed_code(manifest: Manifest) -> Iterator[Checked]:
    """The repositories that stand elsewhere than at the launch, or have other uncommitted changes."""
    now = code_now(manifest)
    for before in manifest.repositories:
        after = now.get(before.name)
        if after is not None and before.commit and after.commit:
            said = _changed(before, after)
            if said:
                yield Checked(CODE, before.name, State.NOTED, said)


def code_now(manifest: Manifest) -> dict[str, RepositoryRecord]:
    """The recorded repositories as they stand now, by name. LyCORIS is that of the run's environment."""
    python = Path(manifest.python)
    lycoris = lycoris_folder(python)
    recorded = [each for each in manifest.repositories if not each.inside and each.name != _LYCORIS]
    named = [(each.name, Path(each.path)) for each in recorded] + ([(_LYCORIS, lycoris)] if lycoris else [])
    found = {each.name: each for each in record_code(named).repositories}
    installed = lycoris_from_url(python)
    return found if installed is None else {**found, _LYCORIS: installed}


def _changed(before: RepositoryRecord, after: RepositoryRecord) -> str:
    if before.commit != after.commit:
        between = how_many_between([after.path], before.commit or "", after.commit or "")
        more = f" ({between})" if between else ""
        return f"stands at commit {short_hash(after.commit)} now, at {short_hash(before.commit)} then{more}"
    if same_changes(before, after):
        return ""
    if before.dirty is False and before.patch is None:
        return "has changes that are not committed, and had none then"
    if after.dirty is False and after.patch is None:
        return "has no uncommitted changes now, and had some then"
    return "has other uncommitted changes than then"
