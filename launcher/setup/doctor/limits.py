"""What the system allows: shared memory for the loader's processes, and open files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from launcher.plan.checks.model_file import size_text
from launcher.setup.doctor.diagnosis import Diagnosis, advice, fine, unknown, wrong

SHARED_MEMORY, OPEN_FILES = "shared memory", "open files"
_SHM = Path("/dev/shm")  # noqa: S108 - looked at, not written to
_CONTAINER = (Path("/.dockerenv"), Path("/run/.containerenv"))
# The loader's processes hand pictures over through shared memory: a batch of 8 at 1024² takes 100 MB, and each process
# works two batches ahead (torch, prefetch_factor). Docker gives 64 MB unless it is told otherwise.
_ENOUGH_SHM, _NO_SHM = 1_000_000_000, 16_000_000  # bytes: in all, free
_ENOUGH_FILES, _FEW_FILES, _MANY_FILES = 1024, 256, 65536


def look_at_limits() -> Iterator[Diagnosis]:
    """The limits of this machine and this shell."""
    if sys.platform == "linux":
        try:
            status = os.statvfs(_SHM)
        except OSError as error:
            yield unknown(SHARED_MEMORY, f"{_SHM} cannot be looked at: {error.strerror}.")
        else:
            size = status.f_blocks * status.f_frsize
            free = status.f_bavail * status.f_frsize
            yield judge_shared_memory(size, free, in_container=any(each.exists() for each in _CONTAINER))
    import resource  # noqa: PLC0415 - not on every system

    yield judge_open_files(*resource.getrlimit(resource.RLIMIT_NOFILE), unlimited=resource.RLIM_INFINITY)


def judge_shared_memory(size: int, free: int, *, in_container: bool) -> Diagnosis:
    """`size` and `free` of /dev/shm in bytes."""
    has = f"{_SHM} has {size_text(size)}, {size_text(free)} free"
    if free < _NO_SHM:
        message = f"{has}: the loader's processes cannot hand pictures over, and end with a bus error."
        leftover = f"find {_SHM} -user \"$(id -un)\" -name 'torch_*' -delete"
        return wrong(SHARED_MEMORY, message, leftover if size >= _ENOUGH_SHM else _more(in_container))
    if size < _ENOUGH_SHM:
        message = f"{has}: little for the loader's processes. max_data_loader_n_workers = 0 does without."
        return advice(SHARED_MEMORY, message, _more(in_container))
    return fine(SHARED_MEMORY, f"{has}.")


def judge_open_files(soft: int, hard: int, *, unlimited: int = -1) -> Diagnosis:
    """`soft` and `hard` limit of open files."""
    if soft == unlimited or soft >= _ENOUGH_FILES:
        return fine(OPEN_FILES, f"{'no limit' if soft == unlimited else soft}.")
    wanted = _MANY_FILES if hard == unlimited else min(hard, _MANY_FILES)
    mend = f"ulimit -n {wanted}"
    if wanted < _ENOUGH_FILES:
        mend = f'sudo prlimit --pid "$$" --nofile={_MANY_FILES}:{_MANY_FILES}'
    message = f"a process may have {soft}, and each of the loader's processes needs its own."
    return wrong(OPEN_FILES, message, mend) if soft < _FEW_FILES else advice(OPEN_FILES, message, mend)


def _more(in_container: bool) -> str:
    return "docker run --shm-size=8g …" if in_container else f"sudo mount -o remount,size=50% {_SHM}"
