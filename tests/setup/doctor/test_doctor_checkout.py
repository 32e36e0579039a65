"""The checkout as git sees it: each state is named, and mended by what is said."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from doctor_bed import Bed, make_bed, make_checkout

from launcher.setup.doctor.checkout import look_at_checkout
from launcher.setup.doctor.diagnosis import Diagnosis, Status
from launcher.setup.doctor.git_program import look_at_git
from launcher.trainer.checkout import SD_SCRIPTS


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    return make_bed(tmp_path / "bed", monkeypatch)


def git(folder: Path, *words: str, fine: bool = True) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not fine, done.stderr
    return done.stdout.strip()


def commit(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", name)


@pytest.fixture
def origin(bed: Bed) -> Path:
    """Where the checkout is cloned from, with three commits."""
    origin = make_checkout(bed.folder / "origin")
    git(origin, "init", "-q", "-b", "main")
    for number in range(3):
        commit(origin, "tool.py", f"version = {number}\n")
    git(origin, "tag", "v0.10.1")
    return origin


@pytest.fixture
def clone(bed: Bed, origin: Path) -> Path:
    git(bed.folder, "clone", "-q", str(origin), "sd-scripts")
    return bed.folder / "sd-scripts"


def look(folder: Path, script: str | None = None) -> list[Diagnosis]:
    return list(look_at_checkout(folder, script))


def unwell(folder: Path) -> list[Diagnosis]:
    return [each for each in look(folder) if each.status is not Status.FINE]


def one(folder: Path) -> Diagnosis:
    (found,) = unwell(folder)
    return found


def mend(bed: Bed, found: Diagnosis) -> None:
    assert found.mend is not None
    bed.run(found.mend)


def test_a_clone_that_is_as_its_remote_is_fine(clone: Path) -> None:
    (found,) = look(clone)
    commit = git(clone, "rev-parse", "HEAD")[:12]
    assert found.status is Status.FINE and found.mend is None
    assert found.message == f"{clone}: main, commit {commit}; 1 training script: train_network.py."


def test_files_that_nobody_committed_do_not_count(clone: Path) -> None:
    (clone / "notes.txt").write_text("mine")
    assert unwell(clone) == []


def test_a_release_without_a_branch_is_fine(clone: Path) -> None:
    git(clone, "checkout", "-q", "v0.10.1")
    (found,) = look(clone)
    assert found.status is Status.FINE and "release v0.10.1, commit" in found.message


def test_changed_files_are_put_aside(bed: Bed, clone: Path) -> None:
    (clone / "tool.py").write_text("mine = 1\n")
    found = one(clone)
    assert found.status is Status.ADVICE and "1 file is changed and not committed: tool.py" in found.message
    mend(bed, found)
    assert unwell(clone) == []
    git(clone, "stash", "pop", "-q")
    assert (clone / "tool.py").read_text() == "mine = 1\n"


def test_a_renamed_file_is_named_as_it_is_now(clone: Path) -> None:
    git(clone, "mv", "tool.py", "a tool.py")
    assert "a tool.py" in one(clone).message


@pytest.mark.parametrize(("name", "status"), [("library/train_util.py", Status.WRONG), ("README.md", Status.ADVICE)])
def test_files_that_are_gone_come_back(name: str, status: Status, bed: Bed, clone: Path) -> None:
    (clone / name).unlink()
    found = one(clone)
    assert found.status is status and f"1 file of the commit is not there: {name}" in found.message
    mend(bed, found)
    assert unwell(clone) == [] and (clone / name).is_file()


@pytest.mark.parametrize("way", ["merge", "rebase", "cherry-pick"])
def test_a_merge_that_stopped_is_ended(way: str, bed: Bed, clone: Path) -> None:
    git(clone, "checkout", "-q", "-b", "mine", "HEAD~1")
    commit(clone, "tool.py", "mine = 1\n")
    git(clone, way, "main", fine=False)
    found = next(each for each in look(clone) if each.status is Status.WRONG)
    assert "in the middle" in found.message and "tool.py" in found.message
    mend(bed, found)
    assert unwell(clone) == [] and (clone / "tool.py").read_text() == "mine = 1\n"


def test_conflicts_that_a_stash_left_are_ended(bed: Bed, clone: Path) -> None:
    (clone / "tool.py").write_text("mine = 1\n")
    git(clone, "stash")
    commit(clone, "tool.py", "other = 1\n")
    git(clone, "stash", "pop", fine=False)
    found = next(each for each in look(clone) if each.status is Status.WRONG)
    mend(bed, found)
    assert not [each for each in look(clone) if each.status is Status.WRONG]


def test_a_clone_that_is_behind_goes_on(bed: Bed, clone: Path, origin: Path) -> None:
    commit(origin, "tool.py", "newer = 1\n")
    commit(origin, "tool.py", "newer = 2\n")
    assert unwell(clone) == []  # it does not ask the remote
    git(clone, "fetch", "-q")
    found = one(clone)
    assert found.status is Status.ADVICE and "2 commits behind origin/main, as it was on 2" in found.message
    mend(bed, found)
    assert unwell(clone) == [] and (clone / "tool.py").read_text() == "newer = 2\n"


def test_a_clone_with_commits_of_its_own_keeps_them(bed: Bed, clone: Path, origin: Path) -> None:
    commit(clone, "mine.py", "mine = 1\n")
    assert unwell(clone) == []
    commit(origin, "tool.py", "newer = 1\n")
    git(clone, "fetch", "-q")
    found = one(clone)
    assert "1 commit behind origin/main" in found.message and "1 ahead" in found.message
    mend(bed, found)
    assert unwell(clone) == [] and (clone / "mine.py").is_file()


def test_a_shallow_clone_gets_its_history(bed: Bed, origin: Path) -> None:
    git(bed.folder, "clone", "-q", "--depth", "1", origin.as_uri(), "shallow")
    clone = bed.folder / "shallow"
    found = one(clone)
    assert found.status is Status.ADVICE and "shallow" in found.message
    mend(bed, found)
    assert unwell(clone) == [] and git(clone, "rev-list", "--count", "HEAD") == "3"


def test_a_folder_that_is_no_repository_is_advice(bed: Bed) -> None:
    found = one(make_checkout(bed.folder / "unpacked"))
    assert found.status is Status.ADVICE and "no git repository" in found.message


def test_a_checkout_that_is_not_there_is_cloned(bed: Bed, origin: Path) -> None:
    git(bed.folder, "config", "--global", f"url.{origin}.insteadOf", SD_SCRIPTS)
    folder = bed.folder / "missing place" / "sd-scripts"
    found = one(folder)
    assert found.status is Status.WRONG and "There is no folder" in found.message
    mend(bed, found)
    assert unwell(folder) == []


def test_something_else_than_a_checkout(bed: Bed) -> None:
    found = one(bed.programs)
    assert found.status is Status.WRONG and "no training scripts" in found.message and found.mend is None


def test_a_script_that_the_checkout_does_not_have(clone: Path) -> None:
    found = [each for each in look(clone, "sdxl_train_network.py") if each.status is Status.WRONG]
    assert "has no sdxl_train_network.py: it has train_network.py" in found[0].message
    assert all(each.status is Status.FINE for each in look(clone, "train_network.py"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_another_user_is_let_in(bed: Bed, clone: Path) -> None:
    for folder, _, files in os.walk(clone):
        for name in (".", *files):
            os.lchown(Path(folder, name), 65534, 65534)
    found = one(clone)
    assert found.status is Status.WRONG and "belongs to another user" in found.message
    mend(bed, found)
    assert unwell(clone) == []


def test_no_checkout_is_nothing_to_say() -> None:
    assert list(look_at_checkout(None)) == []


def test_git_is_there_or_how_to_get_it(bed: Bed) -> None:
    (found,) = look_at_git()
    assert found.status is Status.FINE and found.message[0].isdecimal()
    (bed.programs / "git").unlink()
    (bed.programs / "apt-get").symlink_to("/bin/true")
    (missing,) = look_at_git()
    assert missing.status is Status.WRONG and missing.mend == "sudo apt-get install -y git"


def test_a_git_that_does_not_work_is_wrong(bed: Bed) -> None:
    (bed.programs / "git").unlink()
    (bed.programs / "git").write_text("#!/bin/sh\necho broken >&2; exit 1\n")
    (bed.programs / "git").chmod(0o755)
    (found,) = look_at_git()
    assert found.status is Status.WRONG and "broken" in found.message
