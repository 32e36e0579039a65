"""Pictures and captions, ready as batches."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from library.config_util import Dataset, Subset
from library.demo_model import tokens_of

logger = logging.getLogger(__name__)

IMAGE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
LATENT_SCALE = 2  # a pixel of the model is the mean of 2×2 pixels: that is the demo's whole VAE
LARGEST_SIDE = 64
SIDE_STEP = 8


@dataclass(frozen=True)
class Picture:
    """One encoded picture with its caption."""

    latents: Tensor
    caption: str
    subset: Subset


class Batches(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Item N is batch N: which pictures it holds is fixed, the order of batches is the loader's."""

    def __init__(self, datasets: list[Dataset]) -> None:
        self.image_count = 0
        self.batches: list[list[Picture]] = []
        for dataset in datasets:
            repeated = []
            size = training_size(dataset.resolution)
            if size != dataset.resolution:
                logger.warning(f"the demo trainer trains at {size} instead of {dataset.resolution}")
            for subset in dataset.subsets:
                pictures = _load_subset(subset, size)
                self.image_count += len(pictures) * subset.num_repeats
                repeated += pictures * subset.num_repeats
            # Mixed once, so that a batch holds different pictures; always the same way, or a resume would differ.
            random.Random(0).shuffle(repeated)  # noqa: S311 - chance, not secrecy
            count = dataset.batch_size
            self.batches += [repeated[start : start + count] for start in range(0, len(repeated), count)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        batch = self.batches[index]
        latents = torch.stack([picture.latents for picture in batch])
        tokens = torch.stack([tokens_of(_caption_now(picture)) for picture in batch])
        return latents, tokens


def training_size(resolution: tuple[int, int]) -> tuple[int, int]:
    """The size that is really trained: the demo's model is made for small pictures."""
    width, height = (max(SIDE_STEP, min(side, LARGEST_SIDE) // SIDE_STEP * SIDE_STEP) for side in resolution)
    return width, height


def _load_subset(subset: Subset, size: tuple[int, int]) -> list[Picture]:
    if not subset.image_dir.is_dir():
        logger.warning(f"not directory: {subset.image_dir}")
        return []
    paths = sorted(path for path in subset.image_dir.iterdir() if path.suffix.lower() in IMAGE_ENDINGS)
    logger.info(f"found directory {subset.image_dir} contains {len(paths)} image files")
    return [Picture(_encode(path, size), _caption_of(path, subset), subset) for path in paths]


def _encode(path: Path, size: tuple[int, int]) -> Tensor:
    with Image.open(path) as image:
        pixels = numpy.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS), dtype=numpy.float32)
    whole = torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 127.5 - 1.0
    return functional.avg_pool2d(whole, LATENT_SCALE)


def _caption_of(path: Path, subset: Subset) -> str:
    written = path.with_suffix(subset.caption_extension)
    if written.is_file():
        return written.read_text(encoding="utf-8").strip()
    return subset.class_tokens or ""


def _caption_now(picture: Picture) -> str:
    """The caption for this time: prefix and suffix added, the parts after `keep_tokens` shuffled where wanted."""
    subset = picture.subset
    parts = [part.strip() for part in picture.caption.split(subset.caption_separator)]
    if subset.shuffle_caption:
        loose = parts[subset.keep_tokens :]
        random.shuffle(loose)
        parts = parts[: subset.keep_tokens] + loose
    joined = f"{subset.caption_separator} ".join(parts)
    return " ".join(text for text in (subset.caption_prefix, joined, subset.caption_suffix) if text)
