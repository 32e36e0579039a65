"""The demo trainer, run as a launcher runs it. Every run loads torch, so the runs are few and shared."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from demo_runs import TINY, Ran, dataset_config, train

from launcher.demo.layout import Demo, lay_out, missing_packages

pytestmark = pytest.mark.skipif(
    bool(missing_packages()), reason=f"the demo's packages are not installed: {', '.join(missing_packages())}"
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return lay_out(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def whole(demo: Demo, runs: Path) -> Ran:
    """The demo's sixty steps with everything that it writes."""
    prompts = runs / "prompts.txt"
    prompts.write_text("# two\ncircle, red --w 64 --h 72 --d 5 --s 2 --l 2 --n blue\ncross --w 64 --h 64 --s 1\n")
    return train(
        demo, runs / "whole-v1s60", f"--dataset_config={demo.dataset / 'config.toml'}",
        f"--sample_prompts={prompts}", "--network_module=lycoris.kohya", "--network_dim=16", "--network_alpha=16",
        "--network_args", "algo=locon", "preset=full", "conv_dim=16", "conv_alpha=16", "--learning_rate=0.003",
        "--lr_scheduler=constant_with_warmup", "--lr_warmup_steps=5", "--seed=42", "--max_train_steps=60",
        "--max_data_loader_n_workers=0", "--save_precision=fp16", "--save_every_n_steps=20", "--save_state",
        "--sample_every_n_steps=30", "--training_comment=a test", "--cache_latents", "--keep_tokens=0",
        "--pretrained_model_name_or_path=demo", launch=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def stepwise(demo: Demo, runs: Path) -> Ran:
    """Six steps, saving each, keeping the last three of the models and all states."""
    return train(
        demo, runs / "stepwise", f"--dataset_config={dataset_config(runs, demo, 3)}", *TINY,
        "--save_every_n_steps=1", "--save_last_n_steps=2", "--save_last_n_steps_state=9", "--save_state",
    )  # fmt: skip


def metadata(model: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(str(model), "numpy") as file:
        found: dict[str, str] = file.metadata()
    return found


def tensors(model: Path) -> dict[str, bytes]:
    from safetensors.numpy import load_file

    loaded: dict[str, Any] = load_file(str(model))
    return {name: tensor.tobytes() for name, tensor in loaded.items()}


def test_writes_what_sd_scripts_writes(whole: Ran) -> None:
    assert whole.status == 0, whole.log
    steps = [f"whole-v1s60-step{step:08d}" for step in (20, 40, 60)]
    assert whole.names() == {
        *(f"{name}.safetensors" for name in (*steps, "whole-v1s60")),
        *(f"{name}-state" for name in (*steps, "whole-v1s60")),
        "sample",
    }
    state = json.loads((whole.folder / f"{steps[1]}-state" / "train_state.json").read_text())
    assert state == {"current_epoch": 1, "current_step": 40}
    assert len(list((whole.folder / "logs").glob("2*/network_train/events.out.tfevents.*"))) == 1


def test_samples_are_named_by_step_number_time_and_seed(whole: Ran) -> None:
    names = sorted(path.name for path in (whole.folder / "sample").iterdir())
    assert len(names) == 4
    for name, (step, number, seed) in zip(names, [(30, 0, "_5"), (30, 1, ""), (60, 0, "_5"), (60, 1, "")], strict=True):
        assert re.fullmatch(rf"whole-v1s60_{step:06d}_{number:02d}_\d{{14}}{seed}\.png", name)
    from PIL import Image

    with Image.open(whole.folder / "sample" / names[0]) as picture:
        assert picture.size == (64, 72)


def test_the_model_says_how_it_was_made(whole: Ran) -> None:
    last = metadata(whole.folder / "whole-v1s60.safetensors")
    assert last["ss_output_name"] == "whole-v1s60"
    assert last["ss_network_module"] == "lycoris.kohya"
    assert (last["ss_network_dim"], last["ss_network_alpha"]) == ("16", "16.0")
    assert json.loads(last["ss_network_args"])["algo"] == "locon"
    assert (last["ss_steps"], last["ss_max_train_steps"], last["ss_seed"]) == ("60", "60", "42")
    assert last["ss_training_comment"] == "a test"
    assert float(last["ss_training_finished_at"]) > float(last["ss_training_started_at"])
    assert re.fullmatch("[0-9a-f]{40}", last["ss_sd_scripts_commit_hash"])
    assert last["sshs_model_hash"]
    assert metadata(whole.folder / "whole-v1s60-step00000020.safetensors")["ss_steps"] == "20"


def test_the_loss_goes_down(whole: Ran) -> None:
    shown = re.findall(r"steps: +\d+%\|.*?\| (\d+)/60 \[.*?, avr_loss=([\d.]+)\]", whole.log)
    losses = {int(step): float(loss) for step, loss in shown}
    assert 0.9 < losses[1] < 1.2
    assert losses[60] < 0.6
    # The line shows the mean of all steps so far; the last twenty alone are this:
    assert (60 * losses[60] - 40 * losses[40]) / 20 < 0.35


def test_says_what_it_is_and_what_it_does_not_use(whole: Ran, stepwise: Ran) -> None:
    assert "kl's demo trainer, not sd-scripts" in whole.lines[0]
    unused = "Options given that this demo trainer accepts but does not use: "
    assert whole.lines[1] == unused + "cache_latents"
    assert not any(unused in line for line in stepwise.lines)
    assert any("no effect in the demo trainer: enable_bucket" in line for line in stepwise.lines)


def test_keeps_a_window_of_models_and_another_of_states(stepwise: Ran) -> None:
    assert stepwise.status == 0, stepwise.log
    models = {f"stepwise-step{step:08d}.safetensors" for step in (4, 5, 6)}
    states = {f"stepwise-step{step:08d}-state" for step in range(1, 7)}
    assert stepwise.names() == models | states | {"stepwise.safetensors", "stepwise-state"}


def test_the_same_seed_makes_the_same_tensors_whatever_the_hooks_show(demo: Demo, runs: Path, stepwise: Ran) -> None:
    again = train(
        demo, runs / "again", f"--dataset_config={dataset_config(runs, demo, 3)}", *TINY, "--save_every_n_steps=6",
        hooks={"KL_DEMO_NAN_AT_STEP": "3", "KL_DEMO_NO_FINAL": "1"},
    )  # fmt: skip
    assert again.status == 0, again.log
    assert again.names() == {"again-step00000006.safetensors"}
    assert "avr_loss=nan" in again.log
    first = tensors(stepwise.folder / "stepwise-step00000006.safetensors")
    assert tensors(again.folder / "again-step00000006.safetensors") == first
    assert any(any(data) for data in first.values())


def test_a_resumed_run_ends_with_the_same_step_and_names(demo: Demo, runs: Path, stepwise: Ran) -> None:
    state = stepwise.folder / "stepwise-step00000003-state"
    resumed = train(
        demo, runs / "resumed", f"--dataset_config={dataset_config(runs, demo, 3)}", *TINY,
        "--save_every_n_steps=1", "--save_last_n_steps=2", f"--resume={state}", "--skip_until_initial_step",
    )  # fmt: skip
    assert resumed.status == 0, resumed.log
    assert resumed.names() == {
        "resumed.safetensors", *(f"resumed-step{step:08d}.safetensors" for step in (4, 5, 6)),
    }  # fmt: skip
    assert metadata(resumed.folder / "resumed.safetensors")["ss_steps"] == "6"
    assert "| 3/3 [" in resumed.log


def test_epochs_accumulation_and_a_configuration_file(demo: Demo, runs: Path) -> None:
    config = runs / "config.toml"
    config.write_text(
        "[network]\nnetwork_module = 'lycoris.kohya'\nnetwork_dim = 4\nnetwork_args = ['algo=lokr']\n"
        "[training]\nmax_train_epochs = 3\ngradient_accumulation_steps = 2\nmax_data_loader_n_workers = 0\nseed = 1\n"
        "learning_rate = 1e-3\nsave_every_n_epochs = 1\nsave_last_n_epochs = 1\nsave_state_on_train_end = true\n"
        "scale_weight_norms = 1.0\ntext_encoder_lr = [1e-4]\nno_such_option = 1\n"
        f"dataset_config = '{dataset_config(runs, demo, 1)}'\n"
    )
    ran = train(
        demo, runs / "epochs", f"--config_file={config}", "--sample_prompts=nowhere.txt", "--sample_every_n_epochs=3",
        script="sdxl_train_network.py",
    )  # fmt: skip
    assert ran.status == 0, ran.log
    assert ran.names() == {"epochs-000002.safetensors", "epochs.safetensors", "epochs-state"}
    last = metadata(ran.folder / "epochs.safetensors")
    assert (last["ss_steps"], last["ss_epoch"], last["ss_base_model_version"]) == ("6", "3", "sdxl_demo")
    assert "does not use: no_such_option" in ran.log
    assert "No prompt file: nowhere.txt" in ran.log
    assert "Average key norm=" in ran.log


def test_no_data_is_said_and_ends_with_status_0(demo: Demo, runs: Path) -> None:
    empty = runs / "empty"
    empty.mkdir()
    ran = train(demo, runs / "nothing", f"--train_data_dir={empty}", "--resolution=64", *TINY)
    assert ran.status == 0
    assert "No data found" in ran.log
    assert ran.names() == set()


def test_a_failing_step_ends_with_a_traceback(demo: Demo, runs: Path) -> None:
    ran = train(
        demo, runs / "failing", f"--dataset_config={dataset_config(runs, demo, 3)}", *TINY, "--save_every_n_steps=1",
        hooks={"KL_DEMO_FAIL_AT_STEP": "2", "KL_DEMO_FAIL_MESSAGE": "CUDA out of memory."},
    )  # fmt: skip
    assert ran.status == 1
    # As with sd-scripts, the traceback starts on the progress line, and the bar is drawn once more after it.
    _, _, after = ran.log.partition("Traceback (most recent call last):")
    assert "RuntimeError: CUDA out of memory." in after.splitlines()
    assert ran.names() == {"failing-step00000001.safetensors"}
