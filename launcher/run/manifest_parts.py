"""The parts of a manifest that a list of runs needs, read without the rest: that takes a tenth of the time.

They are not the records themselves. Those take a third longer to decode, and a value of another kind in a field that
no list shows would make a run unreadable.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from launcher.record.manifest import MANIFEST, Attempt, ManifestError

_LARGEST = 50_000_000  # bytes of a manifest: a larger one is none of kl's
_LONGEST_NUMBER = 18  # digits


class AttemptPart(msgspec.Struct):
    """An attempt: what a list shows of it, and what its outcome is derived from."""

    started: str = ""
    ended: str | None = None
    pid: int | None = None
    pid_started: float | None = None
    kl_pid: int | None = None
    kl_started: float | None = None
    host: str | None = None
    exit_code: int | None = None
    stop_signal: int | None = None
    outcome: str = ""
    last_step: int | None = None
    total_steps: int | None = None
    last_loss: float | str | None = None
    lowest_loss: float | str | None = None
    log: str = ""


class ArtifactPart(msgspec.Struct):
    """An artifact: its path in the run directory, its kind and bytes."""

    path: str = ""
    kind: str = ""
    size: int = 0


class RunPart(msgspec.Struct):
    """What a list shows of a run. The other fields are skipped unread."""

    manifest_version: int
    created: str = ""
    steps: int | None = None
    attempts: list[AttemptPart] = []
    final: list[str] = []
    notes: str = ""
    artifacts: list[ArtifactPart] = []


class MadeArtifactPart(msgspec.Struct):
    """An artifact with its hashes; they may be anything in a foreign manifest."""

    path: str = ""
    size: int = 0
    sha256: Any = None
    weights_sha256: Any = None


class SpanPart(msgspec.Struct):
    """When an attempt ran."""

    started: str = ""
    ended: str | None = None


class MadePart(msgspec.Struct):
    """What a run made, and when."""

    manifest_version: int
    final: list[str] = []
    attempts: list[SpanPart] = []
    artifacts: list[MadeArtifactPart] = []


class OptionPart(msgspec.Struct):
    """An option with its value."""

    name: str = ""
    value: Any = None


class FilePart(msgspec.Struct):
    """A file that kl wrote, and what it is a copy of."""

    name: str = ""
    source: str | None = None


class DataPart(msgspec.Struct):
    """What says what a run was trained on."""

    manifest_version: int
    options: list[OptionPart] = []
    files: list[FilePart] = []


_Part = TypeVar("_Part")
_DECODERS: dict[type, Any] = {}


def read_part(directory: Path, kind: type[_Part]) -> _Part:
    """What the manifest in a directory holds of `kind`.

    Raises OSError when there is none, ManifestError when it is damaged.
    """
    with open(f"{directory}/{MANIFEST}", "rb", buffering=0) as file:  # noqa: PTH123 - Path.open takes twice as long
        size = os.fstat(file.fileno()).st_size
        if size > _LARGEST:
            raise ManifestError(f"it has {size} bytes")
        content = file.readall()
    decoder = _DECODERS.get(kind) or _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    try:
        part: _Part = decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_tolerantly(content, kind)
    return part


def as_attempt(part: AttemptPart) -> Attempt:
    """The attempt as far as its outcome rests on it."""
    return Attempt(
        started=part.started,
        ended=part.ended,
        pid=part.pid,
        pid_started=part.pid_started,
        kl_pid=part.kl_pid,
        kl_started=part.kl_started,
        host=part.host,
        exit_code=part.exit_code,
        stop_signal=part.stop_signal,
        outcome=part.outcome,
        log=part.log,
    )


def _read_tolerantly(content: bytes, kind: type[_Part]) -> _Part:
    """As Python's json reads it: names that are no UTF-8, and NaN."""
    try:
        return msgspec.convert(json.loads(content, parse_int=_number), kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ManifestError(str(error)) from None


def _number(digits: str) -> int:
    # Without this, older Pythons take minutes for a number of a million digits.
    return int(digits) if len(digits) <= _LONGEST_NUMBER else -1
