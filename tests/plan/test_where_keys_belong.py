"""Keys outside network_args and the dataset config that are right inside."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_sources import SOURCES

from launcher.plan.checks.where_keys_belong import other_places
from launcher.trainer.packages import Packages

_NETWORK = """
def create_network(multiplier, network_dim, network_alpha, vae, text_encoder, unet, **kwargs):
    conv_dim = kwargs.get("conv_dim", None)
"""


def _hint(folder: Path, key: str, module: object = "networks.lora") -> str:
    for file, text in {**SOURCES, "networks/lora.py": _NETWORK}.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    return other_places(folder, Packages(folder, ()), module)(key) or ""


@pytest.mark.parametrize("key", ["conv_dim", "conv-dim"])
def test_what_the_network_module_reads(tmp_path: Path, key: str) -> None:
    assert _hint(tmp_path, key) == "networks.lora reads it: write it under [network_args]."
    assert _hint(tmp_path, key, "networks.other") == ""
    assert _hint(tmp_path, key, None) == ""


def test_what_a_dataset_config_takes(tmp_path: Path) -> None:
    assert "dataset config" in _hint(tmp_path, "is_reg")
    assert _hint(tmp_path, "batch_size").endswith("or set train_batch_size here.")


@pytest.mark.parametrize("key", ["network_dim", "debug_dataset", "zzz", ""])
def test_what_is_right_nowhere(tmp_path: Path, key: str) -> None:
    assert _hint(tmp_path, key) == ""
