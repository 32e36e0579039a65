"""Uploads: what they need, and what says how without anything being uploaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from loop_bed import OPTIONS, SOURCES, E, W, run_of, said_by, table_tests

from launcher.plan.checks.rules.hub import RULES

_ID = 'huggingface_repo_id = "owner/fox"\n'

SPEAKS = [
    ("hub-path", _ID, E, "uploads no model"),
    ("hub-token", _ID, E, "there is none"),
    ("hub-repository", "async_upload = true", W, "async_upload has no effect"),
    ("hub-repository", 'huggingface_path_in_repo = "fox"', W, "huggingface_path_in_repo has no effect"),
    ("hub-state", "save_state_to_huggingface = true", W, "no states are saved"),
    ("hub-type", _ID + 'huggingface_repo_type = "lora"', E, "'lora' is none"),
    ("hub-visibility", _ID + 'huggingface_repo_visibility = "Public"', W, "makes the repository private"),
]
QUIET = [
    ("hub-path", _ID + 'huggingface_path_in_repo = ""'),
    ("hub-path", ""),
    ("hub-token", ""),
    ("hub-repository", _ID + "async_upload = true"),
    ("hub-repository", "async_upload = false"),
    ("hub-state", "save_state_to_huggingface = true\nsave_state = true"),
    ("hub-state", "save_state_to_huggingface = true\nsave_state_on_train_end = true"),
    ("hub-type", _ID + 'huggingface_repo_type = "dataset"'),
    ("hub-type", 'huggingface_repo_type = "lora"'),
    ("hub-visibility", _ID + 'huggingface_repo_visibility = "public"'),
    ("hub-visibility", _ID + 'huggingface_repo_visibility = "private"'),
]

test_speaks, test_keeps_quiet, test_is_silent_elsewhere, test_every_rule_is_here = table_tests(RULES, SPEAKS, QUIET)


@pytest.mark.parametrize(
    "variables",
    [{"HF_TOKEN": "hf_x"}, {"HUGGING_FACE_HUB_TOKEN": "hf_x"}, {"COLAB_RELEASE_TAG": "1"}, {"HOME": ""}],
)
def test_the_environment_may_have_a_token(tmp_path: Path, variables: dict[str, str]) -> None:
    run = run_of(tmp_path, _ID, environ={"HOME": str(tmp_path), **variables})
    assert said_by(RULES, run, "hub-token") is None


@pytest.mark.parametrize(
    ("variable", "file"),
    [
        ("HOME", ".cache/huggingface/token"),
        ("XDG_CACHE_HOME", "huggingface/token"),
        ("HF_HOME", "token"),
        ("HF_TOKEN_PATH", ""),
    ],
)
def test_a_login_is_found_where_the_hub_keeps_it(tmp_path: Path, variable: str, file: str) -> None:
    place = tmp_path / "place"
    environ = {"HOME": str(tmp_path), variable: str(place)}
    assert said_by(RULES, run_of(tmp_path, _ID, environ=environ), "hub-token") is not None
    (place / file).parent.mkdir(parents=True, exist_ok=True)
    (place / file).write_text("hf_x")
    assert said_by(RULES, run_of(tmp_path, _ID, environ=environ), "hub-token") is None


def test_offline_nothing_is_uploaded(tmp_path: Path) -> None:
    run = run_of(tmp_path, _ID, environ={"HF_TOKEN": "hf_x", "HF_HUB_OFFLINE": "1"})
    finding = said_by(RULES, run, "hub-token")
    assert finding is not None and "HF_HUB_OFFLINE" in finding.message


def test_an_old_release_fails_at_the_first_save(tmp_path: Path) -> None:
    upload = "def upload(args, dest_suffix):\n    path = args.huggingface_path_in_repo + dest_suffix\n"
    run = run_of(tmp_path, _ID, sources={**SOURCES, "library/huggingface_util.py": upload})
    finding = said_by(RULES, run, "hub-path")
    assert finding is not None and "fails at the first save" in finding.message


@pytest.mark.parametrize(("form", "speaks"), [("diffusers", False), ("safetensors", True)])
def test_a_model_that_is_a_folder_needs_no_path(tmp_path: Path, form: str, speaks: bool) -> None:
    whole_model = [option for option in OPTIONS if option.name != "network_module"]
    run = run_of(tmp_path, f'{_ID}save_model_as = "{form}"', options=whole_model)
    assert (said_by(RULES, run, "hub-path") is not None) is speaks
