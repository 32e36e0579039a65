"""Rules of buckets, in which pictures of one shape are trained together. What the trainer asserts of them is checked
with the datasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from launcher.base.findings import Severity
from launcher.base.words import listed
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.facts import Part, are, number, parts_of
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_TRAIN_UTIL = "library/train_util.py"
_LIMITS = ("min_bucket_reso", "max_bucket_reso")


def _bucketed(candidate: Candidate) -> Iterator[Part]:
    return (part for part in parts_of(candidate) if part.dataset.get("enable_bucket"))


def _written(candidate: Candidate, part: Part, *keys: str) -> list[str]:
    """Those of a dataset's parameters that somebody wrote, whatever they are anyway, and turned on if switches."""
    return [
        key
        for key in keys
        if (key in part.places or candidate.chosen(key)) and part.dataset.get(key) not in (None, False)
    ]


def _default(candidate: Candidate, key: str) -> Any:
    option = candidate.options.get(key)
    return option.default if option else None


def _sides(part: Part) -> tuple[float, float] | None:
    """The shorter and the longer side of the dataset's resolution."""
    resolution = part.dataset.get("resolution")
    if not isinstance(resolution, (tuple, list)) or len(resolution) != 2:
        return None
    sides = sorted(number(side) for side in resolution)
    return (sides[0], sides[1]) if sides[0] > 0 else None


@rule(
    "bucket-settings-unused", Severity.WARNING,
    "Without enable_bucket there is one bucket: that of the dataset's resolution.",
    f"{_TRAIN_UTIL}, BaseDataset.make_buckets",
    Evidence(_TRAIN_UTIL, "make_buckets", (r"if self\.enable_bucket: ",)),
    options=("enable_bucket", *_LIMITS),
)  # fmt: skip
def bucket_settings_unused(candidate: Candidate) -> Said | None:
    """Settings of buckets where there are none."""
    parts = parts_of(candidate)
    if any(part.dataset.get("enable_bucket") for part in parts):
        return None
    for part in parts:
        found = _written(candidate, part, *_LIMITS, "bucket_reso_steps", "bucket_no_upscale")
        if found:
            message = f"{listed(found)} {are(found)} set, and enable_bucket is not."
            return Said(message, "Set enable_bucket = true.", found[0], place=part.place(found[0]))
    return None


@rule(
    "bucket-limits-unused", Severity.WARNING,
    "With bucket_no_upscale each picture's own size makes its bucket, and these limits are ignored.",
    f"{_TRAIN_UTIL}, BaseDataset.make_buckets",
    Evidence(_TRAIN_UTIL, "make_buckets", (r"are ignored if bucket_no_upscale is set",)),
    options=("bucket_no_upscale", *_LIMITS),
)  # fmt: skip
def bucket_limits_unused(candidate: Candidate) -> Said | None:
    """min_bucket_reso and max_bucket_reso with bucket_no_upscale, unless the resolution calls for them."""
    for part in _bucketed(candidate):
        found = _written(candidate, part, *_LIMITS) if part.dataset.get("bucket_no_upscale") else []
        sides = _sides(part)
        # The limits must hold the resolution all the same: then somebody had to set them.
        if found and sides and sides[0] >= _lower(candidate) and sides[1] <= _upper(candidate):
            message = f"{listed(found)} {are(found)} set, and bucket_no_upscale too."
            return Said(message, "Leave the limits out, or bucket_no_upscale.", found[0], place=part.place(found[0]))
    return None


def _lower(candidate: Candidate) -> float:
    return number(_default(candidate, "min_bucket_reso"))


def _upper(candidate: Candidate) -> float:
    return number(_default(candidate, "max_bucket_reso"))


RULES: tuple[Rule, ...] = (
    bucket_settings_unused,
    bucket_limits_unused,
)
