"""Which folders and lists of pictures a run trains on: by its dataset config, or by its options without one.

The trainer's schema of the config is not asked: it has changed, and the names of what holds files have not
(library/config_util.py, v0.5.1 to today).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.data.captions import with_dot
from launcher.data.folders import folders_in

_LARGEST = 16 * 1024 * 1024  # bytes of a dataset config: kl copies no larger one
_CAPTION_EXTENSION = ".caption"  # library/train_util.py, add_dataset_arguments


@dataclass(frozen=True)
class Subset:
    """One subset, with whole paths. `cache_info`: the trainer keeps its own list of the folder, and goes by it."""

    image_dir: str | None
    metadata_file: str | None = None
    conditioning_dir: str | None = None
    caption_extension: str = _CAPTION_EXTENSION
    is_reg: bool = False
    cache_info: bool = False


def read_config(name: str, content: bytes | None) -> tuple[Mapping[str, Any] | None, str | None]:
    """A dataset config, read as the trainer reads it, or why it cannot be."""
    if content is None:
        return None, f"{name} is not there"
    if len(content) > _LARGEST:
        return None, f"{name} has {len(content)} bytes"
    try:
        text = content.decode("utf-8-sig")
        if name.lower().endswith(".json"):
            config = json.loads(text)
        else:
            import toml  # noqa: PLC0415 - sd-scripts' own reader, slow to load

            config = toml.loads(text)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        return None, f"{name} cannot be read: {error}"
    return (config, None) if isinstance(config, dict) else (None, f"{name} is no table")


def subsets_of(options: Mapping[str, Any], config: Mapping[str, Any] | None, checkout: Path) -> list[Subset]:
    """The subsets that are used, with relative paths taken from the checkout, where the trainer runs."""
    found = _of_config(config, options) if config is not None else _of_options(options)
    return [_whole(subset, checkout) for subset in found]


def _of_config(config: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Subset]:
    """library/config_util.py, BlueprintGenerator.generate: the nearest place that says something counts."""
    general = _table(config.get("general"))
    fallback = {**options, "num_repeats": options.get("dataset_repeats")}
    if options.get("caption_extention"):  # the spelling of old; it goes first (train_util.py, prepare_dataset_args)
        fallback["caption_extension"] = options["caption_extention"]
    for dataset in map(_table, _list(config.get("datasets"))):
        for subset in map(_table, _list(dataset.get("subsets"))):
            levels = (subset, dataset, general, fallback)
            repeats = _first("num_repeats", levels)
            if isinstance(repeats, int) and repeats < 1:
                continue  # the trainer passes over it
            yield Subset(
                _text(_first("image_dir", levels)),
                _text(_first("metadata_file", levels)),
                _text(_first("conditioning_data_dir", levels)),
                _extension(_first("caption_extension", levels)),
                bool(_first("is_reg", levels)),
                bool(_first("cache_info", levels)),
            )


def _of_options(options: Mapping[str, Any]) -> Iterator[Subset]:
    """What the scripts make of their options: train_network.py, train_db.py, fine_tune.py, train_controlnet.py."""
    train, regularization = _text(options.get("train_data_dir")), _text(options.get("reg_data_dir"))
    listed, conditioning = _text(options.get("in_json")), _text(options.get("conditioning_data_dir"))
    extension = _extension(options.get("caption_extention") or options.get("caption_extension"))
    cached = bool(options.get("cache_info"))
    if listed:
        yield Subset(train, metadata_file=listed)
    elif conditioning:
        yield Subset(train, None, conditioning, extension, cache_info=cached)
    else:
        for folder, is_reg in ((train, False), (regularization, True)):
            for name in _with_repeats(folder) if folder else ():
                yield Subset(os.path.join(folder or "", name), None, None, extension, is_reg, cached)  # noqa: PTH118


def _with_repeats(folder: str) -> Iterator[str]:
    """The folders whose names begin with their repeats: generate_dreambooth_subsets_config_by_subdirs."""
    for name in folders_in(folder):
        try:
            repeats = int(name.split("_")[0])
        except ValueError:
            continue
        if repeats > 0:
            yield name


def _whole(subset: Subset, checkout: Path) -> Subset:
    def whole(path: str | None) -> str | None:
        return os.path.join(checkout, path) if path else None  # noqa: PTH118 - to the letter, as the trainer opens it

    return Subset(
        whole(subset.image_dir),
        whole(subset.metadata_file),
        whole(subset.conditioning_dir),
        subset.caption_extension,
        subset.is_reg,
        subset.cache_info,
    )


def _extension(value: object) -> str:
    return with_dot(value if isinstance(value, str) and "\0" not in value else _CAPTION_EXTENSION)


def _first(name: str, levels: tuple[Mapping[str, Any], ...]) -> Any:
    return next((level[name] for level in levels if level.get(name) is not None), None)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value and "\0" not in value else None
