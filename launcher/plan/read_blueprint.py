"""Resolves what a run trains on, as the trainer does (library/config_util.py, BlueprintGenerator.generate)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from launcher.base.findings import Finding
from launcher.plan.blueprint import Blueprint, DatasetBlueprint, SubsetBlueprint
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.dataset_blueprint import (
    OPTION_VALUE,
    check_blueprint,
    check_subsets,
    or_nothing_left,
    used_subsets,
)
from launcher.plan.checks.dataset_config import finding_of
from launcher.plan.checks.dataset_folders import GENERATED, generated_config
from launcher.plan.checks.dataset_given import (
    Sanitizer,
    is_own_class,
    kind_of,
    option_of,
    option_value,
    params_of,
    sanitizer_of,
)
from launcher.plan.checks.dataset_problems import find_problems
from launcher.plan.checks.dataset_source import read_dataset_text
from launcher.plan.checks.dataset_values import converted
from launcher.spec.tree import KeyPath
from launcher.trainer.dataset_schema import Keys, ScriptSchema

_PATHS = ("image_dir", "metadata_file", "conditioning_data_dir")

Place = Callable[[KeyPath], str | None]


@dataclass(frozen=True)
class _Level:
    """One place that may say a parameter, and where it says it."""

    values: Mapping[str, Any]
    place: Callable[[str], str | None]


def read_blueprint(candidate: Candidate) -> tuple[Blueprint | None, tuple[Finding, ...]]:
    """What the run trains on, and what is wrong with that for reasons that need no look at the pictures.

    The blueprint is None where it cannot be known: a dataset class of the user's own, a config that the trainer would
    refuse (`check_dataset_config` says why), a checkout that could not be read.
    """
    sanitizer = sanitizer_of(candidate)
    if sanitizer is None or sanitizer.keys is None or is_own_class(candidate, sanitizer):
        return None, ()
    text = read_dataset_text(candidate)
    if text is None:
        return _without_config(candidate, sanitizer, sanitizer.keys)
    if text.config is None or any(problem.refused for problem in find_problems(text.config, sanitizer.keys)):
        return None, ()
    return _resolved(candidate, sanitizer, sanitizer.keys, text.config, text.places.of, ())


def _without_config(
    candidate: Candidate, sanitizer: Sanitizer, keys: ScriptSchema
) -> tuple[Blueprint | None, tuple[Finding, ...]]:
    generated = generated_config(candidate, sanitizer.script)
    if generated is None or generated.config is None:
        return None, generated.findings if generated else ()
    where = generated.where
    refused = next((problem for problem in find_problems(generated.config, keys) if problem.refused), None)
    if refused:
        found = finding_of(refused, candidate, sanitizer, keys, where)
        message = f"{candidate.trainer.script} refuses the dataset that it makes of the options itself: {found.message}"
        return None, (*generated.findings, GENERATED.at(where, message, "Write a dataset config instead."))
    return _resolved(candidate, sanitizer, keys, generated.config, lambda _: where, generated.findings)


def _resolved(
    candidate: Candidate,
    sanitizer: Sanitizer,
    keys: ScriptSchema,
    config: Mapping[str, Any],
    place: Place,
    said: tuple[Finding, ...],
) -> tuple[Blueprint | None, tuple[Finding, ...]]:
    options, wrong = _options(candidate, sanitizer)
    if options is None or wrong:
        return None, (*said, *wrong)
    findings = list(said)
    datasets: list[DatasetBlueprint] = []
    general = _level(config.get("general", {}), keys.general, ("general",), place)
    for index, table in enumerate(config.get("datasets", [])):
        path: KeyPath = ("datasets", index)
        dataset = _dataset(candidate, sanitizer, table, path, place, (general, options))
        findings += check_subsets(candidate, dataset)
        datasets.append(_as_used(candidate, dataset))
    blueprint = Blueprint(tuple(datasets))
    findings += check_blueprint(candidate, sanitizer.script, blueprint)
    # What [general] says wrong is wrong in every dataset, and said once.
    return blueprint, tuple(dict.fromkeys(or_nothing_left(blueprint, findings)))


def _dataset(
    candidate: Candidate,
    sanitizer: Sanitizer,
    table: Mapping[str, Any],
    path: KeyPath,
    place: Place,
    above: tuple[_Level, _Level],
) -> DatasetBlueprint:
    """One dataset with all its subsets, their paths as written."""
    schema = sanitizer.schema
    kind = kind_of(schema, table.get("subsets", []))
    of_subset, of_dataset = params_of(schema, kind)
    # Every kind has its keys in one of these groups, under one name with one type.
    known = {key: entry for group in schema.groups.values() for key, entry in group.items()}
    own = _level(table, known, path, place)
    subsets = []
    for index, subset in enumerate(table.get("subsets", [])):
        at: KeyPath = (*path, "subsets", index)
        params, places = _decided(of_subset, (_level(subset, known, at, place), own, *above))
        subsets.append(SubsetBlueprint(params, place(at), places))
    params, places = _decided(of_dataset, (own, *above))
    return DatasetBlueprint(kind, params, tuple(subsets), place(path), places)


def _level(values: Mapping[str, Any], keys: Keys, path: KeyPath, place: Place) -> _Level:
    held = {key: converted(value, keys[key].wanted) if key in keys else value for key, value in values.items()}
    return _Level(held, lambda key: place((*path, key)))


def _decided(defaults: Mapping[str, Any], levels: Sequence[_Level]) -> tuple[dict[str, Any], dict[str, str]]:
    """Each parameter from the nearest level that has it, and where that is."""
    params: dict[str, Any] = {}
    places: dict[str, str] = {}
    for name, default in defaults.items():
        level = next((level for level in levels if level.values.get(name) is not None), None)
        params[name] = level.values[name] if level else default
        where = level.place(name) if level else None
        if where:
            places[name] = where
    return params, places


def _options(candidate: Candidate, sanitizer: Sanitizer) -> tuple[_Level | None, tuple[Finding, ...]]:
    """What the options say of parameters, by the parameters' names; None where the parser would refuse one."""
    names = {name for fields in sanitizer.schema.params.values() for name in fields}
    options = {name: option_of(candidate, sanitizer.schema, name) for name in names}
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, option in options.items():
        if candidate.chosen(option) and candidate.value(option) is None:
            return None, ()
        try:
            values[name] = option_value(candidate, option)
        except ValueError:
            value, form = candidate.value(option), "512 or 768,512" if option == "resolution" else "2.0,4.0"
            message = f"{option} is {value!r}, which the trainer cannot take apart."
            findings.append(OPTION_VALUE.at(candidate.where(option), message, f"Write it as {form}."))
    return _Level(values, lambda name: candidate.where(options[name])), tuple(findings)


def _as_used(candidate: Candidate, dataset: DatasetBlueprint) -> DatasetBlueprint:
    """Without the subsets that the trainer passes over, and with whole paths."""
    used = tuple(
        SubsetBlueprint(_whole(candidate, subset.params), subset.where, subset.places)
        for subset in used_subsets(dataset)
    )
    return DatasetBlueprint(dataset.kind, dataset.params, used, dataset.where, dataset.places)


def _whole(candidate: Candidate, params: Mapping[str, Any]) -> dict[str, Any]:
    """The trainer runs in the checkout's folder, and expands neither ~ nor variables."""
    checkout = candidate.trainer.checkout
    whole = dict(params)
    for name in _PATHS:
        if isinstance(whole.get(name), str) and whole[name]:
            whole[name] = os.path.join(checkout, whole[name])  # noqa: PTH118 - to the letter, as the trainer opens it
    return whole
