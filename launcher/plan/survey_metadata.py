"""Pictures listed in a file: the metadata of fine tuning, and the list that the trainer keeps with `cache_info`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.data.captions import Caption
from launcher.data.folders import Folder, read_folder
from launcher.data.picture_cache import Progress, look
from launcher.data.pictures import PictureSize, Unreadable
from launcher.plan.blueprint import SubsetBlueprint
from launcher.plan.buckets import Size
from launcher.plan.survey_rules import SurveyRules
from launcher.plan.surveyed import Picture

CACHE_FILE = "metadata_cache.json"  # library/train_util.py, DreamBoothDataset.IMAGE_INFO_CACHE_FILE
_LARGEST = 256 * 1024 * 1024  # bytes of a metadata file that is read
MISSING = Unreadable("it is not there")


@dataclass(frozen=True)
class Listed:
    """The pictures of a metadata file, and why the trainer fails at it."""

    pictures: tuple[Picture, ...] = ()
    problem: str | None = None


class MetadataError(Exception):
    """Why the trainer fails at a metadata file."""


def cached_pictures(folder: Folder) -> Listed | None:
    """What the trainer's own list in a folder says; None when it has none and will look itself."""
    if CACHE_FILE not in folder.files:
        return None
    try:
        entries = metadata_entries(folder.join(CACHE_FILE))
        return Listed(tuple(_cached(path, entry) for path, entry in entries.items()))
    except MetadataError as error:
        return Listed(problem=f"{CACHE_FILE} {error}")


def _cached(path: str, entry: Mapping[str, Any]) -> Picture:
    size, caption = _two_numbers(entry.get("resolution")), entry.get("caption")
    if size is None or "caption" not in entry:
        raise MetadataError(f"has no resolution or no caption for {path}")
    text = caption if isinstance(caption, str) else ""
    return Picture(path, MISSING, Caption(text) if text else None, text, size)


def metadata_pictures(blueprint: SubsetBlueprint, rules: SurveyRules, progress: Progress | None) -> Listed:
    """The pictures of a fine-tuning subset: FineTuningDataset of library/train_util.py."""
    file, directory = blueprint.params.get("metadata_file"), blueprint.params.get("image_dir")
    if not isinstance(file, str):
        return Listed(problem="there is no metadata_file")
    try:
        entries = metadata_entries(file)
        relative = next((key for key in entries if not os.path.isabs(key)), None)  # noqa: PTH117 - keys are texts
        if relative is not None and not isinstance(directory, str):
            raise MetadataError(f"names {relative}, a relative path, but the subset has no image_dir")
    except MetadataError as error:
        return Listed(problem=f"{os.path.basename(file)} {error}")  # noqa: PTH119 - a text
    folders: dict[str, Folder] = {}
    paths = {key: _path(key, directory if isinstance(directory, str) else "", folders, rules) for key in entries}
    sizes = _sizes(list(paths.values()), folders, rules, progress)
    key_of_size = "train_resolution" if rules.train_resolution else "image_size"
    pictures = []
    for key, entry in entries.items():
        text, caption = _text(entry, blueprint.params)
        stated = _two_numbers(entry.get(key_of_size))
        pictures.append(Picture(paths[key], sizes.get(paths[key], MISSING), caption, text, stated))
    return Listed(tuple(pictures))


def _path(key: str, directory: str, folders: dict[str, Folder], rules: SurveyRules) -> str:
    """Where the picture of a key is."""
    path = os.path.join(directory, key)  # noqa: PTH118 - an absolute key stays as it is
    if not rules.train_resolution:
        return path
    folder, name = _folder_of(path, folders)
    beside = [f"{name}{extension}" for extension in rules.extensions if f"{name}{extension}" in folder.files]
    return path if name in folder.files or not beside else folder.join(min(beside))


def _folder_of(path: str, folders: dict[str, Folder]) -> tuple[Folder, str]:
    head, name = os.path.split(path)
    if head not in folders:
        folders[head] = read_folder(head)
    return folders[head], name


def _sizes(
    paths: list[str], folders: dict[str, Folder], rules: SurveyRules, progress: Progress | None
) -> dict[str, PictureSize | Unreadable]:
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        folder, name = _folder_of(path, folders)
        if name in folder.files or name in folder.others:
            by_folder.setdefault(folder.path, []).append(name)
    return {
        os.path.join(head, name): size  # noqa: PTH118 - texts
        for head, names in by_folder.items()
        for name, size in look(folders[head], names, (), progress=progress).sizes.items()
    }


def _text(entry: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[str, Caption | None]:
    """The caption that an entry makes, with its tags behind it."""
    caption, tags = entry.get("caption"), entry.get("tags")
    parts = [part for part in (caption, tags) if isinstance(part, str) and part]
    text = str(params.get("caption_separator") or ",").join(parts)
    return text, Caption(text) if parts else None


def metadata_entries(file: str) -> dict[str, dict[str, Any]]:
    """The entries of a metadata file by path. Raises MetadataError where the trainer fails at it."""
    try:
        path = Path(file)
        if not path.is_file():
            raise MetadataError("is not there")
        if path.stat().st_size > _LARGEST:
            return {}
        text = path.read_bytes().decode("utf-8")
        data = _lines(text) if file.endswith(".jsonl") else json.loads(text)
    except UnicodeDecodeError:
        raise MetadataError("is not UTF-8") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MetadataError(f"cannot be read: {error}") from None
    except RecursionError:
        raise MetadataError("is nested too deeply") from None
    if not isinstance(data, dict) or not all(isinstance(entry, dict) for entry in data.values()):
        raise MetadataError("is no table of pictures")
    return data


def _lines(text: str) -> dict[str, Any]:
    """A file with one JSON object per line, each with its `image_path`."""
    found = {}
    for line in text.splitlines():
        entry = json.loads(line)
        found[entry["image_path"]] = entry
    return found


def _two_numbers(value: Any) -> Size | None:
    if isinstance(value, (list, tuple)) and len(value) == 2:
        width, height = value
        if isinstance(width, int) and isinstance(height, int):
            return width, height
    return None
