"""A stand-in for the trainer and `accelerate launch`, and kl's launch in a process of its own: for real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from accelerate_sources import ONE_PROCESS
from launch_programs import BAR, HEADER, LAUNCH

import launcher
from launcher.base.origin import Origin, Source
from launcher.plan.plan import Argument, Outputs, Plan, PlannedFile, Trainer, TrainingEnvironment

DEADLINE = 60.0


@dataclass(frozen=True)
class Bed:
    """Where a test trains: a checkout with a script, a stand-in for accelerate, an output root."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "out"

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    @property
    def signs(self) -> Path:
        """Where trainers leave signs of life."""
        return self.folder / "signs"

    @property
    def state(self) -> Path:
        return self.folder / "home" / "state" / "kl"


def make_bed(folder: Path) -> Bed:
    bed = Bed(folder)
    package = folder / "path" / "accelerate" / "commands"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "launch.py").write_text(ONE_PROCESS, encoding="utf-8")
    bed.checkout.mkdir()
    bed.signs.mkdir()
    return bed


def make_plan(
    bed: Bed, script: str, name: str = "fox-v1s4", keep_failed: bool = False, python: str = sys.executable
) -> Plan:
    """A plan that runs `script`, Python text with OUT, NAME, SIGNS, `bar`, `sign`, `gate`, … defined."""
    directory = bed.root / name
    header = HEADER.format(directory=str(directory), name=name, signs=str(bed.signs), bar=BAR)
    text = header + textwrap.dedent(script)
    (bed.checkout / f"{name}.py").write_text(text, encoding="utf-8")
    kl = Origin(Source.KL, "kl")
    return Plan(
        name=name,
        directory=directory,
        spec=bed.folder / f"{name}.toml",
        trainer=Trainer(bed.checkout, None, f"{name}.py"),
        environment=TrainingEnvironment("python", python, Path(python), {}),
        accelerate=(Argument("num_processes", ("--num_processes=1",), 1, kl),),
        arguments=(Argument("output_dir", ("--output_dir", str(directory)), str(directory), kl),),
        variables={"PYTHONPATH": str(bed.folder / "path")},
        files=(
            PlannedFile("spec.toml", b"[network]\r\nnetwork_dim = 8\n", kl, bed.folder / f"{name}.toml"),
            PlannedFile("config.toml", b"\xef\xbb\xbf[general]\n", kl),
        ),
        outputs=Outputs((f"{name}.safetensors",), (), (), states=False, samples=False),
        steps=4,
        notes="",
        keep_failed=keep_failed,
        findings=(),
    )


SUCCESS = """
    bar(0, 4)
    (OUT / "sample").mkdir()
    (OUT / (NAME + "-step00000002.safetensors")).write_bytes(b"half")
    (OUT / "sample" / "a.png").write_bytes(b"picture")
    bar(4, 4)
    print("\\nmodel saved.")
    (OUT / (NAME + ".safetensors")).write_bytes(b"whole")
"""
WAITING = """
    bar(1, 4)
    sign("training")
    while True:
        time.sleep(0.05)
"""

# Saves as the trainer does, and waits at each moment until the file go-MOMENT is there.
GATED_RUN = """
    print("loading")
    gate("loading")
    bar(0, 4)
    save(NAME + "-step00000001.safetensors")
    bar(1, 4)
    gate("training")
    save(NAME + "-step00000002.safetensors", lambda: gate("saving"))
    bar(4, 4)
    print()
    save(NAME + ".safetensors")
    print("model saved.")
    gate("end")
"""
MOMENTS = ("loading", "training", "saving", "end")  # of a trainer that runs GATED_RUN
# Where a launched kl waits when it is told to: before the directory is taken, in the middle of the archive, before
# and after the trainer is started, before the end is written down.
GATES_OF_KL = ("before", "archive", "start", "begun", "conclude")
# The same of the record beside the training: its thread when it reads a file, and kl when a file of the record is
# written and the manifest does not have it yet.
GATES_OF_RECORD = {
    "hash": ("launcher.record.hashes", "digest"),
    "taken": ("launcher.run.recorder_results", "FileRecord"),
}

LONG = 1000.0  # patience that a test never waits for


@dataclass
class Launched:
    """kl's launch in another process."""

    process: subprocess.Popen[bytes]
    output: Path

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def said(self, words: str) -> bool:
        return words in self.output.read_text(encoding="utf-8")

    def end(self) -> tuple[int, dict[str, Any]]:
        """Wait for its end: the exit code and what it printed."""
        code = self.process.wait(DEADLINE)
        lines = [line for line in self.output.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
        return code, json.loads(lines[-1]) if lines else {}


@contextmanager
def launched(
    bed: Bed, plan: Plan, patience: float = LONG, terminal: int | None = None, gate: str = "", detach: bool = False
) -> Iterator[Launched]:
    """Launch `plan` in another process; whatever is left of it at the end of the block is killed.

    That process waits at `gate`, one of GATES_OF_KL or GATES_OF_RECORD, until the file go-kl is there.
    """
    import pickle

    number = len(list(bed.folder.glob("*.pickle")))
    pickled = bed.folder / f"{number}.pickle"
    pickled.write_bytes(pickle.dumps(plan))
    output = bed.folder / f"{number}.output"
    home = str(bed.folder / "home")
    environment = {**os.environ, "HOME": home, "XDG_STATE_HOME": f"{home}/state"}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [
                sys.executable, "-c", LAUNCH, str(pickled), str(patience),
                ".".join(GATES_OF_RECORD.get(gate, (gate,))), "detach" if detach else "",
            ],
            env=environment, start_new_session=True, stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=file if terminal is None else terminal, stderr=file if terminal is None else terminal,
        )  # fmt: skip
    try:
        yield Launched(process, output)
    finally:
        process.kill()
        process.wait()
        for left in processes_of(bed):
            with suppress(psutil.Error):
                left.kill()


@dataclass(frozen=True)
class Said:
    """A command that ended."""

    code: int
    out: str
    err: str


def kl_words(*words: str) -> list[str]:
    """The real command."""
    return [sys.executable, "-m", "launcher", *words]


def kl_environ(bed: Bed) -> dict[str, str]:
    """Its surroundings: the home in which `launched` launches."""
    home = str(bed.folder / "home")
    folders = {f"XDG_{name}_HOME": f"{home}/{name.lower()}" for name in ("CONFIG", "CACHE", "STATE")}
    source = str(Path(launcher.__file__).resolve().parent.parent)
    return {**os.environ, "HOME": home, "PYTHONPATH": source, "OUTPUT_DIR": str(bed.root), **folders}


def kl(bed: Bed, *words: str, cwd: Path | None = None, **variables: str) -> Said:
    """Run the real command to its end, in the bed's folder unless told otherwise, with more variables."""
    done = subprocess.run(
        kl_words(*words), env={**kl_environ(bed), **variables}, cwd=cwd or bed.folder, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def processes_of(bed: Bed) -> list[psutil.Process]:
    """Every process that trains for a run of the bed, or stays with one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            ours = process.environ().get("KL_RUN", "").startswith(str(bed.root))
            launches = LAUNCH in process.cmdline() and any(str(bed.folder) in word for word in process.cmdline())
            if (ours or launches) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def go_on(bed: Bed, *gates: str) -> None:
    """Open gates: those of the trainer's moments, when none is named."""
    for gate in gates or MOMENTS:
        (bed.folder / f"go-{gate}").touch()


def own_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has the home of a bed in `folder`, as the processes that it starts have."""
    monkeypatch.setenv("HOME", str(folder / "home"))
    for name in ("CONFIG", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(folder / "home" / name.lower()))


def manifest_of(directory: Path) -> dict[str, Any]:
    """run.json as it stands, not as kl reads it."""
    found: dict[str, Any] = json.loads((directory / "run.json").read_text())
    return found


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until `condition` holds; fail when it does not within the deadline."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.02)


def pid_of(bed: Bed, sign: str) -> int:
    """The process that leaves the sign `sign`, once it has."""
    until((bed.signs / sign).exists, f"the sign {sign}")
    return int((bed.signs / sign).read_text())


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
