"""The manifest, run.json: what is known of a run. Versioned; whoever reads it passes over what it does not know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from launcher.base.files import write_whole

MANIFEST = "run.json"
VERSION = 2


class ManifestError(ValueError):
    """The file is no manifest, or is damaged."""


@dataclass(frozen=True)
class TrainerRecord:
    """The code that trained."""

    checkout: str = ""
    script: str = ""
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    remote: str | None = None  # without credentials


@dataclass(frozen=True)
class OptionRecord:
    """One option with the place its value came from. `command` is "accelerate" or "trainer".

    `items` holds the place of each key, for an option of key=value items.
    """

    name: str = ""
    value: Any = None
    origin: str = ""
    where: str = ""
    command: str = "trainer"
    items: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FileRecord:
    """A file that kl wrote into the run directory, and the file it is a copy of."""

    name: str = ""
    source: str | None = None
    sha1: str = ""
    sha256: str = ""
    size: int = 0


@dataclass(frozen=True)
class RepositoryRecord:
    """What a git repository, or an installation from one, stood at. `problem` says what could not be recorded.

    `dirty` is about tracked files. `patch` is the name, in the run directory, of what makes the work tree out of the
    commit: uncommitted changes and untracked files, but for `left_out` ("PATH: why"). `tree` is git's own hash of
    the files that then stand there, and of the `absent` ones, which a sparse checkout does not lay out. `inside` is
    the repository that has this one as a submodule.
    """

    name: str = ""
    path: str = ""
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    remote: str | None = None
    problem: str | None = None
    tree: str | None = None
    patch: str | None = None
    left_out: tuple[str, ...] = ()
    inside: str | None = None
    absent: int = 0


@dataclass(frozen=True)
class Attempt:
    """One execution. `exit_code` is the trainer's own, 128+N when signal N ended it.

    `stop_signal` is the signal with which kl was asked to stop it. It is written down before the trainer starts,
    without its process then. `kl_pid` and `kl_started` are the kl that stays with it; ids mean the machine `host`.
    A resumed attempt goes on after `first_step` from the state `resumed_from`; `changes` is what was otherwise then
    than at the launch.
    """

    started: str = ""
    ended: str | None = None
    pid: int | None = None
    pid_started: float | None = None
    kl_pid: int | None = None
    kl_started: float | None = None
    host: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    stop_signal: int | None = None
    stop_reason: str | None = None  # why kl stopped it by itself
    outcome: str = "planned"
    last_step: int | None = None
    total_steps: int | None = None
    last_loss: float | None = None
    lowest_loss: float | None = None
    log: str = ""
    argv: tuple[str, ...] = ()  # of a resumed attempt; the first one's is the manifest's
    resumed_from: str | None = None
    first_step: int | None = None
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArtifactRecord:
    """Something that training made; `path` is relative to the run directory.

    `sha256` is that of the file; of a folder, that of the list of its files. `weights_sha256` is that of a safetensors
    file without its header: two files with the same weights and other metadata have it in common.
    """

    path: str = ""
    kind: str = ""
    size: int = 0
    sha256: str | None = None
    weights_sha256: str | None = None


@dataclass(frozen=True)
class InputRecord:
    """A file or folder that an option of the trainer names and that training reads: a base model, a VAE, weights.

    `size` is in bytes, `modified` in seconds since 1970. `short_hash` is the first model hash of stable-diffusion-webui
    (library/train_util.py, model_hash), by which ss_sd_model_hash knows a model. `revision` is the commit of a
    model on the hub, `path` then its name there. `problem` says why there is no hash.
    """

    option: str = ""
    path: str = ""
    size: int | None = None
    modified: float | None = None
    sha256: str | None = None
    short_hash: str | None = None
    revision: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class DatasetRecord:
    """What was trained on. `sha256` is that of the sorted list of the files' hashes; `file` is the list itself."""

    sha256: str | None = None
    file: str = ""
    pictures: int = 0
    captions: int = 0
    size: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class ReproducedRecord:
    """The run that this one repeats, and what was let through that is not the same."""

    name: str = ""
    directory: str = ""
    created: str = ""
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class FindingRecord:
    """What a check had to say before the run."""

    severity: str = ""
    code: str = ""
    message: str = ""
    where: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Manifest:
    """Everything that is known of a run. Times are UTC in ISO 8601.

    `outcome` is stored so that other programs can read it; kl itself derives it from the attempts and the files.
    """

    manifest_version: int = VERSION
    kl_version: str = ""
    name: str = ""
    created: str = ""
    outcome: str = "planned"
    trainer: TrainerRecord = TrainerRecord()
    python: str = ""
    argv: tuple[str, ...] = ()
    variables: Mapping[str, str] | None = None
    options: tuple[OptionRecord, ...] = ()
    final: tuple[str, ...] = ()  # the names that the final model may have
    steps: int | None = None
    no_clean: bool | None = None  # the run stays also when it fails; None: an older kl did not write it down
    files: tuple[FileRecord, ...] = ()
    repositories: tuple[RepositoryRecord, ...] = ()
    inputs: tuple[InputRecord, ...] = ()
    dataset: DatasetRecord | None = None
    reproduces: ReproducedRecord | None = None
    notes: str = ""
    findings: tuple[FindingRecord, ...] = ()
    allowed: tuple[FindingRecord, ...] = ()  # let through by --allow
    attempts: tuple[Attempt, ...] = ()
    artifacts: tuple[ArtifactRecord, ...] = ()
    not_recorded: tuple[str, ...] = ()


def manifest_bytes(manifest: Manifest) -> bytes:
    """The manifest as it stands in run.json. A loss that is not a number is kept, as a word: JSON has none for it."""
    data = _plain(asdict(manifest))
    try:
        return (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except UnicodeEncodeError:  # a path that is not UTF-8: escaped, it reads back as it was
        return (json.dumps(data, indent=2, allow_nan=False) + "\n").encode()


def write_manifest(manifest: Manifest, directory: Path) -> None:
    """Write run.json whole. Raises OSError when that is not possible; the one before is still there then."""
    write_whole(directory / MANIFEST, manifest_bytes(manifest))


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of a run directory, or the file itself.

    Unknown fields are passed over and missing ones have their defaults, so older and newer manifests are readable.
    Raises OSError when there is none, ManifestError when it is damaged.
    """
    file = path / MANIFEST if path.is_dir() else path
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{file} is not a manifest: {error}") from None
    if not isinstance(data, dict) or "manifest_version" not in data:
        raise ManifestError(f"{file} is not a manifest")
    known: dict[str, Any] = _known(Manifest, data)
    for name, kind in _LISTS.items():
        known[name] = _records(kind, data.get(name))
    for name in ("argv", "final", "not_recorded"):
        words = data.get(name)
        known[name] = tuple(map(str, words)) if isinstance(words, list) else ()
    known["trainer"] = _record(TrainerRecord, data.get("trainer"))
    known["dataset"] = _record(DatasetRecord, data["dataset"]) if data.get("dataset") else None
    known["reproduces"] = _reproduced(data.get("reproduces"))
    variables = data.get("variables")
    known["variables"] = variables if isinstance(variables, dict) else {}
    known["repositories"] = tuple(replace(each, left_out=_words(each.left_out)) for each in known["repositories"])
    known["attempts"] = tuple(_with_number(attempt) for attempt in known["attempts"])
    return Manifest(**known)


_LISTS: dict[str, type[Any]] = {
    "options": OptionRecord,
    "files": FileRecord,
    "repositories": RepositoryRecord,
    "findings": FindingRecord,
    "allowed": FindingRecord,
    "attempts": Attempt,
    "artifacts": ArtifactRecord,
    "inputs": InputRecord,
}
_Record = TypeVar("_Record")


def _records(kind: type[_Record], data: object) -> tuple[_Record, ...]:
    return tuple(_record(kind, item) for item in data) if isinstance(data, list) else ()


def _record(kind: type[_Record], data: object) -> _Record:
    return kind(**_known(kind, data)) if isinstance(data, dict) else kind()


def _reproduced(data: object) -> ReproducedRecord | None:
    if not data:
        return None
    record = _record(ReproducedRecord, data)
    return replace(record, differences=_words(record.differences))


def _known(kind: Any, data: dict[str, Any]) -> dict[str, Any]:
    return {known.name: data[known.name] for known in fields(kind) if known.name in data}


def _with_number(attempt: Attempt) -> Attempt:
    attempt = replace(attempt, argv=_words(attempt.argv), changes=_words(attempt.changes))
    if not isinstance(attempt.last_loss, str):
        return attempt
    try:
        return replace(attempt, last_loss=float(attempt.last_loss))
    except ValueError:
        return replace(attempt, last_loss=None)


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else ()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value - value != 0:  # nan or infinite
        return str(value)
    return value
