from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from survey_bed import TRAIN_UTIL, candidate_with, dataset, fox, png, subset, write

from launcher.base.findings import Finding, Severity
from launcher.plan.blueprint import DatasetBlueprint
from launcher.plan.checks.captions import check_captions
from launcher.plan.survey import survey_of


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.data.picture_cache.cache_folder", lambda: tmp_path / "cache")


def _of(tmp_path: Path, blueprint: DatasetBlueprint, text: str = "", source: str = TRAIN_UTIL) -> list[Finding]:
    candidate = candidate_with(tmp_path, [blueprint], text, source=source)
    return list(check_captions(candidate, survey_of(candidate)))


def _said(tmp_path: Path, files: dict[str, bytes | str], **params: Any) -> list[Finding]:
    """About a folder with three sound pictures and these files."""
    image_dir = fox(tmp_path / "img")
    write(tmp_path / "img", files)
    return _of(tmp_path, dataset(subset(image_dir, **params)))


def _codes(findings: list[Finding]) -> list[tuple[str, Severity]]:
    return [(finding.code, finding.severity) for finding in findings]


def test_sound_captions_and_what_people_keep_beside_them(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "README.txt": "x", "notes.txt": "x", "sample-prompts.txt": "x", ".hidden.txt": "x", "raw.gif": b"x",
        "raw.txt": "of a picture that is not taken", "0.caption": "another tagger's",
    }  # fmt: skip
    assert _said(tmp_path, files) == []
    assert _said(tmp_path, {}, shuffle_caption=True, keep_tokens=2) == []


def test_class_tokens_alone_are_a_way_to_train(tmp_path: Path) -> None:
    image_dir = write(tmp_path / "img", {f"{number}.png": png() for number in range(5)})
    assert _of(tmp_path, dataset(subset(image_dir, class_tokens="fox"))) == []


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "caption-file-empty"), ("größer".encode("latin-1"), "caption-not-utf8"), ("\nlater", "caption-blank")],
)
def test_a_caption_file_that_is_not_what_it_should_be(tmp_path: Path, content: bytes | str, code: str) -> None:
    (found,) = _said(tmp_path, {"1.txt": content})
    assert found.code == code
    assert found.severity is (Severity.WARNING if code == "caption-blank" else Severity.ERROR)
    assert "1 of 3 pictures" in found.message
    assert "1.png" in found.message
    assert found.where == "data.toml:4"


def test_a_checkout_that_reads_captions_otherwise(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img")
    write(tmp_path / "img", {"0.txt": b"", "1.txt": b"\xff", "2.txt": "a\nb"})
    assert _of(tmp_path, dataset(subset(image_dir)), source="x = 1") == []


def test_lines_that_are_lost(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {"0.txt": "fox\nsnow\n", "1.txt": "fox\n\n"}
    (found,) = _said(tmp_path, files)
    assert (found.code, found.severity) == ("caption-lines-lost", Severity.WARNING)
    assert "1 of 3" in found.message
    assert _said(tmp_path, files, enable_wildcard=True) == []


def test_the_wrong_caption_extension(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img", 30)
    (found,) = _of(tmp_path, dataset(subset(image_dir, caption_extension=".caption")))
    assert (found.code, found.severity) == ("caption-extension", Severity.ERROR)
    assert "30 of 30 pictures" in found.message
    assert "30 a .txt file" in found.message
    assert found.hint == 'Set caption_extension = ".txt".'
    # With class tokens somebody may have meant to leave the files alone; not with a folder's name, as in 10_fox.
    tokens = subset(image_dir, caption_extension=".caption", class_tokens="fox")
    (found,) = _of(tmp_path, dataset(tokens))
    assert (found.code, found.severity) == ("caption-extension", Severity.ERROR)
    (found,) = _of(tmp_path, dataset(replace(tokens, places={"class_tokens": "data.toml:5"})))
    assert (found.code, found.severity) == ("caption-extension", Severity.WARNING)
    assert _of(tmp_path, dataset(subset(image_dir, caption_extension="txt"))) == []


def test_mixed_caption_extensions(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img", 2)
    write(tmp_path / "img", {"a.png": png(), "a.caption": "fox", "b.png": png(), "b.tags": "fox"})
    (found,) = _of(tmp_path, dataset(subset(image_dir)))
    assert "2 of 4" in found.message
    assert "one extension" in (found.hint or "")


def test_some_captions_of_another_extension(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img", 2)
    write(tmp_path / "img", {"a.png": png(), "a.caption": "fox"})
    (found,) = _of(tmp_path, dataset(subset(image_dir, caption_extension=".txt")))
    assert (found.code, found.severity) == ("caption-extension", Severity.ERROR)
    assert (found.hint or "").startswith("Rename them to .txt")


def test_captions_named_after_the_whole_picture(tmp_path: Path) -> None:
    image_dir = write(tmp_path / "img", {"a.png": png(), "a.png.txt": "fox"})
    (found,) = _of(tmp_path, dataset(subset(image_dir)))
    assert found.code == "caption-extension"
    assert "without its extension" in (found.hint or "")
    write(tmp_path / "img", {"b.png": png(), "b.txt": "fox"})  # captions are used: it is told once all the same
    assert [found.code for found in _of(tmp_path, dataset(subset(image_dir)))] == ["caption-extension"]


def test_pictures_without_a_caption(tmp_path: Path) -> None:
    more: dict[str, bytes | str] = {f"x{number}.png": png() for number in range(10)}
    (found,) = _said(tmp_path, more)
    assert (found.code, found.severity) == ("caption-missing", Severity.WARNING)
    assert "10 of 13 pictures" in found.message
    assert "x0.png, x1.png, x2.png and 7 more" in found.message
    (found,) = _said(tmp_path, more, class_tokens="animal")
    assert "animal" in (found.hint or "")


def test_textual_inversion_writes_captions_itself(tmp_path: Path) -> None:
    image_dir = write(tmp_path / "img", {"a.png": png()})
    assert _of(tmp_path, dataset(subset(image_dir)), text="use_object_template = true\n") == []
    assert len(_of(tmp_path, dataset(subset(image_dir)))) == 1


def test_captions_without_a_picture(tmp_path: Path) -> None:
    (found,) = _said(tmp_path, {"lost.txt": "fox"})
    assert (found.code, found.severity) == ("caption-without-picture", Severity.WARNING)
    assert "lost.txt" in found.message
    assert _said(tmp_path / "other", {"fox_1_2_3_4.png": png(), "fox.txt": "shortened"}) == []


def test_keep_tokens_beyond_the_tags(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {"1.txt": "fox", "2.txt": "fox ||| snow"}
    (found,) = _said(tmp_path, files, shuffle_caption=True, keep_tokens=2)
    assert (found.code, found.severity) == ("keep-tokens-beyond", Severity.WARNING)
    assert "2 of 3 captions" in found.message
    assert _said(tmp_path, files, keep_tokens=2) == []
    assert _said(tmp_path, files, shuffle_caption=True, keep_tokens=1) == []
    (found,) = _said(tmp_path, files, shuffle_caption=True, keep_tokens=2, keep_tokens_separator="|||")
    assert "1 of 3 captions" in found.message
    assert _said(tmp_path, files, shuffle_caption=True, keep_tokens=2, caption_prefix="a, b,") == []
    wild: dict[str, bytes | str] = {"1.txt": "{a, b|c, d}", "2.txt": "a, b\nc, d"}
    assert _said(tmp_path, wild, shuffle_caption=True, keep_tokens=2, enable_wildcard=True) == []


def test_a_separator_that_no_caption_has(tmp_path: Path) -> None:
    (found,) = _said(tmp_path, {}, shuffle_caption=True, keep_tokens_separator="|||")
    assert (found.code, found.severity) == ("keep-separator-absent", Severity.WARNING)
    assert _said(tmp_path, {"0.txt": "fox ||| snow"}, shuffle_caption=True, keep_tokens_separator="|||") == []


def test_a_list_of_captions_and_pictures_that_are_mixed(tmp_path: Path) -> None:
    image_dir = fox(tmp_path / "img")
    both = dataset(subset(image_dir, cache_info=True), validation_split=0.2)
    assert _codes(_of(tmp_path, both)) == [("captions-mixed-up", Severity.ERROR)]
    assert _of(tmp_path, dataset(subset(image_dir, cache_info=True))) == []
    assert _of(tmp_path, both, source="x = 1") == []


def test_a_folder_in_several_resolutions_is_one_finding(tmp_path: Path) -> None:
    each = subset(fox(tmp_path / "img"), caption_extension=".caption")
    candidate = candidate_with(tmp_path, [dataset(each), dataset(each, resolution=(768, 768))])
    assert _codes(list(check_captions(candidate, survey_of(candidate)))) == [("caption-extension", Severity.ERROR)]
