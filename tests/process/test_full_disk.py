"""A disk that is full for real: what was there stays whole, and the run says why it failed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from launching import Bed, launched, make_bed, make_plan

from launcher.data.safetensors_header import Header, read_header
from launcher.record.manifest import read_manifest
from launcher.run.directory import KL_LOG
from launcher.run.outcome import Outcome
from launcher.run.state import settle

NAME = "fox-v1s4"
SIZE = 400 * 1024
FILL = """
    def fill():
        with (OUT.parent / "filler").open("wb", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass
    bar(1, 4)
    save(NAME + "-step00000001.safetensors")
"""


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    """A bed whose output root is a file system of 400 kB."""
    bed = make_bed(tmp_path)
    bed.root.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(bed.root)], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield bed
    subprocess.run(["umount", "-l", str(bed.root)], check=True)


def _room(bed: Bed, left: int) -> None:
    """Fill the disk but for so many bytes."""
    status = os.statvfs(bed.root)
    (bed.root / "older").write_bytes(b"x" * (status.f_bavail * status.f_frsize - left))


def _models_are_whole(bed: Bed) -> None:
    header = read_header(bed.root / NAME / f"{NAME}-step00000001.safetensors")
    assert isinstance(header, Header) and header.missing == 0


@pytest.mark.parametrize("left", [0, 8192])
def test_while_the_archive_is_written(bed: Bed, left: int) -> None:
    plan = make_plan(bed, "", NAME)
    plan = replace(plan, files=(replace(plan.files[0], content=b"#" * 100_000), *plan.files[1:]))
    _room(bed, left)
    size = (bed.root / "older").stat().st_size
    with launched(bed, plan) as kl:
        code, said = kl.end()
    assert code == 73 and "No space left on device" in said["error"]
    assert [path.name for path in bed.root.iterdir()] == ["older"]
    assert (bed.root / "older").stat().st_size == size


def _failed(bed: Bed, script: str) -> str:
    """Train until the disk is full; return what was said."""
    with launched(bed, make_plan(bed, FILL + script, NAME), patience=5) as kl:
        code, said = kl.end()
        assert (code, said["outcome"]) == (1, "failed")
        assert said["artifacts"][0] == f"{NAME}-step00000001.safetensors"
        manifest, outcome = settle(bed.root / NAME)
        assert outcome is Outcome.FAILED
        # The end was written down with the room that was kept for it.
        assert (manifest.outcome, manifest.attempts[0].exit_code, manifest.attempts[0].last_step) == ("failed", 1, 1)
        assert manifest == read_manifest(bed.root / NAME)
        _models_are_whole(bed)
        assert f"{NAME} failed after 1 steps" in (bed.root / NAME / KL_LOG).read_text("utf-8")
        return str(said)


def test_while_a_model_is_saved(bed: Bed) -> None:
    said = _failed(bed, '    fill()\n    (OUT / (NAME + "-step00000002.safetensors")).write_bytes(b"x" * 100_000)\n')
    assert "No space left on device" in said


def test_while_the_log_is_written(bed: Bed) -> None:
    script = """
    print("x" * 10, flush=True)
    fill()
    while True:
        print("x" * 1000, flush=True)
    """
    _failed(bed, script)


def test_a_manifest_that_does_not_fit_leaves_the_one_before(bed: Bed) -> None:
    """Also without the room that was kept: somebody else needed it."""
    script = """
    while not list(OUT.glob(".run.json.reserve*")):
        time.sleep(0.01)
    next(OUT.glob(".run.json.reserve*")).unlink()
    fill()
    os._exit(7)
    """
    with launched(bed, make_plan(bed, FILL + script, NAME), patience=5) as kl:
        code, said = kl.end()
        assert (code, said["outcome"]) == (7, "failed")
        assert kl.said("run.json could not be written: No space left on device")
    manifest = read_manifest(bed.root / NAME)
    assert manifest.outcome == "running" and manifest.attempts[0].pid is not None
    _models_are_whole(bed)
    (bed.root / "filler").unlink()
    assert settle(bed.root / NAME)[1] is Outcome.LOST  # nobody could write down how it ended
    assert read_manifest(bed.root / NAME).outcome == "lost"
