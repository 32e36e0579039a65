from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from launcher.base.files import sha256_of
from launcher.record.hashes import file_hash, folder_hash
from launcher.record.inputs import hashed_input, inputs_of
from launcher.record.manifest import InputRecord, OptionRecord

COMMIT = "a" * 40


@pytest.fixture
def run(tmp_path: Path) -> Path:
    directory = tmp_path / "out" / "fox-v1s4"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "base.safetensors"
    path.write_bytes(b"m" * 1000)
    return path


def found(run: Path, name: str, value: Any, command: str = "trainer", **more: Any) -> tuple[InputRecord, ...]:
    return inputs_of([OptionRecord(name, value, command=command)], run, **more)


def test_a_file_is_listed_by_path_size_and_time_unread(run: Path, model: Path) -> None:
    [record] = found(run, "pretrained_model_name_or_path", str(model))
    assert record == InputRecord("pretrained_model_name_or_path", str(model), 1000, model.stat().st_mtime_ns / 1e9)


@pytest.mark.parametrize("form", ["{}", ["{}"], ["a", "{}"], ["preset={}"], {"preset": "{}"}, "key={}"])
def test_files_in_lists_and_items_are_found(run: Path, model: Path, form: Any) -> None:
    def put(value: Any) -> Any:
        if isinstance(value, list):
            return [put(each) for each in value]
        return {key: put(each) for key, each in value.items()} if isinstance(value, dict) else value.format(model)

    [record] = found(run, "network_args", put(form))
    assert record.path == str(model)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("network_dim", 8), ("flag", True), ("vae", None), ("network_module", "lycoris.kohya"),
        ("vae", "/nowhere/at.all"),
        ("comment", "a\0b"), ("comment", "x" * 100_000), ("comment", ""), ("network_args", ["conv_dim=4", "a=b=c"]),
        ("comment", "owner/name"),
    ],
)  # fmt: skip
def test_other_values_are_no_inputs(run: Path, name: str, value: Any) -> None:
    assert found(run, name, value) == ()


@pytest.mark.parametrize(
    "name",
    ["output_dir", "logging_dir", "tokenizer_cache_dir", "cache_dir", "train_data_dir", "reg_data_dir", "in_json",
     "dataset_config", "sample_prompts", "conditioning_data_dir"],
)  # fmt: skip
def test_outputs_caches_and_the_dataset_are_no_inputs(run: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").touch()
    assert found(run, name, str(folder)) == ()
    assert found(run, "text_encoder", str(folder)) != ()


def test_what_kl_wrote_and_what_the_run_lies_in_are_no_inputs(run: Path) -> None:
    (run / "accelerate.yaml").touch()
    for value in (run, run / "accelerate.yaml", run.parent, "/"):
        assert found(run, "config_file", str(value), "accelerate") == ()


def test_the_users_own_configuration_of_accelerate_is_one(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.touch()
    assert [each.path for each in found(run, "config_file", str(file), "accelerate")] == [str(file)]


def test_relative_paths_are_taken_from_the_checkout(run: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "sd-scripts"
    (checkout / "presets").mkdir(parents=True)
    (checkout / "presets" / "my.toml").touch()
    (checkout / "AdamW").touch()
    [record] = found(run, "network_args", ["preset=presets/my.toml"], checkout=checkout)
    assert record.path == str(checkout / "presets" / "my.toml")
    assert found(run, "optimizer_type", "AdamW", checkout=checkout) == ()
    assert found(run, "network_args", ["preset=presets/my.toml"]) == ()


def test_a_folder_has_the_size_of_what_is_in_it(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "diffusers"
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "w.safetensors").write_bytes(b"12345")
    [record] = found(run, "vae", str(folder))
    assert record.size == 5
    hashed = hashed_input(record)
    assert (hashed.sha256, hashed.size, hashed.problem) == (folder_hash(folder).sha256, 5, None)
    assert hashed.modified == record.modified and hashed.short_hash is None


def test_a_folder_that_takes_long_to_list_holds_nothing_up(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "diffusers"
    folder.mkdir()
    (folder / "a").touch()
    monkeypatch.setattr("launcher.record.inputs._PATIENCE", -1)
    [record] = found(run, "vae", str(folder))
    assert (record.size, record.problem) == (None, None)


def test_a_pipe_is_said_and_not_opened(run: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    [record] = found(run, "network_weights", str(tmp_path / "pipe"))
    assert record.problem == "is not a file"
    assert hashed_input(record).problem == "is not a file"


def test_the_hashes_come_later(run: Path, model: Path) -> None:
    [record] = found(run, "pretrained_model_name_or_path", str(model))
    hashed = hashed_input(record)
    assert hashed.sha256 == sha256_of(model.read_bytes())
    assert hashed.short_hash == file_hash(model).short
    assert (hashed.size, hashed.modified, hashed.problem) == (record.size, record.modified, None)


def test_a_file_that_is_gone_meanwhile_has_a_problem(run: Path, model: Path) -> None:
    [record] = found(run, "pretrained_model_name_or_path", str(model))
    model.unlink()
    assert hashed_input(record).problem == "is not there"


def test_a_model_on_the_hub_has_its_commit_from_the_cache(run: Path, tmp_path: Path) -> None:
    environ = {"HF_HUB_CACHE": str(tmp_path / "hub")}
    name = "stabilityai/stable-diffusion-xl-base-1.0"
    [record] = found(run, "pretrained_model_name_or_path", name, environ=environ)
    assert (record.path, record.revision) == (name, None)
    assert hashed_input(record, environ=environ).problem == "is not in the hub's cache"
    folder = tmp_path / "hub" / "models--stabilityai--stable-diffusion-xl-base-1.0"
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    [known] = found(run, "pretrained_model_name_or_path", name, environ=environ)
    assert known.revision == hashed_input(record, environ=environ).revision == COMMIT
    assert found(run, "huggingface_repo_id", name, environ=environ) == ()


def test_one_file_in_two_options_is_listed_for_both(run: Path, model: Path) -> None:
    options = [OptionRecord("vae", str(model)), OptionRecord("vae", str(model)), OptionRecord("t5xxl", str(model))]
    assert [each.option for each in inputs_of(options, run)] == ["vae", "t5xxl"]
