"""One file to settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Source
from launcher.spec.reader import Document, read_settings

TOML = """\
extends = ["base", "../other.yaml"]
max_train_steps = 400

[network]
network_module = "lycoris.kohya"
[network_args]
algo = "locon"
more = { deep.er = 1, list = [1, { x = 2 }] }

[general]
shuffle_caption = true
[[datasets]]
resolution = 512
[[datasets.subsets]]
image_dir = "img"
[[sample_prompts]]
prompt = "a fox"
"""

YAML = """\
extends: [base,
  ../other.yaml]
max_train_steps: 400

network: {network_module: lycoris.kohya}
network_args:
  algo: locon
  more: {deep: {er: 1}, list: [1, {x: 2}]}
general:
  shuffle_caption: true
datasets:
- resolution: 512
  subsets:
  - image_dir: img
sample_prompts:
- prompt: a fox
"""


def _read(folder: Path, name: str, text: str) -> Document:
    (folder / name).write_text(text)
    return read_settings(folder / name)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [("fox.toml", TOML, [2, 5, 7, 8, 8, 10, 12, 16]), ("fox.yml", YAML, [3, 5, 7, 8, 8, 9, 11, 15])],
)
def test_tables_become_paths_and_three_keys_stay_whole(tmp_path: Path, name: str, text: str, lines: list[int]) -> None:
    document = _read(tmp_path, name, text)
    assert [(s.path, s.value) for s in document.settings] == [
        ("max_train_steps", 400),
        ("network.network_module", "lycoris.kohya"),
        ("network_args.algo", "locon"),
        ("network_args.more.deep.er", 1),
        ("network_args.more.list", [1, {"x": 2}]),
        ("general", {"shuffle_caption": True}),
        ("datasets", [{"resolution": 512, "subsets": [{"image_dir": "img"}]}]),
        ("sample_prompts", [{"prompt": "a fox"}]),
    ]
    assert [s.origin.line for s in document.settings] == lines
    assert {(s.origin.source, s.origin.label, s.origin.path) for s in document.settings} == {
        (Source.SPEC, name, tmp_path / name)
    }
    assert document.content == text.encode()
    assert [parent.value for parent in document.extends] == ["base", "../other.yaml"]


def test_lines_within_what_stays_whole(tmp_path: Path) -> None:
    assert _read(tmp_path, "fox.toml", TOML).lines["datasets", 0, "subsets", 0, "image_dir"] == 15
    assert _read(tmp_path, "fox.yml", YAML).lines["datasets", 0, "subsets", 0, "image_dir"] == 14


def test_a_table_in_a_table_gives_the_whole_path(tmp_path: Path) -> None:
    (setting,) = _read(tmp_path, "fox.toml", '[a."b.c".d]\ne = 1').settings
    assert setting.table == ("a", "b.c", "d")
    assert setting.key == "e"
    assert str(setting.origin) == "fox.toml:2"


def test_whole_keys_stay_whole_only_at_the_top(tmp_path: Path) -> None:
    settings = _read(tmp_path, "fox.toml", '[a]\ndatasets.x = 1\n[a.general]\ny = 2\n[b]\nextends = "z"').settings
    assert [s.path for s in settings] == ["a.datasets.x", "a.general.y", "b.extends"]


def test_whole_keys_stay_whole_whatever_they_hold_so_that_one_message_can_say_it(tmp_path: Path) -> None:
    text = 'general = 3\nsample_prompts = "p.txt"\n[datasets]\nresolution = 512'
    settings = _read(tmp_path, "fox.toml", text).settings
    assert [(s.path, s.value) for s in settings] == [
        ("general", 3),
        ("sample_prompts", "p.txt"),
        ("datasets", {"resolution": 512}),
    ]


def test_a_yaml_key_with_nothing_passes_for_the_plan_to_refuse(tmp_path: Path) -> None:
    (setting,) = _read(tmp_path, "fox.yaml", "network_dim:\n").settings
    assert setting.value is None


def test_an_empty_file_has_no_settings(tmp_path: Path) -> None:
    assert _read(tmp_path, "fox.toml", "").settings == ()
    assert _read(tmp_path, "fox.yaml", "").settings == ()


def test_source_and_label_are_those_of_the_caller(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text("\na = 1")
    (setting,) = read_settings(tmp_path / "base.toml", source=Source.TEMPLATE, label="template base").settings
    assert str(setting.origin) == "template base:2"
    assert setting.origin.source is Source.TEMPLATE
    assert setting.origin.path == tmp_path / "base.toml"


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("fox.toml", 'a = 1\nextends = "x"', [2]),
        ("fox.toml", 'extends = [\n"x",\n"y"]', [2, 3]),
        ("fox.toml", "extends = []", []),
        ("fox.yaml", "a: 1\nextends: x", [2]),
        ("fox.yaml", "extends:\n- x\n- y", [2, 3]),
    ],
)
def test_extends_has_the_line_of_each_entry(tmp_path: Path, name: str, text: str, lines: list[int]) -> None:
    assert [parent.origin.line for parent in _read(tmp_path, name, text).extends] == lines


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\nextends = 1", 2),
        ('extends = ""', 1),
        ('extends = ["a",\n" "]', 2),
        ('extends = ["a",\n["b"]]', 2),
        ('[extends]\na = "b"', 1),
        ("extends = true", 1),
    ],
)
def test_extends_of_another_kind_is_refused(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(KlError) as caught:
        _read(tmp_path, "fox.toml", text)
    assert caught.value.code is ExitCode.SPEC_REFUSED
    assert caught.value.message == "extends takes a template's name or a file, or a list of them."
    assert caught.value.where == f"fox.toml:{line}"
    assert caught.value.hint is not None and 'extends = "NAME"' in caught.value.hint


def test_extends_of_nothing_in_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KlError, match="extends takes"):
        _read(tmp_path, "fox.yaml", "extends:\n")
