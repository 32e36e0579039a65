"""A planted mistake: a sound spec, what is changed in it, and what has to be said about that and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from launcher.base.findings import Severity

SPEC = "fox.toml"
CONFIG = "data/config.toml"
PROMPTS = "data/sample-prompts.txt"
BY_EDIT = "the line that was changed"

ERROR, WARNING = Severity.ERROR, Severity.WARNING


@dataclass(frozen=True)
class Edit:
    """In `file`, `old` becomes `new`; with `old` empty `new` is put behind all that stands there."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Write:
    """`file` becomes `content`; None removes the file, or the whole folder."""

    file: str
    content: bytes | str | None


Change = Edit | Write


@dataclass(frozen=True)
class Planted:
    """One mistake in the sound spec `base`, and its finding.

    `message` and `hint` are parts of the finding's; "" where any will do. `at` is a part of the line that its place
    names, a flag, or the end of a file's name; BY_EDIT is a line of what the edits put in, None any place or none.
    `follows` are the codes of what follows from it and may be said as well.
    `only` says why it can be planted in one of the two checkouts alone ("real" or "miniature").
    """

    id: str
    base: str
    changes: tuple[Change, ...]
    code: str
    severity: Severity = ERROR
    message: str = ""
    hint: str = ""
    at: str | None = BY_EDIT
    name: str | None = None  # of the run: the base's unless given
    sets: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, str] | None = None


def put(old: str, new: str) -> tuple[Change, ...]:
    """Another text in the spec."""
    return (Edit(SPEC, old, new),)


def add(text: str) -> tuple[Change, ...]:
    """More options in the spec, under a heading of their own."""
    return (Edit(SPEC, "", f"\n[more]\n{text}\n"),)


def config(old: str, new: str) -> tuple[Change, ...]:
    """Another text in the dataset config."""
    return (Edit(CONFIG, old, new),)


def prompts(old: str, new: str) -> tuple[Change, ...]:
    """Another text in the sample prompts."""
    return (Edit(PROMPTS, old, new),)


def write(file: str, content: bytes | str) -> tuple[Change, ...]:
    return (Write(file, content),)


def remove(file: str) -> tuple[Change, ...]:
    return (Write(file, None),)
