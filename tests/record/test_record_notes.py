"""notes.txt: what is appended, and what is read from it, whoever wrote it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.base.times import moment
from launcher.record.notes import NOTES, Note, add_note, notes_text, read_notes

TIME = "2026-11-22T10:12:00+00:00"


def test_notes_are_appended_each_with_its_time(tmp_path: Path) -> None:
    first = add_note(tmp_path, "hands are better")
    before = (tmp_path / NOTES).read_bytes()
    second = add_note(tmp_path, " two lines\n\nand a third \n")
    content = (tmp_path / NOTES).read_bytes()
    assert moment(first.when) is not None
    assert before == f"{first.when} hands are better\n".encode()
    assert content == before + f"{second.when} two lines\n  \n  and a third\n".encode()
    assert read_notes(tmp_path) == (first, second)
    assert [note.text for note in (first, second)] == ["hands are better", "two lines\n\nand a third"]


def test_no_notes(tmp_path: Path) -> None:
    assert read_notes(tmp_path) == () and notes_text(tmp_path) == ""


def test_what_somebody_wrote_into_the_file_stays_and_is_read(tmp_path: Path) -> None:
    (tmp_path / NOTES).write_text(f"mine\n  goes on\n\nmore\n{TIME} kl's\n  its second\nwithout a line break")
    note = add_note(tmp_path, "last")
    assert read_notes(tmp_path) == (
        Note("", "mine\n  goes on".replace("\n  ", "\n")), Note("", "more"), Note(TIME, "kl's\nits second"),
        Note("", "without a line break"), note,
    )  # fmt: skip


def test_a_line_that_begins_like_a_time_is_no_note_of_its_own(tmp_path: Path) -> None:
    note = add_note(tmp_path, f"they said\n{TIME} it broke")
    assert read_notes(tmp_path) == (note,)


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_is_left_alone(tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious\n")
    place = tmp_path / NOTES
    if kind == "link":
        place.symlink_to(outside)
    elif kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
    with pytest.raises(OSError, match=r".") as error:
        add_note(tmp_path, "text")
    assert error.value.strerror
    assert outside.read_text() == "precious\n" and read_notes(tmp_path) == ()


def test_of_a_huge_file_the_end_is_read(tmp_path: Path) -> None:
    with (tmp_path / NOTES).open("wb") as file:
        file.truncate(5 << 30)
    note = add_note(tmp_path, "the last")
    assert read_notes(tmp_path)[-1] == note


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(min_size=1).filter(lambda text: text.strip()), min_size=1, max_size=4))
def test_whatever_is_noted_is_read_again(tmp_path: Path, texts: list[str]) -> None:
    (tmp_path / NOTES).unlink(missing_ok=True)
    written = [add_note(tmp_path, text) for text in texts]
    assert list(read_notes(tmp_path)) == written


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"{TIME} {text}".encode()))
def test_whatever_stands_in_the_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NOTES).write_bytes(content)
    assert all(isinstance(note, Note) for note in read_notes(tmp_path))
    note = add_note(tmp_path, "mine")
    assert (tmp_path / NOTES).read_bytes().startswith(content)
    assert read_notes(tmp_path)[-1] == note
