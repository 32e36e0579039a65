"""The dataset of a run is known by the names of its folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.record.manifest import FileRecord, Manifest, OptionRecord, write_manifest
from launcher.run.find import FoundRun
from launcher.run.trained_on import data_of, is_trained_on

TOML = """
[[datasets]]
[[datasets.subsets]]
image_dir = "/data/art/fox/img"
caption_extension = ".txt"
[[datasets.subsets]]
image_dir = '/data/art/owl'
"""
JSON = '{"datasets": [{"subsets": [{"metadata_file": "/data/art/fox/meta.json"}]}]}'


def _run(root: Path, options: dict[str, object], copy: tuple[str, str, str] | None = None) -> FoundRun:
    directory = root / "vixen-noob-v1s10"
    directory.mkdir()
    files: tuple[FileRecord, ...] = ()
    if copy:
        name, text, source = copy
        (directory / name).write_text(text)
        files = (FileRecord(name, source),)
        options = {**options, "dataset_config": str(directory / name)}
    records = tuple(OptionRecord(name, value) for name, value in options.items())
    write_manifest(Manifest(name=directory.name, options=records, files=files), directory)
    return FoundRun(directory.name, directory)


def test_a_folder_that_an_option_names(tmp_path: Path) -> None:
    run = _run(tmp_path, {"train_data_dir": "/home/lynx/data/Fox/img", "seed": 5, "in_json": None})
    assert data_of(run) == ("/home/lynx/data/Fox/img",)
    assert is_trained_on(run, "fox") and is_trained_on(run, "FOX")
    assert not is_trained_on(run, "lynx")  # the user's name is no dataset
    assert is_trained_on(run, "/lynx/data/fox/")
    assert is_trained_on(run, "vixen-noob") and not is_trained_on(run, "v1s10")


@pytest.mark.parametrize(
    ("copy", "wanted", "other"),
    [
        (("config.toml", TOML, "/sets/animals/config.toml"), ("fox", "owl", "animals"), "art/bear"),
        (("config.json", JSON, "/sets/animals/config.json"), ("fox", "meta", "animals"), "owl"),
    ],
)
def test_the_folders_of_a_dataset_config(
    tmp_path: Path, copy: tuple[str, str, str], wanted: tuple[str, ...], other: str
) -> None:
    run = _run(tmp_path, {}, copy)
    assert all(is_trained_on(run, name) for name in wanted)
    assert not is_trained_on(run, other)


def test_nothing_is_known_of_a_damaged_run(tmp_path: Path) -> None:
    run = _run(tmp_path, {"train_data_dir": "/data/fox"})
    (run.directory / "run.json").write_text("{")
    assert data_of(run) == () and not is_trained_on(run, "fox")
