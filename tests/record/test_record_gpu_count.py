"""How many GPUs NVIDIA's driver knows, where it lists none in /proc."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.cli import prepare
from launcher.record import machine
from launcher.record.machine import gpu_count

TWO = """\
[ "$*" = -L ] || exit 9
echo 'GPU 0: NVIDIA GeForce RTX 4090 (UUID: GPU-aaaaaaaa)'
echo '  MIG 1g.10gb     Device  0: (UUID: MIG-bbbbbbbb)'
echo 'GPU 1: NVIDIA GeForce RTX 4090 (UUID: GPU-cccccccc)'
"""


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """nvidia-smi, as the only program there is."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "nvidia-smi"


def _answers(smi: Path, script: str) -> None:
    smi.write_text(f"#!/bin/sh\n{script}")
    smi.chmod(0o755)


def test_what_nvidia_smi_lists(smi: Path) -> None:
    assert gpu_count() is None
    _answers(smi, TWO)
    assert gpu_count() == 2
    _answers(smi, "echo 'No devices found.'\n")
    assert gpu_count() is None
    _answers(smi, "echo 'Failed to initialize NVML'; exit 18\n")
    assert gpu_count() is None


def test_a_driver_that_hangs(smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(smi, "exec /bin/sleep 60\n")
    monkeypatch.setattr(machine, "_PATIENCE", 0.2)
    assert gpu_count() is None


def test_the_gpus_of_a_run(smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(smi, TWO)
    monkeypatch.setattr(prepare, "listed_gpus", lambda: None)
    assert prepare._gpus({}) == 2
    assert prepare._gpus({"CUDA_VISIBLE_DEVICES": "1"}) == 1
    monkeypatch.setattr(prepare, "listed_gpus", lambda: 8)
    assert prepare._gpus({}) == 8
    assert prepare._gpus({"CUDA_VISIBLE_DEVICES": "2,3,4"}) == 3
