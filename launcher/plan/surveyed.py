"""What a survey finds: every picture of a run with its caption, and the buckets they make."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from launcher.data.captions import Caption
from launcher.data.folders import Folder
from launcher.data.pictures import PictureSize, Unreadable
from launcher.plan.blueprint import DatasetBlueprint, Kind, SubsetBlueprint
from launcher.plan.buckets import BucketTable, Place, Size


class Ignored(Enum):
    """Why the trainer leaves a subset out, with no more than a warning in its log."""

    NO_FOLDER = "its folder is not there"
    NO_PICTURES = "there is no picture in it"


@dataclass(frozen=True)
class Picture:
    """One picture as the trainer sees it.

    `path` is as the trainer writes it. `stated` is the size that metadata say; then the header counts for nothing.
    `caption` is what stands in its caption file or metadata, None where there is none. `text` is what it is trained
    with: the caption, or the subset's class tokens, without prefix and suffix.
    """

    path: str
    size: PictureSize | Unreadable
    caption: Caption | None
    text: str
    stated: Size | None = None

    @property
    def name(self) -> str:
        """The file's name alone."""
        return os.path.basename(self.path)  # noqa: PTH119 - paths are texts here, as the trainer has them


@dataclass(frozen=True)
class SubsetSurvey:
    """One subset. `pictures` are all that the trainer finds, `trained` those not held back for validation.

    `folder` is None for a subset without a folder. `conditioning` is that of ControlNet's pictures. `problem` says why
    the trainer fails at the subset's metadata. `from_cache`: the trainer's own list of pictures (`cache_info`) is
    what it goes by, and `unlisted` are the names of pictures that are not in it.
    """

    blueprint: SubsetBlueprint
    folder: Folder | None
    pictures: tuple[Picture, ...] = ()
    trained: tuple[Picture, ...] = ()
    repeats: int = 0
    is_reg: bool = False
    ignored: Ignored | None = None
    problem: str | None = None
    conditioning: Folder | None = None
    from_cache: bool = False
    unlisted: tuple[str, ...] = ()

    @property
    def where(self) -> str | None:
        """Where the subset was written."""
        return self.blueprint.where


@dataclass(frozen=True)
class Entry:
    """One picture in the buckets: of which subset, by its number, how often, and where it goes.

    `place` is None for a picture without a size, and for one that the trainer cannot place.
    """

    picture: Picture
    subset: int
    repeats: int
    size: Size | None
    place: Place | None


@dataclass(frozen=True)
class DatasetSurvey:
    """One dataset. `images` and `reg_images` count repeats, as sd-scripts prints them.

    `table` is None where the trainer makes no buckets, `refused` says why. `exact` is False where the trainer draws
    the validation pictures by a chance that is not known beforehand.
    """

    blueprint: DatasetBlueprint
    subsets: tuple[SubsetSurvey, ...]
    entries: tuple[Entry, ...]
    table: BucketTable | None
    images: int
    reg_images: int
    refused: str | None = None
    exact: bool = True

    @property
    def kind(self) -> Kind:
        """How sd-scripts reads the dataset."""
        return self.blueprint.kind

    @property
    def batches(self) -> int:
        """Batches in one epoch."""
        return self.table.batches if self.table else 0


@dataclass(frozen=True)
class Survey:
    """All datasets of a run."""

    datasets: tuple[DatasetSurvey, ...]

    @property
    def subsets(self) -> Iterator[tuple[DatasetSurvey, SubsetSurvey]]:
        """Every subset with its dataset, in order."""
        return ((dataset, subset) for dataset in self.datasets for subset in dataset.subsets)

    @property
    def images(self) -> int:
        """Training images with repeats."""
        return sum(dataset.images for dataset in self.datasets)

    @property
    def reg_images(self) -> int:
        """Regularization images with repeats, those too that are not used."""
        return sum(dataset.reg_images for dataset in self.datasets)

    @property
    def batches(self) -> int:
        """Batches in one epoch, over all datasets."""
        return sum(dataset.batches for dataset in self.datasets)
