"""Which known run made a model file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from launcher.base.times import moment
from launcher.record.hashes import FileHash, HashError, file_hash
from launcher.record.manifest import MANIFEST, ManifestError
from launcher.run.find import FoundRun, runs_in
from launcher.run.manifest_parts import MadeArtifactPart, MadePart, read_part

_START = 1 << 16  # bytes: most files of one size differ in these, where the metadata is
_HEADER = 1 << 24  # bytes by which two files of the same weights differ at most
_SLACK = 5.0  # seconds between kl's clock and the trainer's own time


class By(str, Enum):
    """How a run is known to have made a file."""

    PATH = "path"  # it stands in the run's directory, and the run recorded it
    CONTENT = "content"  # the run's directory has the same file
    RECORDED = "recorded"  # the run recorded this very file, and its directory has it no more
    WEIGHTS = "weights"  # the run recorded a file with the same weights, and other metadata
    METADATA = "metadata"  # it says the run's name, and a time at which that run was training


@dataclass(frozen=True)
class Maker:
    """The run that made a file. `path` is the file in the run's directory; None when that is not there.

    `name` is what the run called it, where that is known. `changed`: it stands where the run had put it, and has
    other weights than the run recorded.
    """

    run: FoundRun
    by: By
    path: Path | None = None
    name: str | None = None
    changed: bool = False


Hashes: TypeAlias = Callable[[], FileHash]
_Known: TypeAlias = Iterable[tuple[FoundRun, MadePart]]


def maker_of(file: Path, metadata: Mapping[str, str], roots: Sequence[Path], hashes: Hashes) -> Maker | None:
    """The run that made a file with this metadata of sd-scripts; None where no known run did.

    `hashes` works out the file's own, with that of its weights, which takes time: it is asked only when a run has
    recorded hashes, or has a file that begins like it. Raises OSError and HashError.
    """
    file = file.resolve()
    for folder in list(file.parents)[:2]:
        run = FoundRun(folder.name, folder)
        part = _part(run)
        if part is not None and _has(part, file.relative_to(folder), metadata, run):
            path = str(file.relative_to(folder))
            return Maker(run, By.PATH, file, path, _is_another(path, part, hashes))
    known = [(run, part) for run in runs_in(roots) if (part := _part(run)) is not None]
    ways: tuple[Iterator[Maker], ...] = (
        _with_content(file, known, hashes),
        _recorded(file, known, hashes),
        _with_weights(file, known, hashes),
        (Maker(run, By.METADATA) for run, part in known if _says(metadata, run, part)),
    )
    return next((maker for way in ways for maker in way), None)


def _part(run: FoundRun) -> MadePart | None:
    if not (run.directory / MANIFEST).is_file():
        return None
    try:
        return read_part(run.directory, MadePart)
    except (OSError, ManifestError):
        return None


def _has(part: MadePart, path: Path, metadata: Mapping[str, str], run: FoundRun) -> bool:
    recorded = any(artifact.path in (str(path), path.parts[0]) for artifact in part.artifacts)
    return recorded or str(path) in part.final or metadata.get("ss_output_name") == run.name


def _is_another(path: str, part: MadePart, hashes: Hashes) -> bool:
    """Whether a file of a run is not the one that it recorded; other metadata are no difference."""
    recorded = next((each for each in part.artifacts if each.path == path and each.sha256), None)
    return recorded is not None and hashes().sha256 != recorded.sha256 and not _same_weights(recorded, hashes())


def _with_content(file: Path, known: _Known, hashes: Hashes) -> Iterator[Maker]:
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
                if file_hash(path).sha256 == hashes().sha256:
                    yield Maker(run, By.CONTENT, path, artifact.path)
            except (OSError, HashError):
                continue


def _recorded(file: Path, known: _Known, hashes: Hashes) -> Iterator[Maker]:
    """The runs that recorded a file with this hash."""
    size = file.stat().st_size
    for run, part in known:
        for artifact in part.artifacts:
            if artifact.size == size and artifact.sha256 and artifact.sha256 == hashes().sha256:
                yield Maker(run, By.RECORDED, name=artifact.path)


def _with_weights(file: Path, known: _Known, hashes: Hashes) -> Iterator[Maker]:
    """The runs that recorded a file with these weights, the oldest first: what reproduces it has the same."""
    size = file.stat().st_size
    for run, part in sorted(known, key=lambda each: each[1].attempts[0].started or "" if each[1].attempts else ""):
        for artifact in part.artifacts:
            alike = artifact.weights_sha256 and abs(artifact.size - size) <= _HEADER
            if alike and _same_weights(artifact, hashes()):
                yield Maker(run, By.WEIGHTS, name=artifact.path)


def _same_weights(artifact: MadeArtifactPart, found: FileHash) -> bool:
    return found.weights is not None and found.weights == artifact.weights_sha256


def _says(metadata: Mapping[str, str], run: FoundRun, part: MadePart) -> bool:
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
