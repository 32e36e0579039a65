"""The output root and the folders of datasets: written to for real, by another user, on a full disk."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.setup.doctor.dataset import look_at_dataset
from launcher.setup.doctor.diagnosis import Diagnosis, Status
from launcher.setup.doctor.folders import WriteTrial
from launcher.setup.doctor.output import Room, judge_output, look_at_output, roomiest

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user gets to: pytest's own are for one alone."""
    folder = Path(tempfile.mkdtemp(prefix="kl-doctor-")).resolve()
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def as_nobody(act: Callable[[], None]) -> None:
    """Do it as a user who may not do everything; as we are, when we are none who may."""
    if os.geteuid() != 0:
        act()
        return
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            act()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def output(root: Path) -> Diagnosis:
    (found,) = look_at_output(root, elsewhere=())
    return found


def dataset(root: Path | None = None, folder: Path | None = None) -> Diagnosis:
    (found,) = look_at_dataset(root, folder)
    return found


def run(mend: str | None) -> None:
    assert mend is not None
    subprocess.run(["sh", "-c", mend], check=True)


def test_an_output_root_that_can_be_written_to(folder: Path) -> None:
    found = output(folder)
    assert found.status in (Status.FINE, Status.ADVICE) and "free" in found.message
    assert list(folder.iterdir()) == []


def test_an_output_root_that_is_made_when_a_run_starts(folder: Path) -> None:
    found = output(folder / "output" / "deeper")
    assert found.status in (Status.FINE, Status.ADVICE)
    assert list(folder.iterdir()) == []


def test_an_output_root_that_may_not_be_written_to(folder: Path) -> None:
    root = folder / "output"

    def act() -> None:
        root.mkdir()
        root.chmod(stat.S_IRUSR | stat.S_IXUSR)
        found = output(root)
        assert found.status is Status.WRONG and "cannot be written to: Permission denied" in found.message
        run(found.mend)
        assert output(root).status in (Status.FINE, Status.ADVICE)

    as_nobody(act)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_an_output_root_of_another_user(folder: Path) -> None:
    root = folder / "output"
    root.mkdir(mode=0o755)

    def act() -> None:
        found = output(root)
        assert found.status is Status.WRONG
        assert found.mend == f"sudo chown {NOBODY}:{NOBODY} {root}"

    as_nobody(act)
    os.chown(root, NOBODY, NOBODY)  # what sudo would do
    as_nobody(lambda: None if output(root).status is not Status.WRONG else pytest.fail("still wrong"))


def test_a_file_where_the_output_root_should_be(folder: Path) -> None:
    (folder / "out put").write_text("")
    found = output(folder / "out put" / "deeper")
    assert found.status is Status.WRONG and "is a file" in found.message
    run(found.mend)
    assert output(folder / "out put").status is not Status.WRONG


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    disk = folder / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root may mount a small file system")
    words = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_and_where_runs_can_go_instead(small_disk: Path, folder: Path) -> None:
    (small_disk / "older").write_bytes(b"x" * 65536)
    (found,) = look_at_output(small_disk, elsewhere=[])
    assert found.status is Status.WRONG and "its disk is full, 0 bytes free" in found.message
    assert [each.name for each in small_disk.iterdir()] == ["older"]
    (found,) = look_at_output(small_disk, elsewhere=[small_disk, folder])
    if shutil.disk_usage(folder).free > 11_000_000_000:
        assert found.mend == f"kl config set run.output_root {folder / 'disk'}"
        (named,) = look_at_output(small_disk, elsewhere=[folder], configured=False)
        assert named.mend == f"export OUTPUT_DIR={folder / 'disk'}"


GB = 1_000_000_000
FINE = WriteTrial(Path("/out"), None)


@pytest.mark.parametrize(
    ("trial", "room", "status", "says"),
    [
        (FINE, Room(500 * GB, 1000), Status.FINE, "500.0 GB free"),
        (FINE, Room(500 * GB, None), Status.FINE, "500.0 GB free"),
        (FINE, Room(5 * GB, 1000), Status.ADVICE, "5.0 GB free"),
        (FINE, Room(GB // 10, 1000), Status.WRONG, "its disk is full"),
        (FINE, Room(500 * GB, 0), Status.WRONG, "no more files can be made"),
        (WriteTrial(Path("/out"), OSError(28, "No space left")), Room(500 * GB, 9), Status.WRONG, "its disk is full"),
        (WriteTrial(Path("/out"), OSError(30, "Read-only")), Room(500 * GB, 9), Status.WRONG, "mounted read-only"),
    ],
)
def test_the_room_of_a_disk(trial: WriteTrial, room: Room, status: Status, says: str) -> None:
    found = judge_output(Path("/out"), trial, room, lambda: "kl config set run.output_root /other/out")
    assert (found.status, says in found.message) == (status, True)
    assert (found.mend is None) == (status is Status.FINE)


def test_the_roomiest_of_the_folders_that_are_there(folder: Path) -> None:
    enough = shutil.disk_usage(folder).free > 11_000_000_000
    assert roomiest([folder, folder / "missing"]) == (folder if enough else None)
    assert roomiest([]) is None


def test_a_folder_for_datasets(folder: Path) -> None:
    root = folder / "data sets"
    found = dataset(root)
    assert found.status is Status.ADVICE and "is not there" in found.message
    run(found.mend)
    assert dataset(root).status is Status.FINE
    (root / "fox").mkdir()
    (root / ".hidden").mkdir()
    assert "1 folder." in dataset(root).message


def test_the_dataset_folder_of_a_run(folder: Path) -> None:
    fox = folder / "fox"
    assert dataset(folder, fox).status is Status.WRONG
    fox.mkdir()
    assert "is empty" in dataset(folder, fox).message
    (fox / "config.toml").write_text("")
    assert dataset(folder, fox).status is Status.FINE
    assert dataset(folder, fox / "config.toml").message.endswith("is not a folder.")


def test_a_dataset_folder_that_is_only_for_reading(folder: Path) -> None:
    fox = folder / "fox"

    def act() -> None:
        fox.mkdir()
        (fox / "config.toml").write_text("")
        fox.chmod(0o555)
        found = dataset(folder, fox)
        assert found.status is Status.ADVICE and "Cached latents" in found.message
        run(found.mend)
        assert dataset(folder, fox).status is Status.FINE
        fox.chmod(0)
        assert dataset(folder, fox).status is Status.WRONG
        run(dataset(folder, fox).mend)
        assert dataset(folder, fox).status is Status.FINE

    as_nobody(act)


def test_nothing_is_known_of_folders_that_nobody_named() -> None:
    assert list(look_at_output(None)) == list(look_at_dataset(None, None)) == []
