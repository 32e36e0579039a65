"""Datasets made for one test: folders of pictures, blueprints of them, and a checkout that treats them as the real one.

The sources are no copies: they hold what the rules look for, in functions of the same names.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from candidate_bed import candidate_of
from plan_bed import NEEDED, USUAL, option, switch
from trainer_sources import READ_CAPTION

from launcher.plan.blueprint import Blueprint, DatasetBlueprint, Kind, SubsetBlueprint
from launcher.plan.checks.candidate import Candidate
from launcher.trainer.options import Option

TRAIN_UTIL = f"""
IMAGE_EXTENSIONS = [".png", ".jpg", ".webp", ".PNG"]

try:
    import pillow_avif as reader
    IMAGE_EXTENSIONS.extend([".avif", ".AVIF"])
except ImportError:
    reader = None

class BucketManager:
    def select_bucket(self, width, height):
        if not self.no_upscale:
            return None
        return width % self.reso_steps

class BaseDataset:
    def get_image_size(self, path):
        return imagesize.get(path)

    def adjust_min_max_bucket_reso_by_steps(self):
        return None

    def process_caption(self, subset, caption):
        if subset.keep_tokens_separator in caption:
            return caption
        return flex_tokens[: subset.keep_tokens]

class DreamBoothDataset:
    def load_dreambooth_dir(subset):
        img_paths, sizes = split_train_val(img_paths, sizes)
        captions = [meta["caption"] for meta in metas.values()]
{READ_CAPTION}"""
OPTIONS = (
    *USUAL, option("gradient_accumulation_steps", type="int", default=1), switch("cache_latents_to_disk"),
    switch("use_object_template"),
)  # fmt: skip
_DATASET = {
    "resolution": (512, 512), "batch_size": 1, "enable_bucket": True, "min_bucket_reso": 256, "max_bucket_reso": 1024,
    "bucket_reso_steps": 64, "bucket_no_upscale": False, "validation_split": 0.0, "validation_seed": None,
}  # fmt: skip
_SUBSET = {
    "num_repeats": 1, "caption_extension": ".txt", "class_tokens": None, "is_reg": False, "enable_wildcard": False,
    "caption_separator": ",", "keep_tokens": 0, "keep_tokens_separator": None, "shuffle_caption": False,
    "cache_info": False,
}  # fmt: skip


def png(width: int = 512, height: int = 512) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"rows")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def write(folder: Path, files: dict[str, bytes | str]) -> str:
    """Files of a folder, which is made; its path as text."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return str(folder)


def fox(folder: Path, number: int = 3, caption: str = "fox, snow", extension: str = ".txt") -> str:
    """A folder of pictures with captions that nothing is wrong with."""
    files: dict[str, bytes | str] = {f"{each}.png": png() for each in range(number)}
    files |= {f"{each}{extension}": caption for each in range(number)}
    return write(folder, files)


def subset(image_dir: str | None, **params: Any) -> SubsetBlueprint:
    return SubsetBlueprint({**_SUBSET, "image_dir": image_dir, **params}, "data.toml:4")


def dataset(*subsets: SubsetBlueprint, kind: Kind = Kind.DREAMBOOTH, **params: Any) -> DatasetBlueprint:
    return DatasetBlueprint(kind, {**_DATASET, **params}, subsets, "data.toml:1")


def candidate_with(
    folder: Path,
    datasets: Sequence[DatasetBlueprint],
    text: str = "",
    *,
    source: str | None = TRAIN_UTIL,
    packages: dict[str, str] | None = None,
    options: Sequence[Option] = OPTIONS,
) -> Candidate:
    sources = {} if source is None else {"library/train_util.py": source}
    spec = folder / "spec"
    spec.mkdir(exist_ok=True)
    candidate = candidate_of(spec, NEEDED + text, *options, sources=sources, packages=packages or {"torch.py": ""})
    return replace(candidate, blueprint=Blueprint(tuple(datasets)))
