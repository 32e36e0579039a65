"""Finding a run by its name, or by its folder; also one that was removed, whose log and manifest are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.nearest import nearest
from launcher.record.manifest import MANIFEST
from launcher.run.removed import record_time, removed_folder, run_of_record


@dataclass(frozen=True)
class FoundRun:
    """A run: its name and the folder with its manifest. `removed`: only its log and manifest are left, there."""

    name: str
    directory: Path
    removed: bool = False


def find_run(target: str, roots: Sequence[Path]) -> FoundRun:
    """The run that `target` means: a folder with a manifest, or a name below one of the roots, the first that has it.

    A run that was removed is found by its name when there is no other; of several the latest. Raises KlError (wrong
    usage) when there is none, with the nearest name.
    """
    if "/" in target or target in (".", ".."):
        folder = Path(os.path.abspath(os.path.expanduser(target)))  # noqa: PTH100, PTH111 - by its text alone
        if (folder / MANIFEST).is_file():
            name = run_of_record(folder) if folder.parent == removed_folder() else None
            return FoundRun(name or folder.name, folder, removed=name is not None)
        message = f"{target} is not a run: it has no {MANIFEST}."
        raise KlError(message, code=ExitCode.USAGE, hint="kl ls lists the runs.")
    for root in roots:
        if _has_manifest(root / target):
            return FoundRun(target, root / target)
    removed = [run for run in removed_runs() if run.name == target]
    if removed:
        return removed[0]
    names = [run.name for run in (*runs_in(roots), *removed_runs())]
    near = nearest(target, names)
    looked = ", ".join(str(root) for root in roots) or "no folder"
    hint = f"Did you mean {near}?" if near else f"Looked in {looked}. Give its folder when it is elsewhere."
    raise KlError(f"There is no run {target}.", code=ExitCode.USAGE, hint=hint)


def runs_in(roots: Sequence[Path]) -> Iterator[FoundRun]:
    """Every run below the roots, each folder once."""
    for root in dict.fromkeys(roots):
        try:
            with os.scandir(root) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError:
            continue
        for name in names:
            if _has_manifest(root / name):
                yield FoundRun(name, root / name)


def removed_runs() -> Iterator[FoundRun]:
    """The records of runs that were removed, the latest first."""
    try:
        folders = sorted(removed_folder().iterdir(), key=record_time, reverse=True)
    except OSError:
        return
    for folder in folders:
        name = run_of_record(folder)
        if name and _has_manifest(folder):
            yield FoundRun(name, folder, removed=True)


def _has_manifest(folder: Path) -> bool:
    try:
        return (folder / MANIFEST).is_file()
    except (OSError, ValueError):
        return False
