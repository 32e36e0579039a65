"""What a LoRA or LyCORIS file is: how its weights are built, their rank, and the family that it was trained on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from launcher.data.model_family import Family
from launcher.data.safetensors_header import Header

# How weights are built, by the end of a tensor's name: networks/lora.py, networks/oft.py and lycoris/modules.
_KINDS = {
    ".lora_down.weight": "lora", ".lora_A.weight": "peft", ".lora.down.weight": "peft",
    ".hada_w1_a": "loha", ".lokr_w1": "lokr", ".lokr_w1_a": "lokr", ".oft_blocks": "oft", ".a1.weight": "glora",
    ".on_input": "ia3", ".diff": "full",
}  # fmt: skip
# Tensors of linear layers whose first size is the rank, and whose second is the layer's width.
_RANKS = (".lora_down.weight", ".hada_w1_b")
_ATTENTION_WIDTHS = {768: Family.SD1, 1024: Family.SD2, 2048: Family.SDXL}
_CONTEXT_LAYER = re.compile(r"lora_unet_\w+_attn2_to_k$")
_FLUX_LAYER = re.compile(r"lora_unet_(?:double_blocks_\d+_img_attn_qkv|single_blocks_\d+_linear1)$")


@dataclass(frozen=True)
class NetworkFile:
    """What the names and shapes of a LoRA file say.

    `kinds` are the ways its weights are built: lora, loha, lokr, oft, …, and peft for the names of that library.
    `ranks` counts the layers of each rank, without convolutions above 1 × 1. `family` is None where it cannot be
    told. `diffusers_names` says whether the layers of an SDXL U-Net have the names of diffusers.
    """

    kinds: frozenset[str]
    ranks: Mapping[int, int]
    family: Family | None
    diffusers_names: bool


def network_file(header: Header) -> NetworkFile:
    """What a LoRA file with this header is."""
    kinds, ranks, widths = set(), Counter[int](), dict[str, int]()
    for name, tensor in header.tensors.items():
        layer, dot, part = name.partition(".")
        end = next((end for end in _KINDS if name.endswith(end)), None)
        if end:
            kinds.add(_KINDS[end])
        if dot + part in _RANKS and len(tensor.shape) >= 2 and set(tensor.shape[2:]) <= {1}:
            ranks[tensor.shape[0]] += 1
            widths[layer] = tensor.shape[1]
    family = _by_width(widths) or _by_name(header.tensors)
    original = any(name.startswith("lora_unet_input_blocks_") for name in header.tensors)
    diffusers = any(name.startswith("lora_unet_down_blocks_") for name in header.tensors)
    is_sdxl = family is Family.SDXL
    return NetworkFile(frozenset(kinds), ranks, family, is_sdxl and diffusers and not original)


def _by_width(widths: Mapping[str, int]) -> Family | None:
    for layer, width in widths.items():
        if _CONTEXT_LAYER.match(layer):
            return _ATTENTION_WIDTHS.get(width)
        if _FLUX_LAYER.match(layer):
            return {3072: Family.FLUX, 3584: Family.HUNYUAN_IMAGE}.get(width)
        if layer == "lora_unet_layers_0_attention_qkv":
            return Family.LUMINA if width == 2304 else None
    return None


def _by_name(names: Mapping[str, object]) -> Family | None:
    starts = {
        "lora_unet_joint_blocks_": Family.SD3,
        "lora_unet_input_blocks_": Family.SDXL,
        "lora_unet_blocks_0_cross_attn_": Family.ANIMA,
    }
    found = (family for name in names for start, family in starts.items() if name.startswith(start))
    return next(found, None)
