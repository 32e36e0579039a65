"""One spec file to settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting
from launcher.spec.flatten import flatten
from launcher.spec.source_file import SUFFIXES, decoded, file_label, read_content
from launcher.spec.toml_text import parse_toml
from launcher.spec.tree import KeyPath, Tree, refused
from launcher.spec.yaml_text import parse_yaml

_EXTENDS = "extends"


@dataclass(frozen=True)
class Parent:
    """One entry of `extends`: a template's name or a file, as written."""

    value: str
    origin: Origin


@dataclass(frozen=True)
class Document:
    """One file as read: its bytes as they were, what it extends, and its settings in the order of the file.

    `datasets`, `sample_prompts` and `general` are settings of the empty table with their whole value; the lines of
    what they hold are in `lines`, which knows the line of every key and list item by its path:
    `lines[("datasets", 0, "subsets", 1, "image_dir")]`.
    """

    path: Path
    label: str
    content: bytes
    extends: tuple[Parent, ...]
    settings: tuple[Setting, ...]
    lines: Mapping[KeyPath, int]


def read_settings(path: Path, *, source: Source = Source.SPEC, label: str | None = None) -> Document:
    """Read a TOML or YAML file into settings, each with its file and line.

    `label` is how messages name the file; without it, its path as a person would write it. What the file extends is
    named, not read. Raises KlError (spec refused) for whatever cannot be read, with the line and what to do.
    """
    label = label or file_label(path)
    return settings_of(read_content(path, label), path, source=source, label=label)


def settings_of(content: bytes, path: Path, *, source: Source, label: str) -> Document:
    """What `read_settings` reads in a file with this content. Nothing on disk is looked at."""
    tree = _parse(decoded(content, label), path, label)
    origin = Origin(source, label, path)
    values = {key: value for key, value in tree.values.items() if key != _EXTENDS}
    return Document(
        path=path,
        label=label,
        content=content,
        extends=_parents(tree, origin),
        settings=tuple(flatten(values, tree.lines, origin)),
        lines=tree.lines,
    )


def _parse(text: str, path: Path, label: str) -> Tree:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        hint = "Name it .toml, .yaml or .yml, for what it is."
        raise refused(f"{label} is neither TOML nor YAML by its name.", label, hint=hint)
    return parse_toml(text, label) if suffix == ".toml" else parse_yaml(text, label)


def _parents(tree: Tree, origin: Origin) -> tuple[Parent, ...]:
    if _EXTENDS not in tree.values:
        return ()
    value = tree.values[_EXTENDS]
    entries = value if isinstance(value, list) else [value]
    parents = []
    for index, entry in enumerate(entries):
        line = tree.lines.get((_EXTENDS, index)) or tree.lines.get((_EXTENDS,))
        if not isinstance(entry, str) or not entry.strip():
            hint = 'Write extends = "NAME", or a list: extends = ["NAME", "base.toml"].'
            raise refused("extends takes a template's name or a file, or a list of them.", origin.label, line, hint)
        parents.append(Parent(entry, replace(origin, line=line)))
    return tuple(parents)
