"""What kl reads in the source of network modules, against the same modules really imported and really called.

The environment has LyCORIS, too. The models are empty ones of the right classes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from real_bed import CHECKOUT, PYTHON, needs, site_packages

from launcher.plan.checks.network_args import check_network_args
from launcher.trainer.network_args import network_keywords, try_network
from launcher.trainer.packages import Packages

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plan"))
from candidate_bed import real_candidate
from plan_bed import codes

pytestmark = needs(CHECKOUT, PYTHON)

# Calls each function with a dict in place of its **kwargs that keeps a list of the keys it is asked for.
_PROGRAM = r"""
import ast, importlib, json, sys
sys.path.insert(0, ".")
import torch

class Asked(dict):
    seen = set()
    def get(self, key, *default):
        self.seen.add(key)
        return super().get(key, *default)
    def __getitem__(self, key):
        self.seen.add(key)
        return super().__getitem__(key)
    def __contains__(self, key):
        self.seen.add(key)
        return super().__contains__(key)
    def pop(self, key, *default):
        self.seen.add(key)
        return super().pop(key, *default)

def instrumented(name):
    module = importlib.import_module(name)
    tree = ast.parse(open(module.__file__, encoding="utf-8").read())
    function = next(node for node in tree.body if getattr(node, "name", "") == "create_network")
    rest = function.args.kwarg.arg
    function.body.insert(0, ast.parse(f"{rest} = _Asked({rest})").body[0])
    module.__dict__["_Asked"] = Asked
    exec(compile(ast.fix_missing_locations(ast.Module([function], [])), name, "exec"), module.__dict__)
    return module

def model(kind):
    if kind == "sdxl":
        from library.sdxl_original_unet import SdxlUNet2DConditionModel
        made = SdxlUNet2DConditionModel.__new__(SdxlUNet2DConditionModel)
        torch.nn.Module.__init__(made)
        return made
    if kind == "sd":
        from library.original_unet import UNet2DConditionModel
        return UNet2DConditionModel(sample_size=64, attention_head_dim=8, cross_attention_dim=768)
    return torch.nn.Module()

models, results = {}, []
for name, kind, texts in json.load(sys.stdin):
    module = sys.modules.get(name)
    module = module if module is not None and hasattr(module, "_Asked") else instrumented(name)
    Asked.seen = set()
    unet = models.setdefault(kind, model(kind))
    given = {"dropout": None, **texts}
    try:
        encoders = [torch.nn.Module(), torch.nn.Module()]
        module.create_network(1.0, 4, 1.0, None, encoders, unet, neuron_dropout=None, **given)
        failed = None
    except Exception as error:
        failed = type(error).__name__ + ": " + str(error)
    results.append({"seen": sorted(Asked.seen), "failed": failed})
print("RESULTS" + json.dumps(results))
"""

_25, _23 = ",".join(["4"] * 25), ",".join(["4"] * 23)
_ATTENTION = {"preset": "attn-mlp"}
_SWITCHED = {"up_lr_weight": "1,1"}
CALLS: list[tuple[str, str, dict[str, str]]] = [
    ("networks.lora", "empty", {}),
    ("networks.lora", "empty", {"block_dims": _25, "down_lr_weight": "sine"}),
    ("networks.lora", "empty", {"block_dims": _23}),
    ("networks.lora", "sdxl", {"block_dims": _23}),
    ("networks.lora", "sdxl", {"block_dims": _25}),
    ("networks.lora", "empty", {"block_dims": _25, "block_alphas": "1,2"}),
    ("networks.lora", "empty", {"block_dims": _25, "conv_block_dims": "1,2"}),
    ("networks.lora", "empty", {"block_alphas": "1,2"}),
    ("networks.lora", "empty", {"conv_dim": "a"}),
    ("networks.lora", "empty", {"conv_dim": "4.0"}),
    ("networks.lora", "empty", {"conv_alpha": "x"}),
    ("networks.lora", "empty", {"conv_dim": "4", "conv_alpha": "x"}),
    ("networks.lora", "empty", {"down_lr_weight": "0.5"}),
    ("networks.lora", "empty", {"down_lr_weight": "nonsense"}),
    ("networks.lora", "empty", {"down_lr_weight": ",".join(["1"] * 13)}),
    ("networks.lora", "empty", {"down_lr_weight": ",".join(["1"] * 13), **_SWITCHED}),
    ("networks.lora", "empty", {"up_lr_weight": "cosine+.5"}),
    ("networks.lora", "sdxl", {"up_lr_weight": "cosine", "mid_lr_weight": "1,0,1", "block_lr_zero_threshold": "0.1"}),
    ("networks.lora", "empty", {"mid_lr_weight": "cosine"}),
    ("networks.lora", "empty", {"rank_dropout": "q"}),
    ("networks.lora", "empty", {"loraplus_lr_ratio": "16"}),
    ("networks.lora", "empty", {"loraplus_lr_ratio": "much"}),
    ("networks.lora_flux", "empty", {"train_blocks": "singles"}),
    ("networks.lora_flux", "empty", {"in_dims": "[4,4,4]"}),
    ("networks.lora_flux", "empty", {"train_double_block_indices": "0-3,40"}),
    ("networks.lora_flux", "empty", {"ggpo_beta": "q"}),
    ("networks.dylora", "empty", {"conv_dim": "8"}),
    ("networks.dylora", "empty", {"unit": "x"}),
    ("networks.oft", "empty", {"enable_conv": "False"}),
    ("networks.lora_fa", "empty", {"block_dims": _23}),
    ("networks.lora_anima", "empty", {"exclude_patterns": "[x"}),
    ("lycoris.kohya", "sd", _ATTENTION),
    ("lycoris.kohya", "sd", {**_ATTENTION, "conv_dim": "a"}),
    ("lycoris.kohya", "sd", {**_ATTENTION, "use_cp": "True", "conv_dim": "8", "algo": "loha"}),
    ("lycoris.kohya", "sd", {**_ATTENTION, "dora_wd": "True", "constraint": "x"}),
    ("lycoris.kohya", "sd", {**_ATTENTION, "loraplus_lr_ratio": "2"}),
]
PRESETS = ("", "full", "full-lin", "attn-mlp", "attn-only", "unet-only", "unet-transformer-only", "ia3")
_WITH_PRESETS = [("lycoris.kohya", "sd", {"preset": name} if name else {}) for name in PRESETS]


@pytest.fixture(scope="module")
def real() -> list[dict[str, Any]]:
    """What the real functions did with `CALLS` and then with `PRESETS`, in order."""
    done = subprocess.run(
        [str(PYTHON), "-c", _PROGRAM],
        input=json.dumps([*CALLS, *_WITH_PRESETS]), capture_output=True, text=True, timeout=600,
        cwd=CHECKOUT, check=False,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULTS")]
    assert lines, done.stderr[-2000:]
    results: list[dict[str, Any]] = json.loads(lines[0].removeprefix("RESULTS"))
    return results


@pytest.fixture(scope="module")
def packages() -> Packages:
    return Packages(CHECKOUT, (site_packages(),))


@pytest.mark.parametrize("dotted", sorted({name for name, _, _ in CALLS}))
def test_no_key_is_asked_for_that_is_not_known(
    real: list[dict[str, Any]], packages: Packages, tmp_path: Path, dotted: str
) -> None:
    found = packages.find(dotted)
    assert found is not None
    read = network_keywords(found, "create_network", cache=tmp_path)
    assert read is not None and not read.is_open
    seen = {key for (name, _, _), done in zip(CALLS, real, strict=False) for key in done["seen"] if name == dotted}
    assert seen <= set(read.read)
    if dotted in ("networks.lora", "lycoris.kohya"):  # the calls above go all ways through these
        assert set(read.read) - set(read.positional) - {old for old, _ in read.renamed} <= seen


@pytest.mark.parametrize("index", range(len(CALLS)))
def test_what_fails_is_known_to_fail_and_nothing_else(
    real: list[dict[str, Any]], packages: Packages, tmp_path: Path, index: int
) -> None:
    dotted, kind, texts = CALLS[index]
    found = packages.find(dotted)
    assert found is not None
    extra = {"neuron_dropout": None, "dropout": None}
    trial = try_network(found, "create_network", texts, (4, 1.0), extra, is_sdxl=kind == "sdxl", cache=tmp_path)
    failed = real[index]["failed"]
    assert bool(trial.failures) == bool(failed), (failed, trial)
    if failed and trial.failures[0].kind == "AssertionError":
        assert failed == f"AssertionError: {trial.failures[0].message}"
    assert not set(trial.unread) & set(real[index]["seen"])


@pytest.mark.parametrize("name", PRESETS)
def test_presets_that_find_a_layer_twice_are_those_that_fail(
    real: list[dict[str, Any]], packages: Packages, tmp_path: Path, name: str
) -> None:
    text = 'network_module = "lycoris.kohya"\n[network_args]\nalgo = "locon"\n'
    text += f'preset = "{name}"\n' if name else ""
    candidate = real_candidate(tmp_path, text, packages.checkout, packages.site)
    found = list(check_network_args(candidate, cache=tmp_path / "kept"))
    failed = real[len(CALLS) + PRESETS.index(name)]["failed"]
    assert codes(found) == (["lycoris-preset-twice-the-same-layer"] if failed else [])
    assert failed is None or "duplicated lora name" in failed
