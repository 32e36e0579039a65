"""A disk, a driver or an interpreter that hangs holds up nothing else."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from doctor_bed import Bed, make_bed, make_checkout, make_environment, of

from launcher.cli.installation import installation_of
from launcher.setup import activation_scripts
from launcher.setup.doctor.diagnose import CHECKOUT, ENVIRONMENT, FOR_SCRIPTS, GIT, PATIENCE, diagnose
from launcher.setup.doctor.diagnosis import Status
from launcher.setup.doctor.in_time import Looked, Looks
from launcher.setup.doctor.installation import Installation


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    return make_bed(tmp_path / "bed", monkeypatch)


def test_what_takes_too_long_is_not_waited_for() -> None:
    over = threading.Event()
    error = ValueError("broken")

    def fail() -> int:
        raise error

    looks = Looks({"slow": lambda: int(over.wait(60)), "fast": lambda: 7, "bad": fail}, 0.2)
    assert looks.result("slow") == Looked()
    assert looks.result("fast") == Looked(found=7)
    assert looks.result("bad") == Looked(error=error)
    over.set()


def test_with_all_patience_everything_is_waited_for() -> None:
    ready = threading.Event()

    def say() -> bool:
        ready.set()
        return True

    looks = Looks({"late": lambda: ready.wait(60), "first": say}, None)
    assert looks.result("late").found is True


def hang(bed: Bed, name: str) -> Path:
    program = bed.programs / name
    program.unlink(missing_ok=True)
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    return program


def test_an_interpreter_that_hangs_is_unknown_and_the_rest_is_told(bed: Bed) -> None:
    python = hang(bed, "slow-python")
    found = diagnose(Installation(make_checkout(bed.folder / "sd-scripts"), python), patience=0.5)
    assert of(found, "Python").status is Status.UNKNOWN
    assert "took longer than 0.5 seconds" in of(found, "Python").message
    assert of(found, "open files").status is not Status.UNKNOWN


def test_a_script_of_a_conda_environment_that_hangs_is_told(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a launch's patience otherwise, which is longer than the doctor has for everything."""
    prefix = make_environment(bed.folder / "forge" / "envs" / "lora").parent.parent
    script = prefix / "etc" / "conda" / "activate.d" / "slow.sh"
    script.parent.mkdir(parents=True)
    script.write_text("export FIRST=1\nwhile :; do sleep 1; done\n")
    asked: list[float | None] = []
    of_before: Any = activation_scripts.run_scripts

    def run_scripts(*words: Any) -> Any:
        asked.append(words[3])
        return of_before(*words[:3], 0.2)

    monkeypatch.setattr(activation_scripts, "run_scripts", run_scripts)
    sets = ('env.kind="conda"', f'env.path="{prefix}"')
    found = installation_of(None, sets, os.environ, FOR_SCRIPTS)
    (problem,) = found.problems[-1:]
    assert asked == [FOR_SCRIPTS] and FOR_SCRIPTS < PATIENCE
    assert "slow.sh took more than" in problem.message and problem.status is Status.ADVICE


def test_a_driver_that_hangs_is_told(bed: Bed) -> None:
    hang(bed, "nvidia-smi")
    python = make_environment(bed.folder / "venv")
    found = diagnose(Installation(python=python), patience=20.0, subjects=(ENVIRONMENT,))
    assert of(found, "GPU").status is Status.WRONG and "not answered" in of(found, "GPU").message
    assert of(found, "torch").status is Status.FINE


def test_a_git_that_hangs_is_unknown(bed: Bed) -> None:
    checkout = make_checkout(bed.folder / "sd-scripts")
    (checkout / ".git").mkdir()
    hang(bed, "git")
    found = diagnose(Installation(checkout), patience=0.5, subjects=(GIT, CHECKOUT))
    assert [(each.subject, each.status) for each in found] == [("git", Status.UNKNOWN), ("checkout", Status.UNKNOWN)]


def test_what_breaks_is_unknown_and_says_why(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr("launcher.setup.doctor.diagnose.look_at_git", broken)
    (found,) = diagnose(Installation(), subjects=(GIT,), patience=None)
    assert found.status is Status.UNKNOWN and "nobody thought of this" in found.message
