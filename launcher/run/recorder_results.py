"""What is worked out beside a training, and how the manifest takes it: pure but for the files it is written to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.files import sha1_of, sha256_of, write_whole
from launcher.record.hashes import FileHash
from launcher.record.manifest import ArtifactRecord, DatasetRecord, FileRecord, InputRecord, Manifest


@dataclass(frozen=True)
class Result:
    """Something that is known now. `label` says what it is, as `not_recorded` names what is missing of it.

    `files` are to stand in the run directory; `problems` are what could not be recorded of it.
    """

    label: str
    inputs: tuple[InputRecord, ...] = ()
    dataset: DatasetRecord | None = None
    artifact: ArtifactRecord | None = None
    files: tuple[tuple[str, bytes], ...] = ()
    problems: tuple[str, ...] = ()


def merged(manifest: Manifest, result: Result, directory: Path) -> Manifest:
    """The manifest with a result, whose files are written. A file that cannot be written is not recorded."""
    manifest = without_problems_of(manifest, result.label)
    problems = list(result.problems)
    written: list[FileRecord] = []
    for name, content in result.files:
        try:
            write_whole(directory / name, content)
        except OSError as error:
            problems.append(f"{name}: it could not be written: {error.strerror or error}")
        else:
            written.append(FileRecord(name, None, sha1_of(content), sha256_of(content), len(content)))
    names = {record.name for record in written}
    return replace(
        manifest,
        inputs=_with_inputs(manifest.inputs, result.inputs),
        dataset=result.dataset or manifest.dataset,
        artifacts=_with_artifact(manifest.artifacts, result.artifact),
        files=(*(record for record in manifest.files if record.name not in names), *written),
        not_recorded=tuple(dict.fromkeys((*manifest.not_recorded, *problems))),
    )


def not_done(manifest: Manifest, labels: Iterable[str], why: str) -> Manifest:
    """The manifest with what was not worked out, and why."""
    missing = tuple(f"{label}: {why}" for label in labels)
    return replace(manifest, not_recorded=tuple(dict.fromkeys((*manifest.not_recorded, *missing))))


def without_problems_of(manifest: Manifest, label: str) -> Manifest:
    """The manifest without what an earlier attempt could not record, once it is worked out."""
    kept = tuple(text for text in manifest.not_recorded if not text.startswith(f"{label}: "))
    return manifest if kept == manifest.not_recorded else replace(manifest, not_recorded=kept)


def artifact_of(path: str, kind: str, size: int, found: FileHash) -> ArtifactRecord:
    """An artifact with its hashes."""
    return ArtifactRecord(path, kind, size, found.sha256, found.weights)


def _with_inputs(before: tuple[InputRecord, ...], found: tuple[InputRecord, ...]) -> tuple[InputRecord, ...]:
    """Each input in its place, with what was found of it."""
    new = {(record.option, record.path): record for record in found}
    kept = [new.pop((record.option, record.path), record) for record in before]
    return (*kept, *new.values()) if found else before


def _with_artifact(before: tuple[ArtifactRecord, ...], found: ArtifactRecord | None) -> tuple[ArtifactRecord, ...]:
    """One that is there no more, or has another size by now, is passed over."""
    if found is None:
        return before
    return tuple(found if (each.path, each.size) == (found.path, found.size) else each for each in before)
