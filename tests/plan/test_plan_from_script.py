"""A run without a spec: which checkout, what its arguments say of the output, and the copy of the script that calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_bed import USUAL

from launcher.base.errors import KlError
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting
from launcher.plan.arguments import read_arguments
from launcher.plan.from_script import (
    Named,
    caller_file,
    dataset_copies,
    no_name,
    says_environment,
    script_layers,
    without_environment,
    without_output,
)
from launcher.plan.tables import read_own_tables
from launcher.spec.names import parse_name
from launcher.trainer.options import ScriptOptions

NAME = parse_name("fox-v1s24")
OPTIONS = ScriptOptions("train.py", USUAL)
CONFIG = Origin(Source.CONFIG, "config.toml")


def _named(*words: str) -> Named:
    return without_output(read_arguments(words, OPTIONS), NAME, OPTIONS)


def test_the_output_is_taken_out_of_the_arguments() -> None:
    named = _named(
        "--output_dir=/runs/x/../fox-v1s24/", "--output_name=fox-v1s24", "--logging_dir=/logs/", "--log_prefix=fox-",
        "--network_dim=8",
    )  # fmt: skip
    assert named.findings == ()
    assert named.output_root == Path("/runs")
    assert [setting.key for setting in named.settings] == ["network_dim"]
    assert {name: setting.value for name, setting in named.own.items()} == {
        "output_dir": "/runs/fox-v1s24", "output_name": "fox-v1s24", "logging_dir": "/logs", "log_prefix": "fox-",
    }  # fmt: skip


def test_relative_folders_are_relative_to_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    named = _named("--output_dir=out/fox-v1s24")
    assert named.output_root == tmp_path / "out"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--output_name=fox-v2s24", "output_name is 'fox-v2s24', and the run is named fox-v1s24."),
        ("--output_dir=/runs/fox", "output_dir is /runs/fox, whose last part is not the name of the run, fox-v1s24."),
        ("--output_dir=", "output_dir is empty."),
        ("--output_dir=/", "output_dir is /, whose last part is not the name of the run, fox-v1s24."),
    ],
)
def test_an_output_of_another_name_is_refused(word: str, message: str) -> None:
    (finding,) = _named(word).findings
    assert (finding.code, finding.message) == ("set-by-kl", message)


@given(st.text(alphabet="ab/.~ '\"-\\é", max_size=12))
def test_any_output_dir_is_the_runs_or_refused(text: str) -> None:
    named = _named(f"--output_dir={text}")
    assert ("output_dir" in named.own) != bool(named.findings)
    if "output_dir" in named.own and named.output_root is not None:
        assert named.own["output_dir"].value == str(named.output_root / NAME.text)


def test_without_output_there_is_nothing_to_say() -> None:
    assert _named("--network_dim=8").output_root is None
    assert _named().own == {}


def test_the_checkout_is_the_one_that_holds_the_script(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "train_util.py").touch()
    (tmp_path / "tools").mkdir()
    layers = script_layers(str(tmp_path / "tools" / "train.py"), NAME, (), {})
    assert {each.key: each.value for each in layers.own} == {"sd_scripts": str(tmp_path), "script": "tools/train.py"}
    elsewhere = script_layers(str(tmp_path.parent / "train.py"), NAME, (), {})
    assert elsewhere.own[0].value == str(tmp_path.parent)


def test_of_the_settings_for_every_run_those_count_that_are_no_arguments() -> None:
    config = [
        Setting((table,), key, "x", CONFIG)
        for table, key in (("run", "notes"), ("run", "keep_last_saves"), ("run", "script"), ("env", "path"))
    ]
    environ = {"STEPS": "5", "SD_REPO": "/a", "SD_SCRIPT": "b.py", "TRAINING_DIR": "/c", "OUTPUT_DIR": "/d"}
    layers = script_layers("/x/train.py", NAME, config, {**environ, "NO_CLEAN": "1"})
    assert [each.path for each in layers.config] == ["run.notes", "env.path"]
    assert [each.path for each in layers.outside] == ["run.output_root", "run.no_clean"]
    assert layers.spec.documents == ()


def test_an_active_environment_stands_for_the_configured_one() -> None:
    config = [Setting(("env",), "path", "/x", CONFIG), Setting(("env", "variables"), "A", "1", CONFIG)]
    assert says_environment(config)
    assert not says_environment(config[1:])
    tables = without_environment(read_own_tables(config))
    assert (tables.env.path, tables.env.variables) == (None, {"A": "1"})


@pytest.mark.parametrize(
    ("name", "copy"),
    [("a.zsh", "script.zsh"), ("a.SH", "script.sh"), ("a.bash", "script.bash"), ("a", "script.zsh")],
)
def test_the_calling_script_is_copied(tmp_path: Path, name: str, copy: str) -> None:
    text = b"#!/bin/zsh\nTOKEN=$(cat x) HF_TOKEN=${HF_TOKEN:-} args=( --max_token_length=225 --keep_tokens=1 )\n\xff"
    (tmp_path / name).write_bytes(text)
    file, findings = caller_file(tmp_path / name, {"HF_TOKEN": "hf_0123456789"})
    assert findings == ()
    assert file is not None
    assert (file.name, file.content, file.source) == (copy, text, tmp_path / name)


@pytest.mark.parametrize(
    "line", ["echo hf_0123456789", "export WANDB_API_KEY='0123456789abcdef'", "train --wandb_api_key=0123456789abcdef"]
)
def test_a_script_with_a_secret_is_not_copied(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.zsh").write_text(f"{line}\n")
    file, (finding,) = caller_file(tmp_path / "a.zsh", {"HF_TOKEN": "hf_0123456789"})
    assert file is None
    assert finding.code == "caller-not-copied"
    assert "0123456789" not in finding.message + str(finding.hint)


def test_a_script_that_is_none_is_not_copied(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone", Path("/dev/zero")):
        file, (finding,) = caller_file(path, {})
        assert (file, finding.code) == (None, "caller-not-copied")


def test_the_files_of_a_dataset_folder(tmp_path: Path) -> None:
    assert dataset_copies(tmp_path, {}) == ()
    (tmp_path / "config.toml").write_text("[general]\n")
    (tmp_path / "sample-prompts.txt").write_text("a fox\n")
    assert [file.name for file in dataset_copies(tmp_path, {})] == ["config.toml", "sample-prompts.txt"]
    (tmp_path / "sample-prompts.txt").write_text("a fox hf_0123456789\n")
    with pytest.raises(KlError) as refused:
        dataset_copies(tmp_path, {"HF_TOKEN": "hf_0123456789"})
    assert refused.value.findings[0].code == "secret"


def test_a_run_needs_a_name() -> None:
    assert "--name" in str(no_name().hint)
