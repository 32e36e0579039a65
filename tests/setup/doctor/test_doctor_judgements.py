"""What versions, builds and GPUs mean, without an environment of files."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from doctor_bed import MINOR, README, SOUND, Bed, instead, make_bed, make_environment, torch, wrong, xformers

from launcher.record.machine import GpuRecord, Gpus
from launcher.record.packages import TorchRecord
from launcher.setup.doctor.beside_torch import cuda_libraries
from launcher.setup.doctor.diagnose import ENVIRONMENT, diagnose
from launcher.setup.doctor.diagnosis import Status
from launcher.setup.doctor.installation import Installation
from launcher.setup.doctor.mends import Mender, find_python
from launcher.setup.doctor.packages import judge_packages
from launcher.setup.doctor.python_itself import judge_python, named_pythons
from launcher.setup.doctor.seen_environment import SeenEnvironment, see_environment
from launcher.setup.doctor.seen_gpus import SeenGpus, see_gpus, version_of
from launcher.setup.doctor.torch_itself import judge_gpu, judge_torch, runs_on

CODES = ("sm_50", "sm_80", "sm_86", "sm_90")
SEEN = SeenEnvironment(
    Path("/venv/bin/python"), "3.10.13", None, (), {"torch": "2.6.0+cu124", "pip": "25.0"},
    TorchRecord("2.6.0+cu124", "12.4"), CODES,
)  # fmt: skip
RTX = Gpus((GpuRecord("NVIDIA GeForce RTX 4090", 24 << 30),), "550.54.15", "12.4")


@pytest.mark.parametrize(
    ("codes", "capability", "runs"),
    [
        (CODES, (9, 0), True),
        (CODES, (8, 9), True),  # by code for 8.6
        (CODES, (6, 1), False),
        (CODES, (12, 0), False),
        (CODES, (7, 5), False),
        ((*CODES, "compute_90"), (12, 0), True),  # by PTX
        (("sm_90a",), (9, 0), True),
        (("sm_90a",), (10, 0), False),
        (("compute_90a",), (12, 0), False),
        (("sm_100f",), (10, 3), True),
        (("sm_100f",), (12, 0), False),
        (("sm_86",), (8, 0), False),
        (("gfx90a", ""), (9, 0), False),
    ],
)
def test_which_gpus_code_runs_on(codes: tuple[str, ...], capability: tuple[int, int], runs: bool) -> None:
    assert runs_on(codes, capability) is runs


@pytest.mark.parametrize(
    ("cuda", "driver", "says"),
    [
        ("12.4", "12.4", None),
        ("12.8", "12.2", None),  # of one generation
        ("11.8", "13.0", None),
        ("13.0", "12.9", "built for CUDA 13.0, and the driver is 550.54.15, which knows CUDA 12.9 at most"),
        ("12.1", "11.8", "built for CUDA 12.1"),
    ],
)
def test_the_cuda_of_torch_against_that_of_the_driver(cuda: str, driver: str, says: str | None) -> None:
    gpus = SeenGpus(replace(RTX, cuda=driver), ((8, 9),))
    seen = replace(SEEN, torch=TorchRecord("2.6.0", cuda))
    (found,) = judge_torch(seen, Mender(seen, gpus, README))
    assert (found.status is Status.WRONG) == (says is not None)
    assert says is None or (says in found.message and found.mend)


def test_a_gpu_that_torch_has_no_code_for() -> None:
    (found,) = judge_torch(SEEN, Mender(SEEN, SeenGpus(RTX, ((12, 0),)), README))
    assert found.status is Status.WRONG and "sm_120" in found.message
    (old,) = judge_torch(replace(SEEN, architectures=()), Mender(SEEN, SeenGpus(RTX, ((12, 0),)), README))
    assert old.status is Status.FINE  # what it was compiled for is not known


def test_a_gpu_of_amd_and_a_torch_for_cuda() -> None:
    amd = SeenGpus(Gpus((GpuRecord("AMD Radeon RX 7900 XTX", None),), "6.3", None))
    (found,) = judge_torch(SEEN, Mender(SEEN, amd))
    assert found.status is Status.WRONG and "ROCm" in found.message
    rocm = replace(SEEN, torch=TorchRecord("2.6.0+rocm6.2", None, "6.2"))
    (fine,) = judge_torch(rocm, Mender(rocm, amd))
    assert fine.status is Status.FINE and "ROCm 6.2" in fine.message


@pytest.mark.parametrize(
    ("gpus", "status", "mend"),
    [
        (RTX, Status.FINE, None),
        (Gpus(), Status.ADVICE, None),
        (Gpus(problem="GPUs: nvidia-smi has not answered within 1 seconds"), Status.WRONG, None),
        (Gpus(problem="GPUs: nvidia-smi says Driver/library version mismatch"), Status.WRONG, "sudo reboot"),
    ],
)
def test_the_gpus(gpus: Gpus, status: Status, mend: str | None) -> None:
    (found,) = judge_gpu(SeenGpus(gpus))
    assert (found.status, found.mend) == (status, mend)


def test_a_gpu_that_cannot_be_asked_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = make_bed(tmp_path / "bed", monkeypatch)
    monkeypatch.setattr("launcher.setup.doctor.seen_gpus._TRACES", (tmp_path / "none", tmp_path / "bed"))
    (found,) = judge_gpu(see_gpus())
    assert found.status is Status.UNKNOWN and found.message.startswith(f"{tmp_path / 'bed'} is there")
    bed.gpu()
    (asked,) = judge_gpu(see_gpus(patience=30.0))
    assert asked.status is Status.FINE


def test_the_driver_is_asked_what_gpus_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = make_bed(tmp_path / "bed", monkeypatch)
    monkeypatch.setattr("launcher.setup.doctor.seen_gpus._TRACES", ())
    assert see_gpus() == SeenGpus()
    bed.gpu("NVIDIA H200", "13.0", "9.0")
    seen = see_gpus(patience=30.0)
    assert (seen.names, seen.cuda, seen.capabilities) == (("NVIDIA H200",), (13, 0), ((9, 0),))


def test_a_driver_too_old_to_say_what_gpus_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = make_bed(tmp_path / "bed", monkeypatch)
    bed.gpu(capability='Field "compute_cap" is not a valid field to query.')
    assert see_gpus(patience=30.0).capabilities == ()


@pytest.mark.parametrize(("text", "version"), [("12.4", (12, 4)), ("8.6\n", (8, 6)), ("", None), (None, None)])
def test_versions_of_cuda(text: str | None, version: tuple[int, int] | None) -> None:
    assert version_of(text) == version


@pytest.mark.parametrize(
    ("readme", "named"),
    [
        (README, ("3.10", "3.11", "3.12", "3.13", "3.14")),
        ("Python 3.10.6: https://example.invalid/3.10.6", ("3.10",)),
        ("3.11.x, and 3.12.x will work. Python 3.10.x and Git:", ("3.10", "3.11", "3.12")),
        ("accelerate 3.10.6", ()),
        ("", ()),
    ],
)
def test_the_pythons_that_a_readme_names(readme: str, named: tuple[str, ...]) -> None:
    assert named_pythons(readme) == named


@pytest.mark.parametrize(
    ("version", "status"), [("3.10.13", Status.FINE), ("3.12.1", Status.FINE), ("3.15.0", Status.ADVICE)]
)
def test_a_python_that_the_readme_does_not_name_is_advice(version: str, status: Status) -> None:
    (found,) = judge_python(replace(SEEN, version=version), README, ())
    assert found.status is status
    (unnamed,) = judge_python(replace(SEEN, version=version), "", ())
    assert unnamed.status is Status.FINE


def test_lycoris_is_needed_where_a_run_names_it() -> None:
    def status(**options: object) -> Status:
        found = judge_packages(SEEN, Mender(SEEN), options)
        return next(each.status for each in found if each.subject == "lycoris_lora")

    assert status() is status(network_module="networks.lora") is Status.ADVICE
    assert status(network_module="lycoris.kohya") is Status.WRONG


@pytest.mark.parametrize(
    ("lycoris", "torch", "module", "status"),
    [
        ("4.1.3", "2.6.0+cu124", None, Status.WRONG),
        ("4.1.3", "2.6.0+cu124", "lycoris.kohya", Status.WRONG),
        ("4.1.3", "2.6.0+cu124", "networks.lora", Status.ADVICE),
        ("4.0.0", "2.6.0+cu124", "lycoris.kohya", Status.FINE),
        ("4.1.3", "2.7.1", "lycoris.kohya", Status.FINE),
        ("4.0.0", "2.1.2", None, Status.WRONG),
        ("3.2.0", "2.1.2", None, Status.FINE),
    ],
)
def test_lycoris_against_torch(lycoris: str, torch: str, module: str | None, status: Status) -> None:
    seen = replace(SEEN, packages={**SEEN.packages, "lycoris-lora": lycoris, "torch": torch})
    options = {"network_module": module} if module else {}
    found = next(each for each in judge_packages(seen, Mender(seen), options) if each.subject == "lycoris_lora")
    assert found.status is status and (found.mend is None) == (status is Status.FINE)


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    return make_bed(tmp_path / "bed", monkeypatch)


def test_an_environment_is_read_from_its_files(bed: Bed) -> None:
    seen = see_environment(make_environment(bed.folder / "venv"), {})
    assert seen.minor == MINOR and seen.problem is None
    assert seen.packages["torch"] == "2.6.0+cu124" and seen.packages["lycoris-lora"] == "4.0.0"
    assert seen.torch == TorchRecord("2.6.0+cu124", "12.4") and seen.architectures == (
        "sm_50",
        "sm_80",
        "sm_86",
        "sm_90",
    )
    assert seen.requires("torchvision") == ("torch (==2.6.0)", "numpy") and seen.requires("nothing") == ()
    assert cuda_libraries(seen) == ((11, 8), (12, 4))
    assert not seen.needs_old_numpy("torch/lib/libtorch_python.so") and not seen.needs_old_numpy("nothing.so")


def test_an_empty_environment_is_read(bed: Bed) -> None:
    seen = see_environment(make_environment(bed.folder / "venv", ()), {})
    assert (seen.packages, seen.torch, seen.architectures) == ({}, None, ())


@pytest.mark.parametrize("what", ["missing", "folder", "not to be run"])
def test_no_interpreter_is_a_problem(what: str, bed: Bed) -> None:
    python = bed.folder / "python"
    if what == "folder":
        python.mkdir()
    elif what != "missing":
        python.write_text("")
    seen = see_environment(python, {})
    assert seen.version is None and seen.problem
    (found,) = judge_python(seen, README, ())
    assert found.status in (Status.WRONG, Status.UNKNOWN)


def test_xformers_of_another_generation_of_cuda(bed: Bed) -> None:
    python = make_environment(bed.folder / "venv", instead(xformers("0.0.29", "2.6.0", 1108)))
    found = wrong(diagnose(Installation(python=python), subjects=(ENVIRONMENT,), patience=None))
    assert set(found) == {"xformers"} and "compiled for CUDA 11.8, and torch for 12.4" in found["xformers"].message


def test_xformers_beside_a_torch_without_cuda_is_advice(bed: Bed) -> None:
    packages = (*(each for each in instead(torch("2.6.0+cpu")) if each.name != "torchvision"),)
    python = make_environment(bed.folder / "venv", packages)
    found = diagnose(Installation(python=python), subjects=(ENVIRONMENT,), patience=None)
    assert not wrong(found)
    assert [each.status for each in found if each.subject == "xformers"] == [Status.ADVICE]
    assert len(SOUND) - 1 == len(packages)


def test_a_conda_environment_without_its_python_gets_it_from_conda(bed: Bed) -> None:
    python = make_environment(bed.folder / "conda env")
    (python.parent.parent / "conda-meta").mkdir()
    python.unlink()
    missing = see_environment(python, {})
    (alone,) = judge_python(missing, README, ())
    assert alone.status is Status.WRONG and alone.mend == "kl setup --env venv"  # there is no conda either
    (bed.programs / "conda").symlink_to("/bin/true")
    (found,) = judge_python(missing, README, ())
    assert found.mend is not None
    assert found.mend.split(" ", 1)[1] == f"install --yes --prefix '{python.parent.parent}' python={MINOR}"


def test_a_training_gets_what_the_activation_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    monkeypatch.setenv("FOX", "old")
    environ = Installation(variables={"FOX": "new"}, unset=("PYTHONHOME",)).environ
    assert environ["FOX"] == "new" and "PYTHONHOME" not in environ and "PATH" in environ


def test_a_python_of_the_system_is_advised_against(bed: Bed) -> None:
    python = make_environment(bed.folder / "system")
    library = python.parent.parent / "lib" / f"python{MINOR}"
    (library / "EXTERNALLY-MANAGED").write_text("[externally-managed]")
    (of_a_venv,) = judge_python(see_environment(python, {}), README, ())
    assert of_a_venv.status is Status.FINE
    (python.parent.parent / "pyvenv.cfg").unlink()
    (found,) = judge_python(see_environment(python, {}), README, ())
    assert found.status is Status.ADVICE and "belongs to the system" in found.message


def test_a_venv_gets_kls_own_python_where_no_other_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_python(".".join(map(str, sys.version_info[:2])))
    assert found is not None and found.is_file() and tmp_path not in found.parents
    assert not (found.parent.parent / "pyvenv.cfg").exists(), "of no venv: that may go"
    assert find_python("3.9") is None
