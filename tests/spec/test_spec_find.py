"""Which file a name means, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.spec.find import dataset_folder, find_spec
from launcher.spec.names import parse_name


def _touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def _refusal(target: str, folders: list[Path], datasets: Path) -> KlError:
    with pytest.raises(KlError) as caught:
        find_spec(target, folders=folders, datasets_root=datasets)
    assert caught.value.code is ExitCode.USAGE
    return caught.value


@pytest.mark.parametrize("suffix", [".toml", ".yaml", ".yml"])
@pytest.mark.parametrize("stem", ["fox-noob-v1s20", "fox-noob"])
def test_a_name_is_found_whole_or_without_version_and_steps(tmp_path: Path, stem: str, suffix: str) -> None:
    spec = _touch(tmp_path / "specs" / f"{stem}{suffix}")
    name, found = find_spec("fox-noob-v1s20", folders=[tmp_path, tmp_path / "specs"], datasets_root=tmp_path / "data")
    assert found == spec
    assert name.steps == 20


def test_the_dataset_alone_does_not_find_another_variant(tmp_path: Path) -> None:
    _touch(tmp_path / "fox.toml")
    _refusal("fox-noob-v1s20", [tmp_path], tmp_path / "data")


def test_folders_count_in_their_order_and_the_dataset_folder_last(tmp_path: Path) -> None:
    first, second, data = tmp_path / "a", tmp_path / "b", tmp_path / "data"
    in_data = _touch(data / "fox" / "fox.toml")
    folders = [first, second]
    assert find_spec("fox", folders=folders, datasets_root=data)[1] == in_data
    in_second = _touch(second / "fox.yaml")
    assert find_spec("fox", folders=folders, datasets_root=data)[1] == in_second
    in_first = _touch(first / "fox.toml")
    assert find_spec("fox", folders=folders, datasets_root=data)[1] == in_first


def test_the_whole_name_wins_over_the_stem_wherever_it_stands(tmp_path: Path) -> None:
    _touch(tmp_path / "a" / "fox.toml")
    whole = _touch(tmp_path / "b" / "fox-v1s20.toml")
    folders = [tmp_path / "a", tmp_path / "b"]
    assert find_spec("fox-v1s20", folders=folders, datasets_root=tmp_path)[1] == whole


def test_two_files_for_one_name_in_one_folder_are_ambiguous(tmp_path: Path) -> None:
    _touch(tmp_path / "fox.toml")
    _touch(tmp_path / "fox.yaml")
    error = _refusal("fox", [tmp_path], tmp_path / "data")
    assert "fox.toml and fox.yaml" in error.message
    assert error.where is not None
    assert error.hint is not None and "Remove all but one" in error.hint


def test_a_folder_of_that_name_is_no_spec_but_a_broken_link_is_found_so_that_reading_can_say_it(tmp_path: Path) -> None:
    (tmp_path / "fox.toml").mkdir()
    _refusal("fox", [tmp_path], tmp_path)
    link = tmp_path / "fox.yaml"
    link.symlink_to("nowhere.yaml")
    assert find_spec("fox", folders=[tmp_path], datasets_root=tmp_path)[1] == link


def test_not_found_says_where_it_looked_and_the_nearest_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _touch(tmp_path / "specs" / "fox-noob.toml")
    _touch(tmp_path / "specs" / "zebra.toml")
    error = _refusal("fox-nob-v1s20", [Path("specs"), Path("missing")], tmp_path / "data")
    assert "looked for fox-nob-v1s20 or fox-nob (.toml, .yaml, .yml) in specs, missing" in error.message
    assert error.hint is not None
    assert "Did you mean fox-noob?" in error.hint
    assert "no dataset folder fox-nob nor fox in data" in error.hint
    assert "fox-nob.toml" in error.hint


@pytest.mark.parametrize("target", ["./fox-v1s20.toml", "fox-v1s20.yaml", "~/fox-v1s20.yml", "some/fox-v1s20"])
def test_a_slash_or_a_suffix_makes_it_a_file(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    name, path = find_spec(target, folders=[], datasets_root=tmp_path)
    assert name.text == "fox-v1s20"
    assert path == Path(target.replace("~", str(tmp_path)))


@pytest.mark.parametrize("target", ["./red fox.toml", "a/..", "/", "x/-v.toml", "~/f\udc80.toml", ".toml"])
def test_a_file_whose_name_is_no_run_name_is_refused(target: str, tmp_path: Path) -> None:
    assert _refusal(target, [], tmp_path).hint


def test_the_dataset_folder_is_of_dataset_and_variant_or_of_the_dataset(tmp_path: Path) -> None:
    name = parse_name("fox-noob-v1s20")
    assert dataset_folder(name, tmp_path) is None
    _touch(tmp_path / "fox-noob")
    (tmp_path / "fox").mkdir()
    assert dataset_folder(name, tmp_path) == tmp_path / "fox"
    (tmp_path / "fox-noob").unlink()
    (tmp_path / "fox-noob").mkdir()
    assert dataset_folder(name, tmp_path) == tmp_path / "fox-noob"
