"""Nested values to settings: every table becomes the path of its leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from launcher.base.origin import Origin
from launcher.base.settings import Setting, Value
from launcher.spec.tree import KeyPath

# Kept as one value: they are files of sd-scripts' own, written into the spec. `general` is part of a dataset config
# only when there are datasets, which the whole chain of files decides (load.py).
WHOLE = ("datasets", "sample_prompts", "general")


def flatten(values: Mapping[str, Value], lines: Mapping[KeyPath, int], origin: Origin) -> Iterator[Setting]:
    """The settings of a file's values in the order in which they stand there; `origin` names the file."""
    for key, value in values.items():
        if key in WHOLE:
            yield Setting((), key, value, replace(origin, line=lines.get((key,))))
        else:
            yield from leaves((), key, value, lines, origin)


def leaves(
    table: tuple[str, ...], key: str, value: Value, lines: Mapping[KeyPath, int], origin: Origin
) -> Iterator[Setting]:
    """The settings of one value: itself, or those of its keys when it is a table."""
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from leaves((*table, key), inner, item, lines, origin)
    else:
        yield Setting(table, key, value, replace(origin, line=lines.get((*table, key))))
