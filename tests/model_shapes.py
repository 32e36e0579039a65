"""Model files made up for a test: a true header, and data that takes no room on disk."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

Shapes = Mapping[str, Sequence[int]]
_BYTES = {"F16": 2, "BF16": 2, "F32": 4}


def write_model(
    path: Path, shapes: Shapes, *, metadata: Mapping[str, str] | None = None, dtype: str = "F16", cut: int = 0
) -> Path:
    """A safetensors file with tensors of these shapes; `cut` bytes are missing at its end."""
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    for name, shape in shapes.items():
        size = _BYTES[dtype]
        for number in shape:
            size *= number
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    header = json.dumps(entries).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + offset - cut)
    return path


_LDM = "model.diffusion_model."
_VAE = {
    "encoder.conv_in.weight": (128, 3, 3, 3),
    "encoder.norm_out.weight": (512,),
    "decoder.conv_in.weight": (512, 4, 3, 3),
    "decoder.norm_out.weight": (128,),
}
_FIRST_STAGE = {f"first_stage_model.{name}": shape for name, shape in _VAE.items()}


def _plain(context: int) -> dict[str, Sequence[int]]:
    return {
        f"{_LDM}input_blocks.0.0.weight": (320, 4, 3, 3),
        f"{_LDM}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, context),
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
        **_FIRST_STAGE,
    }


def _wide(context: int) -> dict[str, Sequence[int]]:
    return {
        f"{_LDM}input_blocks.0.0.weight": (320, 4, 3, 3),
        f"{_LDM}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, context),
        "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
        **_FIRST_STAGE,
    }


FLUX = {
    "img_in.weight": (3072, 64), "double_blocks.0.img_attn.qkv.weight": (9216, 3072),
    "single_blocks.0.linear1.weight": (21504, 3072),
}  # fmt: skip
# The tensors of each by which it is known, with the shapes of the real models.
MODELS: Mapping[str, Shapes] = {
    "sd1": _plain(768),
    "sd2": _plain(1024),
    "sdxl": _wide(2048),
    "refiner": _wide(1280),
    "sd3": {f"{_LDM}joint_blocks.0.x_block.attn.qkv.weight": (4608, 1536)},
    "flux": FLUX,
    "chroma": {**FLUX, "distilled_guidance_layer.in_proj.weight": (5120, 64)},
    "lumina": {"layers.0.attention.qkv.weight": (3840, 2304), "cap_embedder.0.weight": (2304,)},
    "hunyuan": {"byt5_in.fc1.weight": (2048, 1472), "txt_in.input_embedder.weight": (3584, 3584)},
    "anima": {"net.llm_adapter.embed.weight": (32128, 1024), "net.blocks.0.cross_attn.q_proj.weight": (2048, 2048)},
    "vae": _VAE,
    "vae16": {**_VAE, "decoder.conv_in.weight": (512, 16, 3, 3)},
    "diffusers-vae": {**_VAE, "decoder.conv_norm_out.weight": (128,)},
    "clip": {"text_model.embeddings.token_embedding.weight": (49408, 768)},
    "t5": {"encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)},
    "control-net": {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3)},
    "unet": {
        "conv_in.weight": (320, 4, 3, 3),
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    },
    "embedding": {"emb_params": (8, 768)},
    "other": {"some.weight": (3, 4)},
}  # fmt: skip


def lora(rank: int, *, context: int = 768, layer: str = "lora_unet_down_blocks_0_attentions_0_attn2_to_k") -> Shapes:
    """A LoRA of networks/lora.py with one layer."""
    return {
        f"{layer}.lora_down.weight": (rank, context),
        f"{layer}.lora_up.weight": (320, rank),
        f"{layer}.alpha": (),
    }


def diffusers_folder(folder: Path, context: int = 768, *, prediction: str = "epsilon") -> Path:
    """A folder in diffusers' layout, as far as its configuration files go."""
    files = {
        "model_index.json": {"_class_name": "StableDiffusionPipeline"},
        "unet/config.json": {"cross_attention_dim": context, "in_channels": 4},
        "scheduler/scheduler_config.json": {"prediction_type": prediction},
        "vae/config.json": {"_class_name": "AutoencoderKL"},
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder
