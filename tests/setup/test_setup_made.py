"""The mark of folders that kl made, and that nothing without it is removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.base.errors import ExitCode, KlError
from launcher.setup.made import MARK, Before, Made, make_anew, read_mark, remove_made, write_mark

VENV = Made(kind="venv", name="x", extras=["prodigyopt"], torch="2.6.0 cpu")


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_mark(tmp_path, VENV)
    assert read_mark(tmp_path) == VENV


def test_a_checkouts_mark_is_no_change_of_its_files(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    made = Made(kind="checkout", name="x", before=[Before(commit="a" * 40, packages={"torch": "2.6.0"})])
    write_mark(tmp_path, made)
    assert read_mark(tmp_path) == made and [each.name for each in tmp_path.iterdir()] == [".git"]


def test_fields_of_a_newer_kl_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / MARK).write_text('{"kind": "venv", "name": "x", "of_tomorrow": 1}')
    assert read_mark(tmp_path) == Made(kind="venv", name="x")


@given(st.binary())
def test_anything_may_stand_there(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / MARK).write_bytes(content)
    assert read_mark(folder) is None


def test_what_kl_made_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "env"
    make_anew(folder, VENV)
    (folder / "half").touch()
    make_anew(folder, VENV)
    assert [each.name for each in folder.iterdir()] == [MARK]


def test_nothing_else_is_removed(tmp_path: Path) -> None:
    mine, adopted, link = tmp_path / "mine", tmp_path / "adopted", tmp_path / "link"
    mine.mkdir()
    (mine / "work.txt").touch()
    adopted.mkdir()
    write_mark(adopted, Made(kind="venv", name="x", adopted=True))
    target = tmp_path / "target"
    make_anew(target, VENV)
    link.symlink_to(target)
    for folder in (mine, adopted, link, mine / "work.txt"):
        for removing in (remove_made, lambda each: make_anew(each, VENV)):
            with pytest.raises(KlError) as caught:
                removing(folder)
            assert caught.value.code is ExitCode.OUTPUT_UNAVAILABLE
    assert (mine / "work.txt").exists() and (adopted / MARK).exists() and (target / MARK).exists()


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make_anew(tmp_path / "empty", VENV)
    assert read_mark(tmp_path / "empty") is not None
    remove_made(tmp_path / "not there")
