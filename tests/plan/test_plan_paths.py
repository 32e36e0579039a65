"""Which values are paths, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from plan_bed import NEEDED, USUAL, codes, option, plan_of, script, setting, switch, words

from launcher.base.settings import Value
from launcher.plan.paths import is_path, with_whole_paths


@pytest.mark.parametrize(
    ("name", "yes"),
    [
        ("pretrained_model_name_or_path", True), ("train_data_dir", True), ("vae", True), ("network_weights", True),
        ("resume", True), ("console_log_file", True), ("tokenizer_cache_dir", True), ("base_weights", True),
        ("network_module", False), ("optimizer_type", False), ("huggingface_path_in_repo", False),
        ("network_args", False), ("output_name", False),
    ],
)  # fmt: skip
def test_which_options_hold_paths(name: str, yes: bool) -> None:
    assert is_path(option(name)) is yes


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("train_data_dir", "img", "/specs/img"),
        ("train_data_dir", "../img/", "/img"),
        ("train_data_dir", "owner/name", "/specs/owner/name"),
        ("train_data_dir", "/a b", "/a b"),
        ("train_data_dir", "", ""),
        ("pretrained_model_name_or_path", "owner/name", "owner/name"),
        ("pretrained_model_name_or_path", "model.safetensors", "/specs/model.safetensors"),
        ("pretrained_model_name_or_path", "a/model.safetensors", "/specs/a/model.safetensors"),
        ("pretrained_model_name_or_path", "./owner/name", "/specs/owner/name"),
        ("pretrained_model_name_or_path", "demo", "demo"),
        ("vae", "owner/vae", "owner/vae"),
        ("resume", "owner/state", "owner/state"),
        ("resume", "fox-state", "/specs/fox-state"),
        ("base_weights", ["a.safetensors", "/b"], ["/specs/a.safetensors", "/b"]),
        ("train_data_dir", 5, 5),
    ],
)
def test_whole_paths(name: str, value: Value, expected: Value) -> None:
    assert with_whole_paths(option(name), setting(name, value)) == expected


def test_a_local_folder_comes_before_the_hub(tmp_path: Path) -> None:
    (tmp_path / "owner" / "model").mkdir(parents=True)
    plan = plan_of(tmp_path, NEEDED)
    assert words(plan, "pretrained_model_name_or_path") == (f"--pretrained_model_name_or_path={tmp_path}/owner/model",)


def test_a_path_after_the_dashes_is_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    plan = plan_of(tmp_path, NEEDED, arguments=["--train_data_dir=img"], sets=["resume=state.d/x"])
    assert words(plan, "train_data_dir") == ("--train_data_dir=/img",)


def test_a_variable_that_is_not_set_is_refused(tmp_path: Path) -> None:
    assert codes(plan_of(tmp_path, NEEDED + 'resume = "$NOT_SET_AT_ALL/x"').errors) == ["path"]


def test_a_state_on_the_hub_is_no_path(tmp_path: Path) -> None:
    known = script(*USUAL, switch("resume_from_huggingface"))
    text = NEEDED + 'resume = "me/states/fox-state:main:model"\n'
    on_hub = plan_of(tmp_path, text + "resume_from_huggingface = true", options=known)
    assert words(on_hub, "resume") == ("--resume=me/states/fox-state:main:model",)
    here = plan_of(tmp_path, text, options=known)
    assert words(here, "resume") == (f"--resume={tmp_path}/me/states/fox-state:main:model",)
