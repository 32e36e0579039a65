"""What is otherwise than when a run was launched: the code, and the files it was made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from launcher.base.files import sha256_of
from launcher.plan.resume import FOLDER
from launcher.record.archive import REPOSITORIES
from launcher.record.installed import lycoris_repository
from launcher.record.manifest import FileRecord, Manifest, RepositoryRecord
from launcher.record.repositories import repository_at
from launcher.run.directory import LOG

_LARGEST = 64 << 20  # bytes: none of these files has more
# What train_network.py says before it trains.
_BATCHES = re.compile(r"num batches per epoch[^:\r\n]*:\s*(\d+)")
_LOG_START = 1 << 20


def changes_since(directory: Path, manifest: Manifest) -> Iterator[str]:
    """One sentence for each thing that has changed since the launch and that a resumed attempt has to do with."""
    yield from _code(manifest)
    for record in manifest.files:
        if record.name != REPOSITORIES and not record.name.startswith(f"{FOLDER}/"):
            yield from _file(directory, record)


def change_of_epoch(directory: Path, batches: int | None) -> Iterator[str]:
    """What is to be said when an epoch has other than its batches at the launch; None where that is not known."""
    before = _batches_at_launch(directory)
    if None not in (before, batches) and before != batches:
        yield f"an epoch has {batches} batches now, {before} then: pictures, repeats or their sizes were changed"


def _code(manifest: Manifest) -> Iterator[str]:
    for before in manifest.repositories:
        lycoris = before.name == "LyCORIS"
        now = lycoris_repository(Path(manifest.python)) if lycoris else repository_at(before.name, Path(before.path))
        if now is not None:
            yield from _repository(before, now)


def _repository(before: RepositoryRecord, now: RepositoryRecord) -> Iterator[str]:
    if before.commit and now.commit and before.commit != now.commit:
        yield f"{before.name} stands at commit {now.commit[:12]} now, at {before.commit[:12]} then"
    elif before.dirty is False and now.dirty:
        yield f"{before.name} has changes that are not committed, and had none then"


def _file(directory: Path, record: FileRecord) -> Iterator[str]:
    if not record.sha256:
        return
    copy = _hash(directory / record.name)
    if copy != record.sha256:
        yield f"{record.name} in the run directory is {'gone' if copy is None else 'not as it was written'}"
    if record.source is None:
        return
    source = _hash(Path(record.source))
    if source is None:
        yield f"{record.source} is gone; the run has its copy {record.name}"
    elif source != record.sha256 and record.name.startswith(("spec.", "template-")):
        yield f"the text of {record.source} was changed"
    elif source != record.sha256:
        yield f"{record.source} was changed; the run goes on with its copy {record.name}"


def _batches_at_launch(directory: Path) -> int | None:
    """How many batches an epoch had, by the log of the first attempt."""
    try:
        with (directory / LOG).open("rb") as log:
            found = _BATCHES.search(log.read(_LOG_START).decode("utf-8", "replace"))
    except OSError:
        return None
    return int(found[1][:9]) if found else None


def _hash(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        return sha256_of(path.read_bytes())
    except OSError:
        return None
