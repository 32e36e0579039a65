from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from launcher.data.dataset_look import are_tags, look_at_pictures


def _picture(path: Path, width: int = 8, height: int = 6, caption: str | None = None, extension: str = ".txt") -> None:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", b""), (b"IEND", b""))
    parts = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    if caption is not None:
        path.with_suffix(extension).write_text(caption, encoding="utf-8")


def test_pictures_with_their_sizes_and_captions(tmp_path: Path) -> None:
    _picture(tmp_path / "img/a.png", 100, 50, "fox, snow\nmore")
    _picture(tmp_path / "img/b.png", 30, 40, "fox, den", ".caption")
    _picture(tmp_path / "img/c.png", 10, 20, "fox, run")
    _picture(tmp_path / "img/d.png", 10, 20)
    (tmp_path / "img/broken.png").write_bytes(b"no picture")
    (found,) = look_at_pictures(str(tmp_path))
    assert found.path == str(tmp_path / "img")
    assert found.number == 5
    assert sorted(found.sizes) == [(10, 20), (10, 20), (30, 40), (100, 50)]
    assert list(found.captioned.items()) == [(".txt", 2), (".caption", 1)]
    assert found.captions == ("fox, snow", "fox, run")
    assert (found.repeats, found.words, found.regularization) == (None, "", False)


def test_names_of_folders_say_repeats_words_and_regularization(tmp_path: Path) -> None:
    for name in ("10_red_fox", "reg", "1_reg", "0_zero", "plain", "regal"):
        _picture(tmp_path / name / "a.png")
    found = {Path(each.path).name: (each.repeats, each.words, each.regularization) for each in
             look_at_pictures(str(tmp_path))}  # fmt: skip
    assert found == {
        "10_red_fox": (10, "red fox", False),
        "reg": (None, "", True),
        "1_reg": (1, "reg", True),
        "0_zero": (None, "zero", False),
        "plain": (None, "", False),
        "regal": (None, "", False),
    }


def test_masks_hidden_folders_and_what_is_too_deep_are_left_out(tmp_path: Path) -> None:
    for name in ("a", "a/b", "a/b/c", "a/b/c/d", ".cache", "mask", "masks_fox", "conditioning"):
        _picture(tmp_path / name / "a.png")
    found = [Path(each.path).relative_to(tmp_path).as_posix() for each in look_at_pictures(str(tmp_path))]
    assert found == ["a", "a/b", "a/b/c"]


def test_a_circle_of_links_and_very_many_folders_end(tmp_path: Path) -> None:
    for number in range(70):
        _picture(tmp_path / f"{number:02}" / "a.png")
    (tmp_path / "00" / "loop").symlink_to(tmp_path)
    assert len(look_at_pictures(str(tmp_path))) == 64


def test_nothing_there_is_nothing(tmp_path: Path) -> None:
    assert look_at_pictures(str(tmp_path)) == ()
    assert look_at_pictures(str(tmp_path / "gone")) == ()
    assert look_at_pictures("a\0b") == ()


@pytest.mark.parametrize(
    ("captions", "tags"),
    [
        ((), False),
        (("1girl, solo, red hair",), True),
        (("fox", "fox"), False),
        (("a red fox sits in the snow, looking at us, waiting for the sun to rise again",), False),
        (("fox, snow, den", "fox, run, tail", "a fox that sleeps"), True),
        (("fox, snow, den", "a fox that sleeps"), False),
    ],
)
def test_tags_are_told_from_sentences(captions: tuple[str, ...], tags: bool) -> None:
    assert are_tags(captions) is tags
