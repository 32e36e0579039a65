"""Mistakes in network_module and network_args."""

from __future__ import annotations

from mistake import WARNING, Planted, put, write

_LORA = "sd15-lora-conv"
_LOCON = "sd15-locon"
_BLOCKS = "sd15-blocks"


def _arg(
    id_: str, base: str, old: str, new: str, code: str, message: str = "", hint: str = "", **more: object
) -> Planted:
    return Planted(id_, base, put(old, new), code, message=message, hint=hint, **more)  # type: ignore[arg-type]


def _unread(id_: str, base: str, old: str, new: str, message: str = "", hint: str = "") -> Planted:
    return _arg(id_, base, old, new, "network-arg-unread", message, hint)


_COUNTS = str([8] * 25), str([4] * 25)

MISTAKES = (
    *(
        Planted(
            f"module-{name}",
            "sd15-lora",
            put('"networks.lora"', f'"{name}"'),
            "network-module-not-found",
            message=name,
            hint=hint,
        )
        for name, hint in (("lora", "networks.lora"), ("locon", 'algo = "locon"'), ("kohya", "lycoris.kohya"))
    ),
    Planted(
        "conv-dims-and-alpha",
        "sd15-lora-conv",
        put("conv_dim", "conv_dims"),
        "network-arg-unread",
        message="conv_dims",
        hint="conv_dim",
    ),
    Planted(
        "lokr-factor-0",
        "pony-lokr",
        put("factor = 8", "factor = 0"),
        "network-arg-ignored",
        WARNING,
        "factor=0",
        only=("real", "the miniature's LyCORIS does not divide"),
    ),
    _unread("conv-dims", _LORA, "conv_dim = 8\nconv_alpha = 1", "conv_dims = 8", "conv_dims", "conv_dim"),
    _unread("convdim", "sdxl-locon", "conv_dim", "convdim", "convdim", "conv_dim"),
    _unread("conv-alhpa", _LORA, "conv_alpha", "conv_alhpa", "conv_alhpa", "conv_alpha"),
    _unread("algo-of-lycoris", _LORA, "conv_dim = 8", 'algo = "locon"\nconv_dim = 8', "lycoris.kohya", ""),
    _unread("preset-of-lycoris", _LORA, "conv_dim = 8", 'preset = "full"\nconv_dim = 8', "lycoris.kohya", ""),
    _unread("dora-of-lycoris", _LORA, "conv_dim = 8", "dora_wd = true\nconv_dim = 8", "lycoris.kohya", ""),
    _unread("unit-of-dylora", _LORA, "conv_dim = 8", "unit = 4\nconv_dim = 8", "networks.dylora", ""),
    _unread("loraplus-ratio", _LORA, "conv_dim = 8", "loraplus_ratio = 16\nconv_dim = 8", "", "loraplus_lr_ratio"),
    _unread("lr-weights", _LORA, "conv_dim = 8", "down_lr_weights = 1\nconv_dim = 8", "", "down_lr_weight"),
    _unread("rank-dropuot", _LORA, "conv_dim = 8", "rank_dropuot = 0.1\nconv_dim = 8", "", "rank_dropout"),
    _unread(
        "block-dims-in-lycoris",
        "sdxl-locon",
        "conv_dim = 8",
        f"block_dims = {_COUNTS[0]}\nconv_dim = 8",
        "networks.lora",
    ),
    _unread(
        "block-alphas-in-lycoris",
        "sdxl-locon",
        "conv_dim = 8",
        f"block_alphas = {_COUNTS[1]}\nconv_dim = 8",
        "networks.lora",
    ),
    _unread("alg", _LOCON, "algo", "alg", "alg", "algo"),
    _unread("presets", "sdxl-locon", "preset =", "presets =", "presets", "preset"),
    _unread("dora", "sdxl-locon", "conv_dim = 8", "dora = true\nconv_dim = 8", "dora"),
    _unread("factors", "pony-lokr", "factor =", "factors =", "factors", "factor"),
    _unread("units", "sd15-dylora", "unit =", "units =", "units", "unit"),
    _unread("split-qvk", "flux-lora", "split_qkv", "split_qvk", "split_qvk", "split_qkv"),
    _unread("block-dims-in-flux", "flux-lora", "split_qkv", "block_dims", "block_dims", ""),
    _arg("algo-locn", _LOCON, '"locon"', '"locn"', "lycoris-algo-unknown", "locn", "locon"),
    _arg("algo-lorha", "pony-loha-dora", '"loha"', '"lohaa"', "lycoris-algo-unknown", "lohaa", "loha"),
    _arg("preset-attn", _LOCON, '"attn-mlp"', '"attn_mlp"', "lycoris-preset-unreadable", "attn_mlp", "attn-mlp"),
    _arg("preset-file-missing", _LOCON, '"attn-mlp"', '"my-preset.toml"', "lycoris-preset-unreadable", "my-preset"),
    Planted(
        "preset-file-with-a-typo",
        _LOCON,
        (
            *put('"attn-mlp"', '"{here}/my.toml"'),
            *write("my.toml", 'enable_convs = true\nunet_target_module = ["Transformer2DModel"]\n'),
        ),
        "lycoris-preset-key-unknown",
        message="enable_convs",
        hint="enable_conv",
        at=None,
    ),
    _arg("conv-dim-as-word", _LORA, "conv_dim = 8", 'conv_dim = "eight"', "network-arg-refused", "conv_dim"),
    _arg("conv-alpha-as-word", _LORA, "conv_alpha = 1", 'conv_alpha = "one"', "network-arg-refused", "conv_alpha"),
    _arg("lycoris-dim-as-word", "sdxl-locon", "conv_dim = 8", 'conv_dim = "eight"', "network-arg-refused", "eight"),
    _arg("conv-dim-with-fraction", _LORA, "conv_dim = 8", "conv_dim = 8.5", "network-arg-refused", "conv_dim"),
    _arg("block-dims-24", _BLOCKS, _COUNTS[0], str([8] * 24), "network-arg-refused", "25 values, and 24 are"),
    _arg("block-dims-12", _BLOCKS, _COUNTS[0], str([8] * 12), "network-arg-refused", "25 values, and 12 are"),
    _arg("block-alphas-26", _BLOCKS, _COUNTS[1], str([4] * 26), "network-arg-refused", "25 values, and 26 are"),
    _arg("block-dims-with-word", _BLOCKS, _COUNTS[0], '"' + "8," * 24 + 'x"', "network-arg-refused", "block_dims"),
    _arg(
        "sdxl-block-dims-25",
        "sdxl-blocks",
        str([8] * 23),
        str([8] * 25),
        "network-arg-refused",
        "23 values, and 25 are",
    ),
    _arg(
        "conv-block-dims-3",
        _BLOCKS,
        "block_alphas",
        "conv_block_dims = [8, 8, 8]\nblock_alphas",
        "network-arg-refused",
        "25 values, and 3 are",
    ),
    _arg(
        "down-weights",
        _LORA,
        "conv_dim = 8",
        "down_lr_weight = [1, 1, 1]\nconv_dim = 8",
        "network-arg-ignored",
        "12-th",
        severity=WARNING,
    ),
    _arg("unit-not-dividing", "sd15-dylora", "unit = 4", "unit = 5", "network-arg-refused", "unit"),
    _arg("train-blocks", "flux-lora", '"all"', '"doubles"', "network-arg-refused", "doubles", "double"),
    _arg(
        "rank-dropout-percent",
        _LORA,
        "conv_dim = 8",
        "rank_dropout = 10\nconv_dim = 8",
        "network-arg-not-a-probability",
        "10",
        severity=WARNING,
    ),
    _arg(
        "deprecated",
        "sdxl-locon",
        "conv_dim = 8",
        "use_cp = true\nconv_dim = 8",
        "network-arg-deprecated",
        "use_cp",
        "use_tucker",
        severity=WARNING,
    ),
    _arg(
        "preset-without-conv",
        _LOCON,
        'preset = "attn-mlp"',
        'preset = "attn-mlp"\nconv_dim = 8',
        "lycoris-preset-without-conv",
        "conv_dim",
        severity=WARNING,
    ),
    _arg(
        "conv-alpha-alone",
        _LORA,
        "conv_dim = 8\n",
        "",
        "network-arg-ignored",
        "conv_alpha",
        at="conv_alpha",
        severity=WARNING,
    ),
    _arg("module-misspelt", _LORA, "networks.lora", "networks.lroa", "network-module-not-found", "", "networks.lora"),
    _arg("lycoris-misspelt", _LOCON, "lycoris.kohya", "lycoris.kohay", "network-module-not-found", "", "lycoris.kohya"),
    _arg("locon-of-old", _LOCON, "lycoris.kohya", "locon.locon_kohya", "network-module-not-found", "locon"),
    _arg("not-a-network", _LORA, "networks.lora", "networks.merge_lora", "network-module-unusable", ""),
    _arg("lycoris-alone", _LOCON, "lycoris.kohya", "lycoris", "network-module-unusable", ""),
    _arg("sd-module-on-flux", "flux-lora", '"networks.lora_flux"', '"networks.lora"', "network-module-family", ""),
    Planted(
        "network-item-without-sign",
        _LORA,
        put("[network_args]\nconv_dim = 8\nconv_alpha = 1\n", 'network_args = ["conv_dim", "rank_dropout=0.1"]\n'),
        "wrong-type",
        message="conv_dim",
    ),
    Planted(
        "blanks-around-sign",
        _LORA,
        put("[network_args]\nconv_dim = 8\nconv_alpha = 1\n", 'network_args = ["conv_dim = 8"]\n'),
        "wrong-type",
        message="conv_dim",
    ),
    Planted(
        "item-on-the-line",
        _LORA,
        (),
        "network-arg-unread",
        hint="conv_dim",
        at="--network_args after --",
        arguments=("--network_args", "conv_dims=8"),
    ),
)
