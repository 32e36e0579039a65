"""What a launch records of the code that trains, and that it goes again with the run."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from launching import SUCCESS, Bed, make_bed, make_plan, own_home

from launcher.base.errors import KlError
from launcher.base.files import sha256_of
from launcher.plan.plan import Plan
from launcher.record.manifest import read_manifest
from launcher.record.recreate import recreate
from launcher.run.launch import launch
from launcher.run.outcome import Outcome
from launcher.run.screen import NullScreen


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    own_home(tmp_path, monkeypatch)
    return make_bed(tmp_path)


def dirty_plan(bed: Bed, script: str) -> Plan:
    """A plan whose checkout, and another repository, have changes that are not committed."""
    plan = make_plan(bed, script)
    other = bed.folder / "my-lycoris"
    other.mkdir()
    for folder in (bed.checkout, other):
        (folder / "library.py").write_text("1\n")
        for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "one")):
            identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
            subprocess.run(["git", *identity, *words], cwd=folder, check=True)
        (folder / "library.py").write_text("2\n")
    (bed.checkout / "large.bin").write_bytes(b"\0" * (2 << 20))
    return replace(plan, repositories=(other, bed.folder / "signs"))


def test_the_code_is_in_the_run_directory(bed: Bed) -> None:
    plan = dirty_plan(bed, SUCCESS)
    assert launch(plan, NullScreen()).outcome is Outcome.SUCCEEDED
    manifest = read_manifest(plan.directory)
    patches = ["patches/sd-scripts.patch", "patches/my-lycoris.patch", None]
    assert [record.patch for record in manifest.repositories] == patches
    assert manifest.repositories[0].left_out == ("large.bin: larger than 1 MiB",)
    signs = bed.folder / "signs"
    assert f"{signs}: not a git repository" in manifest.not_recorded
    known = {file.name: file.sha256 for file in manifest.files}
    for name in patches[:2]:
        assert known[str(name)] == sha256_of((plan.directory / str(name)).read_bytes())
    lines = (plan.directory / "repos.git").read_text().splitlines()
    assert lines[:2] == [
        f"{record.path}: (main) {record.commit}" for record in manifest.repositories[:2]
    ]  # fmt: skip
    (bed.checkout / "library.py").write_text("3\n")
    again = recreate(manifest.repositories, "sd-scripts", plan.directory, {})
    assert (again / "library.py").read_text() == "2\n"


def test_patches_go_with_a_run_that_leaves_nothing(bed: Bed) -> None:
    plan = dirty_plan(bed, "raise SystemExit(1)")
    assert launch(plan, NullScreen()).outcome is Outcome.FAILED
    assert not plan.directory.exists()


def test_patches_go_when_the_trainer_cannot_be_started(bed: Bed) -> None:
    plan = dirty_plan(bed, SUCCESS)
    nowhere = replace(plan.environment, python=bed.folder / "no" / "python")
    with pytest.raises(KlError, match="cannot be started"):
        launch(replace(plan, environment=nowhere), NullScreen())
    assert not plan.directory.exists()
