"""environment.json: what is read of an interpreter, its packages and the machine, and what differs in two of them."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_packages import unpack, write_wheel

from launcher.record import machine
from launcher.record.environment import (
    EnvironmentFileError,
    EnvironmentRecord,
    PythonRecord,
    environment_bytes,
    read_environment,
    read_environment_file,
)
from launcher.record.environment_differences import differences_of
from launcher.record.machine import GpuRecord, Gpus, gpus_here
from launcher.record.packages import PackageRecord, TorchRecord
from launcher.record.variables import recorded_variables

RECORD = EnvironmentRecord(
    python=PythonRecord("/venv/bin/python", "3.10.13", "CPython"),
    packages=(
        PackageRecord("accelerate", "1.6.0"),
        PackageRecord("lycoris_lora", "4.1.3", None, "ab" * 32, ("lycoris/kohya.py",)),
        PackageRecord("mine", "0.1", "git+https://git.example/o/r@c0ffee"),
        PackageRecord("pip", "24.0"),
    ),
    torch=TorchRecord("2.7.1+cu126", "12.6"),
    gpus=(GpuRecord("NVIDIA GeForce RTX 4090", 24 << 30),) * 2,
    driver="550.54.15",
    cuda_of_driver="12.4",
    host="desk",
    system="Linux 6.5 x86_64",
    processor="a processor",
    processors=16,
    memory=64 << 30,
    variables={"CUDA_VISIBLE_DEVICES": "0"},
)


def venv_like(folder: Path, script: str) -> Path:
    """The layout of a virtual environment, with a shell script for an interpreter."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    (folder / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    (folder / "lib" / "python3.10" / "site-packages").mkdir(parents=True)
    return python


def test_the_running_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    record, problems = read_environment(Path(sys.executable), {"CUDA_VISIBLE_DEVICES": "1", "SOMETHING_ELSE": "x"})
    assert problems == ()
    assert record.python.version == ".".join(map(str, sys.version_info[:3]))
    assert "pytest" in {package.key for package in record.packages}
    assert record.memory is not None
    assert record.memory > 1 << 28
    assert record.processors == os.cpu_count()
    assert record.variables["OMP_NUM_THREADS"] == "3"
    assert record.variables["CUDA_VISIBLE_DEVICES"] == "1"
    assert "SOMETHING_ELSE" not in record.variables
    assert differences_of(record, record) == ()


def test_packages_are_read_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    python = venv_like(tmp_path / "venv", "echo 3.10.13 CPython")
    site = tmp_path / "venv" / "lib" / "python3.10" / "site-packages"
    unpack(write_wheel(tmp_path, "fatal", "1.0", {"fatal/__init__.py": "raise SystemExit(9)\n"}), site)
    record, problems = read_environment(python, {})
    assert problems == ()
    assert record.python == PythonRecord(str(python), "3.10.13", "CPython")
    assert record.packages == (PackageRecord("fatal", "1.0"),)


def test_an_interpreter_that_does_not_run_is_said_and_the_packages_are_there(tmp_path: Path) -> None:
    python = venv_like(tmp_path / "venv", "echo cannot find a library >&2; exit 3")
    site = tmp_path / "venv" / "lib" / "python3.10" / "site-packages"
    unpack(write_wheel(tmp_path, "some", "1.0"), site)
    record, problems = read_environment(python, {"PYTHONPATH": ""})
    assert [package.name for package in record.packages] == ["some"]
    assert record.python.version is None
    assert len(problems) == 1
    assert "cannot find a library" in problems[0]


def test_no_packages_at_all_are_a_problem(tmp_path: Path) -> None:
    python = venv_like(tmp_path / "venv", "echo 3.10.13 CPython")
    _, problems = read_environment(python, {"PYTHONPATH": ""})
    assert problems == (f"packages: none were found beside {python}",)


def test_packages_of_pythonpath_come_first(tmp_path: Path) -> None:
    python = venv_like(tmp_path / "venv", "echo 3.10.13 CPython")
    unpack(write_wheel(tmp_path, "some", "1.0"), tmp_path / "venv" / "lib" / "python3.10" / "site-packages")
    unpack(write_wheel(tmp_path, "some", "2.0"), tmp_path / "first")
    record, _ = read_environment(python, {"PYTHONPATH": str(tmp_path / "first")})
    assert record.packages == (PackageRecord("some", "2.0"),)


def test_the_users_own_packages_count_where_the_interpreter_sees_them(tmp_path: Path) -> None:
    python = venv_like(tmp_path / "conda", "echo 3.10.13 CPython")
    (tmp_path / "conda" / "pyvenv.cfg").unlink()
    (tmp_path / "conda" / "conda-meta").mkdir()
    (tmp_path / "conda" / "conda-meta" / "cuda-toolkit-12.4-0.json").write_text("{}")
    unpack(write_wheel(tmp_path, "some", "2.0"), tmp_path / "user" / "lib" / "python3.10" / "site-packages")
    variables = {"PYTHONUSERBASE": str(tmp_path / "user"), "PYTHONPATH": ""}
    seen, _ = read_environment(python, variables)
    assert PackageRecord("some", "2.0") in seen.packages
    assert seen.conda == ("cuda-toolkit-12.4-0",)
    without, _ = read_environment(python, {**variables, "PYTHONNOUSERSITE": "1"})
    assert PackageRecord("some", "2.0") not in without.packages


def test_variables_have_no_secrets() -> None:
    environ = {
        "HF_TOKEN": "hf_abcdefgh",
        "WANDB_API_KEY": "0123456789",
        "LD_LIBRARY_PATH": "/opt/0123456789/lib",
        "HF_ENDPOINT": "https://me:pass@mirror.example/x?key=1",
        "OMP_NUM_THREADS": "1",
        "HOME": "/home/me",
    }
    kept, left_out = recorded_variables(environ)
    assert kept == {"HF_ENDPOINT": "https://mirror.example/x", "OMP_NUM_THREADS": "1"}
    assert left_out == ("the variable LD_LIBRARY_PATH: it holds the value of WANDB_API_KEY",)


def test_a_secret_in_the_address_of_a_package_is_not_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "0123456789")
    python = venv_like(tmp_path / "venv", "echo 3.10.13 CPython")
    site = tmp_path / "venv" / "lib" / "python3.10" / "site-packages"
    information = unpack(write_wheel(tmp_path, "some", "1.0"), site)
    (information / "direct_url.json").write_text('{"url": "https://host/0123456789/some.whl", "archive_info": {}}')
    record, problems = read_environment(python, {"PYTHONPATH": ""})
    assert record.packages == (PackageRecord("some", "1.0"),)
    assert problems == ("where some came from: it holds a secret",)


def test_the_record_reads_back(tmp_path: Path) -> None:
    record = replace(RECORD, conda=("python-3.10.13-0",), variables={"HF_HOME": "/\udcff/é"})
    (tmp_path / "environment.json").write_bytes(environment_bytes(record))
    assert read_environment_file(tmp_path) == record
    assert read_environment_file(tmp_path / "environment.json") == record


def test_what_a_newer_kl_writes_is_passed_over(tmp_path: Path) -> None:
    data = json.loads(environment_bytes(RECORD))
    data |= {"environment_version": 99, "news": [1], "memory": "much", "gpus": {"a": 1}, "host": 7}
    data["packages"] += ["text", {"name": "b", "version": 2, "changed": [1, "x"]}]
    (tmp_path / "environment.json").write_text(json.dumps(data))
    read = read_environment_file(tmp_path)
    assert read.packages[: len(RECORD.packages)] == RECORD.packages
    assert read.packages[-1] == PackageRecord("b", changed=("x",))
    assert (read.memory, read.gpus, read.host) == (None, (), None)


KEYS = st.sampled_from([*sorted(json.loads(environment_bytes(RECORD))), "name", "version", "changed"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@settings(deadline=None)
@given(ANY_JSON)
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    file = tmp_path_factory.mktemp("run") / "environment.json"
    whole = {"environment_version": 1, **data} if isinstance(data, dict) else data
    file.write_text(json.dumps(whole))
    if isinstance(data, dict):
        record = read_environment_file(file)
        assert differences_of(record, record) == ()
        assert isinstance(environment_bytes(record), bytes)
    else:
        with pytest.raises(EnvironmentFileError):
            read_environment_file(file)


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b"\xff", b"null"])
def test_what_is_no_record_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "environment.json").write_bytes(content)
    with pytest.raises(EnvironmentFileError, match="no record of an environment"):
        read_environment_file(tmp_path)


def said(after: EnvironmentRecord, before: EnvironmentRecord = RECORD) -> list[tuple[str, str]]:
    return [(each.kind, str(each)) for each in differences_of(before, after)]


def with_package(package: PackageRecord) -> EnvironmentRecord:
    others = (each for each in RECORD.packages if each.key != package.key)
    return replace(RECORD, packages=(*others, package))


@pytest.mark.parametrize(
    ("after", "difference"),
    [
        (with_package(PackageRecord("Accelerate", "1.7.0")), ("packages", "accelerate: 1.6.0 → 1.7.0")),
        (with_package(PackageRecord("new", "1.0")), ("packages", "new: not there → 1.0")),
        (replace(RECORD, packages=RECORD.packages[1:]), ("packages", "accelerate: 1.6.0 → not there")),
        (
            with_package(PackageRecord("accelerate", "1.6.0", "-e file:///src/accelerate")),
            ("packages", "accelerate: 1.6.0 from a package index → 1.6.0 from -e file:///src/accelerate"),
        ),
        (
            with_package(PackageRecord("mine", "0.1", "git+https://git.example/o/r@beef")),
            ("packages", "mine: 0.1 from git+https://git.example/o/r@c0ffee → 0.1 from git+https://git.example/o/r@beef"),
        ),
        (
            with_package(PackageRecord("lycoris_lora", "4.1.3", None, "cd" * 32)),
            (
                "packages",
                "lycoris_lora: 4.1.3 (sha256 abababababab, changed: lycoris/kohya.py) → 4.1.3 (sha256 cdcdcdcdcdcd)",
            ),
        ),
        (
            replace(RECORD, torch=TorchRecord("2.7.1+cu128", "12.8")),
            ("packages", "torch's build: 2.7.1+cu126 for CUDA 12.6 → 2.7.1+cu128 for CUDA 12.8"),
        ),
        (
            replace(RECORD, python=PythonRecord("/other/python", "3.11.7", "CPython")),
            ("python", "python: CPython 3.10.13 → CPython 3.11.7"),
        ),
        (
            replace(RECORD, gpus=(GpuRecord("NVIDIA H200", 139 << 30),)),
            ("hardware", "GPUs: 2 × NVIDIA GeForce RTX 4090 (24 GiB) → NVIDIA H200 (139 GiB)"),
        ),
        (replace(RECORD, gpus=()), ("hardware", "GPUs: 2 × NVIDIA GeForce RTX 4090 (24 GiB) → none")),
        (replace(RECORD, driver="560.1"), ("system", "driver: 550.54.15 → 560.1")),
        (replace(RECORD, variables={}), ("variables", "CUDA_VISIBLE_DEVICES: 0 → not there")),
    ],
)  # fmt: skip
def test_what_differs_is_said_and_nothing_else(after: EnvironmentRecord, difference: tuple[str, str]) -> None:
    assert said(after) == [difference]


@pytest.mark.parametrize(
    "after",
    [
        RECORD,
        with_package(PackageRecord("pip", "25.0")),
        with_package(PackageRecord("kohya-launcher", "0.2", "-e file:///kl")),
        with_package(PackageRecord("Lycoris.LoRA", "4.1.3", None, "ab" * 32, ("lycoris/kohya.py",))),
        replace(RECORD, python=PythonRecord("/moved/python", "3.10.13", "CPython")),
        replace(RECORD, variables={**RECORD.variables, "HF_HOME": "/elsewhere"}),
        replace(RECORD, driver=None, torch=None, packages=(), processor=None, memory=None, python=PythonRecord()),
    ],
)
def test_places_tools_and_what_was_not_recorded_are_no_difference(after: EnvironmentRecord) -> None:
    assert said(after) == []
    assert said(RECORD, after) == []


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("-e file:///a/lycoris", "-e file:///b/lycoris", True),
        ("file:///a/x-1-py3-none-any.whl", "file:///b/x-1-py3-none-any.whl", True),
        ("file:///a/x-1-py3-none-any.whl", "file:///a/x-1+other-py3-none-any.whl", False),
        ("file:///a/folder", "file:///b/other", True),
        ("-e file:///a/folder", "file:///a/folder", False),
        ("https://h/x.whl", "https://i/x.whl", False),
    ],
)
def test_the_place_of_a_source_is_no_difference(before: str, after: str, same: bool) -> None:
    one, other = (replace(RECORD, packages=(PackageRecord("x", "1", source),)) for source in (before, after))
    assert (said(other, one) == []) is same


SMI = """\
case "$*" in
*query-gpu*) printf 'NVIDIA GeForce RTX 4090, 24564, 550.54.15\\nNVIDIA H200, with a comma, [N/A], 550.54.15\\n';;
*) echo '| NVIDIA-SMI 550.54.15    Driver Version: 550.54.15    CUDA Version: 12.4 |';;
esac"""


def smi(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_gpus_driver_and_its_cuda_come_from_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(tmp_path / "bin", SMI, monkeypatch)
    gpus = (GpuRecord("NVIDIA GeForce RTX 4090", 24564 << 20), GpuRecord("NVIDIA H200, with a comma", None))
    assert gpus_here() == Gpus(gpus, "550.54.15", "12.4")


def test_a_newer_driver_calls_its_cuda_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(tmp_path / "bin", SMI.replace("CUDA Version", "CUDA UMD Version"), monkeypatch)
    assert gpus_here().cuda == "12.4"


def test_a_driver_that_does_not_work_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(tmp_path / "bin", "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", monkeypatch)
    found = gpus_here()
    assert found.gpus == ()
    assert found.problem == "GPUs: nvidia-smi says Failed to initialize NVML: Driver/library version mismatch"


def test_a_driver_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(tmp_path / "bin", "exec sleep 60", monkeypatch)
    monkeypatch.setattr(machine, "_PATIENCE", 0.2)
    problem = gpus_here().problem
    assert problem is not None
    assert "not answered" in problem


def test_gpus_of_amd_come_from_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for card, vendor in (("card0", "0x8086"), ("card1", "0x1002"), ("card1-DP-1", "0x1002")):
        device = tmp_path / "drm" / card / "device"
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{vendor}\n")
        (device / "device").write_text("0x744c\n")
        (device / "mem_info_vram_total").write_text(f"{24 << 30}\n")
    assert gpus_here(tmp_path / "drm").gpus == (GpuRecord("AMD 0x744c", 24 << 30),)


def test_a_machine_without_gpus_is_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus_here(tmp_path) == Gpus()
