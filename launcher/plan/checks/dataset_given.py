"""What the script of a run takes as datasets: the checkout's schema, put together with the run's options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from launcher.plan.blueprint import Kind
from launcher.plan.checks.candidate import Candidate
from launcher.trainer.dataset_schema import DatasetSchema, ScriptSchema, for_script, read_dataset_schema
from launcher.trainer.dataset_script import ScriptDatasets, read_script_datasets

_CLASSES = {
    Kind.DREAMBOOTH: ("DreamBoothSubsetParams", "DreamBoothDatasetParams"),
    Kind.FINETUNING: ("FineTuningSubsetParams", "FineTuningDatasetParams"),
    Kind.CONTROLNET: ("ControlNetSubsetParams", "ControlNetDatasetParams"),
}
# Options whose text library/train_util.py, prepare_dataset_args, turns into numbers before anything reads them.
_NUMBERS: dict[str, type[int] | type[float]] = {"resolution": int, "face_crop_aug_range": float}


@dataclass(frozen=True)
class Sanitizer:
    """What checks the datasets of a run. `keys` is None where it could not be read; `why` then says what."""

    schema: DatasetSchema
    script: ScriptDatasets
    keys: ScriptSchema | None
    why: str = ""


def sanitizer_of(candidate: Candidate) -> Sanitizer | None:
    """The schema for the run's script; None for a checkout without a ConfigSanitizer, of which kl knows nothing."""
    schema = read_dataset_schema(candidate.trainer.checkout)
    if schema.unread is None:
        return None
    script = read_script_datasets(candidate.trainer.checkout, candidate.trainer.script)
    if schema.unread:
        return Sanitizer(schema, script, None, schema.unread)
    supported = _supported(candidate, schema, script)
    if supported is None:
        return Sanitizer(schema, script, None, f"{candidate.trainer.script}: which kinds of datasets it supports")
    keys = for_script(schema, supported)
    return Sanitizer(schema, script, keys, "" if keys else f"{candidate.trainer.script}: it supports no datasets")


def is_own_class(candidate: Candidate, sanitizer: Sanitizer) -> bool:
    """Whether the run makes its dataset with a class of the user's own, and reads no config."""
    return any(candidate.value(option) is not None for option in sanitizer.script.own_class)


def kind_of(schema: DatasetSchema, subsets: Sequence[Mapping[str, Any]]) -> Kind:
    """The kind that the trainer takes a dataset for (library/config_util.py, BlueprintGenerator.generate).

    One without subsets is whatever is asked for first.
    """
    if _CLASSES[Kind.CONTROLNET][0] in schema.params and all("conditioning_data_dir" in subset for subset in subsets):
        return Kind.CONTROLNET
    return Kind.DREAMBOOTH if all("metadata_file" not in subset for subset in subsets) else Kind.FINETUNING


def params_of(schema: DatasetSchema, kind: Kind) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The parameters of the subsets and of the dataset of a kind, with their defaults."""
    subset, dataset = _CLASSES[kind]
    return schema.params.get(subset, {}), schema.params.get(dataset, {})


def option_of(candidate: Candidate, schema: DatasetSchema, param: str) -> str:
    """The option that stands for a parameter where the config does not say it: train_batch_size for batch_size."""
    renamed = (option for option, key in schema.renamed.items() if key == param and candidate.has(option))
    # library/train_util.py, prepare_dataset_args: the old, misspelt option wins.
    if param == "caption_extension" and candidate.value("caption_extention") is not None:
        return "caption_extention"
    return next(renamed, param)


def option_value(candidate: Candidate, option: str) -> Any:
    """What the trainer's `args.NAME` holds when it makes the datasets.

    Raises ValueError for text that it cannot turn into numbers, as the trainer would.
    """
    value = candidate.value(option)
    if option not in _NUMBERS or not isinstance(value, str):
        return str(candidate.path(option) or value) if option.endswith("_dir") and value is not None else value
    numbers = tuple(_NUMBERS[option](part) for part in value.split(","))
    if option == "resolution" and len(numbers) == 1:
        numbers *= 2
    if len(numbers) != 2 or (option == "face_crop_aug_range" and numbers[0] > numbers[1]):
        raise ValueError(value)
    return numbers


def _supported(candidate: Candidate, schema: DatasetSchema, script: ScriptDatasets) -> dict[str, bool] | None:
    """What the script says to ConfigSanitizer that it supports; None where that cannot be known."""
    if not script.supports or len(script.supports) != len(schema.supports):
        return None
    supported: dict[str, bool] = {}
    for name, said in zip(schema.supports, script.supports, strict=True):
        if said is None or (isinstance(said, str) and not candidate.has(said)):
            return None
        supported[name] = said if isinstance(said, bool) else bool(candidate.value(said))
    return supported
