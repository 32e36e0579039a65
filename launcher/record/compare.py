"""Two runs, or a run and what a spec would train now: what they have not in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from launcher.record.compare_code import CODE, code_not_recorded, compare_code
from launcher.record.compare_dataset import DATASET, compare_datasets
from launcher.record.compare_environment import ENVIRONMENT, PACKAGES, compare_environments
from launcher.record.compare_options import ACCELERATE, FILES, OPTIONS, compare_files, compare_options
from launcher.record.compare_results import (
    INPUTS,
    OUTCOME,
    WEIGHTS,
    compare_inputs,
    compare_outcomes,
    compare_weights,
    inputs_not_recorded,
    same_weights,
    weights_not_recorded,
)
from launcher.record.difference import Difference
from launcher.record.side import Side

# In this order; options of key=value items come under their own names behind the options.
SECTIONS = (OPTIONS, ACCELERATE, *FILES, DATASET, INPUTS, CODE, PACKAGES, ENVIRONMENT,
            OUTCOME, WEIGHTS)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """What two sides have not in common, and what is not recorded of either, which is no difference.

    `weights` says whether the final models have the same weights, None where that is not known.
    """

    a: Side
    b: Side
    differences: tuple[Difference, ...]
    weights: bool | None
    not_recorded_a: tuple[str, ...]
    not_recorded_b: tuple[str, ...]


def compare(a: Side, b: Side) -> Comparison:
    """Compare two sides. Where things lie, names and times of the runs are no differences."""
    found = [
        *compare_options(a, b),
        *compare_files(a, b),
        *compare_datasets(a, b),
        *compare_inputs(a, b),
        *compare_code(a, b),
        *compare_environments(a, b),
        *compare_outcomes(a, b),
        *compare_weights(a, b),
    ]
    found.sort(key=lambda each: _place(each.section))
    return Comparison(a, b, tuple(found), same_weights(a, b), tuple(_not_recorded(a)), tuple(_not_recorded(b)))


def _place(section: str) -> tuple[int, str]:
    return (SECTIONS.index(section), "") if section in SECTIONS else (0, section)


def _not_recorded(side: Side) -> Iterator[str]:
    """What is not known of a side, and so was not compared."""
    if not side.manifest.inputs and side.manifest.manifest_version < 2:
        yield "inputs"
    yield from inputs_not_recorded(side)
    problem = side.manifest.dataset.problem if side.manifest.dataset else None
    if side.dataset is None or problem:
        yield "dataset" + (f" ({problem})" if problem else "")
    if side.environment is None:
        yield "packages and environment"
    yield from code_not_recorded(side)
    if not side.planned:
        yield from weights_not_recorded(side)
