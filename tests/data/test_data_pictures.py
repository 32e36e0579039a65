from __future__ import annotations

import os
from pathlib import Path

import data_bed as bed
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.data.picture_headers import Kind
from launcher.data.pictures import PictureSize, Unreadable, size_of

KINDS = {
    "png": (bed.png(300, 200), Kind.PNG),
    "jpeg": (bed.jpeg(300, 200), Kind.JPEG),
    "jpeg, EXIF first": (bed.jpeg(300, 200, before=bed.segment(0xE1, b"Exif" + bytes(60_000))), Kind.JPEG),
    "jpeg, fill bytes": (bed.jpeg(300, 200, before=b"\xff" * 40 + bed.segment(0xE0, b"JFIF")), Kind.JPEG),
    "webp": (bed.webp_lossy(300, 200), Kind.WEBP),
    "webp, lossless": (bed.webp_lossless(300, 200), Kind.WEBP),
    "webp, extended": (bed.webp_extended(300, 200), Kind.WEBP_EXTENDED),
    "bmp": (bed.bmp(300, 200), Kind.BMP),
    "bmp, upside down": (bed.bmp(300, -200), Kind.BMP),
    "gif": (bed.gif(300, 200), Kind.GIF),
    "avif": (bed.avif((300, 200)), Kind.AVIF),
    "avif with a thumbnail": (bed.avif((30, 20), (300, 200)), Kind.AVIF),
    "jxl": (bed.jxl(300, 200), Kind.JXL),
    "jxl, bare": (bed.jxl_codestream(300, 200), Kind.JXL),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_size_of_every_format_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    content, kind = KINDS[name]
    assert size_of(bed.write(tmp_path, "a.png", content)) == PictureSize(300, 200, kind)


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("GIF", {}),
    ],
)
def test_files_that_pillow_writes(tmp_path: Path, form: str, fields: dict[str, bool]) -> None:
    image = pytest.importorskip("PIL.Image")
    for size in ((1, 1), (17, 300), (640, 479)):
        image.effect_noise(size, 90).convert("RGB").save(tmp_path / "a", form, **fields)
        found = size_of(tmp_path / "a")
        assert isinstance(found, PictureSize)
        assert (found.width, found.height, found.whole) == (*size, True)


def test_a_small_size_and_a_ratio_of_jpeg_xl(tmp_path: Path) -> None:
    # 1 bit: sides in eighths; 5 bits: height / 8 - 1; 3 bits: a ratio.
    for height, ratio, width in ((64, 1, 64), (64, 7, 128), (256, 5, 455)):
        bits = 1 | (height // 8 - 1) << 1 | ratio << 6
        content = b"\xff\x0a" + bits.to_bytes(8, "little")
        assert size_of(bed.write(tmp_path, "a.jxl", content)) == PictureSize(width, height, Kind.JXL)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"a caption by mistake", "text"),
        (b"<!DOCTYPE html><html>not found</html>", "text"),
        ("ein Bild: größer".encode(), "text"),
        (bed.png(0, 10), "0×10"),
        (bed.png(2**31, 10), "pixels"),
        (bed.png(300, 200)[:20], "ends in it"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "IHDR"),
        (bed.jpeg(300, 200)[:8], "ends in it"),
        (b"\xff\xd8\xff\xda\x00\x04" + bytes(40), "before its size"),
        (b"\xff\xd8\xff\xe0\x00\x04\x00\x00" + bytes(40), "marker"),
        (b"\xff\xd8" + b"\xff" * 9000, "does not come"),
        (b"\xff\xd8" + bed.segment(0xE0, b"") * 2000, "does not come"),
        (bed.webp(b"ABCD", bytes(30)), "no picture"),
        (bed.avif(), "no size"),
        (bed.avif((300, 200), brand=b"heic"), "HEIC"),
    ],
)
def test_what_no_reader_takes(tmp_path: Path, content: bytes, reason: str) -> None:
    found = size_of(bed.write(tmp_path, "a.png", content))
    assert isinstance(found, Unreadable)
    assert reason in found.reason
    assert found.sure


def test_a_format_that_kl_does_not_know_is_not_called_broken(tmp_path: Path) -> None:
    found = size_of(bed.write(tmp_path, "a.png", b"II*\x00" + bytes(200)))
    assert isinstance(found, Unreadable)
    assert not found.sure


@pytest.mark.parametrize(
    "content", [bed.jpeg(300, 200, end=b""), bed.png(300, 200)[:-12], bed.webp_lossy(300, 200)[:-2]]
)
def test_a_file_that_ends_too_early_is_not_whole(tmp_path: Path, content: bytes) -> None:
    found = size_of(bed.write(tmp_path, "a", content))
    assert isinstance(found, PictureSize)
    assert not found.whole


@pytest.mark.parametrize("content", [bed.jpeg(300, 200), bed.png(300, 200)])
def test_bytes_behind_the_end_do_no_harm(tmp_path: Path, content: bytes) -> None:
    found = size_of(bed.write(tmp_path, "a", content + bytes(200_000)))
    assert isinstance(found, PictureSize)
    assert found.whole


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "loop.png", "folder.png", "nothing.png", "a\0b"):
        assert isinstance(size_of(f"{tmp_path}/{name}"), Unreadable)


def test_a_box_of_four_gigabytes_is_not_read(tmp_path: Path) -> None:
    content = bed.box(b"ftyp", b"avif" + bytes(8)) + b"\xff\xff\xff\xffmeta" + bytes(4) + b"\xff\xff\xff\xf0iprp"
    assert isinstance(size_of(bed.write(tmp_path, "a.avif", content)), Unreadable)


STARTS = [content[: len(content) // 2] for content, _ in KINDS.values()] + [b"\x89PNG\r\n\x1a\n", b"RIFF", b"\xff\xd8"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=600), at=st.integers(0, 80), other=st.binary(max_size=8))
def test_no_header_can_raise(tmp_path: Path, start: bytes, rest: bytes, at: int, other: bytes) -> None:
    content = start[:at] + other + start[at + len(other) :] + rest
    found = size_of(bed.write(tmp_path, "a", content))
    assert isinstance(found, (PictureSize, Unreadable))
    if isinstance(found, PictureSize):
        assert found.width > 0
        assert found.height > 0
