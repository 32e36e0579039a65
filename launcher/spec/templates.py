"""Templates: which there are, and what each is for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.nearest import nearest
from launcher.spec.source_file import SUFFIXES, decoded, file_label, read_content

_MOST = 1000  # files of a folder
# What editors read in a comment at the top of a file: no words about it.
_FOR_EDITORS = ("#:", "# yaml-language-server:", "# vim:", "# -*-")


@dataclass(frozen=True)
class Template:
    """A template: `purpose` is its first line, "" where that is no comment.

    `hides` are the files of the same name in later folders, which no spec can extend by it.
    """

    name: str
    path: Path
    purpose: str
    hides: tuple[Path, ...] = ()


def find_templates(folders: Sequence[Path]) -> tuple[Template, ...]:
    """Every template of these folders, by name; of two with one name that of the earlier folder. Never raises."""
    found: dict[str, list[Path]] = {}
    for folder in dict.fromkeys(folders):
        for path in _files(folder):
            found.setdefault(path.stem, []).append(path)
    return tuple(
        Template(name, paths[0], purpose_of(paths[0]), tuple(paths[1:])) for name, paths in sorted(found.items())
    )


def template_named(name: str, templates: Sequence[Template]) -> Template:
    """The template of this name. Raises KlError (wrong usage) with those there are."""
    found = next((each for each in templates if each.name == name), None)
    if found:
        return found
    names = [each.name for each in templates]
    near = nearest(name, names)
    there = f"There are: {', '.join(names)}." if names else "There are no templates."
    hint = f"Did you mean {near}? {there}" if near else there
    raise KlError(f"There is no template {name!r}.", code=ExitCode.USAGE, hint=hint)


def purpose_of(path: Path) -> str:
    """What the first comment of a spec says; "" where it begins without one, or cannot be read."""
    try:
        label = file_label(path)
        text = decoded(read_content(path, label), label)
    except KlError:
        return ""
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith(_FOR_EDITORS)), "")
    return first.lstrip("# ") if first.startswith("#") else ""


def _files(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(each.name for each in islice(entries, _MOST) if each.name.lower().endswith(SUFFIXES))
    except (OSError, ValueError):
        return []
    return [folder / name for name in names if not name.startswith(".")]
