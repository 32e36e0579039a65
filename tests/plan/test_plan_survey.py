from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from survey_bed import TRAIN_UTIL, candidate_with, dataset, fox, png, subset, write

from launcher.data.pictures import Unreadable
from launcher.plan.blueprint import Blueprint, Kind
from launcher.plan.buckets import RunLength
from launcher.plan.survey import length_of, survey, survey_of, tags_of
from launcher.plan.survey_rules import SurveyRules, survey_rules
from launcher.plan.surveyed import Ignored


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.data.picture_cache.cache_folder", lambda: tmp_path / "cache")


def test_pictures_captions_and_buckets(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {"a.png": png(512, 512), "b.png": png(1920, 1080), "a.txt": "fox, Snow\nmore"}
    image_dir = write(tmp_path / "img", files)
    found = survey(Blueprint((dataset(subset(image_dir, num_repeats=3, class_tokens="animal"), batch_size=2),)))
    (only,) = found.datasets
    assert [(each.name, each.text) for each in only.subsets[0].pictures] == [
        ("a.png", "fox, Snow"),
        ("b.png", "animal"),
    ]
    assert only.table is not None
    buckets = [(bucket.resolution, bucket.count, bucket.batches) for bucket in only.table.buckets]
    assert buckets == [((512, 512), 3, 2), ((640, 384), 3, 2)]
    assert (found.images, found.batches, only.exact) == (6, 4, True)
    assert tags_of(found) == {"fox": 1, "snow": 1, "animal": 1}


def test_wildcards_keep_every_line(tmp_path: Path) -> None:
    image_dir = write(tmp_path / "img", {"a.png": png(), "a.txt": "one\n\n two\n"})
    found = survey(Blueprint((dataset(subset(image_dir, enable_wildcard=True)),)))
    assert found.datasets[0].subsets[0].pictures[0].text == "one\ntwo"


def test_captions_whose_names_lack_what_face_detection_adds(tmp_path: Path) -> None:
    image_dir = write(tmp_path / "img", {"fox_1_2_3_4.png": png(), "fox.txt": "found"})
    found = survey(Blueprint((dataset(subset(image_dir)),)))
    assert found.datasets[0].subsets[0].pictures[0].text == "found"


def test_a_folders_own_underscores_may_lead_to_a_caption_outside(tmp_path: Path) -> None:
    image_dir = write(tmp_path / "fox_a_b_c" / "d_e", {"a.png": png()})
    write(tmp_path, {"fox.txt": "outside"})
    stem = f"{image_dir}/a"
    expected = "outside" if "_".join(stem.split("_")[:-4]) == str(tmp_path / "fox") else ""
    found = survey(Blueprint((dataset(subset(image_dir)),)))
    assert found.datasets[0].subsets[0].pictures[0].text == expected == "outside"


def test_regularization_images_are_matched(tmp_path: Path) -> None:
    train, reg = fox(tmp_path / "img", 5), fox(tmp_path / "reg", 3)
    found = survey(Blueprint((dataset(subset(train), subset(reg, is_reg=True)),)))
    (only,) = found.datasets
    assert (only.images, only.reg_images, only.batches) == (5, 3, 10)
    assert [entry.repeats for entry in only.entries if entry.subset == 1] == [2, 2, 1]


def test_validation_pictures_are_held_back(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img", 10)
    seeded = survey(Blueprint((dataset(subset(image_dir), validation_split=0.2, validation_seed=7),))).datasets[0]
    assert (seeded.images, len(seeded.subsets[0].pictures), seeded.exact) == (8, 10, True)
    drawn = survey(Blueprint((dataset(subset(image_dir), validation_split=0.2),))).datasets[0]
    assert (drawn.images, drawn.exact) == (8, False)


def test_subsets_that_are_left_out(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty", {"notes.txt": "x"})
    blueprint = Blueprint((dataset(subset(empty), subset(str(tmp_path / "none")), subset(fox(tmp_path / "img"))),))
    found = survey(blueprint)
    assert [each.ignored for _, each in found.subsets] == [Ignored.NO_PICTURES, Ignored.NO_FOLDER, None]
    assert found.images == 3


def test_one_folder_under_two_names_is_registered_once(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img", 2)
    found = survey(Blueprint((dataset(subset(image_dir), subset(f"{image_dir}/", num_repeats=5)),))).datasets[0]
    assert found.images == 12
    assert [entry.repeats for entry in found.entries] == [5, 5]


def test_broken_pictures_are_in_no_bucket(tmp_path: Path) -> None:
    image_dir = write(tmp_path / "img", {"a.png": png(), "b.png": "no picture"})
    (found,) = survey(Blueprint((dataset(subset(image_dir)),))).datasets
    assert isinstance(found.subsets[0].pictures[1].size, Unreadable)
    assert found.batches == 1


def test_the_trainers_own_list_is_believed(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img", 2)
    listed = {f"{image_dir}/0.png": {"caption": "old", "resolution": [1024, 512]}}
    write(tmp_path / "img", {"metadata_cache.json": json.dumps(listed)})
    with_list = survey(Blueprint((dataset(subset(image_dir, cache_info=True)),))).datasets[0].subsets[0]
    assert [(each.text, each.stated) for each in with_list.pictures] == [("old", (1024, 512))]
    assert with_list.unlisted == ("1.png",)
    without = survey(Blueprint((dataset(subset(image_dir)),))).datasets[0].subsets[0]
    assert len(without.pictures) == 2


def test_metadata_of_fine_tuning(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img", 2)
    metadata: dict[str, dict[str, object]] = {
        "0.png": {"caption": "a fox", "tags": "snow, tree"},
        f"{image_dir}/1.png": {"tags": "red", "image_size": [900, 300]},
        "gone.png": {},
    }
    write(tmp_path, {"m.json": json.dumps(metadata)})
    lines = [json.dumps({"image_path": key, **value}) for key, value in metadata.items()]
    write(tmp_path, {"m.jsonl": "\n".join(lines)})
    for name in ("m.json", "m.jsonl"):
        each = subset(image_dir, metadata_file=str(tmp_path / name))
        found = survey(Blueprint((dataset(each, kind=Kind.FINETUNING),))).datasets[0]
        first, second, gone = found.subsets[0].pictures
        assert (first.text, second.text, second.stated) == ("a fox,snow, tree", "red", (900, 300))
        assert isinstance(gone.size, Unreadable)
        assert found.batches == 2


def test_older_metadata_state_buckets_and_keys_without_extension(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img", 2)
    metadata = {str(number): {"train_resolution": [448, 576]} for number in range(2)}
    write(tmp_path, {"m.json": json.dumps(metadata)})
    each = subset(image_dir, metadata_file=str(tmp_path / "m.json"))
    blueprint = Blueprint((dataset(each, kind=Kind.FINETUNING, enable_bucket=False, resolution=None),))
    (found,) = survey(blueprint, SurveyRules(train_resolution=True)).datasets
    assert found.table is not None
    assert [bucket.resolution for bucket in found.table.buckets] == [(448, 576)]
    assert [picture.name for picture in found.subsets[0].pictures] == ["0.png", "1.png"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "is not there"),
        ("{", "cannot be read"),
        ("[1]", "no table"),
        ('{"a.png": 3}', "no table"),
        ("[" * 200_000, "nested"),
        ('{"a.png": {}}', "relative"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_metadata_that_the_trainer_fails_at(tmp_path: Path, content: str | bytes | None, problem: str) -> None:
    if content is not None:
        write(tmp_path, {"m.json": content})
    each = subset(None, metadata_file=str(tmp_path / "m.json"))
    found = survey(Blueprint((dataset(each, kind=Kind.FINETUNING),))).datasets[0].subsets[0]
    assert found.problem is not None
    assert problem in found.problem


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["a.png", "caption", "tags", "image_size", "train_resolution", "/x/y.png"]), inner
                )
            ),
        ).map(json.dumps),
    ),
    old=st.booleans(),
)
def test_no_metadata_can_raise(tmp_path: Path, content: bytes | str, old: bool) -> None:
    write(tmp_path, {"m.json": content})
    each = subset(str(tmp_path), metadata_file=str(tmp_path / "m.json"))
    survey(Blueprint((dataset(each, kind=Kind.FINETUNING),)), SurveyRules(train_resolution=old))
    write(tmp_path, {"metadata_cache.json": content})
    survey(Blueprint((dataset(subset(str(tmp_path), cache_info=True)),)))


def _extended_webp(width: int, height: int) -> bytes:
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x10\0\0\0"
    body += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(("version", "bucket"), [("1.4.1", (448, 448)), ("1.5.0", (512, 512))])
def test_old_imagesize_takes_one_pixel_from_an_extended_webp(
    tmp_path: Path, version: str, bucket: tuple[int, int]
) -> None:
    image_dir = write(tmp_path / "img", {"a.webp": _extended_webp(512, 512)})
    datasets = [dataset(subset(image_dir), bucket_no_upscale=True)]
    packages = {f"imagesize-{version}.dist-info/METADATA": ""}
    (found,) = survey_of(candidate_with(tmp_path, datasets, packages=packages)).datasets
    assert found.table is not None
    assert [each.resolution for each in found.table.buckets] == [bucket]


def test_extensions_are_those_of_the_checkout_and_its_plugins(tmp_path: Path) -> None:
    plain = survey_rules(candidate_with(tmp_path, []))
    assert plain.extensions == (".png", ".jpg", ".webp", ".PNG")
    assert plain.perhaps == ()
    plugged = survey_rules(candidate_with(tmp_path, [], packages={"pillow_avif/__init__.py": ""}))
    assert ".avif" in plugged.extensions
    assert survey_rules(candidate_with(tmp_path, [], source="")).extensions[0] == ".png"


def test_rules_of_an_older_checkout(tmp_path: Path) -> None:
    old = TRAIN_UTIL.replace("imagesize.get(path)", "Image.open(path).size").replace("adjust_min_max", "other")
    rules = survey_rules(candidate_with(tmp_path, [], source=old))
    assert not rules.webp_one_less
    assert not rules.whole_steps
    assert survey_rules(candidate_with(tmp_path, [])).whole_steps


def test_the_length_of_a_run(tmp_path: Path) -> None:
    datasets = [dataset(subset(fox(tmp_path / "img", 7), num_repeats=2), batch_size=4)]
    text = "max_train_steps = 10\ngradient_accumulation_steps = 3\n"
    candidate = candidate_with(tmp_path, datasets, text)
    assert length_of(survey_of(candidate), candidate) == RunLength(4, 2, 50, 100)  # the name says 100 steps
    candidate = candidate_with(tmp_path, [])
    assert length_of(survey_of(candidate), candidate) is None


def test_hand_made_numbers_of_any_type_do_no_harm(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img")
    for params in ({"resolution": None}, {"resolution": ("a", 3)}, {"batch_size": "x"}, {"validation_split": "x"}):
        found = survey(Blueprint((dataset(subset(image_dir, num_repeats="two"), **params),)))
        assert len(found.datasets) == 1
