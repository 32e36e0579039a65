"""Where datasets stand, and the dataset folder of a run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from launcher.base.words import counted
from launcher.setup.doctor.diagnosis import Diagnosis, advice, fine, wrong
from launcher.setup.doctor.folders import allow_writing, try_writing

DATASET = "datasets"


def look_at_dataset(root: Path | None, folder: Path | None) -> Iterator[Diagnosis]:
    """`root` is the folder where datasets stand, `folder` that of a run, when it is known which."""
    if folder is not None:
        yield _folder(folder)
    elif root is not None:
        yield _root(root)


def _folder(folder: Path) -> Diagnosis:
    problem = _unreadable(folder)
    if problem is not None:
        return problem
    if not any(_names(folder)):
        return wrong(DATASET, f"{folder} is empty.")
    trial = try_writing(folder)
    if trial.error is not None:
        message = f"{folder} cannot be written to: {trial.error.strerror}. Cached latents stand beside the pictures."
        return advice(DATASET, message, allow_writing(folder))
    return fine(DATASET, f"{folder}.")


def _root(root: Path) -> Diagnosis:
    if not os.path.lexists(root):
        message = f"{root} is not there: datasets are looked for in it."
        return advice(DATASET, message, f"mkdir -p {shlex.quote(str(root))}")
    problem = _unreadable(root)
    if problem is not None:
        return problem
    folders = sum(1 for name in _names(root) if (root / name).is_dir())
    return fine(DATASET, f"{root}: {counted(folders, 'folder')}.")


def _unreadable(folder: Path) -> Diagnosis | None:
    if not os.path.lexists(folder):
        return wrong(DATASET, f"{folder} is not there.")
    if not folder.is_dir():
        return wrong(DATASET, f"{folder} is not a folder.")
    try:
        _names(folder)
    except OSError as error:
        return wrong(DATASET, f"{folder} cannot be read: {error.strerror}.", allow_writing(folder))
    return None


def _names(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if not name.startswith(".")]  # noqa: PTH208 - names only
