"""Who is at work in a directory: processes that stand in it, have a file in it open for writing, or were started for
the run that it is.

Whoever only reads a file loses nothing when it is removed. Processes of other users cannot be looked into.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from launcher.run.process import RUN_VARIABLE

_PROC = Path("/proc")
_MAY_WRITE = 0o200  # of the link /proc/PID/fd/N
Place = tuple[int, int]  # device and inode: the same by whatever path, also in another container


def places_in_use() -> Mapping[Place, int]:
    """Folders that processes stand in, files that they may write, and directories of the runs that they were started
    for, with the process; kl's own left out.
    """
    pids = (pid for pid in psutil.pids() if pid != os.getpid())
    places = _by_proc if sys.platform == "linux" else _by_psutil
    return {place: pid for pid in pids for place in (*places(pid), *_run_of(pid))}


def users_of(places: Iterable[Place], in_use: Mapping[Place, int]) -> tuple[int, ...]:
    """The processes that are at work in one of `places`, sorted."""
    return tuple(sorted({in_use[place] for place in places if place in in_use}))


def process_name(pid: int) -> str:
    """ "4711 (python)", or only the number when the process is gone by now."""
    try:
        return f"{pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        return str(pid)


def _by_proc(pid: int) -> Iterator[Place]:
    folder = _PROC / str(pid)
    yield from _place(folder / "cwd")
    try:
        links = list((folder / "fd").iterdir())
    except OSError:  # gone, or another user's
        return
    for link in links:
        with suppress(OSError):
            if link.lstat().st_mode & _MAY_WRITE and str(link.readlink()).startswith("/"):
                yield from _place(link)


def _by_psutil(pid: int) -> Iterator[Place]:
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        yield from _place(Path(process.cwd()))
        for opened in process.open_files():  # how they are opened is not known here: each counts
            yield from _place(Path(opened.path))


def _run_of(pid: int) -> Iterator[Place]:
    with suppress(psutil.Error, OSError):
        directory = psutil.Process(pid).environ().get(RUN_VARIABLE)
        if directory:
            yield from _place(Path(directory))


def _place(path: Path) -> Iterator[Place]:
    with suppress(OSError, ValueError):
        status = path.stat()
        yield status.st_dev, status.st_ino
