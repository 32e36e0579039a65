"""The machine that a run trains on: its GPUs with their driver, processor and memory, system and name."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from launcher.base.programs import ask

_PATIENCE = 5.0  # seconds that a driver may take; one that hangs is not waited for
_CARDS = Path("/sys/class/drm")
_AMD = "0x1002"  # AMD's number as a maker of PCI devices
_MIB = 1 << 20


@dataclass(frozen=True)
class GpuRecord:
    """A GPU of the machine; `memory` in bytes. What tells two of one kind apart is left out."""

    name: str = ""
    memory: int | None = None


@dataclass(frozen=True)
class Gpus:
    """The GPUs of a machine; `cuda` is the newest CUDA that the driver knows. `problem`: what could not be asked."""

    gpus: tuple[GpuRecord, ...] = ()
    driver: str | None = None
    cuda: str | None = None
    problem: str | None = None


def gpus_here(cards: Path = _CARDS, patience: float | None = None) -> Gpus:
    """The GPUs of this machine: NVIDIA's by nvidia-smi, else AMD's by what the kernel says. None is no problem.

    `patience` is in seconds, for each of the two questions to the driver, 5 by default.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return _amd(cards)
    try:
        query = "--query-gpu=name,memory.total,driver_version"
        listing = ask_driver(program, query, "--format=csv,noheader,nounits", patience=patience)
        found = [_gpu(line) for line in listing.splitlines() if line.count(",") >= 2]
        cuda = re.search(r"CUDA[\w ]* Version *: *([\d.]+)", ask_driver(program, patience=patience)) if found else None
    except subprocess.TimeoutExpired:
        return Gpus(problem=f"GPUs: nvidia-smi has not answered within {patience or _PATIENCE:g} seconds")
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stdout", None) or str(error)
        return Gpus(problem=f"GPUs: nvidia-smi says {' '.join(str(said).split())[:200]}")
    driver = found[0][1] if found else None
    return Gpus(tuple(gpu for gpu, _ in found), driver, cuda[1] if cuda else None)


def gpu_count() -> int | None:
    """How many GPUs NVIDIA's driver knows; None when there is no such driver, or it does not answer."""
    program = shutil.which("nvidia-smi")
    try:
        listing = ask_driver(program, "-L") if program else ""
    except (OSError, subprocess.SubprocessError):
        return None
    return len(re.findall(r"^GPU \d+:", listing, re.MULTILINE)) or None


def host() -> str:
    """The machine's name."""
    return socket.gethostname()


def system() -> str:
    """The system with its kernel: "Ubuntu 22.04.4 LTS, Linux 6.5.0-28-generic x86_64"."""
    kernel = f"{platform.system()} {platform.release()} {platform.machine()}"
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        version = platform.mac_ver()[0]
        name = f"macOS {version}" if version else None
    return f"{name}, {kernel}" if name else kernel


def processor() -> str | None:
    """The processor's own name, where the kernel tells it."""
    found = re.search(r"^model name\s*:\s*(.+)$", _text(Path("/proc/cpuinfo")), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or None


def memory() -> int:
    """The memory of the machine, in bytes."""
    import psutil  # noqa: PLC0415

    return int(psutil.virtual_memory().total)


def ask_driver(program: str, *words: str, patience: float | None = None) -> str:
    """What nvidia-smi says. Raises OSError and subprocess.SubprocessError when it says nothing."""
    return ask((program, *words), patience or _PATIENCE, {**os.environ, "LC_ALL": "C"}, with_errors=True)


def _gpu(line: str) -> tuple[GpuRecord, str]:
    name, memory, driver = (part.strip() for part in line.rsplit(",", 2))
    return GpuRecord(name, int(memory) * _MIB if memory.isdecimal() else None), driver  # "[N/A]" where it is shared


def _amd(cards: Path) -> Gpus:
    found = []
    for device in sorted(cards.glob("card[0-9]*/device")):
        if "-" in device.parent.name or _text(device / "vendor").strip() != _AMD:
            continue  # card0-DP-1 is a plug of card0
        size = _text(device / "mem_info_vram_total").strip()
        name = _text(device / "product_name").strip() or f"AMD {_text(device / 'device').strip()}"
        found.append(GpuRecord(name, int(size) if size.isdecimal() else None))
    driver = _text(Path("/sys/module/amdgpu/version")).strip() or None if found else None
    return Gpus(tuple(found), driver)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
