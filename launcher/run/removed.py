"""What is kept of runs that were removed: log and manifest, in the user's state folder, the newest 50."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from launcher.base.places import state_folder
from launcher.record.manifest import MANIFEST, Manifest, manifest_bytes
from launcher.run.directory import LOG

KEPT = 50
_STAMP = re.compile(r"-(\d{8}T\d{6}Z)(?:-(\d+))?$")


def removed_folder() -> Path:
    """The folder with a subfolder for each run that was removed."""
    return state_folder() / "removed"


def keep_record(directory: Path, manifest: Manifest) -> Path:
    """Copy the log and write the manifest to a new folder NAME-TIMESTAMP; return it.

    Raises OSError when that is not possible; nothing is left there then.
    """
    folder = _new_folder(manifest.name)
    try:
        with (folder / MANIFEST).open("xb") as file:
            file.write(manifest_bytes(manifest))
            os.fsync(file.fileno())
        if (directory / LOG).exists():
            with (directory / LOG).open("rb") as log, (folder / LOG).open("xb") as copy:
                shutil.copyfileobj(log, copy)
                copy.flush()
                os.fsync(copy.fileno())
    except OSError:
        _forget(folder)
        raise
    _forget_oldest()
    return folder


def run_of_record(folder: Path) -> str | None:
    """The name of the run that a record is of, by the folder's name; None for a folder that is no record."""
    found = _STAMP.search(folder.name)
    return folder.name[: found.start()] if found else None


def record_time(folder: Path) -> tuple[str, int]:
    """When a record was made, as something that sorts: the time, and the number among those of the same second."""
    found = _STAMP.search(folder.name)
    return (found[1], int(found[2] or 1)) if found else ("", 0)


def _new_folder(name: str) -> Path:
    home = removed_folder()
    home.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1, 1000):
        folder = home / (f"{name}-{stamp}" if number == 1 else f"{name}-{stamp}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:  # the same run failed twice within a second
            continue
        return folder
    raise FileExistsError(f"{home} is full of records of {name}")


def _forget_oldest() -> None:
    with suppress(OSError):
        ours = [folder for folder in removed_folder().iterdir() if run_of_record(folder)]
        for folder in sorted(ours, key=record_time)[:-KEPT]:
            _forget(folder)


def _forget(folder: Path) -> None:
    """Remove one record: only what `keep_record` put there."""
    if folder.is_symlink():
        return
    for name in (MANIFEST, LOG):
        with suppress(OSError):
            (folder / name).unlink()
    with suppress(OSError):
        folder.rmdir()
