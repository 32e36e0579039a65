"""git: whether it is there."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from launcher.record.git import GitError, git
from launcher.setup.doctor.diagnosis import Diagnosis, fine, wrong

GIT = "git"
_INSTALLERS = {
    "apt-get": "sudo apt-get install -y git",
    "dnf": "sudo dnf install -y git",
    "yum": "sudo yum install -y git",
    "pacman": "sudo pacman -S --noconfirm git",
    "zypper": "sudo zypper install -y git",
    "apk": "sudo apk add git",
    "brew": "brew install git",
    "conda": "conda install -y git",
}


def look_at_git() -> Iterator[Diagnosis]:
    """git, without which no run's code is recorded and no checkout is made."""
    if shutil.which("git") is None:
        mend = next((line for program, line in _INSTALLERS.items() if shutil.which(program)), None)
        if mend is None and sys.platform == "darwin":
            mend = "xcode-select --install"
        yield wrong(GIT, "git is not installed: which code a run was trained with is not recorded.", mend)
        return
    try:
        version = git(Path("/"), "version").decode("utf-8", "replace").strip().removeprefix("git version ")
    except GitError as error:
        yield wrong(GIT, f"git does not work: {error}.")
        return
    yield fine(GIT, f"{version}.")
