"""What a checkout lets stand in a dataset config: its own ConfigSanitizer (library/config_util.py), read statically."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.trainer.cache import remembered
from launcher.trainer.static.sources import Sources

CONFIG_UTIL = "library/config_util.py"


@dataclass(frozen=True)
class Wanted:
    """What the value of a key must be.

    `kind` is a type (bool, int, float, str, dict, none), "any" of `parts`, a "pair" of the one part, "one-or-pair" of
    it, or "unread": then any value is let pass.
    """

    kind: str
    parts: tuple[Wanted, ...] = ()


@dataclass(frozen=True)
class Key:
    """One key of a table of the config."""

    wanted: Wanted
    required: bool = False


Keys = Mapping[str, Key]


@dataclass(frozen=True)
class Part:
    """One of the dictionaries that a schema is merged from: a group of keys, or another schema.

    It counts only where the script supports `when`; "" means always.
    """

    name: str
    when: str = ""


@dataclass(frozen=True)
class Choice:
    """The schema of a dataset whose subsets all have `key`, or all lack it; with key "" that of every dataset."""

    dataset: str
    key: str = ""
    present: bool = True
    when: tuple[str, ...] = ()


@dataclass(frozen=True)
class Branch:
    """The choices, the first fitting one wins, where the script supports all of `when`."""

    when: tuple[str, ...]
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class DatasetSchema:
    """The schema as the checkout has it, before it is known what a script supports.

    `supports` are the names of ConfigSanitizer's parameters, `groups` its dictionaries of keys, `merged` the schemas
    made of them, `subsets` the subset's schema of each dataset's, `params` the fields of the classes of parameters
    with their defaults. `renamed` maps options to the key that they stand for. `unread` says why nothing could be
    read; "" when all is well, and None when the checkout has no ConfigSanitizer at all.
    """

    supports: tuple[str, ...]
    groups: Mapping[str, Keys]
    merged: Mapping[str, tuple[Part, ...]]
    subsets: Mapping[str, str]
    branches: tuple[Branch, ...]
    params: Mapping[str, Mapping[str, Any]]
    renamed: Mapping[str, str]
    unread: str | None = ""


@dataclass(frozen=True)
class DatasetKeys:
    """The keys of a dataset and of its subsets, and which subsets a dataset must have to be of this kind."""

    dataset: Keys
    subset: Keys
    key: str
    present: bool


@dataclass(frozen=True)
class ScriptSchema:
    """The schema for one script: the keys of [general], and the kinds of datasets in the order they are tried."""

    general: Keys
    kinds: tuple[DatasetKeys, ...]


def unread_schema(why: str | None) -> DatasetSchema:
    """A schema of which nothing is known."""
    return DatasetSchema((), {}, {}, {}, (), {}, {}, why)


def read_dataset_schema(checkout: Path, *, cache: Path | None = None) -> DatasetSchema:
    """The schema of the checkout's dataset configs. `cache` is the folder of the cache, by default the user's own."""
    return remembered("dataset-schema", checkout, (), _read, encode=_encoded, decode=_decoded, cache=cache)


def for_script(schema: DatasetSchema, supported: Mapping[str, bool]) -> ScriptSchema | None:
    """The schema of a script that supports these; None for one that supports none of the kinds."""
    branch = next((b for b in schema.branches if _holds(b.when, supported)), None)
    if branch is None:
        return None
    kinds = tuple(_kinds(schema, branch, supported))
    return ScriptSchema(_merged(schema, "general_schema", supported), kinds)


def _kinds(schema: DatasetSchema, branch: Branch, supported: Mapping[str, bool]) -> Iterator[DatasetKeys]:
    for choice in branch.choices:
        if _holds(choice.when, supported):
            dataset = _merged(schema, choice.dataset, supported)
            subset = _merged(schema, schema.subsets[choice.dataset], supported)
            yield DatasetKeys(dataset, subset, choice.key, choice.present)


def _holds(when: tuple[str, ...], supported: Mapping[str, bool]) -> bool:
    return all(supported.get(name, False) for name in when)


def _merged(schema: DatasetSchema, name: str, supported: Mapping[str, bool]) -> Keys:
    if name in schema.groups:
        return schema.groups[name]
    merged: dict[str, Key] = {}
    for part in schema.merged[name]:
        if not part.when or supported.get(part.when, False):
            merged.update(_merged(schema, part.name, supported))
    return merged


def _read(sources: Sources) -> DatasetSchema:
    from launcher.trainer.dataset_reading import read_sanitizer  # noqa: PLC0415 - a kept reading does without

    return read_sanitizer(sources)


def _encoded(schema: DatasetSchema) -> Any:
    return {
        "unread": schema.unread,
        "supports": schema.supports,
        "groups": {
            name: {key: [_plain(entry.wanted), entry.required] for key, entry in keys.items()}
            for name, keys in schema.groups.items()
        },
        "merged": {name: [[part.name, part.when] for part in parts] for name, parts in schema.merged.items()},
        "subsets": dict(schema.subsets),
        "branches": [
            [branch.when, [[c.dataset, c.key, c.present, c.when] for c in branch.choices]] for branch in schema.branches
        ],
        "params": {name: dict(fields) for name, fields in schema.params.items()},
        "renamed": dict(schema.renamed),
    }


def _decoded(data: Any) -> DatasetSchema:
    return DatasetSchema(
        supports=tuple(data["supports"]),
        groups={
            name: {key: Key(_wanted(wanted), bool(required)) for key, (wanted, required) in keys.items()}
            for name, keys in data["groups"].items()
        },
        merged={name: tuple(Part(*part) for part in parts) for name, parts in data["merged"].items()},
        subsets=dict(data["subsets"]),
        branches=tuple(
            Branch(tuple(when), tuple(Choice(name, key, present, tuple(w)) for name, key, present, w in choices))
            for when, choices in data["branches"]
        ),
        params={
            name: {field: tuple(value) if isinstance(value, list) else value for field, value in fields.items()}
            for name, fields in data["params"].items()
        },
        renamed=dict(data["renamed"]),
        unread=data["unread"],
    )


def _plain(wanted: Wanted) -> list[Any]:
    return [wanted.kind, *(_plain(part) for part in wanted.parts)]


def _wanted(data: Any) -> Wanted:
    kind, *parts = data
    return Wanted(kind, tuple(_wanted(part) for part in parts))
