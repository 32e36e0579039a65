"""Broken environments: each is named, and what is said to mend it mends it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from doctor_bed import (
    MINOR,
    OLD_NUMPY,
    SOUND,
    Bed,
    Package,
    bitsandbytes,
    instead,
    make_bed,
    make_checkout,
    make_environment,
    make_wheel,
    opencv,
    renamed,
    torch,
    torchvision,
    without,
    wrong,
    xformers,
)

from launcher.setup.doctor.diagnose import ENVIRONMENT, diagnose
from launcher.setup.doctor.diagnosis import Diagnosis
from launcher.setup.doctor.installation import Installation

# What the package index has.
INDEX = (
    *SOUND, torch("2.8.0+cu128", "sm_70 sm_90 sm_100 sm_120"), torchvision("0.23.0", "2.8.0", "cu128"),
    xformers("0.0.32", "2.8.0", 1208), bitsandbytes("0.47.0", "118", "124", "128"), Package("numpy", "1.26.4"),
    torchvision("0.22.0", "2.7.0"), xformers("0.0.30", "2.7.0"), torch("2.6.0+cpu"),
    torchvision("0.21.0", "2.6.0", "cpu"), Package("lycoris_lora", "4.1.3"),
)  # fmt: skip


@dataclass(frozen=True)
class Broken:
    """An environment with something wrong: what the doctor calls it, and a word of the message."""

    packages: tuple[Package, ...]
    subject: str
    says: str
    gpu: tuple[str, str] | None = ("12.4", "8.9")  # the CUDA that the driver knows, the GPU's capability


BROKEN = {
    "torch without CUDA": Broken(
        instead(torch("2.6.0+cpu"), torchvision("0.21.0", "2.6.0", "cpu")), "torch", "built without CUDA"
    ),
    "torch for a newer driver": Broken(instead(torch("2.6.0+cu130")), "torch", "built for CUDA 13.0"),
    "torch without code for the GPU": Broken(
        SOUND, "torch", "no code for NVIDIA GeForce RTX 4090 (sm_120)", ("12.8", "12.0")
    ),
    "no torch": Broken(without("torch"), "torch", "not installed", None),
    "torch half removed": Broken(instead(Package("torch", "2.6.0+cu124")), "torch", "only half there"),
    "no torchvision": Broken(without("torchvision"), "torchvision", "not installed"),
    "torchvision for another torch": Broken(
        instead(torchvision("0.22.0", "2.7.0")), "torchvision", "0.22.0+cu124 is built for torch==2.7.0"
    ),
    "xformers for another torch": Broken(
        instead(xformers("0.0.30", "2.7.0")), "xformers", "0.0.30 is built for torch==2.7.0, and torch is 2.6.0+cu124"
    ),
    "bitsandbytes for another CUDA": Broken(
        instead(bitsandbytes("0.40.0", "118")), "bitsandbytes", "libraries for CUDA 11.8, and torch is built for 12.4"
    ),
    "no accelerate": Broken(without("accelerate"), "accelerate", "not installed"),
    "a missing requirement": Broken(without("voluptuous"), "requirements.txt", "voluptuous is not installed"),
    "a missing package of a package": Broken(
        without("tokenizers"), "requirements.txt", "transformers needs tokenizers<0.22,>=0.21, which is not installed"
    ),
    "a package that another one refuses": Broken(
        instead(Package("tokenizers", "0.20.0")), "requirements.txt", "tokenizers<0.22,>=0.21, which is 0.20.0"
    ),
    "LyCORIS for a newer torch": Broken(
        instead(Package("lycoris_lora", "4.1.3")), "lycoris_lora", "cannot be imported with torch 2.6.0+cu124"
    ),
    "OpenCV for an older numpy": Broken(instead(opencv("4.8.1.78", OLD_NUMPY)), "numpy", "built for numpy 1"),
    "torch for an older numpy": Broken(instead(torch(numpy=OLD_NUMPY)), "numpy", "torch is built for numpy 1"),
}


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    bed = make_bed(tmp_path / "bed", monkeypatch)
    for package in INDEX:
        make_wheel(bed.wheels, package)
    return bed


def look(bed: Bed, python: Path) -> tuple[Diagnosis, ...]:
    checkout = bed.folder / "sd-scripts"
    return diagnose(Installation(checkout, python), subjects=(ENVIRONMENT,), patience=None)


def mended(found: Callable[[], tuple[Diagnosis, ...]], bed: Bed, rounds: int = 3) -> None:
    """Do all that is said, until nothing is wrong: to mend torch may be to need another xformers."""
    for _ in range(rounds):
        now = wrong(found())
        for each in now.values():
            assert each.mend, each
            bed.run(each.mend)
        if not now:
            return
    assert not wrong(found())


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_environment_is_named_and_mended(name: str, bed: Bed) -> None:
    broken = BROKEN[name]
    make_checkout(bed.folder / "sd-scripts")
    if broken.gpu:
        bed.gpu(cuda=broken.gpu[0], capability=broken.gpu[1])
    python = make_environment(bed.folder / "venv", broken.packages, pip=True)
    found = wrong(look(bed, python))
    assert broken.subject in found, found
    assert broken.says in found[broken.subject].message
    mend = found[broken.subject].mend
    assert mend is not None
    bed.run(mend)
    after = wrong(look(bed, python))
    assert broken.subject not in after or broken.says not in after[broken.subject].message
    mended(lambda: look(bed, python), bed)


@pytest.mark.parametrize("gpu", [None, ("12.4", "8.9"), ("12.2", "8.0"), ("13.0", "9.0")])
def test_a_sound_environment_has_nothing_wrong(gpu: tuple[str, str] | None, bed: Bed) -> None:
    make_checkout(bed.folder / "sd-scripts")
    if gpu:
        bed.gpu(cuda=gpu[0], capability=gpu[1])
    found = look(bed, make_environment(bed.folder / "venv"))
    assert not wrong(found)
    assert {each.subject for each in found} >= {"Python", "torch", "xformers", "accelerate", "requirements.txt"}


def test_what_only_some_trainings_need_is_advice(bed: Bed) -> None:
    make_checkout(bed.folder / "sd-scripts")
    python = make_environment(
        bed.folder / "venv",
        without("lion-pytorch", "lycoris_lora", "bitsandbytes", "tensorboard", "xformers"),
        pip=True,
    )
    found = look(bed, python)
    assert not wrong(found)
    said = {each.subject: each for each in found if each.status.value == "advice"}
    assert set(said) >= {"lycoris_lora", "bitsandbytes", "tensorboard", "requirements.txt"}
    assert "lion-pytorch" in said["requirements.txt"].message
    for each in said.values():
        if each.mend:
            bed.run(each.mend)
    left = {each.subject for each in look(bed, python) if each.status.value == "advice"}
    assert not left & {"lycoris_lora", "bitsandbytes", "tensorboard", "requirements.txt"}


def test_another_version_than_the_pinned_one_is_advice(bed: Bed) -> None:
    make_checkout(bed.folder / "sd-scripts")
    python = make_environment(bed.folder / "venv", instead(renamed(SOUND[4], "1.15.0")), pip=True)
    found = look(bed, python)
    assert not wrong(found)
    said = [each for each in found if each.subject == "requirements.txt"]
    assert [each.message for each in said] == ["accelerate is 1.15.0, not ==1.6.0."]
    assert said[0].mend is not None
    bed.run(said[0].mend)
    assert all(each.status.value == "fine" for each in look(bed, python) if each.subject == "requirements.txt")


def test_a_venv_whose_python_is_gone_gets_another_and_keeps_its_packages(bed: Bed) -> None:
    make_checkout(bed.folder / "sd-scripts")
    python = make_environment(bed.folder / "venv")
    for name in ("python", "python3", f"python{MINOR}"):
        (python.parent / name).unlink()
        (python.parent / name).symlink_to(bed.folder / "gone" / "bin" / "python")
    found = wrong(look(bed, python))
    assert "is not there" in found["Python"].message
    assert set(found) == {"Python"}
    mended(lambda: look(bed, python), bed)
    assert "accelerate" in {each.subject for each in look(bed, python)}


def test_a_python_that_sees_none_of_the_packages(bed: Bed) -> None:
    """As after an update of the system's Python."""
    make_checkout(bed.folder / "sd-scripts")
    python = make_environment(bed.folder / "venv")
    python.unlink()
    python.write_text("#!/bin/sh\necho 3.9.18 CPython\n")
    python.chmod(0o755)
    found = wrong(look(bed, python))
    assert f"is Python 3.9.18, and the packages beside it are for {MINOR}" in found["Python"].message
    mended(lambda: look(bed, python), bed)


def test_a_python_that_packages_refuse(bed: Bed) -> None:
    make_checkout(bed.folder / "sd-scripts")
    picky = Package("voluptuous", "0.15.2", python="<3.9")
    found = wrong(look(bed, make_environment(bed.folder / "venv", instead(picky))))
    assert "voluptuous 0.15.2 (<3.9)" in found["Python"].message
    assert found["Python"].mend == "kl setup --env venv --python 3.10"


def test_an_environment_without_pip_is_mended_by_uv(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    make_checkout(bed.folder / "sd-scripts")
    (bed.programs / "uv").symlink_to(uv or "/nowhere")
    monkeypatch.setattr("shutil.which", lambda name, *_: str(bed.programs / name))
    python = make_environment(bed.folder / "venv", without("accelerate"))
    assert wrong(look(bed, python))["accelerate"].mend == f"uv pip install --python {python} accelerate==1.6.0"
