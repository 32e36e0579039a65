"""The dataset config and the sample prompts: where they come from, and as they stand beside the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import toml
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_bed import NEEDED, USUAL, codes, only_error, plan_of, script, words

from launcher.plan.plan import Plan, PlannedFile

BASE = NEEDED.replace('train_data_dir = "img"\n', "")
DATASETS = '[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nimage_dir = "img"\n'

# What JSON's escapes, which YAML reads, can hold.
_TEXT = st.text(st.characters(codec="utf-8", min_codepoint=1, max_codepoint=0xFFFF), max_size=20)


def _file(plan: Plan, name: str) -> PlannedFile:
    return next(file for file in plan.files if file.name == name)


def _config(plan: Plan) -> dict[str, Any]:
    return toml.loads(_file(plan, "config.toml").content.decode())


class TestInline:
    def test_datasets_become_a_file(self, tmp_path: Path) -> None:
        plan = plan_of(tmp_path, BASE + "[general]\nenable_bucket = true\n" + DATASETS)
        assert not plan.findings
        assert _config(plan) == {
            "general": {"enable_bucket": True},
            "datasets": [{"resolution": 512, "subsets": [{"image_dir": str(tmp_path / "img")}]}],
        }
        assert words(plan, "dataset_config") == ("--dataset_config=/output/fox-v1s100/config.toml",)
        assert _file(plan, "config.toml").origin.line == 5

    def test_a_path_is_whole(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PICTURES", "/pictures")
        text = DATASETS.replace('"img"', '"$PICTURES/fox"') + 'metadata_file = "~/meta.json"\nclass_tokens = "img"\n'
        subset = _config(plan_of(tmp_path, BASE + text))["datasets"][0]["subsets"][0]
        assert subset == {
            "image_dir": "/pictures/fox", "metadata_file": str(Path.home() / "meta.json"), "class_tokens": "img",
        }  # fmt: skip

    def test_an_unset_variable_is_refused(self, tmp_path: Path) -> None:
        plan = plan_of(tmp_path, BASE + DATASETS.replace('"img"', '"$NOT_SET_AT_ALL/fox"'))
        assert codes(plan.errors) == ["path"]

    def test_general_alone_is_a_heading(self, tmp_path: Path) -> None:
        assert words(plan_of(tmp_path, NEEDED + "[general]\nseed = 3\n"), "seed") == ("--seed=3",)

    @pytest.mark.parametrize(
        "sets",
        [["general={resolution=512}"], ["general=5"], ["datasets=[]"], ["datasets=5"], ["datasets=[1]"],
         ["datasets={a=1}"]],
    )  # fmt: skip
    def test_no_datasets_are_refused(self, tmp_path: Path, sets: list[str]) -> None:
        plan = plan_of(tmp_path, NEEDED, sets=sets)
        assert plan.errors and all(finding.where for finding in plan.errors)

    def test_general_stays_behind_no_dropped_datasets(self, tmp_path: Path) -> None:
        plan = plan_of(
            tmp_path,
            'extends = "base.toml"\n' + NEEDED + '[run]\ndrop = ["datasets"]\n[general]\nresolution = 512',
            templates={"base.toml": DATASETS},
        )
        assert "general" in only_error(plan).message

    def test_nothing_is_refused_in_yaml(self, tmp_path: Path) -> None:
        text = BASE.replace(" = ", ": ") + "datasets:\n- resolution:\n  subsets:\n  - image_dir: img\n"
        assert codes(plan_of(tmp_path, text, suffix=".yaml").errors) == ["wrong-type"]

    @pytest.mark.parametrize("value", ["[null, 1]", "[[{a: 1}], 2]"])
    def test_what_toml_cannot_be_given_is_refused(self, tmp_path: Path, value: str) -> None:
        text = BASE.replace(" = ", ": ") + f"datasets:\n- resolution: {value}\n  subsets:\n  - image_dir: img\n"
        plan = plan_of(tmp_path, text, suffix=".yaml")
        if not plan.errors:  # then the trainer reads what was meant
            assert _config(plan)["datasets"][0]["resolution"] == json.loads(value.replace("a:", '"a":'))

    def test_a_script_without_dataset_configs(self, tmp_path: Path) -> None:
        options = script(*(entry for entry in USUAL if entry.name != "dataset_config"))
        assert "dataset_config" in only_error(plan_of(tmp_path, NEEDED + DATASETS, options=options)).message

    @given(
        st.recursive(
            st.one_of(st.integers(-(2**40), 2**40), st.booleans(), st.floats(-1e9, 1e9), _TEXT),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text("abcdef_-. é\"'", min_size=1, max_size=6), inner, max_size=3)
            ),
            max_leaves=8,
        )
    )
    @settings(max_examples=60, deadline=None)
    def test_what_is_written_is_read_back(self, tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
        """Equal by the trainer's own library, or refused."""
        folder = tmp_path_factory.mktemp("data")
        text = json.dumps({"datasets": [{"resolution": value, "subsets": [{"image_dir": "/img"}]}]})
        plan = plan_of(folder, BASE.replace(" = ", ": ") + text[1:-1], suffix=".yaml")
        if not plan.errors:
            assert _config(plan) == {"datasets": [{"resolution": value, "subsets": [{"image_dir": "/img"}]}]}


class TestNamed:
    def test_the_file_is_copied_byte_for_byte(self, tmp_path: Path) -> None:
        (tmp_path / "data.toml").write_bytes(b"# mine\r\n[[datasets]]\n")
        plan = plan_of(tmp_path, BASE + 'dataset_config = "data.toml"')
        assert not plan.findings
        file = _file(plan, "config.toml")
        assert file.content == b"# mine\r\n[[datasets]]\n" and file.source == tmp_path / "data.toml"

    @pytest.mark.parametrize(
        ("key", "file", "name"),
        [
            ("dataset_config", "data.json", "config.json"),
            ("sample_prompts", "p.TXT", "sample-prompts.txt"),
            ("sample_prompts", "p.json", "sample-prompts.json"),
            ("sample_prompts", "p.toml", "sample-prompts.toml"),
        ],
    )
    def test_the_ending_stays(self, tmp_path: Path, key: str, file: str, name: str) -> None:
        (tmp_path / file).write_text("{}")
        plan = plan_of(tmp_path, NEEDED + f'{key} = "{file}"')
        assert words(plan, key) == (f"--{key}=/output/fox-v1s100/{name}",) and _file(plan, name).content == b"{}"

    @pytest.mark.parametrize(
        ("key", "value"),
        [("dataset_config", '"nowhere.toml"'), ("dataset_config", '"."'), ("dataset_config", '"fox.yaml"'),
         ("dataset_config", '""'), ("dataset_config", "5"), ("dataset_config", "true"),
         ("sample_prompts", '"fox.md"'), ("sample_prompts", '"$NOT_SET_AT_ALL"'), ("sample_prompts", "5"),
         ("sample_prompts", '"' + "x" * 5000 + '.txt"')],
    )  # fmt: skip
    def test_refused(self, tmp_path: Path, key: str, value: str) -> None:
        plan = plan_of(tmp_path, NEEDED + f"{key} = {value}")
        assert plan.errors and all((finding.where or "").endswith("fox.toml:4") for finding in plan.errors)

    @pytest.mark.parametrize("key", ["dataset_config", "sample_prompts"])
    def test_and_inline_is_refused(self, tmp_path: Path, key: str) -> None:
        (tmp_path / "x.toml").write_text("")
        inline = DATASETS if key == "dataset_config" else '[[sample_prompts]]\nprompt = "a fox"\n'
        plan = plan_of(tmp_path, BASE + f'[x]\n{key} = "x.toml"\n' + DATASETS + (inline if inline != DATASETS else ""))
        assert "same-key-twice" in codes(plan.errors)


class TestDatasetFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "dataset"
        folder.mkdir()
        (folder / "config.toml").write_text("[[datasets]]\n")
        (folder / "sample-prompts.txt").write_text("a fox\n")
        return folder

    def test_both_files_are_used(self, tmp_path: Path, folder: Path) -> None:
        plan = plan_of(tmp_path, BASE, dataset_folder=folder)
        assert not plan.findings
        assert _file(plan, "config.toml").source == folder / "config.toml"
        assert _file(plan, "sample-prompts.txt").content == b"a fox\n"

    def test_the_spec_comes_first(self, tmp_path: Path, folder: Path) -> None:
        text = BASE + DATASETS + '[[sample_prompts]]\nprompt = "a wolf"\n'
        plan = plan_of(tmp_path, text, dataset_folder=folder)
        assert _config(plan)["datasets"] and _file(plan, "sample-prompts.txt").content == b"a wolf\n"

    def test_an_empty_list_of_prompts_is_none_at_all(self, tmp_path: Path, folder: Path) -> None:
        for text in ("sample_prompts = []\n", ""):
            plan = plan_of(tmp_path, text + BASE, dataset_folder=folder)
            assert not plan.findings
            assert bool(words(plan, "sample_prompts")) == (text == "")
            assert ("sample-prompts.txt" in [file.name for file in plan.files]) == (text == "")

    def test_pictures_named_otherwise_need_no_config(self, tmp_path: Path, folder: Path) -> None:
        assert not words(plan_of(tmp_path, NEEDED, dataset_folder=folder), "dataset_config")

    def test_a_broken_link_is_said(self, tmp_path: Path, folder: Path) -> None:
        (folder / "config.toml").unlink()
        (folder / "config.toml").symlink_to("nowhere")
        assert "file" in codes(plan_of(tmp_path, BASE, dataset_folder=folder).errors)


class TestLayers:
    """What is written into a spec, and a file named in another layer: the stronger wins, as for any option."""

    def test_a_file_named_with_set_wins_over_the_datasets_of_the_spec(self, tmp_path: Path) -> None:
        (tmp_path / "other.toml").write_text("# other\n")
        plan = plan_of(tmp_path, BASE + DATASETS, sets=[f"dataset_config={tmp_path / 'other.toml'}"])
        assert not plan.errors
        assert _file(plan, "config.toml").content == b"# other\n"

    def test_prompts_given_with_set_win_over_a_file_of_the_spec(self, tmp_path: Path) -> None:
        (tmp_path / "p.txt").write_text("a cat\n")
        text = f'sample_prompts = "{tmp_path / "p.txt"}"\n' + BASE + DATASETS
        plan = plan_of(tmp_path, text, sets=['sample_prompts=[{prompt = "a fox"}]'])
        assert not plan.errors
        assert _file(plan, "sample-prompts.txt").content == b"a fox\n"
        argument = next(argument for argument in plan.arguments if argument.name == "sample_prompts")
        assert [setting.value for setting in argument.over] == [str(tmp_path / "p.txt")]
