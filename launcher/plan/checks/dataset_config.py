"""The dataset config against the checkout's own schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from launcher.base.findings import Code, Finding, Severity
from launcher.base.nearest import nearest
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.dataset_given import Sanitizer, is_own_class, sanitizer_of
from launcher.plan.checks.dataset_hints import DATASETS, GENERAL, IN_SUBSETS, LONGEST, hint_at_top, hint_for
from launcher.plan.checks.dataset_ignored import IGNORED, check_ignored
from launcher.plan.checks.dataset_problems import SUBSETS, Problem, What, find_problems, tables_of
from launcher.plan.checks.dataset_source import TOO_MUCH, Places, read_dataset_text
from launcher.plan.checks.dataset_values import better, said, shown, wanted_words
from launcher.spec.tree import KeyPath
from launcher.trainer.dataset_schema import DatasetKeys, ScriptSchema

_SANITIZER = "library/config_util.py, ConfigSanitizer"
UNKNOWN_KEY = Code(
    "dataset-unknown-key",
    Severity.ERROR,
    "The trainer refuses a dataset config with a key that it does not know at this level, after half a minute of "
    "imports.",
    _SANITIZER,
    can_be_allowed=False,
)
WRONG_TYPE = Code(
    "dataset-wrong-type",
    Severity.ERROR,
    "The trainer refuses a dataset config with a value of another type: text for a number, and a whole number where "
    "it wants one with a decimal point. It takes true for the number 1, which is a warning here.",
    _SANITIZER,
    can_be_allowed=False,
)
MISSING_KEY = Code(
    "dataset-missing-key",
    Severity.ERROR,
    "The trainer refuses a subset without the folder or the file that it is made of.",
    _SANITIZER,
    can_be_allowed=False,
)
MIXED_KINDS = Code(
    "dataset-mixed-kinds",
    Severity.ERROR,
    "A dataset is of one kind: all its subsets have metadata_file, or none has.",
    f"{_SANITIZER}, validate_flex_dataset",
    can_be_allowed=False,
)
EMPTY = Code(
    "dataset-empty",
    Severity.ERROR,
    "Without datasets the trainer fails; without subsets it finds no pictures and ends with exit status 0, as if it "
    "had trained. One dataset without subsets among others is a warning: nothing is trained from it.",
    "train_network.py, NetworkTrainer.train",
)

MOST_FINDINGS = 50  # about the schema; whoever has more has given another kind of file


def check_dataset_config(candidate: Candidate) -> Iterator[Finding]:
    """Everything that is wrong with the dataset config itself. Silent when the run has none."""
    text = read_dataset_text(candidate)
    if text is None:
        return
    sanitizer = sanitizer_of(candidate)
    if sanitizer and is_own_class(candidate, sanitizer):
        message = "The dataset config is ignored: dataset_class makes the dataset itself."
        yield IGNORED.at(text.places.of(()), message, "Remove one of them.")
        return
    yield from text.findings
    if sanitizer is None or text.config is None:
        return
    if sanitizer.keys is None:
        yield TOO_MUCH.at(text.places.of(()), f"The dataset config is not checked: {sanitizer.why}.", None)
        return
    problems = _without_missing_ones_that_are_misspelt(list(find_problems(text.config, sanitizer.keys)))
    for problem in problems[:MOST_FINDINGS]:
        yield finding_of(problem, candidate, sanitizer, sanitizer.keys, text.places.of(problem.path))
    if len(problems) > MOST_FINDINGS:
        rest = problems[MOST_FINDINGS:]
        message = f"The dataset config has {len(rest)} more mistakes of this kind."
        yield UNKNOWN_KEY.at(text.places.of(rest[0].path), message, "Correct those above first.")
    if not any(problem.refused for problem in problems):
        yield from _empty(text.config, text.places)
        yield from check_ignored(candidate, sanitizer, text.config, text.places)


def _without_missing_ones_that_are_misspelt(problems: list[Problem]) -> list[Problem]:
    """The problems, without a key that is missing where a misspelt one stands that was most likely meant for it."""
    missing = [problem for problem in problems if problem.what is What.MISSING]
    misspelt = {
        (problem.path[:-1], nearest(problem.key[:LONGEST], [other.key for other in missing]))
        for problem in problems
        if missing and problem.what is What.UNKNOWN
    }
    return [problem for problem in problems if problem not in missing or (problem.path, problem.key) not in misspelt]


def finding_of(
    problem: Problem, candidate: Candidate, sanitizer: Sanitizer, keys: ScriptSchema, where: str | None
) -> Finding:
    """What to say of one problem."""
    key, table = problem.key, _table_of(problem.path)
    if problem.what is What.UNKNOWN:
        message, hint = _unknown(problem, candidate, sanitizer, keys)
        return UNKNOWN_KEY.at(where, message, hint)
    if problem.what is What.MISSING:
        message = f"{key} is missing in {IN_SUBSETS}."
        return MISSING_KEY.at(where, message, _hint_missing(problem.kind, candidate.trainer.script))
    if problem.what is What.MIXED:
        message = "Some subsets of this dataset have metadata_file, and others have not."
        return MIXED_KINDS.at(where, message, "Give each kind a [[datasets]] of its own.")
    if problem.what is What.SHAPE:
        message = f"{key or 'The dataset config'} is {said(problem.value)}, not {_shape(problem.path)}."
        return WRONG_TYPE.at(where, message, f"Write {GENERAL}, {DATASETS} and below it {IN_SUBSETS}.")
    wanted = wanted_words(problem.wanted) if problem.wanted else "another value"
    if problem.what is What.ODD:
        message = f"{key} in {table} wants {wanted}; the trainer takes {said(problem.value)} for {_number(problem)}."
        return WRONG_TYPE.at(where, message, "Write the number.", severity=Severity.WARNING)
    message = f"{key} in {table} wants {wanted}, and here stands {said(problem.value)}."
    return WRONG_TYPE.at(where, message, better(problem.value, problem.wanted) if problem.wanted else None)


def _number(problem: Problem) -> str:
    return str(int(problem.value)) if isinstance(problem.value, bool) else "numbers"


def _shape(path: KeyPath) -> str:
    return "a list of tables" if path and path[-1] in ("datasets", SUBSETS) else "a table"


def _table_of(path: KeyPath) -> str:
    """The table that a key stands in, or that lacks it."""
    if SUBSETS in path:
        return IN_SUBSETS
    return DATASETS if path[:1] == ("datasets",) else GENERAL


def _hint_missing(kind: DatasetKeys | None, script: str) -> str:
    required = [key for key, entry in kind.subset.items() if entry.required] if kind else []
    return f"A subset of this kind needs {' and '.join(required)} ({script})."


def _unknown(
    problem: Problem, candidate: Candidate, sanitizer: Sanitizer, keys: ScriptSchema
) -> tuple[str, str | None]:
    key = problem.key
    if len(problem.path) == 1:
        return f"A dataset config has no table or key {shown(key)}.", hint_at_top(key, keys)
    here = _table_of(problem.path)
    return f"{shown(key)} cannot stand in {here}.", hint_for(key, here, problem.kind, candidate, sanitizer, keys)


def _empty(config: Mapping[str, Any], places: Places) -> Iterator[Finding]:
    datasets = [dataset for dataset in tables_of(config.get("datasets", [])) if dataset is not None]
    if not datasets:
        hint = f"Write {DATASETS} with {IN_SUBSETS} below it."
        yield EMPTY.at(places.of(("datasets",)), "The dataset config has no datasets.", hint)
    without = [index for index, dataset in enumerate(datasets) if not dataset.get(SUBSETS)]
    severity = Severity.ERROR if len(without) == len(datasets) else Severity.WARNING
    for index in without:
        hint = f"Write {IN_SUBSETS} with image_dir below it."
        where = places.of(("datasets", index))
        yield EMPTY.at(where, "This dataset has no subsets, so no pictures.", hint, severity=severity)
