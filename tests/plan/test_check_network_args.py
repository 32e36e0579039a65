"""network_module and network_args, each check both ways."""

from __future__ import annotations

from pathlib import Path

import pytest
from candidate_bed import candidate_of
from plan_bed import USUAL, codes, option, switch

from launcher.base.findings import Finding, Severity
from launcher.base.places import shipped_folder
from launcher.plan.checks.network_args import check_network_args

_TRAIN = """
class NetworkTrainer:
    def __init__(self):
        self.is_sdxl = False

    def train(self, args):
        net_kwargs = {}
        for net_arg in args.network_args:
            key, value = net_arg.split("=", 1)
            net_kwargs[key] = value
        if args.dim_from_weights:
            network, _ = module.create_network_from_weights(1, args.network_weights, vae, te, unet, **net_kwargs)
        else:
            if "dropout" not in net_kwargs:
                net_kwargs["dropout"] = args.network_dropout
            network = module.create_network(
                1.0, args.network_dim, args.network_alpha, vae, te, unet,
                neuron_dropout=args.network_dropout, **net_kwargs
            )
"""
_LORA = """
def create_network(multiplier, network_dim, network_alpha, vae, text_encoder, unet, neuron_dropout=None, **kwargs):
    is_sdxl = unet is not None and issubclass(unet.__class__, SdxlUNet2DConditionModel)
    conv_dim = kwargs.get("conv_dim", None)
    conv_alpha = kwargs.get("conv_alpha", None)
    if conv_dim is not None:
        conv_dim = int(conv_dim)
        if conv_alpha is None:
            conv_alpha = 1.0
        else:
            conv_alpha = float(conv_alpha)
    block_dims = kwargs.get("block_dims", None)
    if block_dims is not None:
        block_alphas = kwargs.get("block_alphas", None)
        block_dims = [int(each) for each in block_dims.split(",")]
        assert len(block_dims) == (3 if is_sdxl else 5)
    train_blocks = kwargs.get("train_blocks", None)
    if train_blocks is not None:
        assert train_blocks in ["all", "single"], "invalid"
    split_qkv = True if kwargs.get("split_qkv", False) == "True" else False
    rank_dropout = float(kwargs.get("rank_dropout", 0))


def create_network_from_weights(multiplier, file, vae, text_encoder, unet, weights_sd=None, **kwargs):
    rate = kwargs.get("rate", None)
"""
_EMBEDDING = """
class TimestepEmbedding:
    pass


class UNet2DConditionModel:
    def __init__(self):
        self.time_embedding = TimestepEmbedding(1, 2)
"""
_KOHYA = """
from .config import PRESET
from .preset import read_preset

network_module_dict = {"lora": 1, "locon": 1, "lokr": 1}
deprecated_arg_dict = {"use_cp": "use_tucker"}


def create_network(multiplier, network_dim, network_alpha, vae, text_encoder, unet, **kwargs):
    for key, value in list(kwargs.items()):
        if key in deprecated_arg_dict:
            kwargs[deprecated_arg_dict[key]] = value
    conv_dim = int(kwargs.get("conv_dim", network_dim) or network_dim)
    conv_alpha = float(kwargs.get("conv_alpha", network_alpha) or network_alpha)
    dropout = float(kwargs.get("dropout", 0.0) or 0.0)
    algo = (kwargs.get("algo", "lora") or "lora").lower()
    use_tucker = kwargs.get("use_tucker", False)
    preset = kwargs.get("preset", "full")
    if preset not in PRESET:
        preset = read_preset(preset)
    return Network(decompose_both=kwargs.get("decompose_both", False), factor=kwargs.get("factor", -1))


class Network:
    def __init__(self, conv_lora_dim=4):
        if not self.ENABLE_CONV:
            conv_lora_dim = 0
        assert lora_name not in names, f"duplicated lora name: {lora_name}"
"""
_PRESETS = """
PRESET = {
    "full": {
        "enable_conv": True,
        "unet_target_module": ["Transformer2DModel", "TimestepEmbedding"],
        "unet_target_name": ["time_embedding.linear_1"],
    },
    "attn-mlp": {"enable_conv": False, "unet_target_module": ["Transformer2DModel"], "unet_target_name": []},
}
VALID_PRESET_KEYS = ("enable_conv", "unet_target_module")
"""
_LOKR = """
class LokrModule:
    def __init__(self, decompose_both=False, factor=-1):
        factor = int(factor)
        if decompose_both and factor:
            pass
"""
CHECKOUT = {
    "train_network.py": _TRAIN,
    "sdxl_train_network.py": "class Sdxl:\n    def __init__(self):\n        self.is_sdxl = True\n",
    "networks/lora.py": _LORA,
    "networks/merge_lora.py": "def merge():\n    pass\n",
    "library/original_unet.py": _EMBEDDING,
}
LYCORIS = {
    "lycoris/__init__.py": "",
    "lycoris/kohya.py": _KOHYA,
    "lycoris/config.py": _PRESETS,
    "lycoris/wrapper.py": 'VALID_PRESET_KEYS = ("enable_conv", "unet_target_module")\n',
    "lycoris/preset.py": "import toml\n\n\ndef read_preset(path):\n    return toml.load(path)\n",
    "lycoris/modules/lokr.py": _LOKR,
    "lycoris_lora-4.1.3.dist-info/METADATA": "",
}
OPTIONS = (*USUAL, switch("dim_from_weights"), option("network_dropout", type="float"))


def _found(
    folder: Path, module: str, items: str = "", *, more: str = "", script: str = "train_network.py",
    sources: dict[str, str] | None = None, packages: dict[str, str] | None = None,
    environ: dict[str, str] | None = None,
) -> list[Finding]:  # fmt: skip
    text = f'network_module = "{module}"\n{more}\n[network_args]\n{items}\n'
    candidate = candidate_of(
        folder, text, *OPTIONS, sources=CHECKOUT if sources is None else sources, environ=environ,
        packages=LYCORIS if packages is None else packages, script_file=script,
    )  # fmt: skip
    found = list(check_network_args(candidate, cache=folder / "cache"))
    assert list(check_network_args(candidate, cache=folder / "cache")) == found
    return found


@pytest.mark.parametrize(
    ("module", "items"),
    [
        ("networks.lora", ""),
        ("networks.lora", 'conv_dim = 4\nconv_alpha = 1\nblock_dims = [1, 2, 3, 4, 5]\nblock_alphas = "1"'),
        ("networks.lora", 'train_blocks = "all"\nsplit_qkv = true\nrank_dropout = 0.1'),
        ("lycoris.kohya", 'algo = "LoKr"\npreset = "attn-mlp"\nfactor = 4\ndecompose_both = true\ndropout = 0.1'),
    ],
)
def test_sound_arguments_are_quiet(tmp_path: Path, module: str, items: str) -> None:
    assert _found(tmp_path, module, items) == []


def test_a_module_that_is_nowhere(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path, "networks.lroa")
    assert (finding.code, finding.severity) == ("network-module-not-found", Severity.ERROR)
    assert finding.where == f"{tmp_path / 'fox.toml'}:1"
    assert finding.hint == "Did you mean networks.lora?"
    (finding,) = _found(tmp_path, "lycoris.kohja")
    assert finding.hint == "Did you mean lycoris.kohya?"


@pytest.mark.parametrize(
    ("module", "hint"),
    [
        ("lora", "Did you mean networks.lora?"),
        ("Lora", "Did you mean networks.lora?"),
        ("kohya", "Did you mean lycoris.kohya?"),
        ("lycoris_kohya", "Did you mean lycoris.kohya?"),
        ("LoCon", 'Set network_module = "lycoris.kohya", and algo = "locon" in network_args.'),
        ("lycoris.lokr", 'Set network_module = "lycoris.kohya", and algo = "lokr" in network_args.'),
        ("flux", None),
    ],
)
def test_a_module_by_its_last_name_or_its_algorithm(tmp_path: Path, module: str, hint: str | None) -> None:
    (finding,) = _found(tmp_path, module)
    assert (finding.code, finding.hint) == ("network-module-not-found", hint)


def test_an_algorithm_is_no_hint_without_lycoris(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path, "locon", packages={"torch/__init__.py": ""})
    assert finding.hint is None


@pytest.mark.parametrize(
    ("items", "hint"),
    [
        ("conv_dims = 4\nconv_alpha = 1", "Did you mean conv_dim?"),
        ("block_dimss = 4\nblock_alphas = 1", "Did you mean block_dims?"),
    ],
)
def test_what_follows_from_a_misspelt_name_is_not_said(tmp_path: Path, items: str, hint: str) -> None:
    (finding,) = _found(tmp_path, "networks.lora", items)
    assert (finding.code, finding.hint) == ("network-arg-unread", hint)
    found = _found(tmp_path, "networks.lora", f"{items}\nrank_dropout = 2")
    assert codes(found) == ["network-arg-unread", "network-arg-not-a-probability"]


def test_a_name_that_only_begins_like_another_is_no_hint(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path, "networks.lora", "block_size = 4")
    assert (finding.hint or "").startswith("It reads ")


@pytest.mark.parametrize(("factor", "speaks"), [("0", True), ("-1", False), ("8", False)])
def test_a_factor_of_none_divides_nothing(tmp_path: Path, factor: str, speaks: bool) -> None:
    general = (
        "def factorization(dimension, factor=-1):\n    if factor > 0 and dimension % factor == 0:\n        return 1\n"
        "    if factor < 0:\n        factor = dimension\n    while m < n:\n"
        "        if new_m + new_n > length or new_m > factor:\n            break\n"
    )
    packages = {**LYCORIS, "lycoris/functional/general.py": general}
    items = f'algo = "lokr"\npreset = "attn-mlp"\nfactor = {factor}'
    found = _found(tmp_path, "lycoris.kohya", items, packages=packages)
    assert [(each.code, each.severity) for each in found] == [("network-arg-ignored", Severity.WARNING)] * speaks
    other = tmp_path / "other"
    other.mkdir()
    assert _found(other, "lycoris.kohya", items) == []


def test_lycoris_that_is_not_installed(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path, "lycoris.kohya", packages={"torch/__init__.py": ""})
    assert finding.code == "network-module-not-found"
    assert finding.hint is not None and "pip install lycoris-lora" in finding.hint


def test_a_module_may_stand_in_a_folder_of_pythonpath(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.py").write_text(_LORA, encoding="utf-8")
    assert codes(_found(tmp_path, "mine", "conv_dim = 4")) == ["network-module-not-found"]
    assert _found(tmp_path, "mine", "conv_dim = 4", environ={"PYTHONPATH": str(own)}) == []


def test_a_module_that_makes_no_network(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path, "networks.merge_lora")
    assert finding.code == "network-module-unusable"
    assert "create_network" in finding.message
    star = {**CHECKOUT, "networks/own.py": "from somewhere import *\n"}
    assert _found(tmp_path, "networks.own", sources=star) == []


def test_a_key_that_nobody_reads_names_who_would(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path, "lycoris.kohya", 'preset = "attn-mlp"\nblock_dims = "1"')
    assert (finding.code, finding.severity) == ("network-arg-unread", Severity.ERROR)
    assert finding.message == "lycoris.kohya 4.1.3 never reads block_dims; networks.lora does."
    assert finding.where == f"{tmp_path / 'fox.toml'}:5"
    (finding,) = _found(tmp_path, "networks.lora", "cov_dim = 4")
    assert finding.message == "networks.lora never reads cov_dim."
    assert finding.hint == "Did you mean conv_dim?"
    (finding,) = _found(tmp_path, "networks.lora", "dropout = 0.1")
    assert finding.message == "networks.lora never reads dropout; lycoris.kohya does."
    assert finding.hint == "network_dropout is an option of its own: write it outside network_args."


def test_a_key_may_be_right_where_the_reading_is_open(tmp_path: Path) -> None:
    text = "import torch\n\n\ndef create_network(a, b, c, d, e, f, **kwargs):\n    return torch.make(**kwargs)\n"
    (finding,) = _found(tmp_path, "networks.own", "rank = 4", sources={**CHECKOUT, "networks/own.py": text})
    assert (finding.code, finding.severity) == ("network-arg-unread", Severity.WARNING)


def test_with_dim_from_weights_another_function_reads_them(tmp_path: Path) -> None:
    assert _found(tmp_path, "networks.lora", "rate = 1", more="dim_from_weights = true") == []
    (finding,) = _found(tmp_path, "networks.lora", "conv_dim = 1", more="dim_from_weights = true")
    assert finding.message == "networks.lora never reads conv_dim with dim_from_weights."
    assert codes(_found(tmp_path, "networks.lora", "rate = 1")) == ["network-arg-unread"]


def test_what_the_trainer_gives_itself_cannot_be_given(tmp_path: Path) -> None:
    found = _found(tmp_path, "networks.lora", "network_dim = 4\nneuron_dropout = 0.1\nconv_dim = 4")
    assert codes(found) == ["network-arg-given-twice"] * 2
    assert [finding.hint for finding in found] == ["Use the option network_dim.", "Use the option network_dropout."]


def test_old_names(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path, "lycoris.kohya", 'preset = "attn-mlp"\nuse_cp = true')
    assert (finding.code, finding.severity) == ("network-arg-deprecated", Severity.WARNING)
    assert finding.hint == "Write use_tucker."


def test_an_equals_sign_where_items_are_split_at_each(tmp_path: Path) -> None:
    assert _found(tmp_path, "networks.lora", 'train_blocks = "all"') == []
    old = {**CHECKOUT, "train_network.py": _TRAIN.replace('"=", 1', '"="')}
    items = 'block_alphas = "a=1"\nblock_dims = "1,1,1,1,1"'
    assert codes(_found(tmp_path, "networks.lora", items, sources=old)) == ["network-arg-equals-sign"]
    assert _found(tmp_path, "networks.lora", items) == []


def test_values_that_the_module_refuses(tmp_path: Path) -> None:
    items = 'conv_dim = "4.0"\nblock_dims = [1, 2, 3]\ntrain_blocks = "double"\nrank_dropout = "x"'
    found = {finding.where: finding for finding in _found(tmp_path, "networks.lora", items)}
    assert codes(found.values()) == ["network-arg-refused"] * 4
    said = [found[f"{tmp_path / 'fox.toml'}:{line}"].message for line in (4, 5, 6, 7)]
    assert said == [
        "conv_dim takes a whole number, and '4.0' is none.",
        "block_dims takes 5 values, and 3 are given.",
        "train_blocks cannot be 'double'.",
        "rank_dropout takes a number, and 'x' is none.",
    ]


def test_the_script_says_how_many_blocks_there_are(tmp_path: Path) -> None:
    script = "sdxl_train_network.py"
    assert _found(tmp_path, "networks.lora", "block_dims = [1, 2, 3]", script=script) == []
    (finding,) = _found(tmp_path, "networks.lora", "block_dims = [1, 2, 3, 4, 5]", script=script)
    assert finding.message == "block_dims takes 3 values, and 5 are given."
    assert finding.hint == "One for each block; sdxl_train_network.py trains SDXL."


def test_switches_that_are_not_taken_as_written(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path, "networks.lora", 'split_qkv = "true"')
    assert (finding.code, finding.hint) == ("network-arg-not-as-written", "Write true.")
    assert _found(tmp_path, "networks.lora", "split_qkv = false") == []
    items = 'preset = "attn-mlp"\nalgo = "lokr"\ndecompose_both = false'
    assert codes(_found(tmp_path, "lycoris.kohya", items)) == ["network-arg-not-as-written"]
    assert _found(tmp_path, "lycoris.kohya", items.replace("lokr", "lora")) == []
    whole = {**LYCORIS, "lycoris/modules/lokr.py": "class LokrModule:\n    def __init__(self):\n        pass\n"}
    assert _found(tmp_path, "lycoris.kohya", items, packages=whole) == []


def test_what_has_no_effect(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path, "networks.lora", 'block_alphas = "1"')
    assert (finding.code, finding.severity) == ("network-arg-ignored", Severity.WARNING)
    assert finding.hint == "Give block_dims too, or leave block_alphas out."
    (finding,) = _found(tmp_path, "networks.lora", "conv_alpha = 1")
    assert finding.code == "network-arg-ignored"
    assert finding.message == "networks.lora uses conv_alpha only with conv_dim, which is not given."
    assert _found(tmp_path, "lycoris.kohya", 'preset = "full"\nconv_alpha = 1', script="sdxl_train_network.py") == []


@pytest.mark.parametrize(("value", "speaks"), [("0.3", False), ("0", False), ("1.0", True), ("-0.1", True)])
def test_a_dropout_is_a_probability(tmp_path: Path, value: str, speaks: bool) -> None:
    found = _found(tmp_path, "networks.lora", f"rank_dropout = {value}")
    assert codes(found) == (["network-arg-not-a-probability"] if speaks else [])


def test_algorithms_and_presets_go_by_name(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path, "lycoris.kohya", 'preset = "attn-mlp"\nalgo = "lokon"')
    assert (finding.code, finding.hint) == ("lycoris-algo-unknown", "Did you mean locon?")
    (finding,) = _found(tmp_path, "lycoris.kohya", 'preset = "attn_mlp"')
    assert (finding.code, finding.hint) == ("lycoris-preset-unreadable", "Did you mean attn-mlp?")
    (finding,) = _found(tmp_path, "lycoris.kohya", 'preset = "attn-mlp"\nalgo = "lokr"\nfactor = "x"')
    assert finding.code == "network-arg-refused"


def test_a_preset_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("enable_conv = true\n", encoding="utf-8")
    items = f'preset = "{path}"\nconv_dim = 4'
    assert _found(tmp_path, "lycoris.kohya", items) == []
    path.write_text("enable_conv = false\n", encoding="utf-8")
    assert codes(_found(tmp_path, "lycoris.kohya", items)) == ["lycoris-preset-without-conv"]
    path.write_text("enable_con = false\n", encoding="utf-8")
    (finding,) = _found(tmp_path, "lycoris.kohya", items)
    assert (finding.code, finding.hint) == ("lycoris-preset-key-unknown", "Did you mean enable_conv?")
    path.write_text("enable_conv = \n", encoding="utf-8")
    assert codes(_found(tmp_path, "lycoris.kohya", items)) == ["lycoris-preset-unreadable"]
    path.write_bytes(b"\xff\xfe\x00")
    assert codes(_found(tmp_path, "lycoris.kohya", items)) == ["lycoris-preset-unreadable"]


def test_a_preset_that_is_nested_too_deeply_is_none(tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text("a=" + "[" * 5000, encoding="utf-8")
    (finding,) = _found(tmp_path, "lycoris.kohya", f'preset = "{path}"')
    assert finding.code == "lycoris-preset-unreadable" and "nested too deeply" in finding.message


def test_a_preset_without_convolutions(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path, "lycoris.kohya", 'preset = "attn-mlp"\nconv_dim = 4')
    assert (finding.code, finding.severity) == ("lycoris-preset-without-conv", Severity.WARNING)
    assert _found(tmp_path, "lycoris.kohya", 'preset = "full"\nconv_dim = 4', script="sdxl_train_network.py") == []


def test_a_preset_that_finds_one_layer_twice(tmp_path: Path) -> None:
    code = "lycoris-preset-twice-the-same-layer"
    (finding,) = _found(tmp_path, "lycoris.kohya", 'algo = "locon"')
    assert (finding.code, finding.severity) == (code, Severity.ERROR)
    assert finding.where == f"{tmp_path / 'fox.toml'}:1"
    (finding,) = _found(tmp_path, "lycoris.kohya", 'preset = "full"')
    assert (finding.code, finding.where) == (code, f"{tmp_path / 'fox.toml'}:4")
    assert _found(tmp_path, "lycoris.kohya", 'algo = "locon"', script="sdxl_train_network.py") == []
    fixed = {**LYCORIS, "lycoris/config.py": _PRESETS.replace(', "TimestepEmbedding"', "")}
    assert _found(tmp_path, "lycoris.kohya", 'algo = "locon"', packages=fixed) == []
    other = {**CHECKOUT, "library/original_unet.py": "class UNet2DConditionModel:\n    pass\n"}
    assert _found(tmp_path, "lycoris.kohya", 'algo = "locon"', sources=other) == []


_UNIT = """
def create_network(multiplier, network_dim, network_alpha, vae, text_encoder, unet, **kwargs):
    unit = kwargs.get("unit", None)


class DyLoRAModule:
    def __init__(self, lora_dim=4, unit=1):
        assert self.lora_dim % self.unit == 0
"""


@pytest.mark.parametrize(("unit", "said"), [("4", False), ("5", True), ("x", False), ("0", False)])
def test_ranks_that_are_trained_together_must_divide_the_dim(tmp_path: Path, unit: str, said: bool) -> None:
    sources = {**CHECKOUT, "networks/dylora.py": _UNIT}
    found = _found(tmp_path, "networks.dylora", f'unit = "{unit}"', more="network_dim = 16", sources=sources)
    assert codes(found) == ["network-arg-refused"] * said
    freer = {**sources, "networks/dylora.py": _UNIT.replace("assert", "good =")}
    assert _found(tmp_path, "networks.dylora", f'unit = "{unit}"', more="network_dim = 16", sources=freer) == []


_BLOCKS = "class Transformer2DModel:\n    pass\n"
_FLUX_BLOCKS = "class DoubleStreamBlock:\n    pass\n"
_FAMILIES = {
    **CHECKOUT,
    "library/original_unet.py": _EMBEDDING + _BLOCKS,
    "library/flux_models.py": _FLUX_BLOCKS,
    "library/model_util.py": "def load_models_from_stable_diffusion_checkpoint():\n    load_state_dict()\n",
    "library/flux_utils.py": "def load_flow_model():\n    double_blocks.load_state_dict()\n",
    "flux_train_network.py": "import train_network\n",
    "networks/lora.py": _LORA + '\n\nclass Network:\n    UNET_TARGET_REPLACE_MODULE = ["Transformer2DModel"]\n'
    '    TEXT_ENCODER_TARGET_REPLACE_MODULE = ["DoubleStreamBlock"]\n',
    "networks/lora_flux.py": _LORA + '\n\nclass Network:\n    FLUX_TARGET_REPLACE_MODULE = ["DoubleStreamBlock"]\n',
}  # fmt: skip


def test_a_module_of_another_family_finds_nothing_to_train(tmp_path: Path) -> None:
    flux = "flux_train_network.py"
    (finding,) = _found(tmp_path, "networks.lora", "nobody_reads = 1", script=flux, sources=_FAMILIES)
    assert (finding.code, finding.severity) == ("network-module-family", Severity.ERROR)
    assert finding.hint == "For FLUX.1 there is networks.lora_flux."
    (finding,) = _found(tmp_path, "networks.lora_flux", sources=_FAMILIES)
    assert finding.hint == "For SD 1 there is networks.lora."
    assert _found(tmp_path, "networks.lora_flux", script=flux, sources=_FAMILIES) == []
    assert _found(tmp_path, "networks.lora", sources=_FAMILIES) == []
    assert _found(tmp_path, "lycoris.kohya", 'preset = "attn-mlp"', script=flux, sources=_FAMILIES) == []


@pytest.mark.parametrize("missing", ["library/flux_models.py", "library/flux_utils.py"])
def test_of_a_model_that_cannot_be_read_nothing_is_said(tmp_path: Path, missing: str) -> None:
    sources = {file: text for file, text in _FAMILIES.items() if file != missing}
    assert _found(tmp_path, "networks.lora", script="flux_train_network.py", sources=sources) == []


def test_what_a_template_of_kl_publishes_is_no_error(tmp_path: Path) -> None:
    template = shipped_folder("templates") / "pony-locon-guide.toml"
    (tmp_path / "mine.toml").write_text('network_module = "lycoris.kohya"\n[network_args]\nblock_dims = [8, 8]\n')
    packages = {"lycoris/kohya.py": "def create_network(*models, **kwargs):\n    return kwargs.get('algo')\n"}
    for extended, severity in ((template, Severity.WARNING), (tmp_path / "mine.toml", Severity.ERROR)):
        candidate = candidate_of(tmp_path, f'extends = "{extended}"\n', *USUAL, packages=packages)
        found = [each for each in check_network_args(candidate) if "block_dims" in each.message]
        assert [(each.code, each.severity) for each in found] == [("network-arg-unread", severity)]
