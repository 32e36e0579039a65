"""Model files of every family for the bed: true headers, and data that takes no room on disk."""

from __future__ import annotations

import json
from pathlib import Path

from model_shapes import MODELS, diffusers_folder, lora, write_model


def write_models(folder: Path) -> None:
    """One file of each family under its name, LoRAs, folders of diffusers, and damaged ones."""
    for name in ("sd1", "sd2", "sdxl", "sd3", "flux", "lumina", "hunyuan", "anima", "clip", "t5", "embedding", "vae"):
        write_model(folder / f"{name}.safetensors", MODELS[name])
    write_model(folder / "sdxl-v.safetensors", {**MODELS["sdxl"], "v_pred": (0,), "ztsnr": (0,)})
    write_model(folder / "ae.safetensors", MODELS["vae16"])
    write_model(folder / "gemma2.safetensors", MODELS["other"])
    write_model(folder / "lora16.safetensors", lora(16))
    write_model(folder / "lora32.safetensors", lora(32))
    write_model(folder / "lora-sdxl.safetensors", lora(16, context=2048), metadata={"ss_base_model_version": "sdxl"})
    write_model(folder / "cut-off.safetensors", MODELS["sd1"], cut=100)
    write_model(folder / "controlnet.safetensors", MODELS["control-net"])
    write_model(folder / "unet.safetensors", MODELS["unet"])
    (folder / "old.ckpt").write_bytes(b"PK\x03\x04" + bytes(2000))
    (folder / "page.safetensors").write_text("<!DOCTYPE html><html>Sign in to download</html>" * 20, encoding="utf-8")
    (folder / "empty.safetensors").write_bytes(b"")
    diffusers_folder(folder / "diffusers-sd1")
    diffusers_folder(folder / "diffusers-sd2", 1024)
    index = {"_class_name": "StableDiffusionXLPipeline"}
    sdxl = diffusers_folder(folder / "diffusers-sdxl", 2048)
    (sdxl / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "empty-folder").mkdir()
