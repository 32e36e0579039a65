from __future__ import annotations

import json
import os
from pathlib import Path

import data_bed as bed
import pytest

from launcher.data import picture_cache
from launcher.data.captions import Caption
from launcher.data.folders import read_folder
from launcher.data.picture_cache import Facts, look
from launcher.data.pictures import PictureSize, Unreadable

COUNT = 150


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "img"
    for number in range(COUNT):
        bed.write(folder, f"{number:03}.png", bed.png(100 + number, 200))
        bed.write(folder, f"{number:03}.txt", f"fox {number}")
    for path in folder.iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return folder


def _look(data: Path, cache: Path) -> Facts:
    folder = read_folder(str(data))
    return look(folder, folder.pictures(), [name for name in folder.files if name.endswith(".txt")], cache=cache)


def _no_reading(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The list of files that are opened from now on."""
    opened: list[str] = []

    def size_of(path: str) -> Unreadable:
        opened.append(path)
        return Unreadable("not asked")

    def read_caption(path: str) -> Caption:
        opened.append(path)
        return Caption("not asked")

    monkeypatch.setattr(picture_cache, "size_of", size_of)
    monkeypatch.setattr(picture_cache, "read_caption", read_caption)
    return opened


def test_a_second_look_opens_nothing(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _look(data, tmp_path / "cache")
    opened = _no_reading(monkeypatch)
    assert _look(data, tmp_path / "cache") == first
    assert opened == []
    assert first.captions["007.txt"] == Caption("fox 7")
    size = first.sizes["007.png"]
    assert isinstance(size, PictureSize)
    assert (size.width, size.height) == (107, 200)


def test_what_has_changed_is_looked_at_again(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _look(data, tmp_path / "cache")
    bed.write(data, "003.txt", "another caption")
    bed.write(data, "new.png", bed.png(5, 5))
    (data / "004.png").unlink()
    opened = _no_reading(monkeypatch)
    found = _look(data, tmp_path / "cache")
    assert sorted(Path(path).name for path in opened) == ["003.txt", "new.png"]
    assert "004.png" not in found.sizes


def test_a_file_written_just_now_is_not_remembered(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed.write(data, "003.txt", "one")
    _look(data, tmp_path / "cache")
    opened = _no_reading(monkeypatch)
    _look(data, tmp_path / "cache")
    assert [Path(path).name for path in opened] == ["003.txt"]


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"[" * 100_000, b'{"format": 1}', b'{"format": 1, "pictures": 3, "captions": {}}']
)
def test_a_damaged_cache_is_as_good_as_none(data: Path, tmp_path: Path, damage: bytes) -> None:
    first = _look(data, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(damage)
    assert _look(data, tmp_path / "cache") == first


def test_a_cache_that_lies_about_types_is_not_believed(data: Path, tmp_path: Path) -> None:
    first = _look(data, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    content = json.loads(kept.read_bytes())
    content["pictures"]["000.png"] = ["a", None]
    kept.write_text(json.dumps(content))
    assert _look(data, tmp_path / "cache") == first


def test_an_unwritable_cache_is_no_error(data: Path, tmp_path: Path) -> None:
    bed.write(tmp_path, "cache", "a file where the folder would be")
    assert len(_look(data, tmp_path / "cache").sizes) == COUNT


def test_few_files_are_not_remembered(tmp_path: Path) -> None:
    bed.write(tmp_path / "img", "a.png", bed.png(10, 10))
    _look(tmp_path / "img", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_only_so_many_folders_are_remembered(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_cache, "_FOLDERS", 3)
    for number in range(5):
        link = tmp_path / f"link{number}"
        link.symlink_to(data)
        _look(link, tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_names_that_are_no_utf8_are_remembered_too(data: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.png")
    bed.write(data, name, bed.png(10, 10))
    os.utime(data / name, (1_600_000_000, 1_600_000_000))
    assert _look(data, tmp_path / "cache") == _look(data, tmp_path / "cache")


def test_progress_ends_with_all_files(data: Path, tmp_path: Path) -> None:
    folder = read_folder(str(data))
    said: list[tuple[int, int]] = []
    look(folder, folder.pictures(), (), progress=lambda done, total: said.append((done, total)), cache=tmp_path / "c")
    assert said[-1] == (COUNT, COUNT)
