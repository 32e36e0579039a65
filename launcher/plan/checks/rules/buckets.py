"""Rules of buckets, in which pictures of one shape are trained together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from launcher.base.findings import Severity
from launcher.plan.blueprint import Kind
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.facts import Part, are, listed, number, parts_of
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_TRAIN_UTIL = "library/train_util.py"
_LIMITS = ("min_bucket_reso", "max_bucket_reso")


def _bucketed(candidate: Candidate) -> Iterator[Part]:
    return (part for part in parts_of(candidate) if part.dataset.get("enable_bucket"))


def _set(candidate: Candidate, part: Part, *keys: str) -> list[str]:
    """Those of a dataset's parameters that are something else than the option is anyway."""
    return [key for key in keys if _known(candidate, part, key) and part.dataset[key] != _default(candidate, key)]


def _known(candidate: Candidate, part: Part, key: str) -> bool:
    return candidate.has(key) and part.dataset.get(key) is not None


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
    "Without enable_bucket every picture is cut to the one resolution.",
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
        found = _set(candidate, part, *_LIMITS, "bucket_reso_steps", "bucket_no_upscale")
        if found:
            message = f"{listed(found)} {are(found)} set{part.place}, and enable_bucket is not."
            return Said(message, "Set enable_bucket = true.", found[0])
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
        found = _set(candidate, part, *_LIMITS) if part.dataset.get("bucket_no_upscale") else []
        sides = _sides(part)
        # The limits must hold the resolution all the same: then somebody had to set them.
        if found and sides and sides[0] >= _lower(candidate) and sides[1] <= _upper(candidate):
            message = f"{listed(found)} {are(found)} set{part.place}, and bucket_no_upscale too."
            return Said(message, "Leave the limits out, or bucket_no_upscale.", found[0])
    return None


def _lower(candidate: Candidate) -> float:
    return number(_default(candidate, "min_bucket_reso"))


def _upper(candidate: Candidate) -> float:
    return number(_default(candidate, "max_bucket_reso"))


@rule(
    "bucket-limits", Severity.ERROR,
    "The trainer stops before it looks at the pictures: the resolution must lie within the buckets' limits.",
    f"{_TRAIN_UTIL}, BaseDataset.adjust_min_max_bucket_reso_by_steps",
    *(
        Evidence(_TRAIN_UTIL, function, (
            r"min\(resolution\) >= min_bucket_reso", r"max\(resolution\) <= max_bucket_reso",
        ))
        for function in ("adjust_min_max_bucket_reso_by_steps", "DreamBoothDataset")
    ),
    options=_LIMITS,
)  # fmt: skip
def bucket_limits(candidate: Candidate) -> Said | None:
    """A resolution outside min_bucket_reso and max_bucket_reso.

    Newer releases round the limits away from it first. Old ones ask fine-tuning datasets only at times: not said.
    """
    for part in _bucketed(candidate):
        sides = _sides(part) if part.kind is not Kind.FINETUNING else None
        low, high, steps = (part.dataset.get(key) for key in (*_LIMITS, "bucket_reso_steps"))
        if sides is None or not all(isinstance(value, int) for value in (low, high, steps)) or number(steps) < 1:
            continue
        least, most = int(number(low)), int(number(high))
        size = int(number(steps))
        if sides[0] < least - least % size:
            message = f"min_bucket_reso is {least}, above the resolution's {sides[0]:g}{part.place}."
            return Said(message, "Lower min_bucket_reso.", "min_bucket_reso")
        if sides[1] > most + -most % size:
            message = f"max_bucket_reso is {most}, below the resolution's {sides[1]:g}{part.place}."
            return Said(message, f"Set max_bucket_reso = {sides[1]:g} or more.", "max_bucket_reso")
    return None


@rule(
    "bucket-steps", Severity.ERROR,
    "The script refuses to start: the model takes pictures only in such steps.",
    "the script's assert_extra_args; library/train_util.py, BaseDataset.verify_bucket_reso_steps",
    Evidence(_TRAIN_UTIL, "verify_bucket_reso_steps", (r"self\.bucket_reso_steps % min_steps == 0",)),
    options=("bucket_reso_steps", "network_module"),
)  # fmt: skip
def bucket_steps(candidate: Candidate) -> Said | None:
    """bucket_reso_steps that the script's own number does not divide."""
    for part in _bucketed(candidate):
        steps = part.dataset.get("bucket_reso_steps")
        if not isinstance(steps, int) or steps == _default(candidate, "bucket_reso_steps"):
            continue
        bad = next((needed for needed in _needed_steps(candidate) if steps % needed), None)
        if bad:
            message = f"bucket_reso_steps is {steps}{part.place}, which {bad} does not divide."
            return Said(message, f"Write a multiple of {bad}.")
    return None


def _needed_steps(candidate: Candidate) -> list[int]:
    """What the script asks for, with what the script that it builds on asks for, the largest first."""
    own = candidate.source.function(candidate.trainer.script, "assert_extra_args")
    texts = [own]
    if re.search(r"(?<!# )(?<!#)super\(\)\.assert_extra_args\(", own):
        texts.append(candidate.source.function("train_network.py", "assert_extra_args"))
    found = {int(number) for text in texts for number in re.findall(r"verify_bucket_reso_steps\((\d{1,4})\)", text)}
    return sorted(found - {0}, reverse=True)


RULES: tuple[Rule, ...] = (
    bucket_settings_unused,
    bucket_limits_unused,
    bucket_limits,
    bucket_steps,
)
