"""Options of the spec that a dataset config leaves without effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from launcher.base.findings import Code, Finding, Severity
from launcher.base.origin import Source
from launcher.plan.blueprint import Kind
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.dataset_given import Sanitizer, kind_of, option_of, option_value, params_of
from launcher.plan.checks.dataset_problems import SUBSETS, tables_of
from launcher.plan.checks.dataset_source import Places
from launcher.plan.checks.dataset_values import converted
from launcher.trainer.dataset_schema import Key

IGNORED = Code(
    "dataset-option-ignored",
    Severity.WARNING,
    "The trainer has one source of pictures: with a dataset config it only logs that it ignores the others, and with a "
    "dataset class of one's own it reads no config.",
    "train_network.py, NetworkTrainer.train",
)
OVERRIDDEN = Code(
    "dataset-option-overridden",
    Severity.WARNING,
    "What the dataset config says is nearer than the option, so the option has no effect on any dataset.",
    "library/config_util.py, BlueprintGenerator.generate",
)
_UNDERLYING = (Source.CONFIG, Source.TEMPLATE)  # written to be overridden
_SOURCES = ("train_data_dir", "reg_data_dir", "in_json")


def check_ignored(
    candidate: Candidate, sanitizer: Sanitizer, config: Mapping[str, Any], places: Places
) -> Iterator[Finding]:
    """Options beside a valid dataset config: other sources of pictures, and what every dataset says otherwise."""
    taken = {*sanitizer.script.folders, *sanitizer.script.metadata, *sanitizer.script.controlnet}
    for option in dict.fromkeys((*sanitizer.script.ignored, *_SOURCES)):
        if candidate.chosen(option) and option in taken | set(sanitizer.script.ignored):
            message = f"{option} is ignored: the dataset config names the pictures."
            yield IGNORED.at(candidate.where(option), message, "Remove it, or the dataset config.")
    for chosen in candidate.resolved.chosen:
        option = chosen.option.name
        key = sanitizer.schema.renamed.get(option, option)
        if option in taken or option_of(candidate, sanitizer.schema, key) != option:
            continue
        if chosen.setting.origin.source in _UNDERLYING:
            continue
        places_of_key = _everywhere(sanitizer, config, key)
        if places_of_key and not _same(candidate, option, key, config, places_of_key, sanitizer):
            message = f"{option} has no effect: the dataset config sets {key} for every dataset."
            first = places.of(places_of_key[0])
            yield OVERRIDDEN.at(candidate.where(option), message, f"Remove one of them; {key} stands in {first}.")


def _everywhere(sanitizer: Sanitizer, config: Mapping[str, Any], key: str) -> list[tuple[str | int, ...]]:
    """Where a key is set, if so for every dataset and subset that has such a parameter; else nothing."""
    found: list[tuple[str | int, ...]] = []
    general = config.get("general", {})
    for index, table in enumerate(tables_of(config.get("datasets", []))):
        dataset = table or {}
        subsets = [subset or {} for subset in tables_of(dataset.get(SUBSETS, []))]
        if not subsets:
            continue
        kind: Kind = kind_of(sanitizer.schema, subsets)
        of_subset, of_dataset = params_of(sanitizer.schema, kind)
        above = (("general", key), general), (("datasets", index, key), dataset)
        chain = [path for path, table in above if table.get(key) is not None][-1:]
        if key in of_dataset:
            if not chain:
                return []
            found += chain
        if key in of_subset:
            for number, subset in enumerate(subsets):
                own = [("datasets", index, SUBSETS, number, key)] if subset.get(key) is not None else chain
                if not own:
                    return []
                found += own
    return list(dict.fromkeys(found))


def _same(
    candidate: Candidate,
    option: str,
    key: str,
    config: Mapping[str, Any],
    paths: list[tuple[str | int, ...]],
    sanitizer: Sanitizer,
) -> bool:
    """Whether the config says just what the option says: then nothing is lost."""
    try:
        value = option_value(candidate, option)
    except ValueError:
        return True  # the option itself is wrong, and that is said
    known: Key | None = sanitizer.keys.general.get(key) if sanitizer.keys else None
    return known is not None and all(converted(_at(config, path), known.wanted) == value for path in paths)


def _at(config: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        config = config[part]
    return config
