"""Families, layers and sizes against the classes of a real checkout, and the base model of a bed.

The bed's `base-model` is a model of SD 1 in diffusers' layout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from model_shapes import MODELS, write_model
from real_bed import BASE_MODEL, CHECKOUT, PYTHON, needs, site_packages

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plan"))
from candidate_bed import real_candidate

from launcher.base.findings import Severity
from launcher.data.model_family import Family, Model, recognise_file
from launcher.data.model_layers import TEXT_ENCODERS, U_NETS, Layers, transformer_layers
from launcher.plan.checks.base_model import check_base_model
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.network_args import check_network_args
from launcher.plan.checks.other_models import check_other_models
from launcher.plan.checks.script_family import family_of, script_family
from launcher.plan.save_size import save_bytes

pytestmark = needs(CHECKOUT, PYTHON)
SCRIPTS = {
    "train_network.py": Family.SD1,
    "sdxl_train_network.py": Family.SDXL,
    "sd3_train_network.py": Family.SD3,
    "flux_train_network.py": Family.FLUX,
    "lumina_train_network.py": Family.LUMINA,
    "hunyuan_image_train_network.py": Family.HUNYUAN_IMAGE,
    "anima_train_network.py": Family.ANIMA,
}
# Not lycoris' preset full on SD 1: some of its versions take the time embedding twice there, and fail.
NETWORKS: dict[str, tuple[str, Family, dict[str, str]]] = {
    "lora": ("networks.lora", Family.SD1, {}),
    "lora with convolutions": ("networks.lora", Family.SDXL, {"conv_dim": "4"}),
    "full": ("lycoris.kohya", Family.SDXL, {}),
    "attention": ("lycoris.kohya", Family.SDXL, {"preset": "attn-only"}),
    "convolutions": ("lycoris.kohya", Family.SD1, {"preset": "unet-convblock-only", "conv_dim": "4"}),
    "loha": ("lycoris.kohya", Family.SD1, {"algo": "loha", "preset": "attn-mlp"}),
    "lokr": ("lycoris.kohya", Family.SD1, {"algo": "lokr", "preset": "attn-mlp", "factor": "8"}),
    "whole lokr": ("lycoris.kohya", Family.SDXL, {"algo": "lokr", "preset": "attn-mlp", "full_matrix": "True"}),
}
# Builds the models without memory for their weights, and prints each layer with the classes around it; then the
# number of weights of some networks.
TOOL = """
import importlib, json, sys
sys.path.insert(0, ".")
import torch
from accelerate import init_empty_weights
from transformers import CLIPTextConfig, CLIPTextModel
from library import chroma_models, flux_models, lumina_models, model_util, original_unet, sd3_models
from library import hunyuan_image_models, sdxl_original_unet
def clip(width, depth):
    return CLIPTextModel(CLIPTextConfig(hidden_size=width, intermediate_size=4 * width, num_hidden_layers=depth,
        num_attention_heads=width // 64))
def sd3(depth, second):
    return sd3_models.create_sd3_mmdit(sd3_models.SD3Params(patch_size=2, depth=depth, num_patches=36864,
        pos_embed_max_size=192, adm_in_channels=2048, qk_norm="rms", x_block_self_attn_layers=list(range(second)),
        context_embedder_in_features=4096, context_embedder_out_features=64 * depth, model_type="5-medium"), "torch")
made = {
    "SD 1": lambda: original_unet.UNet2DConditionModel(**model_util.create_unet_diffusers_config(False)),
    "SD 2": lambda: original_unet.UNet2DConditionModel(**model_util.create_unet_diffusers_config(True, True)),
    "SDXL": lambda: sdxl_original_unet.SdxlUNet2DConditionModel(),
    "FLUX.1": lambda: flux_models.Flux(flux_models.configs["dev"].params),
    "Chroma": lambda: chroma_models.Chroma(chroma_models.chroma_params),
    "SD 3 medium": lambda: sd3(24, 13), "SD 3 large": lambda: sd3(38, 0),
    "Lumina 2": lambda: lumina_models.NextDiT_2B_GQA_patch2_Adaln_Refiner(),
    "HunyuanImage 2.1": lambda: hunyuan_image_models.HYImageDiffusionTransformer(),
    "CLIP 768": lambda: clip(768, 12), "CLIP 1280": lambda: clip(1280, 32), "CLIP 1024": lambda: clip(1024, 23),
}
models, layers = {}, {}
for name, make in made.items():
    with init_empty_weights():
        model = models[name] = make()
    classes = {path: type(part).__name__ for path, part in model.named_modules()}
    layers[name] = [
        [list(part.weight.shape), [classes[path.rsplit(".", up)[0]] for up in range(1, path.count(".") + 1)]]
        for path, part in model.named_modules()
        if isinstance(part, (torch.nn.Linear, torch.nn.Conv2d))
    ]
sizes = {}
encoders = {"SD 1": ["CLIP 768"], "SDXL": ["CLIP 768", "CLIP 1280"]}
for name, (module, family, arguments) in json.loads(sys.argv[1]).items():
    with init_empty_weights():
        model, texts = made[family](), [made[each]() for each in encoders[family]]
    texts = texts if len(texts) > 1 else texts[0]
    network = importlib.import_module(module).create_network(1.0, 8, 4, None, texts, model, **arguments)
    network.apply_to(texts, model, True, True)
    sizes[name] = sum(value.numel() for value in network.state_dict().values())
refused = []
for preset in ("full", "full-lin", "unet-only", "attn-mlp", "unet-transformer-only"):
    with init_empty_weights():
        model = made["SD 1"]()
    try:
        importlib.import_module("lycoris.kohya").create_network(1.0, 8, 4, None, None, model, preset=preset)
    except AssertionError:
        refused.append(preset)
print("RESULT" + json.dumps({"layers": layers, "sizes": sizes, "refused": refused}))
"""


@cache
def _tool() -> Any:
    python, environ = str(PYTHON), {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [python, "-B", "-c", TOOL, json.dumps(NETWORKS)], cwd=CHECKOUT, env=environ, capture_output=True,
        text=True, timeout=600, check=False,
    )  # fmt: skip
    _, mark, found = done.stdout.rpartition("RESULT")
    return json.loads(found) if mark else {"failed": done.stderr[-3000:]}


def _real() -> Any:
    found = _tool()
    assert "failed" not in found, found["failed"]
    return found


def _inside(model: str, *classes: str) -> Counter[tuple[int, int, int]]:
    """The layers of a real model that stand inside these classes: inputs, outputs, area of the kernel."""
    found: Counter[tuple[int, int, int]] = Counter()
    for (outputs, inputs, *kernel), around in _real()["layers"][model]:
        if set(classes) & set(around):
            area = kernel[0] * kernel[1] if kernel else 1
            found[inputs, outputs, area] += 1
    return found


def _counted(layers: Iterable[Layers] | None) -> Counter[tuple[int, int, int]]:
    found: Counter[tuple[int, int, int]] = Counter()
    for layer in layers or ():
        found[layer.inputs, layer.outputs, layer.kernel] += layer.number
    return +found


@pytest.mark.parametrize("family", [Family.SD1, Family.SD2, Family.SDXL])
def test_layers_of_u_nets(family: Family) -> None:
    groups, name = U_NETS[family], family.value
    assert _counted(groups["attention"]) == _inside(name, "CrossAttention")
    assert _counted(groups["attention"] + groups["transformer"]) == _inside(name, "Transformer2DModel")
    assert _counted(groups["resnet"]) == _inside(name, "ResnetBlock2D")
    assert _counted(groups["sampler"]) == _inside(name, "Downsample2D", "Upsample2D")


def test_layers_of_transformers() -> None:
    blocks = ("DoubleStreamBlock", "SingleStreamBlock")
    assert _counted(transformer_layers(Family.FLUX, (19, 38))) == _inside("FLUX.1", *blocks)
    assert _counted(transformer_layers(Family.CHROMA, (19, 38))) == _inside("Chroma", *blocks)
    assert _counted(transformer_layers(Family.SD3, (24, 13))) == _inside("SD 3 medium", "SingleDiTBlock")
    assert _counted(transformer_layers(Family.SD3, (38, 0))) == _inside("SD 3 large", "SingleDiTBlock")
    lumina, hunyuan = U_NETS[Family.LUMINA], U_NETS[Family.HUNYUAN_IMAGE]
    assert _counted(lumina["transformer"]) == _inside("Lumina 2", "JointTransformerBlock", "FinalLayer")
    assert _counted(hunyuan["transformer"]) == _inside("HunyuanImage 2.1", "MMDoubleStreamBlock", "MMSingleStreamBlock")


@pytest.mark.parametrize(
    ("name", "family", "index"),
    [("CLIP 768", Family.SD1, 0), ("CLIP 1024", Family.SD2, 0), ("CLIP 1280", Family.SDXL, 1)],
)
def test_layers_of_text_encoders(name: str, family: Family, index: int) -> None:
    groups = TEXT_ENCODERS[family][index]
    assert _counted(groups["attention"]) == _inside(name, "CLIPAttention", "CLIPSdpaAttention")
    assert _counted(groups["mlp"]) == _inside(name, "CLIPMLP")


def _run(folder: Path, model: object, more: str = "", script: str = "train_network.py") -> Candidate:
    text = f'pretrained_model_name_or_path = "{model}"\n{more}'
    return real_candidate(folder, text, CHECKOUT, [site_packages()], script)


@pytest.mark.parametrize("name", NETWORKS)
def test_sizes_of_real_networks(tmp_path: Path, name: str) -> None:
    module, family, arguments = NETWORKS[name]
    lines = "".join(f'{key} = "{value}"\n' for key, value in arguments.items())
    text = f'network_module = "{module}"\nnetwork_dim = 8\n[network_args]\n{lines}'
    estimate = save_bytes(_run(tmp_path, BASE_MODEL, text), family)
    assert estimate == pytest.approx(4 * _real()["sizes"][name], rel=0.05)


@pytest.mark.parametrize(("script", "family"), SCRIPTS.items())
def test_each_script_is_known_with_its_family(tmp_path: Path, script: str, family: Family) -> None:
    assert script_family(_run(tmp_path, "owner/model", script=script)) is family


def test_the_base_model_of_the_bed_is_sound(tmp_path: Path) -> None:
    run = _run(tmp_path, BASE_MODEL, f'vae = "{BASE_MODEL}/vae"\n')
    assert list(check_base_model(run)) == []
    assert list(check_other_models(run)) == []
    assert family_of(run) is Family.SD1
    found = list(check_base_model(_run(tmp_path, BASE_MODEL, script="sdxl_train_network.py")))
    assert [finding.code for finding in found if finding.severity is Severity.ERROR] == ["base-model-family"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_refuses_models_of_every_other_family(tmp_path: Path, script: str) -> None:
    for name, shapes in MODELS.items():
        path = write_model(tmp_path / f"{name}.safetensors", shapes)
        model: Model = recognise_file(path)
        if model.family:
            codes = [finding.code for finding in check_base_model(_run(tmp_path, path, script=script))]
            assert (not codes) is (model.family is SCRIPTS[script] and name != "unet"), (name, codes)


@pytest.mark.parametrize("preset", ["full", "full-lin", "unet-only", "attn-mlp", "unet-transformer-only"])
def test_presets_that_the_lycoris_at_hand_cannot_use(tmp_path: Path, preset: str) -> None:
    text = f'network_module = "lycoris.kohya"\n[network_args]\npreset = "{preset}"\n'
    found = check_network_args(_run(tmp_path, BASE_MODEL, text), cache=tmp_path / "kept")
    said = [finding.code for finding in found]
    assert ("lycoris-preset-twice-the-same-layer" in said) is (preset in _real()["refused"])
