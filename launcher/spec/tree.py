"""What a spec file holds once read: plain values, and the line of each; with the limits that every file must keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from launcher.base.errors import ExitCode, KlError
from launcher.base.settings import Value

KeyPath = tuple[str | int, ...]

# Far above any real spec, and low enough that a hostile or mistaken file is refused at once.
DEEPEST = 32
MOST_VALUES = 10_000
_LARGEST_INTEGER = 2**63


@dataclass(frozen=True)
class Tree:
    """The values of one file, and the line (from 1) on which each key and each item of a list stands."""

    values: dict[str, Value]
    lines: Mapping[KeyPath, int]


def refused(message: str, label: str, line: int | None = None, hint: str | None = None) -> KlError:
    """The error for a spec that cannot be taken, pointing at the file and the line."""
    where = label if line is None else f"{label}:{line}"
    return KlError(message, code=ExitCode.SPEC_REFUSED, where=where, hint=hint)


def too_deep(label: str, line: int) -> KlError:
    """The error for tables or lists nested beyond any use."""
    return refused(f"The nesting is deeper than {DEEPEST} levels.", label, line, "A spec needs three or four.")


def too_many(label: str, line: int) -> KlError:
    """The error for a file with more values than any spec has."""
    hint = "Put the datasets or the prompts into files of their own, named by dataset_config and sample_prompts."
    return refused(f"The file has more than {MOST_VALUES} values.", label, line, hint)


def trouble_with(value: str | int) -> str | None:
    """What keeps a value from ever reaching the trainer, or None when it can be passed on."""
    if isinstance(value, int):
        return None if -_LARGEST_INTEGER <= value < _LARGEST_INTEGER else "The number does not fit into 64 bits."
    if "\0" in value:
        return "The text has a NUL character, which no program can be given."
    try:
        value.encode()
    except UnicodeEncodeError:
        return "The text has half of a character (a lone surrogate), which cannot be written."
    return None


def name_of(path: KeyPath) -> str:
    """A key's path as a person reads it: `datasets[0].subsets[1].image_dir`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
