"""Memory and load of the GPUs that a run uses, for the live line: by nvidia-ml-py, where it is installed."""

from __future__ import annotations

import importlib
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from launcher.record.manifest import Manifest
from launcher.run.process import same_process
from launcher.run.state import is_elsewhere

INTERVAL = 2.0  # seconds between two readings
_STALE = 10.0  # seconds after which an old reading is no longer shown
_OTHER_DEVICES = ("cpu", "use_cpu", "tpu", "use_xpu", "use_mps")


@dataclass(frozen=True)
class Chosen:
    """The GPUs of a run: the first `count` of `visible`, ids or UUIDs as CUDA takes them; None when it sees all.

    `by_bus` says that ids count by PCI bus, as NVML's do. CUDA's own order is by speed.
    """

    visible: tuple[str, ...] | None
    count: int
    by_bus: bool


def chosen_gpus(accelerate: Mapping[str, object], environ: Mapping[str, str]) -> Chosen | None:
    """The GPUs that a run with these options of `accelerate launch` uses; None when it trains on something else.

    Each process takes the GPU of its own number, and gpu_ids goes over CUDA_VISIBLE_DEVICES
    (accelerate/utils/launch.py).
    """
    if any(accelerate.get(name) not in (None, False) for name in _OTHER_DEVICES):
        return None
    ids = accelerate.get("gpu_ids")
    said = environ.get("CUDA_VISIBLE_DEVICES") if ids in (None, "all") else str(ids)
    visible = None if said is None else tuple(name.strip() for name in said.split(","))
    if visible is not None and visible[0] in ("", "-1"):
        return None
    number = accelerate.get("num_processes")
    try:
        count = max(1, int(str(number))) if number is not None else 1
    except ValueError:
        return None
    return Chosen(visible, count, environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID")


def gpus_of_run(manifest: Manifest) -> Chosen | None:
    """The GPUs of a run that another kl launched: by its options, and the environment of the process that trains.

    None where that cannot be seen, as on another machine.
    """
    last = manifest.attempts[-1]
    process = None if is_elsewhere(last) else same_process(last.pid, last.pid_started)
    try:
        environ = process.environ() if process is not None else None
    except (psutil.Error, OSError):  # it is ending, or another user's
        environ = None
    if environ is None:
        return None
    options = {option.name: option.value for option in manifest.options if option.command == "accelerate"}
    return chosen_gpus(options, environ)


class GpuLine:
    """Called, it gives the last reading in words, "" when there is none, and has a new one made when that is old.

    NVML is asked in a thread: a driver that hangs holds nothing up. The first error ends it for good.
    """

    def __init__(self, chosen: Chosen | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._chosen = chosen
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._next = clock()
        self._read = 0.0
        self._text = ""
        self._devices: list[Any] | None = None
        self._failed = chosen is None

    def __call__(self) -> str:
        now = self._clock()
        if not self._failed and now >= self._next and (self._thread is None or not self._thread.is_alive()):
            self._next = now + INTERVAL
            self._thread = threading.Thread(target=self._ask, name="gpu", daemon=True)
            self._thread.start()
        return "" if self._failed or now > self._read + _STALE else self._text

    def _ask(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an old package of the same module's name warns when it is loaded
                nvml = importlib.import_module("pynvml")
            if self._devices is None:
                nvml.nvmlInit()
                self._devices = _devices(nvml, self._chosen) if self._chosen else []
            text = in_words([_reading(nvml, device) for device in self._devices])
        except Exception:  # not installed, no driver, no permission, another version: there is just no line
            self._failed = True
            return
        self._text, self._read = text, self._clock()
        self._failed = not text


def in_words(readings: list[tuple[int, int, int | None]]) -> str:
    """Bytes used, bytes in all and load in percent of each GPU: "GPU 21.3/24.0 GiB 98 %"."""
    texts = []
    for used, total, load in readings:
        memory = f"{used / 2**30:.1f}/{total / 2**30:.1f} GiB"
        texts.append(memory if load is None else f"{memory} {load} %")
    return f"GPU{'s' if len(texts) > 1 else ''} {', '.join(texts)}" if texts else ""


def _devices(nvml: Any, chosen: Chosen) -> list[Any]:
    """NVML's handles of the chosen GPUs; none where it is not sure that CUDA's numbers mean the same as NVML's."""
    if chosen.visible is not None and not any(name.isdecimal() for name in chosen.visible):
        return [nvml.nvmlDeviceGetHandleByUUID(name) for name in chosen.visible[: chosen.count]]
    present = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
    numbers = range(len(present)) if chosen.visible is None else [int(name) for name in chosen.visible]
    used = list(numbers)[: chosen.count]
    same_order = chosen.by_bus or len({nvml.nvmlDeviceGetName(device) for device in present}) == 1
    if not same_order and len(used) < len(present):
        return []
    return [present[number] for number in used]


def _reading(nvml: Any, device: Any) -> tuple[int, int, int | None]:
    memory = nvml.nvmlDeviceGetMemoryInfo(device)
    try:
        load = int(nvml.nvmlDeviceGetUtilizationRates(device).gpu)
    except nvml.NVMLError:  # a part of a GPU (MIG) has memory of its own, but no load
        load = None
    return int(memory.used), int(memory.total), load
