from __future__ import annotations

from pathlib import Path

import pytest
from model_shapes import FLUX, MODELS, Shapes, diffusers_folder, lora, write_model

from launcher.data.model_family import Family, Kind, Model, recognise_file, recognise_folder
from launcher.data.model_files import cached_snapshot, hub_is_offline
from launcher.data.network_file import network_file
from launcher.data.safetensors_header import Header, read_header


def _model(folder: Path, shapes: Shapes, metadata: dict[str, str] | None = None) -> Model:
    return recognise_file(write_model(folder / "model.safetensors", shapes, metadata=metadata))


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("sd1", Family.SD1),
        ("sd2", Family.SD2),
        ("sdxl", Family.SDXL),
        ("refiner", Family.SDXL_REFINER),
        ("sd3", Family.SD3),
        ("flux", Family.FLUX),
        ("chroma", Family.CHROMA),
        ("lumina", Family.LUMINA),
        ("hunyuan", Family.HUNYUAN_IMAGE),
        ("anima", Family.ANIMA),
    ],
)
def test_base_models_by_their_tensors(tmp_path: Path, name: str, family: Family) -> None:
    found = _model(tmp_path, MODELS[name])
    assert (found.kind, found.family, found.lacks) == (Kind.BASE, family, ())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("vae", Kind.VAE),
        ("vae16", Kind.VAE),
        ("clip", Kind.TEXT_ENCODER),
        ("t5", Kind.TEXT_ENCODER),
        ("control-net", Kind.CONTROLNET),
        ("unet", Kind.UNET),
        ("embedding", Kind.EMBEDDING),
        ("other", Kind.UNKNOWN),
    ],
)
def test_what_is_no_base_model(tmp_path: Path, name: str, kind: Kind) -> None:
    assert _model(tmp_path, MODELS[name]).kind is kind


@pytest.mark.parametrize("end", ["lora_down.weight", "hada_w1_a", "lokr_w1", "oft_blocks", "lora_A.weight"])
def test_loras_of_every_kind(tmp_path: Path, end: str) -> None:
    assert _model(tmp_path, {f"blocks_0_to_k.{end}": (4, 768)}).kind is Kind.LORA


def test_prediction_of_v(tmp_path: Path) -> None:
    assert _model(tmp_path, MODELS["sdxl"]).v_prediction is None
    marked = _model(tmp_path, {**MODELS["sdxl"], "v_pred": (0,), "ztsnr": (0,)})
    assert (marked.v_prediction, marked.zero_snr) == (True, True)
    assert _model(tmp_path, MODELS["sdxl"], {"modelspec.prediction_type": "v"}).v_prediction is True
    assert _model(tmp_path, MODELS["sdxl"], {"modelspec.prediction_type": "epsilon"}).v_prediction is False


def test_parts_that_are_missing_and_channels(tmp_path: Path) -> None:
    without = {name: shape for name, shape in MODELS["sd1"].items() if not name.startswith("first_stage_model.")}
    assert _model(tmp_path, without).lacks == ("VAE",)
    assert (
        _model(tmp_path, {**MODELS["sd1"], "model.diffusion_model.input_blocks.0.0.weight": (320, 9, 3, 3)}).inputs == 9
    )
    assert _model(tmp_path, {**FLUX, "img_in.weight": (3072, 384)}).inputs == 384
    assert _model(tmp_path, MODELS["vae16"]).latents == 16


def test_another_model_with_the_same_names_is_not_taken_for_it(tmp_path: Path) -> None:
    z_image = {"layers.0.attention.qkv.weight": (11520, 3840), "cap_embedder.0.weight": (2560,)}
    assert _model(tmp_path, z_image).kind is Kind.UNKNOWN


def test_folders_of_diffusers(tmp_path: Path) -> None:
    assert recognise_folder(diffusers_folder(tmp_path / "a", 768)).family is Family.SD1
    found = recognise_folder(diffusers_folder(tmp_path / "b", 1024, prediction="v_prediction"))
    assert (found.family, found.v_prediction) == (Family.SD2, True)
    assert recognise_folder(tmp_path).kind is Kind.UNKNOWN
    (tmp_path / "a/unet/config.json").write_text("[" * 100_000)
    assert recognise_folder(tmp_path / "a").kind is Kind.UNKNOWN


def test_networks_by_kind_rank_and_family(tmp_path: Path) -> None:
    def look(shapes: Shapes) -> tuple[object, ...]:
        header = read_header(write_model(tmp_path / "lora.safetensors", shapes))
        assert isinstance(header, Header)
        found = network_file(header)
        return set(found.kinds), dict(found.ranks), found.family, found.diffusers_names

    assert look(lora(8)) == ({"lora"}, {8: 1}, Family.SD1, False)
    assert look(lora(8, context=2048)) == ({"lora"}, {8: 1}, Family.SDXL, True)
    sdxl = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    assert look(lora(8, context=2048, layer=sdxl)) == ({"lora"}, {8: 1}, Family.SDXL, False)
    flux = "lora_unet_double_blocks_0_img_attn_qkv"
    assert look(lora(4, context=3072, layer=flux))[2] is Family.FLUX
    assert look(lora(4, context=3584, layer=flux))[2] is Family.HUNYUAN_IMAGE
    assert look(lora(4, context=99))[2] is None
    assert look({"lora_unet_a.hada_w1_a": (320, 4), "lora_unet_a.hada_w1_b": (4, 320)})[:2] == ({"loha"}, {4: 1})
    assert look({"lora_unet_a.lora_down.weight": (16, 320, 3, 3)})[1] == {}


def test_a_repository_in_the_hubs_cache(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub/models--owner--name/snapshots/abc"
    snapshot.mkdir(parents=True)
    environ = {"HF_HOME": str(tmp_path)}
    assert cached_snapshot("owner/name", environ) is None
    (tmp_path / "hub/models--owner--name/refs").mkdir()
    (tmp_path / "hub/models--owner--name/refs/main").write_text("abc")
    assert cached_snapshot("owner/name", environ) == snapshot
    assert cached_snapshot("owner/name", {"HF_HUB_CACHE": str(tmp_path / "hub")}) == snapshot
    assert cached_snapshot("owner/other", environ) is None


def test_whether_the_hub_may_be_asked() -> None:
    assert [hub_is_offline({"HF_HUB_OFFLINE": value}) for value in ("1", "true", "0", "")] == [True, True, False, False]
    assert not hub_is_offline({})
