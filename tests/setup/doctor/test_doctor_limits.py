"""Shared memory and open files."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from launcher.setup.doctor.diagnosis import Status
from launcher.setup.doctor.limits import OPEN_FILES, judge_open_files, judge_shared_memory, look_at_limits

MB, GB = 1_000_000, 1_000_000_000
ASK = (
    "from launcher.setup.doctor.limits import look_at_limits as look; print([each for each in look()][-1].status.value)"
)


@pytest.mark.parametrize(
    ("size", "free", "container", "status", "mend"),
    [
        (16 * GB, 15 * GB, False, Status.FINE, None),
        (67 * MB, 67 * MB, True, Status.ADVICE, "docker run --shm-size=8g …"),
        (67 * MB, 67 * MB, False, Status.ADVICE, "sudo mount -o remount,size=50% /dev/shm"),
        (67 * MB, 1 * MB, True, Status.WRONG, "docker run --shm-size=8g …"),
        (16 * GB, 1 * MB, False, Status.WRONG, "find /dev/shm -user \"$(id -un)\" -name 'torch_*' -delete"),
    ],
)
def test_shared_memory(size: int, free: int, container: bool, status: Status, mend: str | None) -> None:
    found = judge_shared_memory(size, free, in_container=container)
    assert (found.status, found.mend) == (status, mend)


@pytest.mark.parametrize(
    ("soft", "hard", "status", "mend"),
    [
        (1024, 4096, Status.FINE, None),
        (-1, -1, Status.FINE, None),
        (512, 1_048_576, Status.ADVICE, "ulimit -n 65536"),
        (200, 4096, Status.WRONG, "ulimit -n 4096"),
        (200, -1, Status.WRONG, "ulimit -n 65536"),
        (200, 200, Status.WRONG, 'sudo prlimit --pid "$$" --nofile=65536:65536'),
    ],
)
def test_open_files(soft: int, hard: int, status: Status, mend: str | None) -> None:
    found = judge_open_files(soft, hard)
    assert (found.status, found.mend) == (status, mend)


def test_a_low_limit_of_a_shell_is_raised_in_it() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1024:
        pytest.skip("the hard limit is too low here")
    mend = judge_open_files(200, hard, unlimited=resource.RLIM_INFINITY).mend
    script = f"ulimit -S -n 200; {sys.executable} -c '{ASK}'; {mend}; {sys.executable} -c '{ASK}'"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["wrong", "fine"]


def test_this_machine_is_looked_at() -> None:
    found = list(look_at_limits())
    assert found[-1].subject == OPEN_FILES
    assert (len(found) == 2) == (sys.platform == "linux")
