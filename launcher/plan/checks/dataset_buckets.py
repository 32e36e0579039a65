"""Resolution and buckets of a dataset: what the trainer asserts of them before it looks at a picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from launcher.base.findings import Code, Finding, Severity
from launcher.plan.blueprint import DatasetBlueprint, Kind
from launcher.plan.checks.candidate import Candidate
from launcher.trainer.dataset_script import ScriptDatasets
from launcher.trainer.source_text import Evidence

_TRAIN_UTIL = "library/train_util.py"
RESOLUTION = Code(
    "dataset-resolution",
    Severity.ERROR,
    "Every dataset needs a resolution, its own or that of the option; the trainer fails without, and with one below 1. "
    "No model is trained on one below 64: a warning, and an error where the buckets leave no room for it.",
    f"{_TRAIN_UTIL}, DreamBoothDataset.__init__",
)
BUCKET_RANGE = Code(
    "dataset-bucket-range",
    Severity.ERROR,
    "With buckets the resolution must lie between min_bucket_reso and max_bucket_reso, which are 256 and 1024 unless "
    "said otherwise; the trainer asserts it. It changes a bound that is no multiple of bucket_reso_steps: a warning.",
    f"{_TRAIN_UTIL}, BaseDataset.adjust_min_max_bucket_reso_by_steps",
)
BUCKET_STEPS = Code(
    "dataset-bucket-steps",
    Severity.ERROR,
    "Each script asks for bucket_reso_steps that its model's layers can divide, and fails otherwise.",
    f"{_TRAIN_UTIL}, BaseDataset.verify_bucket_reso_steps",
)

_NEEDED = Evidence(_TRAIN_UTIL, "DreamBoothDataset", (r"assert resolution is not None",))
# Older releases can do without a resolution where the metadata file has one.
_NEEDED_BY_METADATA = Evidence(_TRAIN_UTIL, "FineTuningDataset", (r"self\.size = min\(self\.width, self\.height\)",))
_RANGE = Evidence(_TRAIN_UTIL, "", (r"min\(resolution\) >= min_bucket_reso", r"max\(resolution\) <= max_bucket_reso"))
_ADJUSTED = Evidence(
    _TRAIN_UTIL,
    "adjust_min_max_bucket_reso_by_steps",
    (
        r"min_bucket_reso - min_bucket_reso % bucket_reso_steps",
        r"bucket_reso_steps - max_bucket_reso % bucket_reso_steps",
    ),
)
_STEPS = Evidence(_TRAIN_UTIL, "verify_bucket_reso_steps", (r"self\.bucket_reso_steps % min_steps == 0",))
_SMALL = 64


def check_buckets(candidate: Candidate, script: ScriptDatasets, dataset: DatasetBlueprint) -> Iterator[Finding]:
    """One dataset's resolution, and its buckets where it has them."""
    resolution = dataset.params.get("resolution")
    evidence = _NEEDED_BY_METADATA if dataset.kind is Kind.FINETUNING else _NEEDED
    if resolution is None:
        if candidate.says(evidence):
            message = "This dataset has no resolution, and the spec gives none either."
            yield RESOLUTION.at(dataset.where, message, "Write resolution under [[datasets]] or [general], as 1024.")
        return
    where = dataset.places.get("resolution", dataset.where)
    if min(resolution) < 1:
        yield RESOLUTION.at(where, f"The resolution is {_size(resolution)}.", "Write it in pixels, as 1024.")
        return
    steps, outside = list(_steps(candidate, script, dataset)), list(_range(candidate, dataset, resolution))
    if min(resolution) < _SMALL:
        # Below the bounds of the buckets too, and they are not what is wrong.
        severity = Severity.ERROR if any(each.severity is Severity.ERROR for each in outside) else Severity.WARNING
        message = f"The resolution is {_size(resolution)}: is that meant in pixels?"
        yield RESOLUTION.at(where, message, "Write it in pixels, as 1024.", severity=severity)
        outside = []
    yield from steps
    if not steps:
        yield from outside


def _steps(candidate: Candidate, script: ScriptDatasets, dataset: DatasetBlueprint) -> Iterator[Finding]:
    steps = dataset.params.get("bucket_reso_steps")
    if not isinstance(steps, int) or not dataset.params.get("enable_bucket"):
        return
    where = dataset.places.get("bucket_reso_steps", dataset.where)
    if steps < 1:
        yield BUCKET_STEPS.at(where, f"bucket_reso_steps is {steps}.", "Write 64.")
        return
    # A ControlNet dataset's buckets are those of a dataset inside it, which nothing verifies.
    wanted = [number for number in script.bucket_steps if steps % number]
    if wanted and dataset.kind is not Kind.CONTROLNET and candidate.says(_STEPS):
        message = f"bucket_reso_steps is {steps}, and {candidate.trainer.script} takes multiples of {max(wanted)}."
        yield BUCKET_STEPS.at(where, message, f"Write {max(script.bucket_steps)}.")


def _range(candidate: Candidate, dataset: DatasetBlueprint, resolution: tuple[int, int]) -> Iterator[Finding]:
    params: dict[str, Any] = dict(dataset.params)
    # Without this line older releases look into the metadata first.
    known = dataset.kind is not Kind.FINETUNING or candidate.says(_NEEDED_BY_METADATA)
    if not params.get("enable_bucket") or not known:
        return
    least, most, steps = (params.get(name) for name in ("min_bucket_reso", "max_bucket_reso", "bucket_reso_steps"))
    if not (isinstance(least, int) and isinstance(most, int) and isinstance(steps, int) and steps > 0):
        return
    lowest, highest = least - least % steps, most + (-most) % steps
    if (lowest, highest) != (least, most) and not candidate.says(_ADJUSTED):
        lowest, highest = least, most
    for name, bound, taken, fails in (
        ("min_bucket_reso", least, lowest, min(resolution) < lowest),
        ("max_bucket_reso", most, highest, max(resolution) > highest),
    ):
        side = "below" if name == "min_bucket_reso" else "above"
        where = dataset.places.get(name) or dataset.places.get("resolution") or dataset.where
        if fails and candidate.says(_RANGE):
            by_default = "" if name in dataset.places else " by default"
            message = f"The resolution {_size(resolution)} is {side} {name}, which is {taken}{by_default}."
            hint = f"Write {name} = {_fitting(resolution, name, steps)}, or another resolution."
            yield BUCKET_RANGE.at(where, message, hint)
        elif taken != bound and name in dataset.places:
            message = f"{name} is {bound}, no multiple of bucket_reso_steps ({steps}): the trainer takes {taken}."
            yield BUCKET_RANGE.at(where, message, f"Write {taken}.", severity=Severity.WARNING)


def _fitting(resolution: tuple[int, int], name: str, steps: int) -> int:
    if name == "min_bucket_reso":
        return min(resolution) - min(resolution) % steps
    return max(resolution) + (-max(resolution)) % steps


def _size(resolution: tuple[int, int]) -> str:
    return f"{resolution[0]}×{resolution[1]}"
