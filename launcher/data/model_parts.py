"""The other files that a base model needs: text encoders and VAE, looked for where people keep them.

What a file is, its header says: names and shapes as library/flux_utils.py, sd3_utils.py, lumina_util.py,
anima_utils.py and qwen_image_autoencoder_kl.py load them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path

from launcher.data.safetensors_header import Header, read_header

_ENDINGS = (".safetensors", ".sft")
# Beside the model, below its folder's parent: models/text_encoders and models/vae beside models/diffusion_models.
_FOLDERS = ("", "text_encoders", "text_encoder", "clip", "vae", "ae")
_MOST_FILES = 300


def find_parts(model: Path, wanted: Set[str]) -> dict[str, Path]:
    """The files for these options beside a base model, or in the folders where such files usually stand.

    The first of each kind, by name. Reads headers only, and never raises.
    """
    found: dict[str, Path] = {}
    for path in _files(model):
        if not wanted - found.keys():
            break
        part = part_of(path)
        if part is not None and part in wanted:
            found.setdefault(part, path)
    return found


def part_of(path: Path) -> str | None:
    """The option of the trainer that a file is for; None for any other file."""
    header = read_header(path)
    if not isinstance(header, Header):
        return None
    return next((part for part, is_it in _MARKS.items() if is_it(header)), None)


def parts_within(model: Path) -> frozenset[str]:
    """Which text encoders a base model of SD 3 holds itself (library/sd3_utils.py, load_clip_l and its like)."""
    header = read_header(model)
    if not isinstance(header, Header):
        return frozenset()
    return frozenset(
        part
        for part in ("clip_l", "clip_g", "t5xxl")
        if any(name.startswith(f"text_encoders.{part}.transformer.") for name in header.tensors)
    )


def _files(model: Path) -> Iterator[Path]:
    number = 0
    places = [model.parent / name for name in _FOLDERS] + [model.parent.parent / name for name in _FOLDERS[1:]]
    for folder in dict.fromkeys(places):
        for name in _names(folder):
            number += 1
            if number > _MOST_FILES:
                return
            if folder / name != model:
                yield folder / name


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(_ENDINGS))  # noqa: PTH208
    except (OSError, ValueError):
        return []


def _has(header: Header, end: str, columns: int) -> bool:
    """Whether a tensor of this name, alone or behind a prefix, has so many columns."""
    return any(name.endswith(end) and tensor.shape[-1:] == (columns,) for name, tensor in header.tensors.items())


def _is_clip(header: Header, width: int) -> bool:
    """Whether this is a CLIP of this width and nothing else: whole base models hold one too."""
    if any(name.startswith(("model.diffusion_model.", "first_stage_model.")) for name in header.tensors):
        return False
    return _has(header, _CLIP, width) and not _has(header, _CLIP, _BIG if width == _SMALL else _SMALL)


def _is_vae(header: Header, dimensions: int) -> bool:
    """Whether this is a VAE of 16 channels whose convolutions have so many dimensions: 4 for pictures, 5 for films."""
    shapes = [header.shape(f"decoder.{name}.weight") for name in ("conv_in", "conv1")]
    return any(len(shape) == dimensions and shape[1] == _CHANNELS for shape in shapes)


_CLIP = "text_model.embeddings.token_embedding.weight"
_SMALL, _BIG = 768, 1280
_CHANNELS = 16
_MARKS: Mapping[str, Callable[[Header], bool]] = {
    "clip_l": lambda header: _is_clip(header, _SMALL),
    "clip_g": lambda header: _is_clip(header, _BIG),
    "t5xxl": lambda header: _has(header, "encoder.block.0.layer.0.SelfAttention.q.weight", 4096),
    # The trainer reads it under its first names only, not under those of diffusers.
    "ae": lambda header: _is_vae(header, 4) and "decoder.conv_norm_out.weight" not in header.tensors,
    "gemma2": lambda header: _has(header, "embed_tokens.weight", 2304),
    "qwen3": lambda header: _has(header, "embed_tokens.weight", 1024),
    "vae": lambda header: _is_vae(header, 5),
}
