from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from survey_bed import TRAIN_UTIL, candidate_with, dataset, fox, png, subset, write

from launcher.base.findings import Finding, Severity
from launcher.plan.blueprint import DatasetBlueprint, Kind
from launcher.plan.checks.pictures import check_pictures
from launcher.plan.survey import survey_of


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.data.picture_cache.cache_folder", lambda: tmp_path / "cache")


def _said(tmp_path: Path, *datasets: DatasetBlueprint, text: str = "", source: str = TRAIN_UTIL) -> list[Finding]:
    candidate = candidate_with(tmp_path, datasets, text, source=source)
    return list(check_pictures(candidate, survey_of(candidate)))


def _codes(findings: list[Finding]) -> list[tuple[str, Severity]]:
    return [(finding.code, finding.severity) for finding in findings]


def test_a_sound_dataset_with_what_people_keep_beside_it(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img", 4)
    extra: dict[str, bytes | str] = {
        ".DS_Store": b"x", "._0.png": b"x", "0_1024x1024_sdxl.npz": b"x", "meta.json": "{}", "Thumbs.db": b"x",
        "README.md": "x", "sub/broken.png": b"x", "0.gif": b"x", "raw.psd": b"x",
    }  # fmt: skip
    write(tmp_path / "img", extra)
    reg = fox(tmp_path / "reg", 2)
    assert _said(tmp_path, dataset(subset(image_dir), subset(reg, is_reg=True))) == []
    assert _said(tmp_path, dataset(subset(image_dir), bucket_no_upscale=True)) == []
    assert _said(tmp_path, dataset(subset(image_dir), enable_bucket=False)) == []
    assert _said(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    good = subset(fox(tmp_path / "img"))
    missing = replace(subset(str(tmp_path / "imgs")), places={"image_dir": "data.toml:9"})
    (found,) = _said(tmp_path, dataset(good, missing))
    assert (found.code, found.severity, found.where) == ("subset-folder-missing", Severity.ERROR, "data.toml:9")
    assert str(tmp_path / "imgs") in found.message


@pytest.mark.parametrize("path", ["~/img", "$HOME/img", "${DATA}/img"])
def test_a_folder_that_nobody_expands_is_said_of_the_path(tmp_path: Path, path: str) -> None:
    whole = str(candidate_with(tmp_path, []).trainer.checkout / path)
    assert _said(tmp_path, dataset(subset(whole))) == []


def test_pictures_that_are_all_kept_for_validation_are_there(tmp_path: Path) -> None:
    assert _said(tmp_path, dataset(subset(fox(tmp_path / "img")), validation_split=1.0)) == []


def test_no_picture_anywhere_is_an_error_and_in_one_of_several_a_warning(tmp_path: Path) -> None:
    empty = subset(write(tmp_path / "empty", {"notes.txt": "x", "10_fox/a.png": png()}))
    found = _said(tmp_path, dataset(empty))
    assert _codes(found) == [("subset-without-pictures", Severity.ERROR)]
    assert "10_fox" in (found[0].hint or "")
    missing = subset(str(tmp_path / "missing"))
    kinds = [("no-data", Severity.ERROR), ("subset-without-pictures", Severity.ERROR)]
    assert _codes(_said(tmp_path, dataset(empty, missing))) == [*kinds, ("subset-folder-missing", Severity.ERROR)]
    (found_too,) = _said(tmp_path, dataset(empty, subset(fox(tmp_path / "img"))))
    assert (found_too.code, found_too.severity) == ("subset-without-pictures", Severity.WARNING)


def test_pictures_of_a_plugin_that_may_be_there(tmp_path: Path) -> None:
    image_dir = write(tmp_path / "img", {"a.avif": b"x"})
    candidate = candidate_with(tmp_path, [dataset(subset(image_dir))])
    unknown = replace(candidate, packages=replace(candidate.packages, site=()))
    assert list(check_pictures(unknown, survey_of(unknown))) == []
    found = list(check_pictures(candidate, survey_of(candidate)))
    assert {finding.code for finding in found} == {"picture-not-taken", "subset-without-pictures"}


def test_extensions_that_are_not_taken(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img")
    write(tmp_path / "img", {"x.Png": png(), "y.heic": b"x", "z.GIF": b"x", "w.jpeg": b"x"})
    (found,) = _said(tmp_path, dataset(subset(image_dir)))
    assert (found.code, found.severity) == ("picture-not-taken", Severity.WARNING)
    assert "4 pictures" in found.message
    assert "w.jpeg, x.Png, y.heic and 1 more" in found.message


def test_broken_pictures_are_one_finding(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {f"b{number}.png": "text" for number in range(50)}
    image_dir = fox(tmp_path / "img")
    write(tmp_path / "img", files | {"c.png": b""})
    (found,) = _said(tmp_path, dataset(subset(image_dir)))
    assert (found.code, found.severity) == ("picture-unreadable", Severity.ERROR)
    assert "51 pictures" in found.message
    assert "b0.png (it is a text)" in found.message
    assert "48 more" in found.message


def test_a_format_that_kl_does_not_know_is_a_warning(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img")
    write(tmp_path / "img", {"tiff.png": b"II*\0" + bytes(90)})
    assert _codes(_said(tmp_path, dataset(subset(image_dir)))) == [("picture-unreadable", Severity.WARNING)]


def test_files_that_end_too_early(tmp_path: Path) -> None:
    frame = struct.pack(">BHHBBBB", 8, 600, 600, 1, 1, 0x11, 0)
    jpeg = b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xda" + bytes(50)
    image_dir = fox(tmp_path / "img")
    write(tmp_path / "img", {"a.jpg": jpeg, "b.png": png()[:-12]})
    found = _said(tmp_path, dataset(subset(image_dir)))
    assert _codes(found) == [("picture-cut-off", Severity.ERROR), ("picture-cut-off", Severity.WARNING)]
    write(tmp_path / "img", {"a.jpg": jpeg + b"\xff\xd9", "b.png": png()})
    assert _said(tmp_path, dataset(subset(image_dir))) == []


def test_a_picture_that_pillow_refuses_for_its_size(tmp_path: Path) -> None:
    image_dir = write(tmp_path / "img", {"a.png": png(20_000, 10_000), "b.png": png(13_000, 13_000)})
    (found,) = _said(tmp_path, dataset(subset(image_dir)))
    assert (found.code, found.severity) == ("picture-too-large", Severity.ERROR)
    assert "a.png" in found.message
    assert "b.png" not in found.message
    lifted = TRAIN_UTIL + "\nImage.MAX_IMAGE_PIXELS = None\n"
    assert _said(tmp_path, dataset(subset(image_dir)), source=lifted) == []


def test_pictures_that_no_upscale_leaves_small_or_without_a_bucket(tmp_path: Path) -> None:
    sizes = {"big.png": (900, 900), "fine.png": (512, 400), "half.png": (300, 300), "thin.png": (2000, 40)}
    image_dir = write(tmp_path / "img", {name: png(*size) for name, size in sizes.items()})
    found = _said(tmp_path, dataset(subset(image_dir), bucket_no_upscale=True))
    assert _codes(found) == [("picture-without-bucket", Severity.ERROR), ("picture-left-small", Severity.WARNING)]
    assert "thin.png (2000×40)" in found[0].message
    assert "1 picture of 4" in found[1].message
    assert "half.png (300×300)" in found[1].message
    assert _said(tmp_path, dataset(subset(image_dir))) == []
    assert _said(tmp_path, dataset(subset(image_dir), bucket_no_upscale=True), source="x = 1") == []


def test_two_pictures_of_one_stem(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img")
    write(tmp_path / "img", {"0.PNG": png()})
    (found,) = _said(tmp_path, dataset(subset(image_dir)))
    assert (found.code, found.severity) == ("pictures-of-one-stem", Severity.WARNING)
    assert "0.PNG and 0.png" in found.message
    (found,) = _said(tmp_path, dataset(subset(image_dir)), text="cache_latents_to_disk = true\n")
    assert "latents" in (found.hint or "")


def test_more_regularization_images_than_are_used(tmp_path: Path) -> None:
    train, reg = subset(fox(tmp_path / "img", 2)), fox(tmp_path / "reg", 5)
    (found,) = _said(tmp_path, dataset(train, subset(reg, is_reg=True)))
    assert (found.code, found.severity) == ("reg-images-unused", Severity.WARNING)
    assert _said(tmp_path, dataset(subset(fox(tmp_path / "img", 2), num_repeats=3), subset(reg, is_reg=True))) == []


def test_limits_below_a_step(tmp_path: Path) -> None:
    found = _said(tmp_path, dataset(subset(fox(tmp_path / "img")), min_bucket_reso=32))
    assert _codes(found) == [("no-buckets", Severity.ERROR)]
    assert _said(tmp_path, dataset(subset(fox(tmp_path / "img")), min_bucket_reso=64)) == []


def _controlnet(tmp_path: Path) -> DatasetBlueprint:
    each = subset(fox(tmp_path / "img", 2), conditioning_data_dir=str(tmp_path / "hints"))
    return dataset(each, kind=Kind.CONTROLNET)


def test_conditioning_pictures(tmp_path: Path) -> None:
    assert _codes(_said(tmp_path, _controlnet(tmp_path))) == [("conditioning-pictures", Severity.ERROR)]
    write(tmp_path / "hints", {"0.webp": png(), "1.png": png()})
    assert _said(tmp_path, _controlnet(tmp_path)) == []
    write(tmp_path / "hints", {"2.png": png(), "1.png": png(512, 500)})
    found = [finding.message for finding in _said(tmp_path, _controlnet(tmp_path))]
    assert len(found) == 2
    assert "2.png" in found[0]
    assert "another size" in found[1]
    (tmp_path / "hints" / "0.webp").unlink()
    assert any("without one" in finding.message for finding in _said(tmp_path, _controlnet(tmp_path)))


def test_metadata(tmp_path: Path) -> None:
    image_dir, file = fox(tmp_path / "img", 2), tmp_path / "m.json"
    blueprint = dataset(subset(image_dir, metadata_file=str(file)), kind=Kind.FINETUNING)
    assert _codes(_said(tmp_path, blueprint)) == [("metadata-unusable", Severity.ERROR)]
    file.write_text(json.dumps({"0.png": {"caption": "fox"}, "gone.png": {}}))
    (found,) = _said(tmp_path, blueprint)
    assert "gone.png" in found.message
    # Cached latents may stand in for a picture.
    write(tmp_path / "img", {"gone_0512x0512_sdxl.npz": b"x"})
    assert _said(tmp_path, blueprint) == []
    file.write_text("{}")
    assert _codes(_said(tmp_path, blueprint)) == [("subset-without-pictures", Severity.ERROR)]


def test_the_trainers_own_list_gone_stale(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img", 3)
    listed = {f"{image_dir}/{name}": {"caption": "fox", "resolution": [512, 512]} for name in ("0.png", "gone.png")}
    write(tmp_path / "img", {"metadata_cache.json": json.dumps(listed)})
    found = _said(tmp_path, dataset(subset(image_dir, cache_info=True)))
    assert _codes(found) == [("picture-list-stale", Severity.ERROR)] * 2
    assert "1.png, 2.png" in found[0].message
    assert "gone.png" in found[1].message
    assert _said(tmp_path, dataset(subset(image_dir))) == []
    write(tmp_path / "img", {"metadata_cache.json": "{"})
    assert _codes(_said(tmp_path, dataset(subset(image_dir, cache_info=True)))) == [
        ("metadata-unusable", Severity.ERROR)
    ]
