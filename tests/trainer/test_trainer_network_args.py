"""What a network module makes of network_args: tried on made-up modules built like the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from launcher.trainer.keyword_results import Trial
from launcher.trainer.network_args import (
    Lycoris,
    Preset,
    TrainingCall,
    lycoris_names,
    network_keywords,
    training_call,
    try_network,
)
from launcher.trainer.packages import ModuleFile, Packages

_LORA = """
import logging
from library.sdxl import SdxlUNet2DConditionModel

logger = logging.getLogger(__name__)


def create_network(multiplier, network_dim, network_alpha, vae, text_encoder, unet, neuron_dropout=None, **kwargs):
    is_sdxl = unet is not None and issubclass(unet.__class__, SdxlUNet2DConditionModel)
    if network_dim is None:
        network_dim = 4
    conv_dim = kwargs.get("conv_dim", None)
    if conv_dim is not None:
        conv_dim = int(conv_dim)
        assert conv_dim <= network_dim, "conv_dim is above network_dim / 日本語"
    block_dims = kwargs.get("block_dims", None)
    if block_dims is not None:
        block_alphas = kwargs.get("block_alphas", None)
        block_dims, block_alphas = blocks(is_sdxl, block_dims, block_alphas)
    rates = weights(kwargs)
    train_blocks = kwargs.get("train_blocks", None)
    if train_blocks is not None:
        assert train_blocks in ["all", "single"], f"invalid: {train_blocks}"
    split_qkv = kwargs.get("split_qkv", False)
    split_qkv = True if split_qkv == "True" else False
    enable_conv = kwargs.get("enable_conv", None)
    if enable_conv is not None:
        enable_conv = bool(enable_conv)
    scalar = flag(kwargs.get("use_scalar", False))
    for pair in kwargs.get("pairs", "").split(","):
        try:
            rate = float(pair)
        except ValueError:
            logger.warning(f"Invalid value: {pair}")
    return Network(unet, block_dims=block_dims)


def flag(value):
    return str(value).lower() != "false"


def weights(given):
    rates = given.get("rates", None)
    if rates is None:
        return None
    rates = [(float(each) if each else 0.0) for each in rates.split(",")]
    if len(rates) > Network.BLOCKS:
        logger.warning("rates is too long. What is after %d is ignored." % Network.BLOCKS)
        rates = rates[: Network.BLOCKS]
    return rates


def blocks(is_sdxl, block_dims, block_alphas):
    total = Network.BLOCKS * 2 + 1 if not is_sdxl else Network.SDXL_BLOCKS

    def parse(text):
        return [int(each) for each in text.split(",")]

    block_dims = parse(block_dims)
    assert len(block_dims) == total, f"block_dims must have {total} elements"
    if block_alphas is not None:
        block_alphas = [float(each) for each in block_alphas.split(",")]
        assert len(block_alphas) == total
    return block_dims, block_alphas


class Network:
    BLOCKS = 2
    SDXL_BLOCKS = 3
"""


def _tried(folder: Path, texts: dict[str, str], *, is_sdxl: bool | None = False, dim: int | None = 8) -> Trial:
    (folder / "networks").mkdir(exist_ok=True)
    (folder / "networks" / "lora.py").write_text(_LORA, encoding="utf-8")
    found = ModuleFile(folder, "networks/lora.py")
    extra: dict[str, Any] = {"neuron_dropout": None, "dropout": None}
    first = try_network(found, "create_network", texts, (dim, 1.0), extra, is_sdxl=is_sdxl, cache=folder / "cache")
    again = try_network(found, "create_network", texts, (dim, 1.0), extra, is_sdxl=is_sdxl, cache=folder / "cache")
    assert again == first  # as it comes back from the cache
    return first


@pytest.mark.parametrize(
    ("texts", "is_sdxl"),
    [
        ({}, False),
        ({"conv_dim": "8", "block_dims": "4,4,4,4,4", "block_alphas": "1,1,1,1,1"}, False),
        ({"block_dims": "4,4,4"}, True),
        ({"block_dims": "4,4,4"}, None),  # right for one family
        ({"train_blocks": "all", "split_qkv": "True", "enable_conv": "True", "use_scalar": "False"}, False),
        ({"rates": "1,", "pairs": "1,2"}, False),
    ],
)
def test_sound_arguments_are_taken(tmp_path: Path, texts: dict[str, str], is_sdxl: bool | None) -> None:
    assert _tried(tmp_path, texts, is_sdxl=is_sdxl) == Trial()


def test_a_count_is_that_of_the_family(tmp_path: Path) -> None:
    (failure,) = _tried(tmp_path, {"block_dims": "4,4,4"}).failures
    assert (failure.keys, failure.wanted, failure.given) == (("block_dims",), 5, 3)
    (failure,) = _tried(tmp_path, {"block_dims": "4,4,4,4,4"}, is_sdxl=True).failures
    assert (failure.keys, failure.wanted, failure.given) == (("block_dims",), 3, 5)
    (failure,) = _tried(tmp_path, {"block_dims": "4,4,4,4,4", "block_alphas": "1"}).failures
    assert failure.keys == ("block_alphas", "block_dims")
    assert (failure.wanted, failure.given) == (5, 1)


def test_every_failure_is_found_and_owed_to_its_own_argument(tmp_path: Path) -> None:
    texts = {"use_scalar": "True", "conv_dim": "a", "train_blocks": "double", "rates": "1,b", "block_dims": "1,x"}
    found = {failure.keys: failure for failure in _tried(tmp_path, texts).failures}
    assert set(found) == {("conv_dim",), ("train_blocks",), ("rates",), ("block_dims",)}
    assert (found[("conv_dim",)].number, found[("conv_dim",)].message) == ("int", "a")
    assert (found[("rates",)].number, found[("rates",)].message) == ("float", "b")
    assert found[("train_blocks",)].choices == ("all", "single")


def test_what_else_a_failure_depends_on_counts(tmp_path: Path) -> None:
    (failure,) = _tried(tmp_path, {"conv_dim": "8"}, dim=4).failures
    assert failure.keys == ("conv_dim",)
    assert failure.message.startswith("conv_dim is above network_dim")
    assert _tried(tmp_path, {"conv_dim": "4"}, dim=None) == Trial()


def test_an_argument_that_is_never_come_to_is_unread(tmp_path: Path) -> None:
    assert _tried(tmp_path, {"block_alphas": "1,1"}).unread == ("block_alphas",)
    assert _tried(tmp_path, {"conv_dim": "4"}).unread == ()


@pytest.mark.parametrize(
    ("key", "text", "remark"),
    [
        ("split_qkv", "true", ("off-anyway", "split_qkv", "True")),
        ("split_qkv", "1", ("off-anyway", "split_qkv", "True")),
        ("split_qkv", "True", None),
        ("split_qkv", "False", None),
        ("enable_conv", "False", ("on-anyway", "enable_conv", "")),
        ("enable_conv", "True", None),
        ("use_scalar", "0", ("on-anyway", "use_scalar", "false")),
        ("use_scalar", "false", None),
        ("use_scalar", "1", None),
    ],
)
def test_switches_are_taken_as_the_module_takes_them(
    tmp_path: Path, key: str, text: str, remark: tuple[str, str, str] | None
) -> None:
    assert _tried(tmp_path, {key: text}).remarks == ((remark,) if remark else ())


def test_what_the_module_itself_would_warn_of_is_kept(tmp_path: Path) -> None:
    trial = _tried(tmp_path, {"conv_dim": "4", "rates": "1,1,1", "pairs": "1,x"})
    assert {key: text for text, key in trial.said} == {
        "rates": "rates is too long. What is after 2 is ignored.",
        "pairs": "Invalid value: x",
    }


def test_a_module_that_fails_anyway_says_nothing_of_the_arguments(tmp_path: Path) -> None:
    text = "def create_network(a, b, c, d, e, f, **kwargs):\n    kwargs.get('x')\n    raise ValueError('always')\n"
    (tmp_path / "own.py").write_text(text, encoding="utf-8")
    found = ModuleFile(tmp_path, "own.py")
    tried = try_network(found, "create_network", {"x": "1"}, (4, 1.0), {}, is_sdxl=None, cache=tmp_path / "cache")
    assert tried == Trial()


def test_keywords_come_back_from_the_cache(tmp_path: Path) -> None:
    _tried(tmp_path, {})
    found = ModuleFile(tmp_path, "networks/lora.py")
    first = network_keywords(found, "create_network", cache=tmp_path / "cache")
    assert first is not None and {"conv_dim", "rates", "pairs"} <= set(first.read)
    assert network_keywords(found, "create_network", cache=tmp_path / "cache") == first
    assert network_keywords(found, "create_network_from_weights", cache=tmp_path / "cache") is None
    assert network_keywords(found, "create_network_from_weights", cache=tmp_path / "cache") is None


def test_the_trainers_own_call_is_read(tmp_path: Path) -> None:
    (tmp_path / "train_network.py").write_text(
        "def train(args, module):\n    own = {}\n    if args.dim_from_weights:\n"
        "        network, _ = module.create_network_from_weights(1, args.network_weights, vae, te, unet, **own)\n"
        '    else:\n        if "dropout" not in own:\n            own["dropout"] = args.network_dropout\n'
        "        network = module.create_network(1.0, 4, 1, vae, te, unet, neuron_dropout=0.1, **own)\n",
        encoding="utf-8",
    )
    (tmp_path / "sdxl_train_network.py").write_text("import train_network\n", encoding="utf-8")
    for _ in range(2):
        call = training_call(tmp_path, "sdxl_train_network.py", "create_network", cache=tmp_path / "cache")
        assert call == TrainingCall(6, ("neuron_dropout",), (("dropout", "network_dropout"),))
    call = training_call(tmp_path, "train_network.py", "create_network_from_weights", cache=tmp_path / "cache")
    assert call is not None and (call.positional, call.keywords) == (5, ())
    assert training_call(tmp_path, "train_network.py", "create_other", cache=tmp_path / "cache") is None


_OBJECTS = (
    "class PresetConfig:\n    pass\nNAMES = ['Block', 'conv_in']\nBUILTIN_PRESET_CONFIGS = {\n"
    "    'full': PresetConfig(enable_conv=True, unet_target_module=['A', 'B'], unet_target_name=NAMES),\n"
    "    'attn': PresetConfig(enable_conv=False, unet_target_module=[], unet_target_name=[]),\n}\n"
    "PRESET = {name: each.to_dict() for name, each in BUILTIN_PRESET_CONFIGS.items()}\n"
)
_DICTS = (
    "NAMES = ['Block', 'conv_in']\nPRESET = {\n"
    "    'full': {'enable_conv': True, 'unet_target_module': ['A', 'B'], 'unet_target_name': NAMES},\n"
    "    'attn': {'enable_conv': False, 'unet_target_module': [], 'unet_target_name': []},\n}\n"
)


@pytest.mark.parametrize("config", [_OBJECTS, _DICTS])
def test_the_names_lycoris_knows(tmp_path: Path, config: str) -> None:
    files = {
        "__init__.py": "",
        "config.py": config,
        "wrapper.py": "from .locon import Locon\nVALID_PRESET_KEYS = ('enable_conv', 'exclude_name')\n"
        "network_module_dict = {'lora': Locon, 'locon': Locon, 'lokr': None}\n",
        "locon.py": "class Locon:\n    pass\n",
        "kohya.py": "from .wrapper import network_module_dict\nfrom .config import PRESET\n",
    }
    (tmp_path / "lycoris").mkdir()
    for name, text in files.items():
        (tmp_path / "lycoris" / name).write_text(text, encoding="utf-8")
    packages = Packages(tmp_path / "checkout", (tmp_path,))
    for _ in range(2):
        names = lycoris_names(packages, cache=tmp_path / "cache")
        assert names.algos == ("lora", "locon", "lokr")
        assert names.preset("full") == Preset(True, ("A", "B"), ("Block", "conv_in"))
        assert names.preset("attn") == Preset(False, (), ())
        assert names.preset("other") is None
        assert names.preset_keys == ("enable_conv", "exclude_name")
    nowhere = Packages(tmp_path / "checkout", ())
    assert lycoris_names(nowhere, cache=tmp_path / "cache") == Lycoris((), (), ())
