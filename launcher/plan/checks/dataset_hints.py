"""What to do about a key that cannot stand where it stands in a dataset config."""

from __future__ import annotations

from difflib import get_close_matches

from launcher.base.nearest import nearest
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.dataset_given import Sanitizer
from launcher.trainer.dataset_schema import DatasetKeys, ScriptSchema

GENERAL, DATASETS, IN_SUBSETS = "[general]", "[[datasets]]", "[[datasets.subsets]]"
_ALMOST = 0.9  # a key that is an option too, and yet no more than a slip: caption_extention is an old spelling
LONGEST = 64  # characters of a key that is compared with the names there are


def hint_at_top(key: str, keys: ScriptSchema) -> str:
    """For a key or table that stands outside [general] and [[datasets]]."""
    if key == "subsets":
        return f"Write {IN_SUBSETS} below {DATASETS}."
    if key in keys.general:
        return f"Write it under {GENERAL} or {DATASETS}."
    if any(key in kind.subset for kind in keys.kinds):
        return f"Write it under {IN_SUBSETS}."
    near = nearest(key[:LONGEST], ("general", "datasets"))
    return f"Did you mean {near}?" if near else f"There are {GENERAL} and {DATASETS}."


def hint_for(
    key: str, here: str, kind: DatasetKeys | None, candidate: Candidate, sanitizer: Sanitizer, keys: ScriptSchema
) -> str:
    """For a key in the table `here`: where it belongs, what it is otherwise, or the nearest right name."""
    levels = _levels(keys, kind)
    return (
        _other_level(key, here, levels)
        or _other_kind(key, keys)
        or _unsupported(key, candidate, sanitizer)
        or _option(key, here, levels, candidate, sanitizer)
        or _near(key, here, levels, keys)
    )


def _levels(keys: ScriptSchema, kind: DatasetKeys | None) -> dict[str, list[str]]:
    """The names that may stand at each level; of all kinds where none is known."""
    kinds = (kind,) if kind else keys.kinds
    return {
        GENERAL: list(keys.general),
        DATASETS: list({name: None for each in kinds for name in each.dataset}),
        IN_SUBSETS: list({name: None for each in kinds for name in each.subset}),
    }


def _other_level(key: str, here: str, levels: dict[str, list[str]]) -> str | None:
    others = [level for level, names in levels.items() if level != here and key in names]
    # Every key of [general] may stand in some dataset too, yet not in every kind of dataset.
    if others == [GENERAL]:
        return None
    return f"It belongs to {' or '.join(others)}." if others else None


def _other_kind(key: str, keys: ScriptSchema) -> str | None:
    for kind in keys.kinds:
        if key in kind.subset or key in kind.dataset:
            return f"It is for datasets whose subsets {'all have' if kind.present else 'have no'} {kind.key}."
    return None


def _unsupported(key: str, candidate: Candidate, sanitizer: Sanitizer) -> str | None:
    groups = [group for name, group in sanitizer.schema.groups.items() if not name.startswith("ARGPARSE")]
    if not any(key in group for group in groups):
        return None
    script = candidate.trainer.script
    switch = next((said for said in sanitizer.script.supports if isinstance(said, str)), None)
    if key == "conditioning_data_dir" and switch:
        return f"{script} takes it only with {switch} = true."
    return f"{script} does not take it."


def _option(
    key: str, here: str, levels: dict[str, list[str]], candidate: Candidate, sanitizer: Sanitizer
) -> str | None:
    renamed = sanitizer.schema.renamed.get(key)
    if renamed in levels[here]:
        return f"Did you mean {renamed}? {key} is the option of the script."
    if candidate.has(key) and not get_close_matches(key, levels[here], n=1, cutoff=_ALMOST):
        return f"It is an option of {candidate.trainer.script}: write it into the spec, outside the dataset config."
    return None


def _near(key: str, here: str, levels: dict[str, list[str]], keys: ScriptSchema) -> str:
    near = nearest(key[:LONGEST], levels[here])
    if near:
        return f"Did you mean {near}?"
    elsewhere = {name: f", which belongs to {level}" for level, names in levels.items() for name in names}
    for kind in keys.kinds:
        for name in (*kind.subset, *kind.dataset):
            elsewhere.setdefault(name, ", which another kind of dataset has")
    near = nearest(key[:LONGEST], elsewhere)
    return f"Did you mean {near}{elsewhere[near]}?" if near else "Remove it."
