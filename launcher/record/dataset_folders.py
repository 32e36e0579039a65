"""The files that subsets train on, folder by folder, listed as the trainer lists them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from launcher.data.captions import candidates
from launcher.data.folders import Folder, read_folder
from launcher.plan.survey_metadata import CACHE_FILE, MetadataError, metadata_entries
from launcher.plan.survey_rules import TRAIN_UTIL, picture_extensions
from launcher.record.dataset import (
    CAPTION,
    CONDITIONING,
    IMAGES,
    METADATA,
    PICTURE,
    REGULARIZATION,
    DatasetFile,
    DatasetFolder,
)
from launcher.record.dataset_subsets import Subset
from launcher.trainer.packages import Packages, site_packages

_LARGEST_SOURCE = 10_000_000  # bytes of train_util.py


def extensions_of(checkout: Path, python: Path) -> tuple[str, ...]:
    """The extensions of pictures that a checkout knows in this environment."""
    source = checkout / TRAIN_UTIL
    try:
        small = source.is_file() and source.stat().st_size <= _LARGEST_SOURCE
        text = source.read_text(encoding="utf-8", errors="replace") if small else ""
    except OSError:
        text = ""
    sure, perhaps = picture_extensions(text, Packages(checkout, tuple(site_packages(python))))
    return (*sure, *perhaps)


def list_folders(
    subsets: Iterable[Subset], extensions: tuple[str, ...]
) -> tuple[tuple[DatasetFolder, ...], tuple[str, ...]]:
    """The files of all subsets, each folder once in each role, and what could not be listed."""
    found = _Found(extensions)
    for subset in subsets:
        if subset.metadata_file:
            _list_metadata(subset, subset.metadata_file, found)
        elif subset.image_dir:
            _list_images(subset, subset.image_dir, found)
        if subset.conditioning_dir:
            folder = found.folder(subset.conditioning_dir)
            for name in folder.pictures(extensions):
                found.add(folder, CONDITIONING, name, CONDITIONING)
    return found.folders(), tuple(dict.fromkeys(found.problems))


@dataclass
class _Found:
    extensions: tuple[str, ...]
    all: dict[tuple[str, str], dict[str, DatasetFile]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    known: dict[str, Folder] = field(default_factory=dict)

    def folder(self, path: str) -> Folder:
        """A folder, read once; one that is not there is a problem."""
        if path not in self.known:
            self.known[path] = read_folder(path)
            if not self.known[path].there:
                self.problems.append(f"{path} is no folder that can be read")
        return self.known[path]

    def folders(self) -> tuple[DatasetFolder, ...]:
        """What was found, sorted by name in each folder."""
        return tuple(DatasetFolder(*place, tuple(sorted(files.values()))) for place, files in self.all.items())

    def add(self, folder: Folder, role: str, name: str, kind: str) -> None:
        state = folder.files.get(name)
        files = self.all.setdefault((folder.path, role), {})
        # What is no file (a pipe, a link to nowhere) the trainer takes by its name all the same.
        files.setdefault(name, DatasetFile(name, kind, state.size if state else 0, state.modified if state else 0))


def _list_images(subset: Subset, path: str, found: _Found) -> None:
    folder = found.folder(path)
    role = REGULARIZATION if subset.is_reg else IMAGES
    if subset.cache_info and CACHE_FILE in folder.files:  # captions and sizes are taken from it
        found.add(folder, role, CACHE_FILE, METADATA)
    for name in folder.pictures(found.extensions):
        found.add(folder, role, name, PICTURE)
        for place in candidates(folder.join(name), subset.caption_extension):
            head, tail = os.path.split(place)
            # A folder with underscores in its own path: the shortened one may lead out of it.
            beside = folder if head == os.path.dirname(folder.join(name)) else _elsewhere(head, tail, found)  # noqa: PTH120
            if beside and tail in beside.files:
                found.add(beside, role, tail, CAPTION)
                break


def _elsewhere(head: str, tail: str, found: _Found) -> Folder | None:
    return found.folder(head) if os.path.isfile(os.path.join(head, tail)) else None  # noqa: PTH113, PTH118 - texts


def _list_metadata(subset: Subset, file: str, found: _Found) -> None:
    """library/train_util.py, FineTuningDataset: a file that lists pictures with their captions."""
    head, tail = os.path.split(file)
    folder = found.folder(head)
    found.add(folder, METADATA, tail, METADATA)
    try:
        keys = list(metadata_entries(file))
    except MetadataError as error:
        found.problems.append(f"{file} {error}")
        return
    for key in keys:
        if "\0" in key:
            continue
        head, tail = os.path.split(os.path.join(subset.image_dir or "", key))  # noqa: PTH118 - texts
        folder = found.folder(head)
        name = _picture_name(folder, tail, found.extensions)
        if name is None:
            found.problems.append(f"{os.path.join(head, tail)} is not there")  # noqa: PTH118 - texts
        else:
            found.add(folder, IMAGES, name, PICTURE)


def _picture_name(folder: Folder, name: str, extensions: tuple[str, ...]) -> str | None:
    """The file of a key: before v0.10.0 it may lack the extension, and cached latents do without a picture."""
    names = (name, *sorted(f"{name}{extension}" for extension in extensions), f"{os.path.splitext(name)[0]}.npz")  # noqa: PTH122
    return next((each for each in names if each in folder.files), None)
