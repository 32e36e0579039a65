"""What a run trains on, as sd-scripts resolves it: datasets and their subsets with every parameter decided.

The words are those of library/config_util.py: a blueprint is made of the dataset config, the script's own options and
defaults, each parameter from the nearest place that has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Kind(str, Enum):
    """How sd-scripts reads a dataset (library/config_util.py, BlueprintGenerator.generate)."""

    DREAMBOOTH = "dreambooth"
    FINETUNING = "finetuning"
    CONTROLNET = "controlnet"


@dataclass(frozen=True)
class SubsetBlueprint:
    """One folder or metadata file. `params` under sd-scripts' names: image_dir, num_repeats, caption_extension, …

    Paths in it are absolute. `places` says where a parameter was written that is not left at its default.
    """

    params: Mapping[str, Any]
    where: str | None
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetBlueprint:
    """One dataset. `params` under sd-scripts' names: resolution as (width, height), batch_size, enable_bucket, …

    `subsets` are those that the trainer uses: it passes over one with num_repeats below 1, and over a folder that
    stands in the dataset a second time. `places` says where a parameter was written that is not left at its default.
    """

    kind: Kind
    params: Mapping[str, Any]
    subsets: tuple[SubsetBlueprint, ...]
    where: str | None
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Blueprint:
    """All datasets of a run, in order."""

    datasets: tuple[DatasetBlueprint, ...]
