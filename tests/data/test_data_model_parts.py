from __future__ import annotations

from pathlib import Path

import pytest
from model_shapes import MODELS, Shapes, write_model

from launcher.data.model_parts import find_parts, part_of, parts_within

CLIP = "text_model.embeddings.token_embedding.weight"
_PARTS: dict[str, Shapes] = {
    "clip_l": MODELS["clip"],
    "clip_g": {CLIP: (49408, 1280)},
    "t5xxl": MODELS["t5"],
    "ae": MODELS["vae16"],
    "gemma2": {"model.embed_tokens.weight": (256000, 2304)},
    "qwen3": {"model.embed_tokens.weight": (151936, 1024)},
    "vae": {"encoder.conv1.weight": (96, 3, 3, 3, 3), "decoder.conv1.weight": (384, 16, 3, 3, 3)},
}


@pytest.mark.parametrize(("part", "shapes"), _PARTS.items())
def test_a_part_is_known_by_its_header(tmp_path: Path, part: str, shapes: Shapes) -> None:
    assert part_of(write_model(tmp_path / "any.safetensors", shapes)) == part


@pytest.mark.parametrize("name", ["sd1", "sdxl", "flux", "vae", "lumina", "anima", "other"])
def test_other_files_are_no_part(tmp_path: Path, name: str) -> None:
    assert part_of(write_model(tmp_path / "any.safetensors", MODELS[name])) is None


def test_a_vae_in_diffusers_names_is_not_the_one_that_flux_loads(tmp_path: Path) -> None:
    shapes = {**MODELS["vae16"], "decoder.conv_norm_out.weight": (128,)}
    assert part_of(write_model(tmp_path / "any.safetensors", shapes)) is None


def test_parts_are_found_beside_the_model_and_where_people_keep_them(tmp_path: Path) -> None:
    model = write_model(tmp_path / "diffusion_models/flux.safetensors", MODELS["flux"])
    clip = write_model(tmp_path / "text_encoders/clip.safetensors", _PARTS["clip_l"])
    write_model(tmp_path / "text_encoders/other.safetensors", _PARTS["clip_l"])
    t5 = write_model(tmp_path / "diffusion_models/t5.sft", _PARTS["t5xxl"])
    ae = write_model(tmp_path / "vae/ae.safetensors", _PARTS["ae"])
    (tmp_path / "vae/broken.safetensors").write_text("no model")
    assert find_parts(model, {"clip_l", "t5xxl", "ae", "gemma2"}) == {"clip_l": clip, "t5xxl": t5, "ae": ae}
    assert find_parts(model, set()) == {}
    assert find_parts(tmp_path / "gone/model.safetensors", {"clip_l"}) == {"clip_l": clip}


def test_a_model_of_sd3_may_hold_its_text_encoders(tmp_path: Path) -> None:
    shapes = {**MODELS["sd3"], f"text_encoders.clip_l.transformer.{CLIP}": (49408, 768)}
    assert parts_within(write_model(tmp_path / "whole.safetensors", shapes)) == {"clip_l"}
    assert parts_within(write_model(tmp_path / "bare.safetensors", MODELS["sd3"])) == frozenset()
    assert parts_within(tmp_path / "gone.safetensors") == frozenset()
