from __future__ import annotations

from pathlib import Path

import pytest
from candidate_bed import candidate_of
from plan_bed import option

from launcher.plan.checks.lycoris_preset import check_lycoris_preset

SOURCES = {
    "library/model_util.py": "def load_models_from_stable_diffusion_checkpoint():\n    unet.load_state_dict(sd)\n",
    "library/sdxl_model_util.py": "def load_models_from_sdxl_checkpoint():\n    'conditioner.embedders.0'\n",
    "library/original_unet.py": "class TimestepEmbedding:\n    self.linear_1 = nn.Linear(1, 2)\n",
}
CONFIG = """
FULL_UNET_MODULES = ["Transformer2DModel", {module}]
FULL_UNET_NAMES = ["conv_in", "time_embedding.linear_1"]
PRESETS = {{
    "full": PresetConfig(enable_conv=True, unet_target_module=FULL_UNET_MODULES, unet_target_name=FULL_UNET_NAMES),
    "full-lin": PresetConfig(unet_target_module=[{module}], unet_target_name=["time_embedding.linear_1"]),
}}
"""
KOHYA = "class LycorisNetworkKohya:\n    target_replace_names = 'duplicated lora name'\n"
OPTIONS = (
    option("pretrained_model_name_or_path"), option("network_module", type="str"),
    option("network_args", type="str", nargs="*"),
)  # fmt: skip


def _codes(folder: Path, arguments: str = "", *, module: str = '"TimestepEmbedding"', script: str = "") -> list[str]:
    text = (
        f'pretrained_model_name_or_path = "owner/name"\nnetwork_module = "lycoris.kohya"\n[network_args]\n{arguments}'
    )
    packages = {"lycoris/config.py": CONFIG.format(module=module), "lycoris/kohya.py": KOHYA, "lycoris/__init__.py": ""}
    candidate = candidate_of(
        folder, text, *OPTIONS, sources=SOURCES, packages=packages, script_file=script or "train_network.py"
    )
    return [finding.code for finding in check_lycoris_preset(candidate)]


@pytest.mark.parametrize("arguments", ["", 'preset = "full"\n', 'preset = "full-lin"\n'])
def test_presets_that_take_a_layer_twice(tmp_path: Path, arguments: str) -> None:
    assert _codes(tmp_path, arguments) == ["lycoris-preset-twice"]


def test_presets_and_versions_that_do_not(tmp_path: Path) -> None:
    assert _codes(tmp_path, 'preset = "attn-mlp"\n') == []
    assert _codes(tmp_path, 'preset = "unet-only"\n') == []
    assert _codes(tmp_path, module='"FinalLayer"') == []
    assert _codes(tmp_path, script="sdxl_train_network.py") == []
