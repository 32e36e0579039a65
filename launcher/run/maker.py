"""Which known run made a model file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from launcher.base.times import moment
from launcher.record.manifest import MANIFEST, ManifestError
from launcher.run.find import FoundRun, runs_in
from launcher.run.manifest_parts import RunPart, read_part

_BLOCK = 1 << 20
_START = 1 << 16  # bytes: most files of one size differ in these, where the metadata is
_SLACK = 5.0  # seconds between kl's clock and the trainer's own time


class By(str, Enum):
    """How a run is known to have made a file."""

    PATH = "path"  # it stands in the run's directory, and the run recorded it
    CONTENT = "content"  # the run's directory has the same file
    METADATA = "metadata"  # it says the run's name, and a time at which that run was training


@dataclass(frozen=True)
class Maker:
    """The run that made a file. `path` is the file in the run's directory; None when that is not there."""

    run: FoundRun
    by: By
    path: Path | None = None


def maker_of(
    file: Path, metadata: Mapping[str, str], roots: Sequence[Path], sha256: Callable[[], str]
) -> Maker | None:
    """The run that made a file with this metadata of sd-scripts; None where no known run did.

    `sha256` works out the file's own, which takes time; it is asked only when a run has a file that begins like it.
    Raises OSError.
    """
    file = file.resolve()
    for folder in list(file.parents)[:2]:
        run = FoundRun(folder.name, folder)
        part = _part(run)
        if part is not None and _has(part, file.relative_to(folder), metadata, run):
            return Maker(run, By.PATH, file)
    known = [(run, part) for run in runs_in(roots) if (part := _part(run)) is not None]
    same = next(_with_content(file, known, sha256), None)
    if same is not None:
        return same
    return next((Maker(run, By.METADATA) for run, part in known if _says(metadata, run, part)), None)


def sha256_of_file(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _part(run: FoundRun) -> RunPart | None:
    if not (run.directory / MANIFEST).is_file():
        return None
    try:
        return read_part(run.directory, RunPart)
    except (OSError, ManifestError):
        return None


def _has(part: RunPart, path: Path, metadata: Mapping[str, str], run: FoundRun) -> bool:
    recorded = any(artifact.path in (str(path), path.parts[0]) for artifact in part.artifacts)
    return recorded or str(path) in part.final or metadata.get("ss_output_name") == run.name


def _with_content(
    file: Path, known: Iterable[tuple[FoundRun, RunPart]], sha256: Callable[[], str]
) -> Iterator[Maker]:
    """Files are compared only where a run recorded one of this size."""
    size = file.stat().st_size
    start = _start(file)
    for run, part in known:
        for artifact in part.artifacts:
            path = run.directory / artifact.path
            if artifact.size != size or "\0" in artifact.path or not path.is_file():
                continue
            try:
                if path.stat().st_size != size or _start(path) != start:
                    continue
                if sha256_of_file(path) == sha256():
                    yield Maker(run, By.CONTENT, path)
            except OSError:
                continue


def _says(metadata: Mapping[str, str], run: FoundRun, part: RunPart) -> bool:
    if metadata.get("ss_output_name") != run.name:
        return False
    try:
        started = float(metadata.get("ss_training_started_at", ""))
    except ValueError:
        return False
    for attempt in part.attempts:
        begin, end = moment(attempt.started), moment(attempt.ended)
        if begin is not None and begin - _SLACK <= started <= (started if end is None else end + _SLACK):
            return True
    return False


def _start(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, _START)
    finally:
        os.close(handle)
