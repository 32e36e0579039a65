"""The dataset config: which folders of pictures, how often, at what size."""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import toml

logger = logging.getLogger(__name__)

SUBSET_KEYS_USED = frozenset({"image_dir", "num_repeats", "class_tokens", "caption_extension", "shuffle_caption",
                              "keep_tokens", "caption_separator", "caption_prefix", "caption_suffix"})  # fmt: skip
DATASET_KEYS_USED = frozenset({"resolution", "batch_size", "subsets"})
KEYS_WITHOUT_EFFECT = frozenset(
    {
        "alpha_mask", "bucket_no_upscale", "bucket_reso_steps", "cache_info", "caption_dropout_every_n_epochs",
        "caption_dropout_rate", "caption_tag_dropout_rate", "color_aug", "custom_attributes", "enable_bucket",
        "enable_wildcard", "face_crop_aug_range", "flip_aug", "is_reg", "keep_tokens_separator", "max_bucket_reso",
        "min_bucket_reso", "network_multiplier", "random_crop", "resize_interpolation", "secondary_separator",
        "token_warmup_min", "token_warmup_step", "validation_seed", "validation_split",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Subset:
    """One folder of pictures."""

    image_dir: Path
    num_repeats: int
    class_tokens: str | None
    caption_extension: str
    caption_separator: str
    caption_prefix: str
    caption_suffix: str
    shuffle_caption: bool
    keep_tokens: int


@dataclass(frozen=True)
class Dataset:
    """Folders that are trained at one size, in batches of one size."""

    resolution: tuple[int, int]
    batch_size: int
    subsets: tuple[Subset, ...]


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset_config", type=Path, default=None, help="dataset config: .toml or .json")


def datasets_of(args: argparse.Namespace) -> tuple[list[Dataset], set[str]]:
    """The datasets to train on, and the keys of the config that have no effect here."""
    if args.dataset_config is not None:
        config = _load(Path(args.dataset_config))
    elif args.train_data_dir is not None:
        config = {"datasets": [{"subsets": _subsets_of_folder(Path(args.train_data_dir))}]}
    else:
        config = {"datasets": []}
    unknown = set(config) - {"general", "datasets"}
    if unknown:
        raise ValueError(f"unknown tables in the dataset config: {sorted(unknown)}")
    general: dict[str, Any] = config.get("general", {})
    without_effect: set[str] = set()
    _check(general, SUBSET_KEYS_USED | DATASET_KEYS_USED, "[general]", without_effect)
    datasets = []
    for table in config.get("datasets", []):
        _check(table, SUBSET_KEYS_USED | DATASET_KEYS_USED, "[[datasets]]", without_effect)
        common = {**general, **table}
        subsets = []
        for subset in table.get("subsets", []):
            _check(subset, SUBSET_KEYS_USED, "[[datasets.subsets]]", without_effect)
            if "image_dir" not in subset:
                raise ValueError("required key not provided: image_dir in [[datasets.subsets]]")
            subsets.append(_subset(args, {**common, **subset}))
        datasets.append(
            Dataset(
                resolution=_resolution(common.get("resolution", args.resolution)),
                batch_size=int(common.get("batch_size", args.train_batch_size)),
                subsets=tuple(subsets),
            )
        )
    return datasets, without_effect


def _load(path: Path) -> dict[str, Any]:
    logger.info(f"Loading dataset config from {path}")
    if not path.is_file():
        raise ValueError(f"file not found: {path}")
    text = path.read_text(encoding="utf-8")
    config: dict[str, Any] = json.loads(text) if path.suffix.lower() == ".json" else toml.loads(text)
    return config


def _check(table: dict[str, Any], used: frozenset[str], where: str, without_effect: set[str]) -> None:
    unknown = set(table) - used - KEYS_WITHOUT_EFFECT
    if unknown:
        raise ValueError(f"extra keys not allowed in {where} of the dataset config: {sorted(unknown)}")
    without_effect |= set(table) & KEYS_WITHOUT_EFFECT


def _subset(args: argparse.Namespace, table: dict[str, Any]) -> Subset:
    return Subset(
        image_dir=Path(table["image_dir"]),
        num_repeats=int(table.get("num_repeats", 1)),
        class_tokens=table.get("class_tokens"),
        caption_extension=table.get("caption_extension", args.caption_extention or args.caption_extension),
        caption_separator=table.get("caption_separator", args.caption_separator),
        caption_prefix=table.get("caption_prefix", args.caption_prefix) or "",
        caption_suffix=table.get("caption_suffix", args.caption_suffix) or "",
        shuffle_caption=bool(table.get("shuffle_caption", args.shuffle_caption)),
        keep_tokens=int(table.get("keep_tokens", args.keep_tokens)),
    )


def _subsets_of_folder(folder: Path) -> list[dict[str, Any]]:
    """Folders named REPEATS_WORDS in `folder`; others are passed over, as sd-scripts does."""
    subsets: list[dict[str, Any]] = []
    for child in sorted(folder.iterdir()) if folder.is_dir() else []:
        repeats, _, words = child.name.partition("_")
        if not child.is_dir() or not repeats.isdigit() or int(repeats) < 1:
            logger.warning(f"ignore directory without repeats: {child.name}")
            continue
        subsets.append({"image_dir": str(child), "num_repeats": int(repeats), "class_tokens": words})
    return subsets


def _resolution(value: Any) -> tuple[int, int]:
    if value is None:
        raise ValueError("resolution is required")
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    sizes = [int(part) for part in parts]
    if len(sizes) > 2:
        raise ValueError(f"resolution must be SIZE or WIDTH,HEIGHT: {value}")
    return sizes[0], sizes[-1]
