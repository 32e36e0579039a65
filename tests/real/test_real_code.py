"""The real checkout of sd-scripts, recorded and made again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from real_bed import CHECKOUT, needs

from launcher.record.recreate import recreate
from launcher.record.repositories import RecordedCode, record_code

pytestmark = needs(CHECKOUT)


def made_again(code: RecordedCode, run: Path) -> Path:
    for name, patch in code.patches.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(patch)
    return recreate(code.repositories, "sd-scripts", run, {})


def of_git(folder: Path) -> dict[str, tuple[bool, bytes]]:
    """Every file that git knows or could know, and whether it is a program."""
    words = ("git", "--no-optional-locks", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(words, cwd=folder, check=True, capture_output=True).stdout.split(b"\0")
    there = [path for path in (folder / os.fsdecode(name) for name in listed if name) if path.is_file()]
    return {str(path.relative_to(folder)): (os.access(path, os.X_OK), path.read_bytes()) for path in there}


def stamps(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Size and times of all files, git's own too, but for the bytecode that a training beside us may write."""
    return {
        path: (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts and (".git" in path.parts or not path.is_dir())
        for status in [path.lstat()]
    }


@pytest.mark.parametrize("dirty", [False, True])
def test_sd_scripts_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dirty: bool) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    checkout = CHECKOUT
    if dirty:
        checkout = tmp_path / "sd-scripts"
        subprocess.run(["cp", "-a", str(CHECKOUT), str(checkout)], check=True)
        script = checkout / "train_network.py"
        script.write_bytes(script.read_bytes().replace(b"\n", b"\r\n", 40) + b"# changed\n")
        (checkout / "fine_tune.py").unlink()
        (checkout / "networks" / "mine.py").write_bytes(b"x = 1\n")
        (checkout / "setup.py").chmod(0o755)
        subprocess.run(["git", "mv", "train_db.py", "train_renamed.py"], cwd=checkout, check=True)
    before = stamps(checkout)
    code = record_code([("sd-scripts", checkout)])
    again = made_again(code, tmp_path / "run")
    assert stamps(checkout) == before
    (record,) = code.repositories
    assert (record.problem, record.left_out, bool(record.patch)) == (None, (), dirty)
    now, stood = of_git(again), of_git(checkout)
    # What a sparse checkout leaves out may be there again: nothing is lacking, and nothing else is more.
    assert {name: what for name, what in now.items() if name in stood} == stood
    assert len(now) - len(stood) <= record.absent
