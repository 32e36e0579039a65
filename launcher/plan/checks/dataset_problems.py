"""Where a dataset config departs from the schema. Its verdict is that of voluptuous, with which the trainer checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from launcher.plan.checks.dataset_values import is_odd, passes
from launcher.spec.tree import KeyPath
from launcher.trainer.dataset_schema import DatasetKeys, Keys, ScriptSchema, Wanted

SUBSETS = "subsets"


class What(Enum):
    """The ways in which a config can be wrong."""

    UNKNOWN = "unknown"  # no such key here
    TYPE = "type"
    ODD = "odd"  # passes, but is hardly meant: true for a number
    MISSING = "missing"
    MIXED = "mixed"  # subsets of several kinds in one dataset
    SHAPE = "shape"  # a table or list is something else


@dataclass(frozen=True)
class Problem:
    """One departure: at `path`, that of the key or of the table that lacks it, stands `value` and not `wanted`."""

    what: What
    path: KeyPath
    key: str = ""
    value: Any = None
    wanted: Wanted | None = None
    kind: DatasetKeys | None = None

    @property
    def refused(self) -> bool:
        """Whether the trainer fails for it."""
        return self.what is not What.ODD


def find_problems(config: Any, schema: ScriptSchema) -> Iterator[Problem]:
    """All problems of a config, in its order."""
    if not isinstance(config, dict):
        yield Problem(What.SHAPE, (), "", config)
        return
    for name, value in config.items():
        if name == "general":
            if isinstance(value, dict):
                yield from _in_table((name,), value, schema.general, None)
            else:
                yield Problem(What.SHAPE, (name,), name, value)
        elif name == "datasets":
            yield from _in_list((name,), value)
            for index, dataset in enumerate(tables_of(value)):
                if dataset is not None:
                    yield from _in_dataset((name, index), dataset, schema)
        else:
            yield Problem(What.UNKNOWN, (name,), name, value)


def tables_of(value: Any) -> list[dict[str, Any] | None]:
    """The items of a list of tables, None for an item that is no table; nothing where there is no list."""
    return [item if isinstance(item, dict) else None for item in value] if isinstance(value, list) else []


def kind_for(subsets: Sequence[Mapping[str, Any]], schema: ScriptSchema) -> DatasetKeys | None:
    """The schema that the trainer chooses for a dataset by its subsets; None when they are mixed."""
    for kind in schema.kinds:
        if not kind.key or all((kind.key in subset) is kind.present for subset in subsets):
            return kind
    return None


def _in_dataset(path: KeyPath, dataset: Mapping[str, Any], schema: ScriptSchema) -> Iterator[Problem]:
    subsets = tables_of(dataset.get(SUBSETS, []))
    kind = kind_for([subset for subset in subsets if subset is not None], schema)
    if SUBSETS in dataset:
        yield from _in_list((*path, SUBSETS), dataset[SUBSETS])
    if kind is None:
        yield Problem(What.MIXED, path)
        return
    own = {key: value for key, value in dataset.items() if key != SUBSETS}
    yield from _in_table(path, own, kind.dataset, kind)
    for index, subset in enumerate(subsets):
        if subset is not None:
            yield from _in_table((*path, SUBSETS, index), subset, kind.subset, kind)


def _in_list(path: KeyPath, value: Any) -> Iterator[Problem]:
    key = str(path[-1])
    if not isinstance(value, list):
        yield Problem(What.SHAPE, path, key, value)
        return
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            yield Problem(What.SHAPE, (*path, index), key, item)


def _in_table(path: KeyPath, table: Mapping[str, Any], keys: Keys, kind: DatasetKeys | None) -> Iterator[Problem]:
    for key, value in table.items():
        known = keys.get(key)
        if known is None:
            yield Problem(What.UNKNOWN, (*path, key), key, value, kind=kind)
        elif not passes(value, known.wanted):
            yield Problem(What.TYPE, (*path, key), key, value, known.wanted, kind)
        elif is_odd(value, known.wanted):
            yield Problem(What.ODD, (*path, key), key, value, known.wanted, kind)
    for key, known in keys.items():
        if known.required and key not in table:
            yield Problem(What.MISSING, path, key, None, known.wanted, kind)
