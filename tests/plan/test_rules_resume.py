"""Going on from a state: what is none, what the trainer makes of its step, and what another option undoes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loop_bed import SOURCES, run_of, said_by, without_packages

from launcher.base.findings import Finding, Severity
from launcher.plan.checks.rules.resume import RULES

_FILES = ("model.safetensors", "optimizer.bin", "scheduler.bin", "random_states_0.pkl")
_CONSTANTS = {"accelerate/utils/constants.py": 'OPTIMIZER_NAME = "optimizer"\nSCHEDULER_NAME = "scheduler"\n'}


def _state(folder: Path, step: object = 40, *, files: tuple[str, ...] = _FILES, name: str = "fox-state") -> Path:
    state = folder / "out" / name
    state.mkdir(parents=True)
    for file in files:
        (state / file).touch()
    (state / "train_state.json").write_text(json.dumps({"current_epoch": 1, "current_step": step}))
    return state


def _said(folder: Path, code: str, text: str, **fields: object) -> Finding | None:
    return said_by(RULES, run_of(folder, text, **fields), code)  # type: ignore[arg-type]


def test_a_state_is_one(tmp_path: Path) -> None:
    _state(tmp_path)
    assert _said(tmp_path, "resume-no-state", 'resume = "out/fox-state"') is None
    assert _said(tmp_path, "resume-no-state", "") is None


def test_a_model_is_no_state(tmp_path: Path) -> None:
    _state(tmp_path)
    (tmp_path / "out/fox.safetensors").touch()
    finding = _said(tmp_path, "resume-no-state", 'resume = "out/fox.safetensors"')
    assert finding is not None and finding.severity is Severity.ERROR
    assert "names a file" in finding.message
    assert finding.hint == "The state is the folder fox-state beside it."


def test_a_model_without_a_state_beside_it(tmp_path: Path) -> None:
    (tmp_path / "fox.safetensors").touch()
    finding = _said(tmp_path, "resume-no-state", 'resume = "./fox.safetensors"')
    assert finding is not None and finding.hint is not None and "save_state" in finding.hint


def test_a_misspelt_folder_is_named(tmp_path: Path) -> None:
    _state(tmp_path, name="fox-step00000040-state")
    finding = _said(tmp_path, "resume-no-state", 'resume = "./out/fox-step0000040-state"')
    assert finding is not None and finding.hint == "Did you mean fox-step00000040-state?"


def test_a_folder_in_the_checkout_counts_where_the_name_looks_like_one_of_the_hub(tmp_path: Path) -> None:
    assert _said(tmp_path, "resume-no-state", 'resume = "owner/state"') is not None
    _state(tmp_path / "checkout")
    assert _said(tmp_path, "resume-no-state", 'resume = "out/fox-state"') is None


@pytest.mark.parametrize("gone", ["model.safetensors", "optimizer.bin", "scheduler.bin"])
def test_a_state_without_a_file_is_none(tmp_path: Path, gone: str) -> None:
    _state(tmp_path, files=tuple(file for file in _FILES if file != gone))
    finding = _said(tmp_path, "resume-no-state", 'resume = "out/fox-state"', packages=_CONSTANTS)
    assert finding is not None and f"it has no {gone}" in finding.message
    run = run_of(tmp_path, 'resume = "out/fox-state"')
    assert said_by(RULES, without_packages(run), "resume-no-state") is not None


def test_the_run_directory_of_a_state_is_none(tmp_path: Path) -> None:
    _state(tmp_path)
    finding = _said(tmp_path, "resume-no-state", 'resume = "./out"')
    assert finding is not None and finding.hint == "Did you mean fox-state in it?"


def test_other_names_and_other_forms_of_states_are_not_judged(tmp_path: Path) -> None:
    _state(tmp_path, files=("zero_to_fp32.py",))
    text = 'resume = "out/fox-state"'
    renamed = {"accelerate/utils/constants.py": 'OPTIMIZER_NAME = "state_of_optimizer"\n'}
    assert _said(tmp_path, "resume-no-state", text, packages=renamed) is None
    assert _said(tmp_path, "resume-no-state", text + "\ndeepspeed = true", packages=_CONSTANTS) is None
    fsdp = text + "\n[accelerate]\nuse_fsdp = true"
    assert _said(tmp_path, "resume-no-state", fsdp, packages=_CONSTANTS) is None
    assert _said(tmp_path, "resume-no-state", text, packages=_CONSTANTS) is not None


def test_a_state_of_before_safetensors_is_one(tmp_path: Path) -> None:
    _state(tmp_path, files=("pytorch_model.bin", "optimizer.bin", "scheduler.bin"))
    assert _said(tmp_path, "resume-no-state", 'resume = "out/fox-state"') is None


def test_a_script_that_loads_its_state_itself(tmp_path: Path) -> None:
    old = {"train_network.py": "for epoch in range(9):\n    accelerator.load_state(args.resume)\n"}
    assert _said(tmp_path, "resume-no-state", 'resume = "./none"', sources=old) is not None


@pytest.mark.parametrize(
    ("text", "speaks"), [("", True), ("max_train_steps = 41", False), ("max_train_epochs = 1", False)]
)
def test_a_run_that_is_over_cannot_go_on(tmp_path: Path, text: str, speaks: bool) -> None:
    _state(tmp_path)
    name = "fox-v1" if text else "fox-v1s40"
    finding = _said(tmp_path, "resume-finished", f'resume = "out/fox-state"\n{text}', name=name)
    assert (finding is not None) is speaks
    if finding:
        assert finding.severity is Severity.ERROR and "the state is of step 40" in finding.message


def test_a_run_that_begins_elsewhere_does_not_take_the_step(tmp_path: Path) -> None:
    _state(tmp_path)
    text = 'resume = "out/fox-state"\ninitial_step = 3'
    assert _said(tmp_path, "resume-finished", text, name="fox-v1s40") is None
    assert _said(tmp_path, "resume-counts-again", text, name="fox-v1s80") is None
    finding = _said(tmp_path, "resume-initial-step", text, name="fox-v1s80")
    assert finding is not None and "initial_step = 3 wins over the state, which is of step 40" in finding.message


def test_the_step_that_the_state_has_is_no_conflict(tmp_path: Path) -> None:
    _state(tmp_path)
    assert _said(tmp_path, "resume-initial-step", 'resume = "out/fox-state"\ninitial_step = 40') is None
    assert _said(tmp_path, "resume-initial-step", 'resume = "out/fox-state"') is None


def test_steps_are_counted_again(tmp_path: Path) -> None:
    _state(tmp_path)
    text = 'resume = "out/fox-state"'
    finding = _said(tmp_path, "resume-counts-again", text)
    assert finding is not None and finding.severity is Severity.ADVICE
    assert finding.hint is not None and finding.hint.startswith("skip_until_initial_step")
    several = _said(tmp_path, "resume-counts-again", text + "\ngradient_accumulation_steps = 2")
    assert several is not None and several.hint is None
    assert _said(tmp_path, "resume-counts-again", text + "\nskip_until_initial_step = true") is None


def test_a_run_of_ones_own_is_resumed_by_name(tmp_path: Path) -> None:
    state = _state(tmp_path)
    (state.parent / "run.json").touch()
    finding = _said(tmp_path, "resume-counts-again", 'resume = "out/fox-state"')
    assert finding is not None and finding.severity is Severity.WARNING
    assert finding.hint == "kl resume out goes on with that run, its steps and its names."


@pytest.mark.parametrize("step", [0, None, "40", True, [], 1.5])
def test_a_step_that_is_none_says_nothing(tmp_path: Path, step: object) -> None:
    _state(tmp_path, step)
    assert _said(tmp_path, "resume-counts-again", 'resume = "out/fox-state"') is None


@pytest.mark.parametrize(
    ("text", "speaks"),
    [
        ('resume = "a/b"\nnetwork_weights = "w.safetensors"', True),
        ('resume = "a/b"\nnetwork_weights = "w.safetensors"\ndim_from_weights = true', False),
        ('network_weights = "w.safetensors"', False),
        ('resume = "a/b"', False),
    ],
)
def test_a_state_replaces_network_weights(tmp_path: Path, text: str, speaks: bool) -> None:
    assert (_said(tmp_path, "resume-network-weights", text) is not None) is speaks


def test_weights_that_are_loaded_after_the_state_stay(tmp_path: Path) -> None:
    loop = (
        "for epoch in range(9):\n    accelerator.load_state(args.resume)\n"
        "    network.load_weights(args.network_weights)\n"
    )
    text = 'resume = "a/b"\nnetwork_weights = "w.safetensors"'
    assert _said(tmp_path, "resume-network-weights", text, sources={"train_network.py": loop}) is None


@pytest.mark.parametrize(
    ("text", "files", "speaks"),
    [
        ('mixed_precision = "fp16"', _FILES, True),
        ('mixed_precision = "fp16"', (*_FILES, "scaler.pt"), False),
        ('mixed_precision = "bf16"', _FILES, False),
        ('mixed_precision = "fp16"', (), False),
        ('mixed_precision = "fp16"\ndeepspeed = true', _FILES, False),
        ('mixed_precision = "fp16"\n[accelerate]\ncpu = true', _FILES, False),
    ],
)
def test_fp16_needs_the_scale_in_its_state(tmp_path: Path, text: str, files: tuple[str, ...], speaks: bool) -> None:
    _state(tmp_path, files=files)
    finding = _said(tmp_path, "resume-precision", f'resume = "out/fox-state"\n{text}')
    assert (finding is not None) is speaks


@pytest.mark.parametrize(("text", "speaks"), [("resume_from_huggingface = true", True), ("", False)])
def test_the_hub_alone_is_no_state(tmp_path: Path, text: str, speaks: bool) -> None:
    assert (_said(tmp_path, "resume-from-hub-alone", text) is not None) is speaks
    both = 'resume = "owner/name"\nresume_from_huggingface = true'
    assert _said(tmp_path, "resume-from-hub-alone", both) is None


@pytest.mark.parametrize(
    ("resume", "speaks"),
    [
        ("owner/name", False),
        ("owner/name/fox-state:main", False),
        ("fox", True),
        ("/home/fox-state", True),
        ("./a/b", True),
    ],
)
def test_a_state_on_the_hub_is_in_a_repository(tmp_path: Path, resume: str, speaks: bool) -> None:
    text = f'resume = "{resume}"\nresume_from_huggingface = true'
    assert (_said(tmp_path, "resume-from-hub", text) is not None) is speaks
    assert _said(tmp_path, "resume-from-hub", f'resume = "{resume}"') is None


def test_a_folder_of_this_machine_is_not_on_the_hub(tmp_path: Path) -> None:
    _state(tmp_path)
    finding = _said(tmp_path, "resume-from-hub", 'resume = "out/fox-state"\nresume_from_huggingface = true')
    assert finding is not None and finding.hint == "Leave out resume_from_huggingface."
    assert _said(tmp_path, "resume-no-state", 'resume = "none/x"\nresume_from_huggingface = true') is None


def test_all_are_silent_where_the_checkout_has_no_such_code(tmp_path: Path) -> None:
    _state(tmp_path)
    bare = {"train_network.py": "for epoch in range(9):\n    pass\n"}
    for text in ('resume = "./none"', 'resume = "out/fox-state"\nmixed_precision = "fp16"\ninitial_step = 3'):
        run = run_of(tmp_path, f'{text}\nnetwork_weights = "w.pt"', sources=bare, name="fox-v1s3")
        assert [rule.code.name for rule in RULES if said_by(RULES, run, rule.code.name)] == []


def test_a_release_without_the_step_in_its_states_is_not_judged_by_it(tmp_path: Path) -> None:
    _state(tmp_path)
    sources = {**SOURCES, "train_network.py": SOURCES["train_network.py"].replace('data["current_step"]', "0")}
    for code in ("resume-finished", "resume-counts-again"):
        assert _said(tmp_path, code, 'resume = "out/fox-state"', name="fox-v1s3", sources=sources) is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.just(b"[" * 60_000) | st.just(b'{"current_step": ' + b"9" * 9_000 + b"}"))
def test_whatever_a_state_says_there_is_no_traceback(tmp_path: Path, content: bytes) -> None:
    if not (tmp_path / "out").exists():
        _state(tmp_path)
    (tmp_path / "out/fox-state/train_state.json").write_bytes(content)
    run = run_of(tmp_path, 'resume = "out/fox-state"\ninitial_epoch = 2')
    assert said_by(RULES, run, "resume-no-state") is None
