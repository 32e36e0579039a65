"""The GPU part of the live line, with a stand-in for nvidia-ml-py."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil
import pytest

from launcher.record.manifest import Attempt, Manifest, OptionRecord
from launcher.run.gpu import INTERVAL, Chosen, GpuLine, chosen_gpus, gpus_of_run, in_words

GIB = 2**30
ALL = Chosen(None, 1, by_bus=False)


class Nvml(ModuleType):
    """A stand-in for the module pynvml: so many GPUs, of which each has its number of GiB in use."""

    class NVMLError(Exception):
        pass

    def __init__(self, names: tuple[str, ...] = ("H200",)) -> None:
        super().__init__("pynvml")
        self.names = names
        self.calls: list[str] = []
        self.fails: str | None = None
        self.waits: threading.Event | None = None

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.waits is not None:
            self.waits.wait()
        if self.fails == name:
            raise self.NVMLError(name)

    def nvmlInit(self) -> None:  # noqa: N802
        self._called("init")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.names)

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        self._called("index")
        return number

    def nvmlDeviceGetHandleByUUID(self, name: str) -> int:  # noqa: N802
        self._called("uuid")
        return int(name[-1])

    def nvmlDeviceGetName(self, device: int) -> str:  # noqa: N802
        return self.names[device]

    def nvmlDeviceGetMemoryInfo(self, device: int) -> Any:  # noqa: N802
        self._called("memory")
        return SimpleNamespace(used=(device + 1) * GIB, total=24 * GIB)

    def nvmlDeviceGetUtilizationRates(self, device: int) -> Any:  # noqa: N802
        self._called("load")
        return SimpleNamespace(gpu=90 + device, memory=3)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[Nvml | None], None]:
    return lambda nvml: monkeypatch.setitem(sys.modules, "pynvml", nvml)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def first(line: GpuLine) -> str:
    """What the line says once its first reading has ended."""
    line()
    finish(line)
    return line()


def finish(line: GpuLine) -> None:
    if line._thread is not None:
        line._thread.join(30)
        assert not line._thread.is_alive()


def test_which_gpus() -> None:
    assert chosen_gpus({}, {}) == ALL
    assert chosen_gpus({"num_processes": 2, "cpu": False, "gpu_ids": "all"}, {}) == Chosen(None, 2, by_bus=False)
    assert chosen_gpus({"gpu_ids": "1, 3"}, {"CUDA_VISIBLE_DEVICES": "0"}) == Chosen(("1", "3"), 1, by_bus=False)
    assert chosen_gpus({"gpu_ids": 2}, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}) == Chosen(("2",), 1, by_bus=True)
    assert chosen_gpus({}, {"CUDA_VISIBLE_DEVICES": "GPU-a"}) == Chosen(("GPU-a",), 1, by_bus=False)


@pytest.mark.parametrize(
    ("options", "environ"),
    [
        ({"cpu": True}, {}),
        ({"use_cpu": True}, {}),
        ({"tpu": True}, {}),
        ({}, {"CUDA_VISIBLE_DEVICES": ""}),
        ({}, {"CUDA_VISIBLE_DEVICES": "-1"}),
        ({"num_processes": "two"}, {}),
    ],
)
def test_no_gpu(options: dict[str, object], environ: dict[str, str], install: Callable[[Nvml | None], None]) -> None:
    nvml = Nvml()
    install(nvml)
    chosen = chosen_gpus(options, environ)
    assert chosen is None
    assert first(GpuLine(chosen)) == "" and nvml.calls == []


def test_words() -> None:
    assert in_words([]) == ""
    assert in_words([(int(21.3 * GIB), 24 * GIB, 98)]) == "GPU 21.3/24.0 GiB 98 %"
    assert in_words([(GIB, 24 * GIB, 1), (0, 80 * GIB, None)]) == "GPUs 1.0/24.0 GiB 1 %, 0.0/80.0 GiB"


@pytest.mark.parametrize(
    ("names", "chosen", "text"),
    [
        (("A",), ALL, "GPU 1.0/24.0 GiB 90 %"),
        (("A", "A", "A"), Chosen(None, 2, False), "GPUs 1.0/24.0 GiB 90 %, 2.0/24.0 GiB 91 %"),
        (("A", "A", "A"), Chosen(("2", "0"), 1, False), "GPU 3.0/24.0 GiB 92 %"),
        (("A", "B"), Chosen(("1",), 1, True), "GPU 2.0/24.0 GiB 91 %"),
        (("A", "B"), Chosen(("GPU-1",), 1, False), "GPU 2.0/24.0 GiB 91 %"),
        (("A", "B"), Chosen(None, 2, False), "GPUs 1.0/24.0 GiB 90 %, 2.0/24.0 GiB 91 %"),
        (("A", "B"), ALL, ""),  # CUDA's first is its fastest: which one that is, is not known here
        (("A", "B"), Chosen(("1",), 1, False), ""),
        (("A",), Chosen(("3",), 1, False), ""),
    ],
)
def test_the_line(names: tuple[str, ...], chosen: Chosen, text: str, install: Callable[[Nvml | None], None]) -> None:
    install(Nvml(names))
    assert first(GpuLine(chosen)) == text


def test_a_part_of_a_gpu_has_no_load(install: Callable[[Nvml | None], None]) -> None:
    nvml = Nvml()
    nvml.fails = "load"
    install(nvml)
    assert first(GpuLine(ALL)) == "GPU 1.0/24.0 GiB"


def test_it_is_not_asked_more_often_than_every_two_seconds(install: Callable[[Nvml | None], None]) -> None:
    nvml, clock = Nvml(), Clock()
    install(nvml)
    line = GpuLine(ALL, clock)
    for _ in range(5):
        assert first(line)
    assert nvml.calls.count("memory") == 1
    clock.now += INTERVAL
    first(line)
    assert (nvml.calls.count("memory"), nvml.calls.count("init")) == (2, 1)


def test_the_package_may_be_missing(install: Callable[[Nvml | None], None]) -> None:
    install(None)  # importing it raises ImportError
    line = GpuLine(ALL)
    assert first(line) == "" and line() == ""


@pytest.mark.parametrize("call", ["init", "index", "memory"])
def test_an_error_silences_it_for_good(call: str, install: Callable[[Nvml | None], None]) -> None:
    nvml, clock = Nvml(), Clock()
    install(nvml)
    line = GpuLine(ALL, clock)
    if call == "memory":
        assert first(line) != ""
        clock.now += INTERVAL
    nvml.fails = call
    first(line)
    asked = len(nvml.calls)
    nvml.fails = None
    clock.now += INTERVAL
    assert first(line) == "" and len(nvml.calls) == asked


def test_a_driver_that_hangs_holds_nothing_up(install: Callable[[Nvml | None], None]) -> None:
    nvml, clock = Nvml(), Clock()
    install(nvml)
    line = GpuLine(ALL, clock)
    assert first(line) != ""
    nvml.waits = threading.Event()
    try:
        clock.now += INTERVAL
        assert line() == "GPU 1.0/24.0 GiB 90 %"  # the last that is known
        until(lambda: nvml.calls.count("memory") == 2)
        clock.now += 60
        assert line() == "" and line() == ""
        assert nvml.calls.count("memory") == 2
    finally:
        nvml.waits.set()
    finish(line)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def training() -> Iterator[Attempt]:
    """An attempt whose process sees the second GPU and the fourth."""
    words = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    environ = {"CUDA_VISIBLE_DEVICES": "1,3", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    with subprocess.Popen(words, env=environ, stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        yield Attempt(pid=process.pid, pid_started=started, host=os.uname().nodename)
        process.communicate()


def test_the_gpus_of_a_run_that_another_kl_launched(training: Attempt) -> None:
    two = OptionRecord("num_processes", 2, command="accelerate")
    other = OptionRecord("gpu_ids", "7", command="trainer")
    assert gpus_of_run(Manifest(options=(two, other), attempts=(training,))) == Chosen(("1", "3"), 2, by_bus=True)
    four = OptionRecord("gpu_ids", "4", command="accelerate")
    assert gpus_of_run(Manifest(options=(four,), attempts=(training,))) == Chosen(("4",), 1, by_bus=True)


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"pid_started": 1.0}, {"pid": None}])
def test_no_gpus_of_a_run_that_cannot_be_seen(training: Attempt, change: dict[str, Any]) -> None:
    assert gpus_of_run(Manifest(attempts=(training,))) is not None
    assert gpus_of_run(Manifest(attempts=(dataclasses.replace(training, **change),))) is None
