"""What somebody noted on a run, in notes.txt: each note with its time, further lines of it indented by two blanks."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from launcher.base.times import now

NOTES = "notes.txt"
LONGEST = 100_000  # letters of one note

_INDENT = "  "
_MOST = 1 << 20  # bytes that are read: of a longer file the end
_TIMED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[+-]\d\d:\d\d|Z)?) (.*)", re.DOTALL)
_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Note:
    """One note. `when` is its time in UTC as it was written; "" where somebody wrote into the file without one."""

    when: str
    text: str


def add_note(directory: Path, text: str) -> Note:
    """Append a note to those of a run; what stands there already is never changed.

    Raises OSError when that is not possible, also where notes.txt is a link or no file.
    """
    note = Note(now(), "\n".join(line.rstrip() for line in text.strip().splitlines()))
    lines = f"{note.when} {note.text}".replace("\n", f"\n{_INDENT}") + "\n"
    with _opened(directory, os.O_RDWR | os.O_APPEND | os.O_CREAT) as handle:
        size = os.fstat(handle).st_size
        begun = size > 0 and os.pread(handle, 1, size - 1) != b"\n"  # somebody's editor left the last line open
        with os.fdopen(handle, "ab", closefd=False) as file:
            file.write(b"\n" * begun + lines.encode("utf-8", "backslashreplace"))
        os.fsync(handle)
    return note


def notes_text(directory: Path | str) -> str:
    """The notes of a run as they stand in the file; "" when there are none, or they cannot be read."""
    try:
        with _opened(directory, os.O_RDONLY) as handle:
            start = max(0, os.fstat(handle).st_size - _MOST)
            return os.pread(handle, _MOST, start).decode("utf-8", "backslashreplace")
    except (OSError, ValueError):
        return ""


def read_notes(directory: Path) -> tuple[Note, ...]:
    """The notes of a run, the oldest first. Lines without a time, from an editor, are notes of their own."""
    notes: list[Note] = []
    for line in notes_text(directory).split("\n"):
        timed = _TIMED.fullmatch(line)
        if timed:
            notes.append(Note(timed[1], timed[2]))
        elif notes and (line.startswith(_INDENT) or not line.strip()):
            notes[-1] = Note(notes[-1].when, f"{notes[-1].text}\n{line.removeprefix(_INDENT)}")
        elif line.strip():
            notes.append(Note("", line))
    return tuple(Note(note.when, note.text.strip()) for note in notes)


@contextmanager
def _opened(directory: Path | str, flags: int) -> Iterator[int]:
    handle = os.open(f"{directory}/{NOTES}", flags | _SAFELY, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no file", NOTES)
        yield handle
    finally:
        os.close(handle)
