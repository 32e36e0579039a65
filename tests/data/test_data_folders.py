from __future__ import annotations

from pathlib import Path

import data_bed as bed
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.data.captions import LONGEST, Caption, Trouble, candidates, read_caption, with_dot
from launcher.data.folders import folders_in, read_folder


def test_pictures_are_listed_as_the_trainer_lists_them(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.Png", ".hidden.png", "d.txt", "e.webp", "sub/f.png", "é.png", "a [1].png"):
        bed.write(tmp_path, name, b"x")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "link.png").symlink_to(tmp_path / "b.png")
    found = read_folder(str(tmp_path))
    assert found.pictures() == sorted(
        ["b.png", "a.JPG", "e.webp", "é.png", "a [1].png", "folder.png", "gone.png", "link.png"]
    )
    assert "link.png" in found.files
    assert "gone.png" not in found.files
    assert found.pictures((".Png",)) == ["c.Png"]
    assert list(folders_in(str(tmp_path))) == ["folder.png", "sub"]


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    bed.write(tmp_path, "file", b"x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "file", tmp_path / "nothing", tmp_path / "loop", "a\0b"):
        found = read_folder(str(path))
        assert not found.there
        assert not found.pictures()


def test_a_folder_that_holds_itself_is_read_once(tmp_path: Path) -> None:
    bed.write(tmp_path, "a.png", b"x")
    (tmp_path / "again").symlink_to(tmp_path)
    assert read_folder(str(tmp_path)).pictures() == ["a.png"]


def test_where_a_caption_may_stand() -> None:
    assert candidates("/data/a.b.png", ".txt") == ("/data/a.b.txt",)
    assert candidates("/data/fox_1_2_3_4.png", ".txt") == ("/data/fox_1_2_3_4.txt", "/data/fox.txt")
    # The underscores of folders count, too.
    assert candidates("/my_long_data/fox_1_2.png", ".txt") == ("/my_long_data/fox_1_2.txt", "/my.txt")
    assert [with_dot(text) for text in ("txt", ".txt", "")] == [".txt", ".txt", ""]


@pytest.mark.parametrize(
    ("content", "caption"),
    [
        (b"fox, snow\n", Caption("fox, snow\n")),
        (b"one\r\ntwo\rthree", Caption("one\ntwo\nthree")),
        (b"", Caption("", Trouble.EMPTY)),
        ("Füchse".encode("latin-1"), Caption("", Trouble.NOT_UTF8)),
        ("Füchse".encode(), Caption("Füchse")),
    ],
)
def test_caption_files(tmp_path: Path, content: bytes, caption: Caption) -> None:
    assert read_caption(str(bed.write(tmp_path, "a.txt", content))) == caption


def test_a_caption_that_cannot_be_read(tmp_path: Path) -> None:
    assert read_caption(str(tmp_path)).trouble is Trouble.UNREADABLE
    assert read_caption(str(tmp_path / "nothing")).trouble is Trouble.UNREADABLE


def test_an_endless_caption_is_cut_even_within_a_letter(tmp_path: Path) -> None:
    content = b"a" * (LONGEST - 1) + "ü".encode() + b"b" * 100
    found = read_caption(str(bed.write(tmp_path, "a.txt", content)))
    assert found == Caption("a" * (LONGEST - 1))


def test_what_the_trainer_takes_of_a_caption() -> None:
    caption = Caption("  first \n\n second\n")
    assert caption.used(wildcards=False) == "first"
    assert caption.used(wildcards=True) == "first\nsecond"
    assert caption.first_line_only
    assert not Caption("first\n \n").first_line_only
    assert Caption("\nsecond").used(wildcards=False) == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=200))
def test_captions_are_what_a_text_file_gives(tmp_path: Path, content: bytes) -> None:
    path = bed.write(tmp_path, "a.txt", content)
    found = read_caption(str(path))
    try:
        with path.open(encoding="utf-8") as file:
            lines = file.readlines()
    except UnicodeDecodeError:
        assert found.trouble is Trouble.NOT_UTF8
        return
    if not lines:
        assert found.trouble is Trouble.EMPTY
        return
    assert found.used(wildcards=False) == lines[0].strip()
    assert found.used(wildcards=True) == "\n".join(line.strip() for line in lines if line.strip())
