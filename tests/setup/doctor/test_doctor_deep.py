"""torch tried out in another interpreter, with a stand-in for torch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from doctor_bed import SOUND, Bed, Package, instead, make_bed, make_checkout, make_environment, of

from launcher.setup.doctor.deep import judge_deep, try_torch
from launcher.setup.doctor.diagnose import ENVIRONMENT, diagnose
from launcher.setup.doctor.diagnosis import Diagnosis, Status
from launcher.setup.doctor.installation import Installation
from launcher.setup.doctor.mends import Mender
from launcher.setup.doctor.seen_environment import see_environment

# As much of torch as the trial uses. What {0} does stands at its start.
TORCH = """
{0}
__version__ = "2.6.0+cu124"

class version:
    cuda = "12.4"

class cuda:
    @staticmethod
    def is_available():
        return {1}
    @staticmethod
    def get_device_name(number):
        return "NVIDIA GeForce RTX 4090"
    @staticmethod
    def get_device_capability(number):
        return {2}
    @staticmethod
    def get_arch_list():
        return ["sm_50", "sm_90"]
    @staticmethod
    def init():
        raise RuntimeError("Found no NVIDIA driver on your system")

class backends:
    pass

class Ones:
    def __init__(self, value):
        self.value = value
        self.size = 1
    def __matmul__(self, other):
        return Ones({3})
    def __getitem__(self, place):
        return self
    def __float__(self):
        return self.value
    def cpu(self):
        return self
    def numpy(self):
        return self

def ones(*size, device=None):
    return Ones(1.0)
"""


def stand_in(first: str = "", available: bool = True, capability: str = "(9, 0)", product: str = "64.0") -> Package:
    files = {**SOUND[0].files, "torch/__init__.py": TORCH.format(first, available, capability, product)}
    return Package("torch", "2.6.0+cu124", files=files)


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    return make_bed(tmp_path / "bed", monkeypatch)


def deep(bed: Bed, package: Package) -> tuple[Diagnosis, ...]:
    python = make_environment(bed.folder / "venv", instead(package))
    installation = Installation(make_checkout(bed.folder / "sd-scripts"), python)
    return diagnose(installation, deep=True, subjects=(ENVIRONMENT,), patience=None)


@pytest.mark.parametrize(
    ("package", "says"),
    [
        (stand_in(capability="(12, 0)"), "no code for NVIDIA GeForce RTX 4090, only for sm_50, sm_90"),
        (stand_in("raise ImportError('libcudart.so.12: cannot open')"), "ImportError: libcudart.so.12: cannot open"),
        (stand_in(product="0.0"), "64 ones times 64 ones is 0.0"),
        (stand_in("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), "Python ended with signal 11"),
        (stand_in("raise SystemExit(3)"), "Python ended with 3"),
    ],
)
def test_a_torch_that_does_not_compute(package: Package, says: str, bed: Bed) -> None:
    found = of(deep(bed, package), "device")
    assert found.status is Status.WRONG and says in found.message


def test_a_torch_that_computes(bed: Bed) -> None:
    found = of(deep(bed, stand_in()), "device")
    assert found.status is Status.FINE and found.message == "torch 2.6.0+cu124 computes on NVIDIA GeForce RTX 4090."


def test_a_gpu_that_torch_does_not_reach(bed: Bed) -> None:
    assert of(deep(bed, stand_in(available=False)), "device").status is Status.FINE  # there is none


def test_a_gpu_that_is_there_and_not_reached(bed: Bed) -> None:
    bed.gpu(capability="9.0")
    found = of(deep(bed, stand_in(available=False)), "device")
    assert found.status is Status.WRONG and "Found no NVIDIA driver" in found.message


def test_what_cannot_be_imported_beside_torch_is_named(bed: Bed) -> None:
    broken = Package("accelerate", "1.6.0", files={"accelerate/__init__.py": "import gone"})
    python = make_environment(bed.folder / "venv", (*instead(stand_in(), broken), Package("pip", "25.0")))
    found = diagnose(Installation(python=python), deep=True, subjects=(ENVIRONMENT,), patience=None)
    said = [each for each in found if each.subject == "accelerate" and each.status is Status.WRONG]
    assert [each.message for each in said] == ["it cannot be imported: No module named 'gone'."]
    assert said[0].mend == f"{python} -m pip install --force-reinstall --no-deps accelerate==1.6.0"


def test_a_trial_that_hangs_is_ended(bed: Bed) -> None:
    python = make_environment(bed.folder / "venv", (stand_in("import time; time.sleep(60)"),))
    said = try_torch(python, os.environ, patience=0.5)
    assert "did not end" in said["slow"]
    seen = see_environment(python, os.environ)
    (found,) = judge_deep(said, seen, Mender(seen))
    assert found.status is Status.UNKNOWN


def test_no_interpreter_to_try_it_in(bed: Bed) -> None:
    assert "cannot be run" in try_torch(bed.folder / "missing", os.environ)["error"]


def test_without_deep_torch_is_not_imported(bed: Bed) -> None:
    trace = bed.folder / "imported"
    python = make_environment(bed.folder / "venv", instead(stand_in(f"open({str(trace)!r}, 'w')")))
    installation = Installation(python=python)
    found = diagnose(installation, subjects=(ENVIRONMENT,), patience=None)
    assert "device" not in {each.subject for each in found} and not trace.exists()
    diagnose(installation, deep=True, subjects=(ENVIRONMENT,), patience=None)
    assert trace.exists()
