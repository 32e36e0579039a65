"""What training left in a run directory, told by the trainer's own names (library/train_util.py)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

MODEL_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_STATE = re.compile(r".*-state$")
_DIFFUSERS = ("model_index.json", "unet", "config.json")


class ArtifactKind(str, Enum):
    """What an artifact is."""

    MODEL = "model"  # the final one
    CHECKPOINT = "checkpoint"
    STATE = "state"
    SAMPLE = "sample"


@dataclass(frozen=True)
class Artifact:
    """A file, or a folder, that training made."""

    path: Path
    kind: ArtifactKind
    size: int  # bytes


def find_artifacts(directory: Path, final: tuple[str, ...]) -> tuple[Artifact, ...]:
    """Everything that training has left so far, sorted by path. `final` are the names of the final model."""
    found = [*_models_and_states(directory, final), *_samples(directory / "sample")]
    return tuple(sorted(found, key=lambda artifact: artifact.path))


def final_model_there(directory: Path, final: tuple[str, ...]) -> bool:
    """Whether one of the names that the final model may have stands in `directory`, and is not empty."""
    return any(_size(directory / name) > 0 for name in final)


def _models_and_states(directory: Path, final: tuple[str, ...]) -> Iterator[Artifact]:
    for entry in _entries(directory):
        path = Path(entry.path)
        try:
            is_folder = entry.is_dir(follow_symlinks=False)
            is_file = entry.is_file(follow_symlinks=False)
        except OSError:
            continue
        if is_folder and _STATE.fullmatch(entry.name):
            yield Artifact(path, ArtifactKind.STATE, _size(path))
        elif _is_model_folder(path) if is_folder else is_file and entry.name.endswith(MODEL_SUFFIXES):
            yield Artifact(path, _model_kind(entry.name, final), _size(path))


def _is_model_folder(path: Path) -> bool:
    return any((path / name).exists() for name in _DIFFUSERS)


def _model_kind(name: str, final: tuple[str, ...]) -> ArtifactKind:
    return ArtifactKind.MODEL if name in final else ArtifactKind.CHECKPOINT


def _samples(folder: Path) -> Iterator[Artifact]:
    for entry in _entries(folder):
        if entry.name.lower().endswith(_PICTURE_SUFFIXES):
            yield Artifact(Path(entry.path), ArtifactKind.SAMPLE, _size(Path(entry.path)))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # not there yet, or gone
        return []


def _size(path: Path) -> int:
    """The bytes of a file, or of everything in a folder; 0 when it is not there."""
    try:
        if not path.is_dir():
            return path.stat().st_size
    except OSError:
        return 0
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += (Path(folder) / name).lstat().st_size
            except OSError:
                continue
    return total
