"""The kill matrix's corners with the demo trainer, which trains and saves for real, and the real command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from launching import Bed, Said, kl, kl_environ, kl_words, until

from launcher.data.safetensors_header import Header, read_header
from launcher.demo.layout import lay_out, missing_packages
from launcher.record.manifest import read_manifest
from launcher.run.outcome import Outcome
from launcher.run.process import processes_of_run
from launcher.run.state import settle

pytestmark = pytest.mark.skipif(
    bool(missing_packages()), reason=f"the demo trains for real and needs {', '.join(missing_packages())}"
)
NAME = "shapes-v3s6"


@dataclass(frozen=True)
class Training:
    """A launch of the demo: the command and the run's directory."""

    bed: Bed
    process: subprocess.Popen[bytes]

    @property
    def run(self) -> Path:
        return self.bed.root / NAME

    def script(self) -> psutil.Process:
        """The training script itself, below `accelerate launch`."""
        found = [process for process in processes_of_run(self.run) if _is_script(process)]
        assert len(found) == 1
        return found[0]

    def kl(self, *words: str) -> Said:
        return kl(self.bed, *words)


def _is_script(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        words = process.cmdline()
        return "train_network.py" in " ".join(words) and "accelerate.commands.launch" not in words
    return False


@pytest.fixture
def training(tmp_path: Path) -> Iterator[Training]:
    """The demo, training; six steps with a model and a state after every second one."""
    with _launched(tmp_path, step_seconds=0.3) as training:
        yield training


@pytest.fixture
def slow_training(tmp_path: Path) -> Iterator[Training]:
    """The same, for longer than kl waits before it sends SIGTERM: an import may swallow the SIGINT before."""
    with _launched(tmp_path, step_seconds=10) as training:
        yield training


@contextmanager
def _launched(tmp_path: Path, step_seconds: float) -> Iterator[Training]:
    bed = Bed(tmp_path)
    demo = lay_out(tmp_path / "demo")
    sets = (f"env.path={sys.executable}", "env.kind=python", "save_every_n_steps=2", "sample_every_n_steps=100")
    words = kl_words("launch", str(demo.spec), "--name", NAME, *(word for item in sets for word in ("--set", item)))
    environ = {**kl_environ(bed), "KL_DEMO_STEP_SECONDS": str(step_seconds), "NO_CLEAN": "1"}
    with (
        (tmp_path / "output").open("wb") as output,
        subprocess.Popen(
            words,
            env=environ,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        until(lambda: (bed.root / NAME / "sdscripts.log").exists() or process.poll() is not None, "it has started")
        yield Training(bed, process)
        process.kill()
        for left in processes_of_run(bed.root / NAME):
            with suppress(psutil.Error):
                left.kill()


def _reaches(training: Training, name: str) -> None:
    until((training.run / name).exists, name)


def _check(training: Training, outcome: str, *models: str) -> None:
    until(lambda: not processes_of_run(training.run), "nothing runs any more")
    until(lambda: settle(training.run)[1] is not Outcome.RUNNING, "it is over")
    assert settle(training.run)[1].value == read_manifest(training.run).outcome == outcome
    for model in models:
        header = read_header(training.run / model)
        assert isinstance(header, Header) and header.missing == 0, model


def test_kl_is_killed_while_it_trains(training: Training) -> None:
    _reaches(training, f"{NAME}-step00000002.safetensors")
    training.process.kill()
    training.process.wait(60)
    watched = training.kl("attach", NAME)  # it trains on, and can be watched to its end
    assert watched.code == 0, watched.err
    assert f"saved model {NAME}.safetensors" in watched.err
    assert f"{NAME} succeeded after 6 steps" in watched.out
    saved = [f"{NAME}-step{step:08d}.safetensors" for step in (2, 4)]
    _check(training, "succeeded", *saved, f"{NAME}.safetensors")


def test_kl_is_asked_to_stop_while_the_trainer_loads(slow_training: Training) -> None:
    training = slow_training
    assert training.process.poll() is None
    training.process.send_signal(signal.SIGTERM)
    assert training.process.wait(60) == 143
    _check(training, "stopped")
    assert list(training.run.glob("*.safetensors")) == []


def test_the_script_is_killed_while_it_trains(training: Training) -> None:
    _reaches(training, f"{NAME}-step00000002-state")
    until(lambda: b" 3/6 " in (training.run / "sdscripts.log").read_bytes(), "the step after a save")
    os.kill(training.script().pid, signal.SIGKILL)
    assert training.process.wait(60) == 137
    _check(training, "failed", f"{NAME}-step00000002.safetensors")


def test_kl_and_trainer_are_stopped_by_another_command(training: Training) -> None:
    _reaches(training, f"{NAME}-step00000002.safetensors")
    training.process.kill()
    training.process.wait(60)
    stopped = training.kl("stop", NAME)
    assert stopped.code == 0 and f"{NAME} stopped" in stopped.out, stopped.err
    _check(training, "stopped", f"{NAME}-step00000002.safetensors")
