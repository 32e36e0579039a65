"""The layers of each family that a LoRA can hang on: how many of which size, in the groups that networks choose by.

Counted from the classes that sd-scripts builds: library/original_unet.py, sdxl_original_unet.py, flux_models.py,
chroma_models.py, sd3_models.py, lumina_models.py, hunyuan_image_models.py, anima_models.py, and transformers' CLIP,
Gemma 2 and Qwen 3. tests/real compares them with the classes themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from launcher.data.model_family import Family


class Layers(NamedTuple):
    """`number` equal layers: inputs, outputs, and the area of a convolution's kernel (1 for a linear layer)."""

    number: int
    inputs: int
    outputs: int
    kernel: int = 1


Groups = Mapping[str, tuple[Layers, ...]]


def _resnets(wide: int, joined: int, samplers: int) -> Groups:
    """The convolutions of a U-Net of 320 channels: with four levels (SD 1, SD 2) or three (SDXL).

    `wide` blocks give 1280 channels, `joined` of them from twice as many; `samplers` change the size of that level.
    """
    return {
        "resnet": (
            Layers(7, 320, 320, 9), Layers(5, 1280, 320), Layers(1, 320, 640, 9), Layers(5, 1280, 640),
            Layers(6, 640, 640, 9), Layers(1, 320, 640), Layers(1, 640, 1280, 9), Layers(wide, 1280, 1280),
            Layers(2 * wide - joined - 2, 1280, 1280, 9), Layers(1, 640, 1280),
            Layers(joined, 2560, 1280, 9), Layers(joined, 2560, 1280), Layers(1, 1920, 1280, 9), Layers(1, 1920, 1280),
            Layers(1, 1920, 640, 9), Layers(1, 1920, 640), Layers(1, 1280, 640, 9), Layers(1, 1280, 640),
            Layers(1, 960, 640, 9), Layers(1, 960, 640), Layers(1, 960, 320, 9), Layers(1, 960, 320),
            Layers(2, 640, 320, 9), Layers(2, 640, 320),
        ),
        "sampler": (Layers(1, 320, 320, 9), Layers(2, 640, 640, 9), Layers(samplers, 1280, 1280, 9)),
    }  # fmt: skip


def _attention(context: int, blocks: tuple[tuple[int, int, int], ...]) -> tuple[Layers, ...]:
    """Attention to the picture itself and to the prompt, which comes `context` wide."""
    layers: list[Layers] = []
    for width, number, _ in blocks:
        layers += [Layers(6 * number, width, width), Layers(2 * number, context, width)]
    return tuple(layers)


def _rest(blocks: tuple[tuple[int, int, int], ...]) -> tuple[Layers, ...]:
    """The feed-forward layers, and the projections into and out of each transformer."""
    layers: list[Layers] = []
    for width, number, transformers in blocks:
        layers += [Layers(number, width, 8 * width), Layers(number, 4 * width, width)]
        layers.append(Layers(2 * transformers, width, width))
    return tuple(layers)


def _clip(width: int, depth: int) -> Groups:
    return {
        "attention": (Layers(4 * depth, width, width),),
        "mlp": (Layers(depth, width, 4 * width), Layers(depth, 4 * width, width)),
    }


# Width, transformer blocks, transformers.
_SD_BLOCKS = ((320, 5, 5), (640, 5, 5), (1280, 6, 6))
_SDXL_BLOCKS = ((640, 10, 5), (1280, 60, 6))
_SD_ENDS = (Layers(1, 4, 320, 9), Layers(1, 320, 1280), Layers(1, 1280, 1280), Layers(1, 320, 4, 9))

U_NETS: Mapping[Family, Groups] = {
    Family.SD1: {
        "attention": _attention(768, _SD_BLOCKS), "transformer": _rest(_SD_BLOCKS), "ends": _SD_ENDS,
        **_resnets(12, 5, 3),
    },
    Family.SD2: {
        "attention": _attention(1024, _SD_BLOCKS), "transformer": _rest(_SD_BLOCKS), "ends": _SD_ENDS,
        **_resnets(12, 5, 3),
    },
    Family.SDXL: {
        "attention": _attention(2048, _SDXL_BLOCKS), "transformer": _rest(_SDXL_BLOCKS), **_resnets(7, 2, 1),
    },
    Family.LUMINA: {
        "transformer": (
            Layers(30, 2304, 3840), Layers(30, 2304, 2304), Layers(60, 2304, 9216), Layers(30, 9216, 2304),
            Layers(28, 1024, 9216), Layers(1, 2304, 64), Layers(1, 1024, 2304),
        ),
    },
    Family.HUNYUAN_IMAGE: {
        "transformer": (
            Layers(40, 3584, 21504), Layers(40, 3584, 10752), Layers(40, 3584, 3584), Layers(40, 3584, 14336),
            Layers(40, 14336, 3584), Layers(40, 3584, 25088), Layers(40, 17920, 3584), Layers(40, 3584, 10752),
        ),
    },
    Family.ANIMA: {
        # networks/lora_anima.py leaves out modulation, embedders and the final layer.
        "transformer": (
            Layers(168, 2048, 2048), Layers(56, 1024, 2048), Layers(28, 2048, 8192), Layers(28, 8192, 2048),
        ),
    },
}  # fmt: skip
TEXT_ENCODERS: Mapping[Family, tuple[Groups, ...]] = {
    Family.SD1: (_clip(768, 12),),
    Family.SD2: (_clip(1024, 23),),
    Family.SDXL: (_clip(768, 12), _clip(1280, 32)),
    Family.SD3: (_clip(768, 12), _clip(1280, 32)),
    Family.FLUX: (_clip(768, 12),),
    Family.CHROMA: (),
    Family.HUNYUAN_IMAGE: (),
}


def transformer_layers(family: Family, blocks: tuple[int, int]) -> tuple[Layers, ...] | None:
    """The layers of the families whose number of blocks a file says; None for others, and where it does not.

    `blocks` as in `launcher.data.model_family.Model`.
    """
    first, second = blocks
    if family in (Family.FLUX, Family.CHROMA):
        double, single = (first, second) if first else (19, 38)
        with_modulation = family is Family.FLUX
        modulation = (Layers(2 * double, 3072, 18432), Layers(single, 3072, 9216)) if with_modulation else ()
        return (
            *modulation, Layers(2 * double, 3072, 9216), Layers(2 * double, 3072, 3072),
            Layers(2 * double, 3072, 12288), Layers(2 * double, 12288, 3072),
            Layers(single, 3072, 21504), Layers(single, 15360, 3072),
        )  # fmt: skip
    if family is Family.SD3 and first:
        width, pairs = 64 * first, 2 * first  # one block for the prompt and one for the picture
        return (
            Layers(pairs + second, width, 3 * width), Layers(pairs - 1 + second, width, width),
            Layers(pairs - 1, width, 4 * width), Layers(pairs - 1, 4 * width, width),
            Layers(pairs - 1 - second, width, 6 * width), Layers(second, width, 9 * width),
            Layers(1, width, 2 * width),
        )  # fmt: skip
    return None
