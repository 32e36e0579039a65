"""network_module and network_args, each check both ways."""

from __future__ import annotations

from pathlib import Path

import pytest
from candidate_bed import candidate_of
from network_sources import (
    CONVOLUTIONS,
    FLUX_BLOCKS,
    LYCORIS,
    RANKS_TOGETHER,
    UNET,
    blocks,
    choice,
    create_network,
    from_weights,
    kohya,
    network_call,
    network_class,
    numbers,
    switch_spelt_true,
)
from plan_bed import USUAL, codes, option, switch

from launcher.base.findings import Finding, Severity
from launcher.base.places import shipped_folder
from launcher.plan.checks.network_args import check_network_args

_TRAIN = f"""
class NetworkTrainer:
    def __init__(self):
        self.is_sdxl = False

    def train(self, args):
{network_call('"=", 1')}"""
_LORA = create_network(
    CONVOLUTIONS,
    blocks(3, 5, "block_dims"),
    '    block_alphas = kwargs.get("block_alphas") if asked else None\n',
    choice("train_blocks", "all", "single"),
    switch_spelt_true("split_qkv"),
    numbers("rank_dropout"),
) + from_weights("rate")
_KOHYA = kohya(
    ("lora", "locon", "lokr"),
    "use_tucker",
    made=', decompose_both=kwargs.get("decompose_both", False), factor=kwargs.get("factor", -1)',
)
_LOKR = """
class LokrModule:
    def __init__(self, factor=-1, decompose_both=False):
        factor = int(factor)
        self.whole = not (decompose_both and factor)
"""
CHECKOUT = {
    "train_network.py": _TRAIN,
    "sdxl_train_network.py": "class Sdxl:\n    def __init__(self):\n        self.is_sdxl = True\n",
    "networks/lora.py": _LORA,
    "networks/merge_lora.py": "def merge():\n    pass\n",
    "library/original_unet.py": UNET,
}
PACKAGES = {**LYCORIS, "lycoris/kohya.py": _KOHYA, "lycoris/modules/lokr.py": _LOKR}
OPTIONS = (*USUAL, switch("dim_from_weights"), option("network_dropout", type="float"))


def _found(
    folder: Path, module: str, items: str = "", *, more: str = "", script: str = "train_network.py",
    sources: dict[str, str] | None = None, packages: dict[str, str] | None = None,
    environ: dict[str, str] | None = None,
) -> list[Finding]:  # fmt: skip
    text = f'network_module = "{module}"\n{more}\n[network_args]\n{items}\n'
    candidate = candidate_of(
        folder, text, *OPTIONS, sources=CHECKOUT if sources is None else sources, environ=environ,
        packages=PACKAGES if packages is None else packages, script_file=script,
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
    packages = {**PACKAGES, "lycoris/functional/general.py": general}
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
    whole = {**PACKAGES, "lycoris/modules/lokr.py": "class LokrModule:\n    def __init__(self):\n        pass\n"}
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
    presets = LYCORIS["lycoris/config.py"].replace(', "TimestepEmbedding"', "")
    fixed = {**PACKAGES, "lycoris/config.py": presets}
    assert _found(tmp_path, "lycoris.kohya", 'algo = "locon"', packages=fixed) == []
    other = {**CHECKOUT, "library/original_unet.py": "class UNet2DConditionModel:\n    pass\n"}
    assert _found(tmp_path, "lycoris.kohya", 'algo = "locon"', sources=other) == []


_UNIT = create_network('    unit = kwargs.get("unit")\n') + RANKS_TOGETHER


@pytest.mark.parametrize(("unit", "said"), [("4", False), ("5", True), ("x", False), ("0", False)])
def test_ranks_that_are_trained_together_must_divide_the_dim(tmp_path: Path, unit: str, said: bool) -> None:
    sources = {**CHECKOUT, "networks/dylora.py": _UNIT}
    found = _found(tmp_path, "networks.dylora", f'unit = "{unit}"', more="network_dim = 16", sources=sources)
    assert codes(found) == ["network-arg-refused"] * said
    freer = {**sources, "networks/dylora.py": _UNIT.replace("assert", "good =")}
    assert _found(tmp_path, "networks.dylora", f'unit = "{unit}"', more="network_dim = 16", sources=freer) == []


_FAMILIES = {
    **CHECKOUT,
    "library/flux_models.py": FLUX_BLOCKS,
    "library/model_util.py": "def load_models_from_stable_diffusion_checkpoint():\n    load_state_dict()\n",
    "library/flux_utils.py": "def load_flow_model():\n    double_blocks.load_state_dict()\n",
    "flux_train_network.py": "import train_network\n",
    "networks/lora.py": _LORA + network_class("Network", "Transformer2DModel", "DoubleStreamBlock", prefix="UNET_"),
    "networks/lora_flux.py": _LORA + network_class("Network", "DoubleStreamBlock", prefix="FLUX_"),
}


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
