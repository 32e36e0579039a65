"""What is otherwise than when a run was launched: the code, and the files it was made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from launcher.plan.resume import FOLDER
from launcher.record.archive import REPOSITORIES
from launcher.record.manifest import Manifest
from launcher.run.check_code import changed_code
from launcher.run.check_data import changed_data
from launcher.run.check_files import check_files, check_sources
from launcher.run.checked import State
from launcher.run.directory import LOG

# What train_network.py says before it trains.
_BATCHES = re.compile(r"num batches per epoch[^:\r\n]*:\s*(\d+)")
_LOG_START = 1 << 20
_MOST = 20  # sentences


def changes_since(directory: Path, manifest: Manifest) -> Iterator[str]:
    """One sentence for each thing that has changed since the launch and that a resumed attempt has to do with."""
    for found in check_files(directory, manifest):
        mine = found.name != REPOSITORIES and not found.name.startswith(f"{FOLDER}/")
        if mine and found.state is not State.OK:
            yield f"{found.name} in the run directory {found.how}"
    changed = [*changed_code(manifest), *check_sources(directory, manifest), *changed_data(directory, manifest)]
    for found in changed[:_MOST]:
        yield f"{found.name} {found.how}"
    if len(changed) > _MOST:
        yield f"{len(changed) - _MOST} more files are otherwise; kl verify lists them"


def change_of_epoch(directory: Path, batches: int | None) -> Iterator[str]:
    """What is to be said when an epoch has other than its batches at the launch; None where that is not known."""
    before = _batches_at_launch(directory)
    if None not in (before, batches) and before != batches:
        yield f"an epoch has {batches} batches now, {before} then: pictures, repeats or their sizes were changed"


def _batches_at_launch(directory: Path) -> int | None:
    """How many batches an epoch had, by the log of the first attempt."""
    try:
        with (directory / LOG).open("rb") as log:
            found = _BATCHES.search(log.read(_LOG_START).decode("utf-8", "replace"))
    except OSError:
        return None
    return int(found[1][:9]) if found else None
