"""Training on with real sd-scripts, three times, on the bed that KL_REALBED names: as one unbroken run."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from real_bed import BASE_MODEL, CHECKOUT, PYTHON, SHAPES, kl_environ, kl_words, lora_spec, needs

from launcher.data.safetensors_header import Header, read_header
from launcher.run.progress import parse_progress
from launcher.run.states import State, find_states, look_at_state

NAME = "shapes-v1s12"
DEADLINE = 600.0  # seconds for one attempt

pytestmark = needs(CHECKOUT, PYTHON, BASE_MODEL)

OPTIONS = """
seed = 7
learning_rate = 1e-3
lr_scheduler = "cosine"
lr_warmup_steps = 2
save_every_n_steps = 2
save_every_n_epochs = 2
save_state = true
"""
DATASET = """
[general]
caption_extension = ".txt"
[[datasets]]
resolution = 64
batch_size = 1
enable_bucket = true
min_bucket_reso = 64
max_bucket_reso = 128
[[datasets.subsets]]
image_dir = "{images}"
num_repeats = 1
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a training of 12 steps, 3 an epoch, killed after steps 4, 6 and 8."""
    folder = tmp_path_factory.mktemp("real")
    images = folder / "dataset" / "img"
    images.mkdir(parents=True)
    for file in sorted((SHAPES / "img").iterdir()):
        if file.stem in ("0", "1", "2"):
            (images / file.name).write_bytes(file.read_bytes())
    (folder / "dataset" / "config.toml").write_text(DATASET.format(images=images))
    (folder / "shapes.toml").write_text(lora_spec(OPTIONS, dataset="dataset"))
    directory = folder / "output" / NAME
    _killed_after(f"{NAME}-step00000004-state", folder, directory, "launch", NAME)
    _killed_after(f"{NAME}-000002-state", folder, directory, "resume", f"output/{NAME}")
    _killed_after(f"{NAME}-step00000008-state", folder, directory, "resume", f"output/{NAME}")
    done = _started(folder, "resume", f"output/{NAME}")
    output = (folder / "kl.log").read_text()
    assert done.wait(DEADLINE) == 0, output
    return directory


def test_the_names_are_those_of_one_run(run: Path) -> None:
    stems = {*(f"{NAME}-step{step:08d}" for step in range(2, 13, 2)), f"{NAME}-000002", NAME}
    names = {path.name for path in run.iterdir() if path.name.startswith(NAME)}
    assert names == {f"{stem}{ending}" for stem in stems for ending in (".safetensors", "-state")}


def test_the_states_count_as_one_run_does(run: Path) -> None:
    counted = {state.path.name: (state.epoch, state.step) for state in find_states(run, NAME).whole}
    expected = {f"{NAME}-step{step:08d}-state": (math.ceil(step / 3), step) for step in range(2, 13, 2)}
    assert counted == {**expected, f"{NAME}-000002-state": (2, 6), f"{NAME}-state": (4, 12)}


def test_the_models_say_the_step_they_were_saved_at(run: Path) -> None:
    said = {}
    for path in run.glob("*.safetensors"):
        header = read_header(path)
        assert isinstance(header, Header)
        assert header.metadata["ss_max_train_steps"] == "12"
        said[path.stem] = (header.metadata["ss_steps"], header.metadata["ss_epoch"])
    steps = {f"{NAME}-step{step:08d}": (str(step), str((step - 1) // 3)) for step in range(2, 13, 2)}
    assert said == {**steps, f"{NAME}-000002": ("6", "2"), NAME: ("12", "4")}


def test_the_learning_rate_goes_on(run: Path) -> None:
    """TensorBoard has the rate after each step: warmed up over 2, then down to 0 at 12."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rates: dict[int, float] = {}
    for folder in sorted(run.glob("logs/*/*")):
        events = EventAccumulator(str(folder))
        events.Reload()
        if "lr/unet" in events.Tags()["scalars"]:
            for event in events.Scalars("lr/unet"):
                rates[event.step] = event.value
    whole = {step: 0.5e-3 * (1 + math.cos(math.pi * (step - 2) / 10)) for step in range(2, 13)}
    assert rates == pytest.approx({1: 0.5e-3, **whole}, abs=1e-8)


def test_the_record_has_four_attempts(run: Path) -> None:
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["outcome"] == "succeeded"
    attempts = manifest["attempts"]
    assert [attempt["log"] for attempt in attempts] == ["sdscripts.log", *(f"sdscripts-{n}.log" for n in (2, 3, 4))]
    assert [attempt["outcome"] for attempt in attempts] == ["failed", "failed", "failed", "succeeded"]
    assert attempts[-1]["last_step"] == attempts[-1]["total_steps"] == 12
    first = [attempt["first_step"] for attempt in attempts]
    assert first[0] is None
    assert first[1] >= 4 and first[2] >= 6 and first[3] >= 8
    assert all(attempt["changes"] == [] for attempt in attempts)


def test_the_last_loss_has_no_zero_in_its_mean(run: Path) -> None:
    log = (run / "sdscripts-4.log").read_text().replace("\r", "\n")
    bars = [progress for line in log.split("\n") if (progress := parse_progress(line))]
    losses = [bar.loss for bar in bars if bar.loss is not None]
    assert min(losses) > 0.7  # each is about 1


def _started(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    with (folder / "kl.log").open("ab") as log:
        return subprocess.Popen(kl_words(*words), cwd=folder, env=kl_environ(folder / "home"), stdout=log, stderr=log)


def _killed_after(saved: str, folder: Path, directory: Path, *words: str) -> None:
    """Train until the state `saved` is whole, then kill every process of the trainer; kl ends by itself."""
    process = _started(folder, *words)
    state = directory / saved
    deadline = time.monotonic() + DEADLINE
    try:
        while not (state.is_dir() and isinstance(look_at_state(state), State)):
            assert process.poll() is None, (folder / "kl.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        pid = json.loads((directory / "run.json").read_text())["attempts"][-1]["pid"]
        os.killpg(pid, signal.SIGKILL)
        assert process.wait(60) == 128 + signal.SIGKILL
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        process.wait(60)
