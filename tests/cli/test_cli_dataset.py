from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plan"))

from survey_bed import candidate_with, dataset, fox, png, subset, write

from launcher.base.errors import ExitCode, KlError
from launcher.cli.dataset import show_dataset


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.data.picture_cache.cache_folder", lambda: tmp_path / "cache")


def test_what_a_run_trains_on_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, reg = fox(tmp_path / "img", 3), fox(tmp_path / "reg", 2, caption="animal")
    blueprint = dataset(subset(train, num_repeats=4), subset(reg, is_reg=True), batch_size=5)
    show_dataset(candidate_with(tmp_path, [blueprint]))
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = [line.split() for line in shown.out.splitlines()]
    assert shown.out.startswith("fox-v1s100: 5 pictures, 12 training images with repeats\n")
    assert [train, "3", "4", "12", "3"] in lines
    assert [reg, "(regularization)", "2", "1", "2", "2"] in lines
    assert ["512×512", "5", "24", "5"] in lines
    assert ["mean", "error", "of", "the", "aspect", "ratio:", "0"] in lines
    assert ["epochs", "20"] in lines
    assert ["total", "steps", "100"] in lines
    assert lines.index(["3", "fox"]) < lines.index(["2", "animal"])


def test_the_same_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image_dir = fox(tmp_path / "img", 3)
    blueprint = dataset(subset(image_dir, num_repeats=2), batch_size=4, validation_split=0.25, validation_seed=1)
    show_dataset(candidate_with(tmp_path, [blueprint]), as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert set(shown) == {
        "name", "images", "reg_images", "datasets", "batches_per_epoch", "steps_per_epoch", "epochs", "steps", "tags",
    }  # fmt: skip
    assert (shown["name"], shown["images"], shown["batches_per_epoch"], shown["epochs"]) == ("fox-v1s100", 6, 2, 50)
    assert shown["tags"] == {"fox": 3, "snow": 3}
    (only,) = shown["datasets"]
    assert only["buckets"] == [{"resolution": [512, 512], "pictures": 3, "images": 6, "batches": 2}]
    assert only["mean_aspect_ratio_error"] == 0.0
    assert only["resolution"] == [512, 512]
    assert only["subsets"] == [
        {
            "image_dir": image_dir, "metadata_file": None, "is_reg": False, "num_repeats": 2, "pictures": 3,
            "held_back": 0, "unreadable": 0, "captions": 3, "left_out": None,
        }
    ]  # fmt: skip


def test_what_is_wrong_is_said_beside_the_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image_dir = write(tmp_path / "img", {"a.png": png(), "a.txt": "fox", "b.png": "no picture", "b.txt": "fox"})
    gone = subset(str(tmp_path / "gone"))
    show_dataset(candidate_with(tmp_path, [dataset(subset(image_dir), gone), dataset(gone, validation_split=0.1)]))
    shown = capsys.readouterr()
    assert "picture-unreadable" in shown.err
    assert "subset-folder-missing" in shown.err
    assert "dataset 1: dreambooth" in shown.out
    assert "its folder is not there" in shown.out
    assert "drawn at random" in shown.out


def test_a_dataset_without_buckets_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_dataset(candidate_with(tmp_path, [dataset(subset(fox(tmp_path / "img")), resolution=(64, 64))]))
    shown = capsys.readouterr().out
    assert "no buckets: the resolution is not between" in shown
    assert "nothing to train on" in shown


def test_a_run_whose_data_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(KlError) as error:
        show_dataset(replace(candidate_with(tmp_path, []), blueprint=None))
    assert error.value.code is ExitCode.SPEC_REFUSED
