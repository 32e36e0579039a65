"""metadata.json: what the final model says of its training, kept beside the run when the model is moved away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from launcher.data.safetensors_header import Header, read_header

METADATA = "metadata.json"
VERSION = 1
_LARGEST = 10_000_000  # bytes: a header that is read has 3 MB at most


@dataclass(frozen=True)
class ModelMetadata:
    """The name of a final model in the run directory, and its metadata as they stand in it, `ss_*` and others."""

    model: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def metadata_of(path: Path) -> ModelMetadata | None:
    """The metadata of a safetensors file; None where it has none, or is something else."""
    header = read_header(path)
    return ModelMetadata(path.name, header.metadata) if isinstance(header, Header) and header.metadata else None


def metadata_bytes(found: ModelMetadata) -> bytes:
    """The metadata as they stand in metadata.json, by name."""
    data = {"metadata_version": VERSION, "model": found.model, "metadata": dict(sorted(found.metadata.items()))}
    return (json.dumps(data, indent=2) + "\n").encode("ascii")


def read_metadata_file(path: Path) -> ModelMetadata | None:
    """The metadata in a metadata.json, or in a run directory; None when there is none, or it is damaged."""
    try:
        file = path / METADATA if path.is_dir() else path
        if not file.is_file() or file.stat().st_size > _LARGEST:
            return None
        data = json.loads(file.read_bytes())
        said = {str(name): text for name, text in data["metadata"].items() if isinstance(text, str)}
        return ModelMetadata(str(data["model"]), said)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
