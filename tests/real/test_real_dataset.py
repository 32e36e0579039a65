"""What a survey finds, against the datasets that sd-scripts' own code makes of the same folders."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from real_bed import CHECKOUT, PYTHON, needs, site_packages

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plan"))

from candidate_bed import real_candidate

from launcher.base.findings import Severity
from launcher.plan.blueprint import Blueprint, DatasetBlueprint, Kind, SubsetBlueprint
from launcher.plan.checks.captions import check_captions
from launcher.plan.checks.pictures import check_pictures
from launcher.plan.survey import survey, survey_of, tags_of
from launcher.plan.surveyed import DatasetSurvey

pytestmark = needs(CHECKOUT, PYTHON)

DATASET = {
    "batch_size": 1, "enable_bucket": False, "min_bucket_reso": 256, "max_bucket_reso": 1024,
    "bucket_reso_steps": 64, "bucket_no_upscale": False, "validation_split": 0.0,
}  # fmt: skip
SUBSET = {"num_repeats": 1, "caption_extension": ".caption", "enable_wildcard": False, "caption_separator": ","}
BUCKETS = {"enable_bucket": True, "resolution": 512}


def _draw(folder: Path) -> None:
    """Pictures of many sizes and all formats, with captions of all sorts."""
    from PIL import Image

    chance = random.Random(7)  # noqa: S311 - no secret
    sizes = [(chance.randint(40, 2200), chance.randint(40, 2200)) for _ in range(70)]
    sizes += [(512, 512), (768, 768), (512, 768), (1000, 64), (64, 1000), (511, 513), (1920, 1080), (300, 299)]
    kinds = ("png", "jpg", "webp", "bmp", "PNG", "jpeg")
    for name in ("many", "reg", "few", "my_long_folder_name_2", "control", "hints", "large", "kept", "mixed"):
        (folder / name).mkdir()
    for number, size in enumerate(sizes):
        path = folder / "many" / f"p{number:03}.{kinds[number % len(kinds)]}"
        exif = Image.Exif()
        exif[0x010E] = "a picture"
        extra = {"exif": exif} if number % 12 == 2 else {}  # makes a WebP an extended one
        Image.new("RGB", size, (number, 90, 30)).save(path, **extra)
        if number % 4:
            text = f"fox, tag{number % 9},  Snow \nsecond {{a|b}} line\n\n third"
            path.with_suffix(".txt").write_text(text, encoding="utf-8")
    for number in range(40):
        size = (chance.randint(200, 1600), chance.randint(200, 1600))
        Image.new("RGB", size, (number, 90, 30)).save(folder / "large" / f"{number}.png")
    for number in range(9):
        Image.new("RGB", (400 + number, 500), "red").save(folder / "reg" / f"r{number}.png")
    for number in range(3):
        Image.new("RGB", (640, 480 + 64 * number), "blue").save(folder / "few" / f"few_{number}_1_2_3_4.png")
        (folder / "few" / f"few_{number}.txt").write_text(f"shortened {number}", encoding="utf-8")
        Image.new("RGB", (640, 480), "blue").save(folder / "my_long_folder_name_2" / f"{number}.png")
        Image.new("RGB", (640, 480), "blue").save(folder / "control" / f"{number}.png")
        Image.new("RGB", (640, 480), "blue").save(folder / "hints" / f"{number}.png")
    for number in range(12):
        for name in ("kept", "mixed"):
            Image.new("RGB", (300 + 40 * number, 500), "green").save(folder / name / f"{number:02}.webp")
            (folder / name / f"{number:02}.txt").write_text(f"number {number:02}\n", encoding="utf-8")
    metadata = {"many/p000.png": {"caption": "one", "tags": "a, b"}, "many/p001.jpg": {"tags": "a"}}
    metadata["many/p003.bmp"] = {"caption": "stated", "image_size": [900, 300]}  # type: ignore[dict-item]
    (folder / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")


# What makes the trainer fail, by the code of the finding that says so: the files of a folder.
BROKEN: dict[str, dict[str, bytes | str]] = {
    "picture-unreadable": {"a.png": "a text"},
    "picture-unreadable, empty": {"a.jpg": b""},
    "picture-unreadable, no JPEG": {"a.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(50)},
    "picture-cut-off, JPEG": {"a.jpg": b"half"},
    "picture-cut-off, WebP": {"a.webp": b"half"},
    "picture-too-large": {"a.png": b"huge"},
    "caption-file-empty": {"a.png": b"whole", "a.txt": b""},
    "caption-not-utf8": {"a.png": b"whole", "a.txt": "größer".encode("latin-1")},
    "picture-list-stale": {"metadata_cache.json": '{"/nowhere/a.png": {"caption": "a", "resolution": [512, 512]}}'},
}


def _write_broken(folder: Path) -> None:
    from PIL import Image

    whole = Image.effect_noise((512, 512), 80).convert("RGB")
    for case, files in BROKEN.items():
        (folder / case).mkdir()
        for name, content in files.items():
            path = folder / case / name
            if content == b"huge":
                Image.new("1", (20_000, 10_000)).save(path)
            elif content in (b"half", b"whole"):
                whole.save(path)
                path.write_bytes(path.read_bytes()[: -2000 if content == b"half" else None])
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)


def _config(folder: Path, dataset: dict[str, Any], *subsets: dict[str, Any]) -> dict[str, Any]:
    paths = ("image_dir", "conditioning_data_dir", "metadata_file")
    whole = [
        {key: str(folder / value) if key in paths and value else value for key, value in subset.items()}
        for subset in subsets
    ]
    return {"datasets": [{**dataset, "subsets": whole}]}


def _configs(folder: Path) -> dict[str, dict[str, Any]]:
    many = {"image_dir": "many", "caption_extension": ".txt", "num_repeats": 3}
    large = {"image_dir": "large", "class_tokens": "fox"}
    kept = {"image_dir": "kept", "caption_extension": ".txt", "cache_info": True}
    mixed, split = {**kept, "image_dir": "mixed"}, {"validation_split": 0.25, "validation_seed": 3}
    return {
        "no buckets": _config(folder, {"resolution": 512, "batch_size": 4}, many),
        "no buckets, not square": _config(folder, {"resolution": [512, 768], "batch_size": 4}, many),
        "buckets": _config(folder, BUCKETS, many),
        "batches": _config(folder, {**BUCKETS, "batch_size": 5}, many),
        "wide": _config(folder, {**BUCKETS, "resolution": [768, 512], "batch_size": 2}, many),
        "tall": _config(folder, {**BUCKETS, "resolution": [512, 960]}, many),
        "steps 32": _config(folder, {**BUCKETS, "bucket_reso_steps": 32, "min_bucket_reso": 128}, many),
        "steps 48, odd limits": _config(
            folder, {**BUCKETS, "bucket_reso_steps": 48, "min_bucket_reso": 300, "max_bucket_reso": 1000}, many
        ),
        "limits rounded to fit": _config(folder, {**BUCKETS, "resolution": 1024, "max_bucket_reso": 1000}, many),
        "limits too narrow": _config(folder, {**BUCKETS, "resolution": 1024, "max_bucket_reso": 900}, many),
        "limits too wide": _config(folder, {**BUCKETS, "min_bucket_reso": 576}, many),
        "below a step": _config(folder, {**BUCKETS, "min_bucket_reso": 32}, many),
        "no upscale": _config(folder, {**BUCKETS, "bucket_no_upscale": True, "batch_size": 2}, large),
        "no upscale, smaller than a step": _config(folder, {**BUCKETS, "bucket_no_upscale": True}, many),
        "no upscale, wide, steps 32": _config(
            folder, {**BUCKETS, "resolution": [1024, 640], "bucket_no_upscale": True, "bucket_reso_steps": 32}, large
        ),
        "reg images repeated": _config(
            folder, {**BUCKETS, "batch_size": 3}, many,
            {"image_dir": "reg", "is_reg": True, "class_tokens": "animal", "num_repeats": 2},
        ),
        "too many reg images": _config(
            folder, BUCKETS, {"image_dir": "few", "num_repeats": 5},
            {"image_dir": "reg", "is_reg": True, "num_repeats": 3},
        ),
        "wildcards": _config(folder, BUCKETS, {**many, "enable_wildcard": True}),
        "shortened captions": _config(
            folder, BUCKETS, {"image_dir": "few", "caption_extension": "txt", "class_tokens": "x"},
            {"image_dir": "my_long_folder_name_2", "class_tokens": "thing"},
        ),
        "ignored": _config(
            folder, BUCKETS, many, {"image_dir": "few", "num_repeats": 0}, {**many, "num_repeats": 9},
            {"image_dir": "nowhere"},
        ),
        "nothing": _config(folder, BUCKETS, {"image_dir": "nowhere"}),
        "only reg images": _config(folder, BUCKETS, {"image_dir": "reg", "is_reg": True}),
        "validation": _config(
            folder, {**BUCKETS, "validation_split": 0.2, "validation_seed": 5}, many,
            {"image_dir": "reg", "is_reg": True},
        ),
        "list, first run": _config(folder, BUCKETS, kept),
        "list, second run": _config(folder, BUCKETS, kept),
        "mixed, first run": _config(folder, {**BUCKETS, **split}, mixed),
        "mixed, second run": _config(folder, {**BUCKETS, **split}, mixed),
        "controlnet": _config(folder, BUCKETS, {"image_dir": "control", "conditioning_data_dir": "hints"}),
        "fine tuning": _config(
            folder, BUCKETS, {"image_dir": "", "metadata_file": "metadata.json", "caption_separator": ","}
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Each config with what sd-scripts makes of it."""
    folder = tmp_path_factory.mktemp("data")
    _draw(folder)
    _write_broken(folder)
    configs = _configs(folder)
    for case in BROKEN:
        broken = {"image_dir": case, "caption_extension": ".txt", "cache_info": "list" in case}
        configs[case] = _config(folder, BUCKETS, broken)
    for config in configs.values():
        for dataset in config["datasets"]:
            for subset in dataset["subsets"]:
                subset.update({"image_dir": str(folder)} if subset.get("image_dir") == "" else {})
    script = Path(__file__).with_name("survey_truth.py")
    done = subprocess.run(
        [str(PYTHON), str(script), str(CHECKOUT)],
        input=json.dumps(list(configs.values())), text=True, capture_output=True, check=True, timeout=300,
    )  # fmt: skip
    results = json.loads(done.stdout.rpartition("RESULT")[2])
    return {name: (config, result) for (name, config), result in zip(configs.items(), results, strict=True)}


def _blueprint(config: dict[str, Any]) -> Blueprint:
    datasets = []
    for dataset in config["datasets"]:
        given = dataset["subsets"]
        kind = Kind.DREAMBOOTH
        if all("conditioning_data_dir" in subset for subset in given):
            kind = Kind.CONTROLNET
        elif any("metadata_file" in subset for subset in given):
            kind = Kind.FINETUNING
        size = dataset["resolution"]
        params = {**DATASET, **dataset, "resolution": (size, size) if isinstance(size, int) else tuple(size)}
        # Those that the trainer passes over are none of the blueprint's.
        first = {subset.get("metadata_file") or subset["image_dir"]: subset for subset in reversed(given)}
        used = [subset for subset in given if subset in first.values() and subset.get("num_repeats", 1) > 0]
        subsets = tuple(SubsetBlueprint({**SUBSET, **subset}, "fox.toml:1") for subset in used)
        datasets.append(DatasetBlueprint(kind, params, subsets, "fox.toml:1"))
    return Blueprint(tuple(datasets))


def _as_truth(found: DatasetSurvey) -> dict[str, Any]:
    table = found.table
    assert table is not None
    return {
        "images": found.images,
        "reg_images": found.reg_images,
        "batches": found.batches,
        "mean_error": None if table.mean_error is None else pytest.approx(table.mean_error, rel=1e-12),
        "buckets": [[*each.resolution, each.count] for each in table.buckets] if table.mean_error is not None else [],
        "pictures": {
            entry.picture.path: [
                list(entry.place.bucket), list(entry.place.resized), entry.repeats, entry.picture.text,
            ]
            for entry in found.entries
            if entry.place
        },
    }  # fmt: skip


NAMES = [
    "no buckets", "no buckets, not square", "buckets", "batches", "wide", "tall", "steps 32", "steps 48, odd limits",
    "limits rounded to fit", "no upscale", "no upscale, wide, steps 32", "reg images repeated", "too many reg images",
    "wildcards", "shortened captions", "ignored", "nothing", "only reg images", "validation", "controlnet",
    "fine tuning", "list, first run", "list, second run",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_survey_equals_the_trainers_datasets(truth: dict[str, Any], name: str) -> None:
    config, real = truth[name]
    found = survey(_blueprint(config))
    assert "error" not in real, real
    for mine, its in zip(found.datasets, real["datasets"], strict=True):
        assert {key: value for key, value in its.items() if key != "tags"} == _as_truth(mine)
    assert found.batches == real["batches"]
    if name not in ("fine tuning", "validation"):
        its_tags: Counter[str] = Counter()
        for dataset in real["datasets"]:
            for tags in dataset["tags"].values():
                its_tags.update(tags)
        assert tags_of(found) == its_tags


@pytest.mark.parametrize("name", ["limits too narrow", "limits too wide", "below a step"])
def test_what_the_trainer_refuses_has_no_table(truth: dict[str, Any], name: str) -> None:
    config, real = truth[name]
    assert "error" in real
    found = survey(_blueprint(config)).datasets[0]
    assert found.table is None
    assert found.refused


def test_a_picture_that_fills_no_bucket_is_one_without_a_place(truth: dict[str, Any]) -> None:
    config, real = truth["no upscale, smaller than a step"]
    assert "ZeroDivisionError" in real["error"]
    found = survey(_blueprint(config)).datasets[0]
    assert any(entry.place is None for entry in found.entries)


def test_a_list_and_a_validation_split_mix_up_captions(truth: dict[str, Any]) -> None:
    """What the finding captions-mixed-up says."""
    _, real = truth["mixed, second run"]
    pictures = real["datasets"][0]["pictures"]
    assert any(Path(path).stem not in caption for path, (*_, caption) in pictures.items())
    _, first = truth["list, second run"]
    assert all(Path(path).stem in caption for path, (*_, caption) in first["datasets"][0]["pictures"].items())


@pytest.mark.parametrize("case", BROKEN)
def test_the_trainer_fails_where_a_finding_says_so(truth: dict[str, Any], tmp_path: Path, case: str) -> None:
    config, real = truth[case]
    assert "error" in real
    text = 'pretrained_model_name_or_path = "owner/model"\nnetwork_module = "networks.lora"\n'
    candidate = replace(real_candidate(tmp_path, text, CHECKOUT, [site_packages()]), blueprint=_blueprint(config))
    found = survey_of(candidate)
    findings = [*check_pictures(candidate, found), *check_captions(candidate, found)]
    assert case.partition(",")[0] in [each.code for each in findings if each.severity is Severity.ERROR]
