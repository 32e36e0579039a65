from __future__ import annotations

from pathlib import Path

import pytest
from candidate_bed import candidate_of
from model_shapes import MODELS, Shapes, lora, write_model
from plan_bed import option, switch

from launcher.base.findings import Finding
from launcher.plan.checks.network_weights import check_network_weights

LOADS = "def load_weights(self, file):\n    info = self.load_state_dict({}, {}False)\n"
SOURCES = {
    "train_network.py": "info = network.load_weights(args.network_weights)\n",
    "library/model_util.py": "def load_models_from_stable_diffusion_checkpoint():\n    unet.load_state_dict(sd)\n",
    "networks/lora.py": LOADS.format("weights_sd", ""),
    "networks/oft.py": LOADS.format("weights_sd", ""),
    "networks/strict.py": "def load_weights(self, file):\n    self.load_state_dict(weights_sd)\n",
}
PACKAGES = {"lycoris/__init__.py": "", "lycoris/kohya.py": LOADS.format("self.weights_sd", "strict=")}
OPTIONS = (
    option("pretrained_model_name_or_path"), option("network_module", type="str"), option("network_dim", type="int"),
    option("network_args", type="str", nargs="*"), option("network_weights", type="str"),
    option("base_weights", type="str", nargs="*"), option("base_weights_multiplier", type="float", nargs="*"),
    switch("dim_from_weights"),
)  # fmt: skip


def _check(folder: Path, text: str, module: str = "networks.lora") -> list[Finding]:
    base = folder / "base.safetensors"
    if not base.exists():
        write_model(base, MODELS["sd1"])
    whole = f'pretrained_model_name_or_path = "{base}"\nnetwork_module = "{module}"\n{text}'
    candidate = candidate_of(folder, whole, *OPTIONS, sources=SOURCES, packages=PACKAGES)
    return list(check_network_weights(candidate))


def _codes(folder: Path, text: str, module: str = "networks.lora") -> list[str]:
    return [finding.code for finding in _check(folder, text, module)]


def _weights(folder: Path, shapes: Shapes) -> str:
    return f'network_weights = "{write_model(folder / "lora.safetensors", shapes)}"\n'


def test_weights_that_fit(tmp_path: Path) -> None:
    weights = _weights(tmp_path, lora(8))
    assert _codes(tmp_path, weights + "network_dim = 8\n") == []
    assert _codes(tmp_path, weights + "network_dim = 8\n", "lycoris.kohya") == []
    assert _codes(tmp_path, weights + "dim_from_weights = true\n") == []
    assert _codes(tmp_path, _weights(tmp_path, lora(4))) == []
    assert _codes(tmp_path, "network_dim = 8\n") == []


def test_another_rank(tmp_path: Path) -> None:
    weights = _weights(tmp_path, lora(8))
    (found,) = _check(tmp_path, weights + "network_dim = 16\n")
    assert (found.severity.value, found.code, found.where) == ("error", "network-weights-dim", f"{tmp_path}/fox.toml:4")
    assert found.hint == "Set network_dim = 8, or dim_from_weights = true."
    assert _codes(tmp_path, weights) == ["network-weights-dim"]  # the network's default is 4
    assert _codes(tmp_path, weights + "network_dim = 16\ndim_from_weights = true\n") == ["network-dim-unused"]


def test_ranks_of_single_layers_are_left_alone(tmp_path: Path) -> None:
    weights = _weights(tmp_path, lora(8))
    assert _codes(tmp_path, weights + 'network_dim = 16\n[network_args]\nblock_dims = "8,8"\n') == []
    two = {**lora(8), **lora(16, layer="lora_unet_down_blocks_1_attentions_0_attn2_to_k")}
    assert _codes(tmp_path, _weights(tmp_path, two) + "network_dim = 32\n") == []


@pytest.mark.parametrize(
    ("module", "arguments", "end", "codes"),
    [
        ("networks.lora", "", "hada_w1_a", ["network-weights-kind"]),
        ("networks.lora", "", "lora_A.weight", ["network-weights-kind"]),
        ("networks.oft", "", "lora_down.weight", ["network-weights-kind"]),
        ("lycoris.kohya", '[network_args]\nalgo = "loha"\n', "lora_down.weight", ["network-weights-kind"]),
        ("lycoris.kohya", '[network_args]\nalgo = "loha"\n', "hada_w1_a", []),
        ("lycoris.kohya", '[network_args]\nalgo = "loha"\npreset = "my.toml"\n', "lora_down.weight", []),
        ("networks.strict", "", "hada_w1_a", []),
        ("my.network", "", "hada_w1_a", []),
    ],
)
def test_weights_of_another_kind(tmp_path: Path, module: str, arguments: str, end: str, codes: list[str]) -> None:
    weights = _weights(tmp_path, {f"lora_unet_x.{end}": (4, 320)})
    assert _codes(tmp_path, weights + "network_dim = 4\n" + arguments, module) == codes


def test_a_lora_of_another_family(tmp_path: Path) -> None:
    sdxl = lora(8, context=2048, layer="lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k")
    (found,) = _check(tmp_path, _weights(tmp_path, sdxl) + "network_dim = 8\n")
    assert (found.severity.value, found.code) == ("error", "network-weights-family")
    assert "SDXL" in found.message
    assert "SD 1" in found.message


def test_files_that_are_no_lora(tmp_path: Path) -> None:
    assert _codes(tmp_path, _weights(tmp_path, MODELS["sd1"])) == ["network-weights-kind"]
    assert _codes(tmp_path, f'network_weights = "{tmp_path}/none.safetensors"\n') == ["model-missing"]
    (tmp_path / "a.pt").write_bytes(b"PK\x03\x04" + bytes(50))
    assert _codes(tmp_path, f'network_weights = "{tmp_path}/a.pt"\n') == ["model-pickle"]
    assert _codes(tmp_path, f'network_weights = "{tmp_path}"\n') == ["network-weights-kind"]


def test_base_weights_and_their_multipliers(tmp_path: Path) -> None:
    for name in "ab":
        write_model(tmp_path / f"{name}.safetensors", lora(4))
    both = f'base_weights = ["{tmp_path}/a.safetensors", "{tmp_path}/b.safetensors"]\n'
    assert _codes(tmp_path, both) == []
    assert _codes(tmp_path, both + "base_weights_multiplier = [0.5, 1.0]\n") == []
    (found,) = _check(tmp_path, both + "base_weights_multiplier = [0.5]\n")
    assert (found.severity.value, found.code) == ("warning", "base-weights-multiplier")
    (found,) = _check(tmp_path, both + "base_weights_multiplier = [0.5, 1.0, 2.0]\n")
    assert found.severity.value == "error"
    assert _codes(tmp_path, "base_weights_multiplier = [0.5]\n") == ["base-weights-multiplier"]
    assert _codes(tmp_path, both.replace("b.safe", "c.safe")) == ["model-missing"]
    write_model(tmp_path / "b.safetensors", {"lora_unet_x.hada_w1_a": (4, 320)})
    assert _codes(tmp_path, both) == ["network-weights-kind"]
    assert _codes(tmp_path, both, "lycoris.kohya") == []  # it makes each layer as the file says
