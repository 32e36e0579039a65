"""What is wrong with datasets for reasons that need no look at the pictures (library/train_util.py)."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from typing import Any

from launcher.base.findings import Code, Finding, Severity
from launcher.base.nearest import nearest
from launcher.plan.blueprint import Blueprint, DatasetBlueprint, Kind, SubsetBlueprint
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.dataset_buckets import check_buckets
from launcher.plan.checks.dataset_config import EMPTY
from launcher.plan.checks.dataset_values import shown
from launcher.trainer.dataset_script import ScriptDatasets
from launcher.trainer.source_text import Evidence

_TRAIN_UTIL = "library/train_util.py"
OPTION_VALUE = Code(
    "dataset-option-value",
    Severity.ERROR,
    "The trainer splits the option's text at commas and makes numbers of the parts; it fails when they are none, or "
    "too many.",
    f"{_TRAIN_UTIL}, prepare_dataset_args",
    can_be_allowed=False,
)
PATH = Code(
    "dataset-path",
    Severity.ERROR,
    "In a dataset config the trainer expands neither ~ nor variables: it finds no pictures there, passes over the "
    "subset, and without any other ends with exit status 0.",
    f"{_TRAIN_UTIL}, DreamBoothDataset.__init__, load_dreambooth_dir",
)
REPEATS = Code(
    "dataset-repeats",
    Severity.WARNING,
    "The trainer passes over a subset whose num_repeats is below 1.",
    f"{_TRAIN_UTIL}, DreamBoothDataset.__init__",
)
SAME_SUBSET = Code(
    "dataset-same-subset",
    Severity.ERROR,
    "Of two subsets of one dataset with the same folder, or the same metadata file, the trainer uses the first and "
    "passes over the other with all that it says.",
    f"{_TRAIN_UTIL}, DreamBoothDataset.__init__",
)
RATE = Code(
    "dataset-rate",
    Severity.WARNING,
    "A rate is a share between 0 and 1. Above 1 the trainer drops out every caption, below 0 none.",
    f"{_TRAIN_UTIL}, BaseDataset.process_caption",
)
KEEP_TOKENS = Code(
    "dataset-keep-tokens",
    Severity.WARNING,
    "keep_tokens counts only where something is done with the tokens: shuffle_caption, token_warmup_step or "
    "caption_tag_dropout_rate.",
    f"{_TRAIN_UTIL}, BaseDataset.process_caption",
)
BATCH_SIZE = Code(
    "dataset-batch-size",
    Severity.ERROR,
    "With a batch size of 0 the trainer divides by zero; with one below it finds no batches and ends with exit "
    "status 0.",
    f"{_TRAIN_UTIL}, BaseDataset.make_buckets",
)
INTERPOLATION = Code(
    "dataset-interpolation",
    Severity.ERROR,
    "The trainer knows a few ways to resize pictures, by name, and fails at any other.",
    f"{_TRAIN_UTIL}, BaseDataset.__init__; library/utils.py, validate_interpolation_fn",
)
VALIDATION_SPLIT = Code(
    "dataset-validation-split",
    Severity.ERROR,
    "validation_split is a share between 0 and 1. Beyond it the trainer makes no validation dataset and only logs so; "
    "above 1 it leaves pictures out of training all the same, and with 1 all of them.",
    "library/config_util.py, generate_dataset_group_by_blueprint; library/train_util.py, split_train_val",
)
RANDOM_CROP = Code(
    "dataset-random-crop",
    Severity.ERROR,
    "A ControlNet dataset cannot crop at random: picture and condition would no longer fit. The trainer fails.",
    f"{_TRAIN_UTIL}, ControlNetDataset.__init__",
)
ONLY_REGULARIZATION = Code(
    "dataset-only-regularization",
    Severity.ERROR,
    "Regularization pictures are used as often as there are pictures to train on in the same dataset: without any, "
    "never.",
    f"{_TRAIN_UTIL}, DreamBoothDataset.__init__",
)

_RATES = ("caption_dropout_rate", "caption_tag_dropout_rate")
_ACTS_ON_TOKENS = ("shuffle_caption", "token_warmup_step", "caption_tag_dropout_rate")
_PATHS = ("image_dir", "metadata_file", "conditioning_data_dir")
_VARIABLE = re.compile(r"\$(?:\{[^}]+\}|[A-Za-z_]\w*)")
_SHUFFLES = Evidence(
    _TRAIN_UTIL,
    "process_caption",
    (r"if subset\.shuffle_caption or subset\.token_warmup_step > 0 or subset\.caption_tag_dropout_rate > 0:",),
)
_DIVIDES = Evidence(_TRAIN_UTIL, "make_buckets", (r"len\(bucket\) / self\.batch_size",))
_NO_CROP = Evidence(_TRAIN_UTIL, "ControlNetDataset", (r"assert \( ?not subset\.random_crop",))
_SPLITS = Evidence("library/config_util.py", "", (r"params\.validation_split > 1\.0",))
_NAMES = Evidence(_TRAIN_UTIL, "", (r"assert validate_interpolation_fn\(",))


def check_subsets(candidate: Candidate, dataset: DatasetBlueprint) -> Iterator[Finding]:
    """All subsets of a dataset, also those that the trainer passes over, with their paths as written."""
    used = {id(subset) for subset in used_subsets(dataset)}
    for subset in dataset.subsets:
        repeats = subset.params["num_repeats"]
        if repeats < 1:
            message = f"num_repeats is {repeats}: the trainer passes over this subset."
            hint = "Write 1 or more, or remove the subset."
            yield REPEATS.at(subset.places.get("num_repeats", subset.where), message, hint)
        elif id(subset) not in used:
            key = _identity(dataset)
            message = f"{key} {shown(str(subset.params[key]))} stands in this dataset before: this subset is not used."
            hint = "Remove one of the two, or give it a [[datasets]] of its own."
            yield SAME_SUBSET.at(subset.places.get(key, subset.where), message, hint)
        yield from _paths(candidate, subset)
        yield from _rates(candidate, subset)


def used_subsets(dataset: DatasetBlueprint) -> Iterator[SubsetBlueprint]:
    """The subsets that the trainer does not pass over (library/train_util.py, DreamBoothDataset.__init__)."""
    key = _identity(dataset)
    seen: set[Any] = set()
    for subset in dataset.subsets:
        if subset.params["num_repeats"] >= 1 and subset.params[key] not in seen:
            seen.add(subset.params[key])
            yield subset


def check_blueprint(candidate: Candidate, script: ScriptDatasets, blueprint: Blueprint) -> Iterator[Finding]:
    """The datasets as the trainer uses them."""
    for dataset in blueprint.datasets:
        yield from check_buckets(candidate, script, dataset)
        yield from _batch_size(candidate, dataset)
        yield from _interpolation(candidate, dataset)
        yield from _validation(candidate, dataset)
        yield from _kinds(candidate, dataset)
    yield from _keep_tokens(candidate, blueprint)


def or_nothing_left(blueprint: Blueprint, findings: list[Finding]) -> list[Finding]:
    """The findings; where every subset is passed over for its num_repeats, that instead of each one's own."""
    repeats = [finding for finding in findings if finding.code == REPEATS.name]
    if not repeats or any(dataset.subsets for dataset in blueprint.datasets):
        return findings
    message = "num_repeats is below 1 in every subset: the trainer passes over all of them and has nothing to train on."
    nothing = EMPTY.at(repeats[0].where, message, "Write 1 or more.")
    return [nothing, *(finding for finding in findings if finding not in repeats)]


def _identity(dataset: DatasetBlueprint) -> str:
    return "metadata_file" if dataset.kind is Kind.FINETUNING else "image_dir"


def _paths(candidate: Candidate, subset: SubsetBlueprint) -> Iterator[Finding]:
    for name in _PATHS:
        path = subset.params.get(name)
        if not isinstance(path, str):
            continue
        where = subset.places.get(name, subset.where)
        if not path or "\0" in path:
            yield PATH.at(where, f"{name} is {'empty' if not path else 'no path: it holds a NUL'}.", "Give a path.")
        elif not_expanded(path) and not _is_there(candidate, path):
            message = f"{name}: the trainer takes {shown(path)} to the letter, and there is no such path."
            yield PATH.at(where, message, "Write the path out: in a dataset config nobody expands it.")


def not_expanded(path: str) -> bool:
    """Whether a shell would make another path of it: it begins with ~ or holds a variable."""
    return path.startswith("~") or _VARIABLE.search(path) is not None


def _is_there(candidate: Candidate, path: str) -> bool:
    return os.path.exists(os.path.join(candidate.trainer.checkout, path))  # noqa: PTH110, PTH118 - to the letter


def _rates(candidate: Candidate, subset: SubsetBlueprint) -> Iterator[Finding]:
    for name in _RATES:
        rate = subset.params.get(name) or 0
        where = subset.places.get(name)
        if where and not 0 <= rate <= 1:
            yield RATE.at(where, f"{name} is {rate}, and a rate is between 0 and 1.", "Write 0.1 for one in ten.")


def _keep_tokens(candidate: Candidate, blueprint: Blueprint) -> Iterator[Finding]:
    """Places that say keep_tokens for subsets none of which does anything with the tokens."""
    acting: dict[str, bool] = {}
    for subset in (subset for dataset in blueprint.datasets for subset in dataset.subsets):
        where, params = subset.places.get("keep_tokens"), subset.params
        if where and params["keep_tokens"] > 0:
            acts = any(params.get(name) for name in _ACTS_ON_TOKENS)
            acting[where] = acting.get(where, False) or acts
    for where in (where for where, acts in acting.items() if not acts):
        if candidate.says(_SHUFFLES):
            message = "keep_tokens has no effect: the caption's tokens stay as they are."
            yield KEEP_TOKENS.at(where, message, "Set shuffle_caption = true, or remove keep_tokens.")


def _batch_size(candidate: Candidate, dataset: DatasetBlueprint) -> Iterator[Finding]:
    size = dataset.params.get("batch_size")
    if isinstance(size, int) and size < 1 and candidate.says(_DIVIDES):
        where = dataset.places.get("batch_size", dataset.where)
        name = "train_batch_size" if where and where == candidate.where("train_batch_size") else "batch_size"
        yield BATCH_SIZE.at(where, f"{name} is {size}.", "Write 1 or more.")


def _interpolation(candidate: Candidate, dataset: DatasetBlueprint) -> Iterator[Finding]:
    name = dataset.params.get("resize_interpolation")
    if not isinstance(name, str):
        return
    text = candidate.source.function("library/utils.py", "validate_interpolation_fn")
    listed = re.search(r"return \w+ in (\[[^\]]*\])", text)
    try:
        names = [str(each) for each in ast.literal_eval(listed[1])] if listed else []
    except (ValueError, SyntaxError):
        names = []
    if names and name not in names and candidate.says(_NAMES):
        near = nearest(name[:64], names)
        hint = f"Did you mean {near}?" if near else f"There are {', '.join(names)}."
        where = dataset.places.get("resize_interpolation", dataset.where)
        yield INTERPOLATION.at(where, f"resize_interpolation cannot be {shown(name)}.", hint)


def _validation(candidate: Candidate, dataset: DatasetBlueprint) -> Iterator[Finding]:
    split = dataset.params.get("validation_split") or 0
    if (not 0 <= split <= 1 or (split == 1 and dataset.kind is not Kind.FINETUNING)) and candidate.says(_SPLITS):
        where = dataset.places.get("validation_split", dataset.where)
        message = f"validation_split is {split:g}, and a share is between 0 and 1."
        if split == 1:
            message = "validation_split is 1: every picture is kept for validation, and none is left to train on."
        yield VALIDATION_SPLIT.at(where, message, "Write 0.1 for one picture in ten.")


def _kinds(candidate: Candidate, dataset: DatasetBlueprint) -> Iterator[Finding]:
    if dataset.kind is Kind.CONTROLNET:
        cropped = next((subset for subset in dataset.subsets if subset.params.get("random_crop")), None)
        if cropped and candidate.says(_NO_CROP):
            where = cropped.places.get("random_crop", cropped.where)
            yield RANDOM_CROP.at(where, "random_crop cannot be used with ControlNet datasets.", "Remove it.")
    if dataset.kind is Kind.DREAMBOOTH and dataset.subsets and all(s.params.get("is_reg") for s in dataset.subsets):
        where = dataset.subsets[0].places.get("is_reg", dataset.subsets[0].where)
        message = "This dataset has regularization pictures only, and none of them is used."
        yield ONLY_REGULARIZATION.at(where, message, "Put them into the [[datasets]] whose pictures they belong to.")
