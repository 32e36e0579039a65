"""What the trainer will write and keep, against the trainer's own formulas."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_bed import NEEDED, USUAL, argument, codes, only_error, plan_of, script, setting, words

from launcher.plan.outputs import expected_outputs
from launcher.plan.resolve import Resolved, resolve
from launcher.plan.retention import retention

OPTIONS = script(*USUAL)


def _resolved(**values: int | str | bool) -> Resolved:
    return resolve([setting(key, value, line=number) for number, (key, value) in enumerate(values.items())], OPTIONS)


def _kept_by_the_trainer(steps: int, every: int, last: int) -> list[int]:
    """train_network.py saves at every multiple; get_remove_step_no says which earlier save goes then."""
    there: list[int] = []
    for step in range(1, steps + 1):
        if step % every == 0:
            there.append(step)
            gone = step - last - 1
            gone -= gone % every
            if gone in there:
                there.remove(gone)
    return there


@given(st.integers(1, 400), st.integers(1, 60), st.integers(1, 8))
def test_exactly_the_wanted_number_of_saves_stays(steps: int, every: int, number: int) -> None:
    made = retention(number, "fox.toml:1", _resolved(save_every_n_steps=every), OPTIONS)
    assert not made.findings and [item.key for item in made.settings] == ["save_last_n_steps"]
    last = made.settings[0].value
    assert isinstance(last, int)
    kept = _kept_by_the_trainer(steps, every, last)
    assert kept == list(range(every, steps + 1, every))[-number:]


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 200))
def test_the_plan_knows_what_stays(steps: int, every: int, last: int) -> None:
    resolved = _resolved(network_module="x", save_every_n_steps=every, save_last_n_steps=last)
    outputs = expected_outputs("fox", resolved, steps)
    assert outputs.checkpoints == tuple(f"fox-step{step:08d}.safetensors" for step in range(every, steps + 1, every))
    assert outputs.kept == tuple(f"fox-step{step:08d}.safetensors" for step in _kept_by_the_trainer(steps, every, last))


def test_epochs_are_counted_by_the_trainer_itself() -> None:
    made = retention(3, None, _resolved(save_every_n_epochs=2), OPTIONS)
    assert [(item.key, item.value) for item in made.settings] == [("save_last_n_epochs", 3)]


def test_keep_last_saves_reaches_the_command(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, NEEDED + "save_every_n_steps = 10\n[run]\nkeep_last_saves = 3\n")
    assert not plan.findings and words(plan, "save_last_n_steps") == ("--save_last_n_steps=20",)
    found = argument(plan, "save_last_n_steps")
    assert found and "run.keep_last_saves" in found.origin.label and "fox.toml:6" in found.origin.label
    assert plan.outputs.kept == tuple(f"fox-v1s100-step{step:08d}.safetensors" for step in (80, 90, 100))


@pytest.mark.parametrize(
    "text",
    [
        "[run]\nkeep_last_saves = 3",
        "save_every_n_steps = 5\nsave_last_n_steps = 5\n[run]\nkeep_last_saves = 3",
        "save_every_n_steps = 5\nsave_last_n_epochs_state = 5\n[run]\nkeep_last_saves = 3",
    ],
)
def test_keep_last_saves_without_sense_is_refused(tmp_path: Path, text: str) -> None:
    assert only_error(plan_of(tmp_path, NEEDED + text)).code == "keep-last-saves"


@pytest.mark.parametrize("value", ["0", "-1", "true", '"3"', "1.5"])
def test_keep_last_saves_is_a_number_from_one_on(tmp_path: Path, value: str) -> None:
    plan = plan_of(tmp_path, NEEDED + f"save_every_n_steps = 5\n[run]\nkeep_last_saves = {value}")
    assert codes(plan.errors) == ["wrong-type"]


@pytest.mark.parametrize(
    ("values", "final"),
    [
        ({"network_module": "x"}, ("fox.safetensors",)),
        ({"network_module": "x", "save_model_as": "ckpt"}, ("fox.ckpt",)),
        ({"save_model_as": "diffusers_safetensors"}, ("fox",)),
        ({}, ("fox.safetensors", "fox.ckpt", "fox.pt", "fox.bin", "fox")),
    ],
)
def test_the_final_model(values: dict[str, str], final: tuple[str, ...]) -> None:
    assert expected_outputs("fox", _resolved(**values), 10).final == final


def test_nothing_is_foretold_where_epochs_decide(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, NEEDED + "max_train_epochs = 2\nsave_every_n_steps = 5", name="fox")
    assert plan.steps is None and plan.outputs.checkpoints == ()


@pytest.mark.parametrize("value", [0, -5])
def test_saving_every_no_steps(value: int) -> None:
    assert expected_outputs("fox", _resolved(network_module="x", save_every_n_steps=value), 10).checkpoints == ()


def test_states_and_samples() -> None:
    outputs = expected_outputs("fox", _resolved(save_state=True, sample_every_n_steps=5), 10)
    assert outputs.states and outputs.samples
    outputs = expected_outputs("fox", _resolved(save_state=False), 10)
    assert not outputs.states and not outputs.samples


def test_a_thousand_million_saves_are_not_listed(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, NEEDED + "save_every_n_steps = 1", name="fox-v1s999999999")
    assert plan.outputs.checkpoints == plan.outputs.kept == ()
