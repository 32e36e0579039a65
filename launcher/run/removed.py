"""What is kept of runs that were removed: logs and manifest, in the user's state folder.

That is so for the newest 50, and for those on which somebody noted something since.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import stat
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from launcher.base.places import state_folder
from launcher.record.manifest import MANIFEST, Manifest, manifest_bytes
from launcher.record.notes import NOTES
from launcher.run.directory import KL_LOG, LOG

KEPT = 50
_LOGS = f"{Path(LOG).stem}*{Path(LOG).suffix}"  # each attempt has its own
_STAMP = re.compile(r"-(\d{8}T\d{6}Z)(?:-(\d+))?$")


def removed_folder() -> Path:
    """The folder with a subfolder for each run that was removed."""
    return state_folder() / "removed"


def is_log(name: object) -> bool:
    """Whether a name is one that an attempt's log may have."""
    return isinstance(name, str) and fnmatch.fnmatchcase(name, _LOGS) and "/" not in name


def keep_record(directory: Path, manifest: Manifest) -> Path:
    """Copy the logs, kl's own too, and write the manifest to a new folder NAME-TIMESTAMP; return it.

    Raises OSError when that is not possible; nothing is left there then.
    """
    folder = _new_folder(manifest.name)
    try:
        with (folder / MANIFEST).open("xb") as file:
            file.write(manifest_bytes(manifest))
            os.fsync(file.fileno())
        for name in sorted({LOG, KL_LOG, *(attempt.log for attempt in manifest.attempts if is_log(attempt.log))}):
            _copy_log(directory / name, folder / name)
        for written in (folder, folder.parent):
            _write_through(written)
    except OSError:
        forget(folder)
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


def _copy_log(log: Path, copy: Path) -> None:
    """Copy a log that is there. Raises OSError; a link, or what is no file, is not followed or waited for."""
    try:
        handle = os.open(log, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with os.fdopen(handle, "rb") as source:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise FileNotFoundError(2, "it is no file", str(log))
        with copy.open("xb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())


def _write_through(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # not every file system can
            os.fsync(handle)
    finally:
        os.close(handle)


def _forget_oldest() -> None:
    with suppress(OSError):
        records = [folder for folder in removed_folder().iterdir() if run_of_record(folder)]
        ours = [folder for folder in records if not os.path.lexists(folder / NOTES)]
        for folder in sorted(ours, key=record_time)[:-KEPT]:
            forget(folder)


def forget(folder: Path) -> None:
    """Remove one record: only what `keep_record` put there."""
    if folder.is_symlink():
        return
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if path.name in (MANIFEST, KL_LOG) or is_log(path.name):
                with suppress(OSError):
                    path.unlink()
    with suppress(OSError):
        folder.rmdir()
