"""The GPUs of this machine with what their code must be compiled for."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from launcher.record.machine import Gpus, ask_driver, gpus_here

# What NVIDIA's driver and Windows' subsystem for Linux show of a GPU.
_TRACES = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidiactl"), Path("/dev/dxg"))
_PATIENCE = 1.1  # seconds for each question to the driver: two of them are one after another


@dataclass(frozen=True)
class SeenGpus:
    """`here` is as the record has them, `capabilities` are NVIDIA's compute capabilities: (8, 6).

    `hidden` says what shows that there is a GPU that could not be asked.
    """

    here: Gpus = field(default_factory=Gpus)
    capabilities: tuple[tuple[int, int], ...] = ()
    hidden: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Each kind of GPU once."""
        return tuple(dict.fromkeys(gpu.name for gpu in self.here.gpus))

    @property
    def cuda(self) -> tuple[int, int] | None:
        """The newest CUDA that the driver knows."""
        return version_of(self.here.cuda)


def see_gpus(patience: float = _PATIENCE) -> SeenGpus:
    """The GPUs that are here; none is no problem."""
    capabilities: list[tuple[int, int]] = []
    program = shutil.which("nvidia-smi")
    asking = None
    if program is not None:
        asking = threading.Thread(target=_ask, args=(program, patience, capabilities), daemon=True)
        asking.start()
    here = gpus_here(patience=patience)
    if asking is not None:
        asking.join(patience)
    traces = () if program or here.gpus else (each for each in _TRACES if each.exists())
    return SeenGpus(here, tuple(capabilities), next((f"{each} is there" for each in traces), None))


def version_of(text: str | None) -> tuple[int, int] | None:
    """A version of CUDA as numbers: "12.4" is (12, 4)."""
    found = re.match(r"(\d+)\.(\d+)", text or "")
    return (int(found[1]), int(found[2])) if found else None


def _ask(program: str, patience: float, found: list[tuple[int, int]]) -> None:
    try:
        said = ask_driver(program, "--query-gpu=compute_cap", "--format=csv,noheader", patience=patience)
    except (OSError, subprocess.SubprocessError):  # a driver before 510 does not know it
        return
    found += [version for line in said.splitlines() for version in [version_of(line.strip())] if version]
