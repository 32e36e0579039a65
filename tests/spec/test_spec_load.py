"""A spec with everything it extends."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Source
from launcher.spec.load import DEEPEST_CHAIN, MOST_DOCUMENTS, Spec, load_spec
from launcher.spec.names import parse_name


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _write(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def _load(name: str = "fox.toml") -> Spec:
    return load_spec(Path(name), parse_name("fox"), template_folders=[Path("mine"), Path("shipped")])


def _refusal() -> KlError:
    with pytest.raises(KlError) as caught:
        _load()
    assert caught.value.code is ExitCode.SPEC_REFUSED
    return caught.value


def _said(spec: Spec) -> list[tuple[str, object, str]]:
    return [(s.path, s.value, str(s.origin)) for s in spec.settings]


def test_what_is_extended_is_weaker_in_the_order_of_the_list() -> None:
    _write({
        "fox.toml": 'extends = ["base", "parts/low.yaml"]\nx = 3',
        "shipped/base.toml": "x = 1\ny = 1",
        "parts/low.yaml": "x: 2\n",
    })  # fmt: skip
    spec = _load()
    assert _said(spec) == [
        ("x", 1, "template base:1"),
        ("y", 1, "template base:2"),
        ("x", 2, "parts/low.yaml:1"),
        ("x", 3, "fox.toml:2"),
    ]
    assert [s.origin.source for s in spec.settings] == [Source.TEMPLATE] * 3 + [Source.SPEC]
    assert [document.label for document in spec.documents] == ["template base", "parts/low.yaml", "fox.toml"]
    assert spec.name.text == "fox"
    assert spec.path == Path("fox.toml")


def test_a_template_is_looked_for_in_the_folders_in_order_with_every_suffix() -> None:
    _write({"fox.toml": 'extends = "base"', "shipped/base.toml": "x = 1", "mine/base.yml": "x: 2"})
    assert [s.value for s in _load().settings] == [2]


def test_an_own_template_may_extend_the_shipped_one_of_its_name() -> None:
    _write({"fox.toml": 'extends = "base"', "mine/base.toml": 'extends = "base"\nx = 2', "shipped/base.toml": "x = 1"})
    assert [s.value for s in _load().settings] == [1, 2]


def test_a_file_is_relative_to_the_file_that_says_it_and_variables_are_expanded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PARTS", str(tmp_path / "parts"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    _write({
        "fox.toml": 'extends = ["sub/a.toml", "$PARTS/c.toml", "~/d.toml"]',
        "sub/a.toml": 'extends = "b.toml"\nx = "a"',
        "sub/b.toml": 'x = "b"',
        "parts/c.toml": 'x = "c"',
        "home/d.toml": 'x = "d"',
    })  # fmt: skip
    assert [s.value for s in _load().settings] == ["b", "a", "c", "d"]


def test_a_shared_base_counts_once_and_undoes_nothing() -> None:
    _write({
        "fox.toml": 'extends = ["left", "right"]',
        "shipped/left.toml": 'extends = "base"\nx = "left"',
        "shipped/right.toml": 'extends = "base"\ny = "right"',
        "shipped/base.toml": 'x = "base"\ny = "base"',
    })  # fmt: skip
    spec = _load()
    assert [document.label for document in spec.documents] == [
        "template base", "template left", "template right", "fox.toml",
    ]  # fmt: skip
    assert {s.key: s.value for s in spec.settings} == {"x": "left", "y": "right"}


def test_circles_are_refused_and_the_chain_is_named() -> None:
    _write({
        "fox.toml": '\nextends = "a"',
        "shipped/a.toml": 'extends = "b"',
        "shipped/b.yaml": "x: 1\nextends: ../fox.toml",
    })  # fmt: skip
    error = _refusal()
    assert error.message == ("Files extend each other in a circle: fox.toml → template a → template b → fox.toml.")
    assert error.where == "template b:2"
    assert error.hint == "Remove one of these extends."


def test_a_file_that_extends_itself_is_a_circle_also_through_a_link() -> None:
    _write({"fox.toml": 'extends = "link.toml"'})
    Path("link.toml").symlink_to("fox.toml")
    assert "in a circle: fox.toml → link.toml" in _refusal().message


def test_an_unknown_template_names_the_nearest_and_all_there_are() -> None:
    _write({"fox.toml": 'x = 1\nextends = "sdxl-lacon"', "shipped/sdxl-locon.toml": "", "mine/own.yaml": ""})
    error = _refusal()
    assert error.message == "There is no template 'sdxl-lacon'."
    assert error.where == "fox.toml:2"
    assert error.hint == "Did you mean sdxl-locon? There are: own, sdxl-locon."


def test_an_unknown_template_may_be_a_file_beside_the_spec() -> None:
    _write({"fox.toml": 'extends = "common"', "common.toml": ""})
    assert _refusal().hint == 'For the file beside this one, write "common.toml". There are no templates.'


def test_a_missing_file_is_said_where_it_is_asked_for() -> None:
    _write({"fox.toml": '\nextends = "parts/commn.toml"', "parts/common.toml": ""})
    error = _refusal()
    assert error.message == "There is no file parts/commn.toml."
    assert error.where == "fox.toml:2"
    assert error.hint == "Did you mean parts/common.toml?"


def test_a_fault_in_a_template_is_said_there() -> None:
    _write({"fox.toml": 'extends = "base"', "shipped/base.toml": "x = 1\ny = bf16"})
    error = _refusal()
    assert "This is not TOML" in error.message
    assert error.where == "template base:2"


def test_a_variable_that_is_not_set_is_said_with_its_line() -> None:
    _write({"fox.toml": '\nextends = "$NO_SUCH_VARIABLE/x.toml"'})
    error = _refusal()
    assert "'NO_SUCH_VARIABLE' is not set" in error.message
    assert error.where == "fox.toml:2"


def test_two_templates_of_one_name_in_one_folder_are_ambiguous() -> None:
    _write({"fox.toml": 'extends = "base"', "shipped/base.toml": "", "shipped/base.yaml": ""})
    assert "base.toml and base.yaml" in _refusal().message


def test_too_long_a_chain_and_too_many_files_are_refused() -> None:
    _write({f"shipped/t{i}.toml": f'extends = "t{i + 1}"' for i in range(DEEPEST_CHAIN + 1)})
    _write({"fox.toml": 'extends = "t0"'})
    assert f"More than {DEEPEST_CHAIN} files extend one another" in _refusal().message
    _write({f"shipped/u{i}.toml": "" for i in range(MOST_DOCUMENTS)})
    _write({"fox.toml": f"extends = {[f'u{i}' for i in range(MOST_DOCUMENTS)]}"})
    error = _refusal()
    assert f"More than {MOST_DOCUMENTS} files" in error.message
    assert error.where == "fox.toml"


def test_general_is_a_heading_when_there_are_no_datasets() -> None:
    _write({"fox.toml": "x = 1\n[general]\nseed = 2\nmore = {a = 3}\n[z]\ny = 4"})
    assert _said(_load()) == [
        ("x", 1, "fox.toml:1"),
        ("general.seed", 2, "fox.toml:3"),
        ("general.more.a", 3, "fox.toml:4"),
        ("z.y", 4, "fox.toml:6"),
    ]


@pytest.mark.parametrize("where", ["fox.toml", "shipped/base.toml"])
def test_general_belongs_to_the_datasets_wherever_in_the_chain_they_stand(where: str) -> None:
    _write({"fox.toml": 'extends = "base"\n[general]\nseed = 2\n', "shipped/base.toml": "[general]\nx = 1\n"})
    with Path(where).open("a") as file:
        file.write("[[datasets]]\nresolution = 512\n")
    settings = [(s.path, s.value) for s in _load().settings if s.key == "general"]
    assert settings == [("general", {"x": 1}), ("general", {"seed": 2})]


def test_general_that_is_no_table_passes_as_it_is() -> None:
    _write({"fox.toml": "general = 3"})
    assert _said(_load()) == [("general", 3, "fox.toml:1")]


def test_a_dataset_in_a_table_of_another_name_is_no_dataset() -> None:
    _write({"fox.toml": "[general]\nx = 1\n[other]\ndatasets = 2"})
    assert [s.path for s in _load().settings] == ["general.x", "other.datasets"]
