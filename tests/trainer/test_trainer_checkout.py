"""Opening a checkout, its scripts, and the commit it stands at."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from trainer_checkouts import lay_out, setup

from launcher.base.errors import ExitCode, KlError
from launcher.trainer.checkout import open_checkout, script_path
from launcher.trainer.commit import head_commit

TRAINING = setup("parser.add_argument('--a')")


def git(folder: Path, *arguments: str) -> str:
    quiet = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *quiet, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_training_scripts_at_the_root_are_found(tmp_path: Path) -> None:
    files = {
        "train_network.py": TRAINING,
        "fine_tune.py": TRAINING,
        "train_controlnet.py": "from train_control_net import setup_parser\n",
        "sdxl_train.py": TRAINING,
        "gen_img.py": TRAINING,
        "train_helpers.py": "x = 1\n",
        "tools/train_more.py": TRAINING,
        "library/train_util.py": "",
        "train_notes.txt": TRAINING,
    }
    (tmp_path / "train_folder.py").mkdir()
    checkout = open_checkout(lay_out(tmp_path, files))
    assert checkout.scripts == ("fine_tune.py", "sdxl_train.py", "train_controlnet.py", "train_network.py")
    assert checkout.path == tmp_path.resolve()
    assert checkout.commit is None


def test_the_library_alone_makes_a_checkout_too(tmp_path: Path) -> None:
    assert open_checkout(lay_out(tmp_path, {"library/train_util.py": ""})).scripts == ()


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "other"])
def test_what_is_no_checkout_is_refused_with_what_to_do(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "file":
        path.write_text("x", encoding="utf-8")
    elif kind != "missing":
        path.mkdir()
    if kind == "other":
        lay_out(path, {"setup.py": "x = 1\n", "train.py": "x = 1\n"})
    with pytest.raises(KlError) as caught:
        open_checkout(path)
    assert caught.value.code is ExitCode.ENVIRONMENT_NOT_READY
    assert str(path) in caught.value.message
    assert caught.value.hint is not None and "--sd-scripts" in caught.value.hint


def test_the_home_of_nobody_is_refused() -> None:
    with pytest.raises(KlError) as caught:
        open_checkout(Path("~nobody-of-this-name/sd-scripts"))
    assert caught.value.code is ExitCode.ENVIRONMENT_NOT_READY


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "closed", {"train.py": TRAINING})
    folder.chmod(0)
    try:
        with pytest.raises(KlError) as caught:
            open_checkout(folder)
    finally:
        folder.chmod(0o755)
    assert caught.value.code is ExitCode.ENVIRONMENT_NOT_READY


def test_a_script_is_found_with_and_without_its_ending(tmp_path: Path) -> None:
    checkout = open_checkout(lay_out(tmp_path, {"train_network.py": TRAINING, "library/train_util.py": ""}))
    assert script_path(checkout, "train_network.py") == checkout.path / "train_network.py"
    assert script_path(checkout, "train_network") == checkout.path / "train_network.py"
    assert script_path(checkout, "./train_network.py") == checkout.path / "train_network.py"


BAD = ["", "..", "../train_network.py", "library/../../x", "/etc/passwd", "~/x.py", "train\0.py", "C:\\x.py", "library"]


@pytest.mark.parametrize("script", [*BAD, "README.md", "x" * 5000])
def test_a_script_that_is_not_there_is_refused(tmp_path: Path, script: str) -> None:
    files = {"train_network.py": TRAINING, "library/train_util.py": "", "README.md": "x"}
    lay_out(tmp_path, {"train_network.py": TRAINING})
    checkout = open_checkout(lay_out(tmp_path / "checkout", files))
    with pytest.raises(KlError) as caught:
        script_path(checkout, script)
    assert caught.value.code is ExitCode.SPEC_REFUSED


def test_a_wrong_name_gets_the_nearest_right_one(tmp_path: Path) -> None:
    checkout = open_checkout(lay_out(tmp_path, {"sdxl_train_network.py": TRAINING, "fine_tune.py": TRAINING}))
    with pytest.raises(KlError) as caught:
        script_path(checkout, "sdxl-train-netwrok.py")
    assert caught.value.hint == "Did you mean sdxl_train_network.py?"


def test_the_commit_is_what_git_says(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "repo", {"train.py": TRAINING})
    assert head_commit(folder) is None
    git(folder, "init", "-q")
    assert head_commit(folder) is None  # nothing committed yet
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    first = git(folder, "rev-parse", "HEAD")
    assert head_commit(folder) == open_checkout(folder).commit == first
    git(folder, "pack-refs", "--all")
    assert not (folder / ".git/refs/heads/main").exists()
    assert head_commit(folder) == first
    git(folder, "commit", "-q", "--allow-empty", "-m", "two")
    assert head_commit(folder) == git(folder, "rev-parse", "HEAD") != first  # a loose reference beats a packed one
    git(folder, "checkout", "-q", "--detach", first)
    assert head_commit(folder) == first


def test_the_commit_of_a_linked_working_tree(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "repo", {"train.py": TRAINING})
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    git(folder, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    linked = tmp_path / "linked"
    git(linked, "commit", "-q", "--allow-empty", "-m", "two")
    assert head_commit(linked) == git(linked, "rev-parse", "HEAD") != head_commit(folder)
    git(folder, "pack-refs", "--all")
    assert head_commit(linked) == git(linked, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    "files",
    [
        {".git": "gitdir: nowhere\n"},
        {".git": "\0"},
        {".git/HEAD": ""},
        {".git/HEAD": "ref: refs/heads/main\n"},
        {".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": "ref: refs/heads/main\n"},
        {".git/HEAD": "not a hash\n"},
        {".git/HEAD": "ref: refs/heads/main\n", ".git/packed-refs": "# pack-refs\nxyz refs/heads/main\n"},
    ],
)
def test_a_damaged_repository_has_no_commit(tmp_path: Path, files: dict[str, str]) -> None:
    assert head_commit(lay_out(tmp_path, files)) is None
