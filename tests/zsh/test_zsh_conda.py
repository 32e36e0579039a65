"""setup_conda_env under a real zsh, with a stand-in for each of conda's programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from zsh_bed import NO_ZSH, functions, kl_command

sys.path.append(str(Path(__file__).parents[1] / "setup"))

from conda_bed import KINDS, CondaBed, conda_bed

pytestmark = pytest.mark.skipif(NO_ZSH, reason="needs zsh")
SHOW = 'print -rl -- "$CONDA_PREFIX" "${commands[python]}" "$FROM_SCRIPT" "$(command -v kl)"'


@pytest.fixture(params=KINDS)
def bed(request: pytest.FixtureRequest, tmp_path: Path) -> CondaBed:
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    kl_command(home / "bin")
    bed = conda_bed(home, request.param)
    bed.environment("sdscripts", activate={"set.sh": "export FROM_SCRIPT=yes; : $NOT_SET_AT_ALL\n"})
    return bed


@pytest.mark.parametrize("options", ["", "set -eu -o pipefail"])
def test_the_environment_is_active_afterwards(bed: CondaBed, options: str) -> None:
    called = _zsh(bed, f'{options}\nsource "$(kl zsh path)"\nsetup_conda_env sdscripts\n{SHOW}')
    prefix = bed.root / "envs" / "sdscripts"
    assert called.stderr == ""
    assert called.stdout.splitlines() == [
        str(prefix), str(prefix / "bin" / "python"), "yes", str(bed.home / "bin" / "kl")
    ]  # fmt: skip


def test_the_folder_of_conda_may_be_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    kl_command(home / "bin")
    bed = conda_bed(home, "conda", root=tmp_path / "else where" / "conda")
    bed.environment("sdscripts")
    plain = _zsh(bed, 'source "$(kl zsh path)"\nsetup_conda_env sdscripts; print $?')
    assert plain.stdout == "69\n"
    assert "There is no conda." in plain.stderr
    named = _zsh(bed, f'source "$(kl zsh path)"\nsetup_conda_env sdscripts "{bed.root}"; print $? $CONDA_DEFAULT_ENV')
    assert named.stdout == "0 sdscripts\n", named.stderr


def test_an_environment_that_is_not_there_ends_the_script(bed: CondaBed) -> None:
    called = _zsh(bed, 'set -e\nsource "$(kl zsh path)"\nsetup_conda_env sdscript\nprint went on')
    assert called.returncode == 69
    assert called.stdout == ""
    assert "setup_conda_env: sdscript is not active" in called.stderr


def test_kl_is_found_when_the_environment_hides_it(bed: CondaBed) -> None:
    text = f'source {str(functions())!r}\npath=(${{path:#*home/bin}})\nrehash\nget_lycoris_repo; print "code $?"'
    assert _zsh(bed, text).stdout.splitlines()[-1] == "code 0"


def _zsh(bed: CondaBed, text: str) -> subprocess.CompletedProcess[str]:
    script = bed.home / "train.zsh"
    script.write_text(f"#!/usr/bin/env zsh\n{text}\n")
    environ = bed.environ()
    environ = bed.environ(PATH=f"{bed.home / 'bin'}:{environ['PATH']}", LC_ALL="C.UTF-8")
    words = ["zsh", str(script)]
    return subprocess.run(
        words, cwd=bed.home, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
