"""How large a saved LoRA will be, and the training state beside it: estimates, within some percent.

A network has two thin matrices for each layer that it hangs on, so its size follows from the layers of the model's
family (`launcher.data.model_layers`), the ranks and the precision. Where a network's arguments choose layers or
ranks in ways that are not followed here, there is no estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from launcher.data.model_family import Family, Model
from launcher.data.model_layers import TEXT_ENCODERS, U_NETS, Groups, Layers, transformer_layers
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.script_family import base_model, family_of

# Names, shapes and the alpha of one layer in a file's header: three entries of some 140 bytes.
_HEADER_BYTES = 430
_DEFAULT_DIM = 4
_PRECISIONS = {"float": 4, "fp16": 2, "bf16": 2}  # library/train_util.py, prepare_dtype
_LORA_MODULES = {
    "networks.lora": (Family.SD1, Family.SD2, Family.SDXL),
    "networks.lora_fa": (Family.SD1, Family.SD2, Family.SDXL),
    "networks.lora_flux": (Family.FLUX, Family.CHROMA),
    "networks.lora_sd3": (Family.SD3,),
    "networks.lora_lumina": (Family.LUMINA,),
    "networks.lora_hunyuan_image": (Family.HUNYUAN_IMAGE,),
    "networks.lora_anima": (Family.ANIMA,),
}
# Arguments that change neither which layers have weights nor their number. Any other one: no estimate.
_SAME_SIZE = {
    "conv_dim", "conv_alpha", "dropout", "rank_dropout", "module_dropout", "verbose", "algo", "preset", "factor",
    "decompose_both", "full_matrix", "unbalanced_factorization", "rs_lora", "use_scalar", "rank_dropout_scale",
    "bypass_mode", "dora_wd", "wd_on_output", "constraint", "rescaled", "loraplus_lr_ratio", "loraplus_unet_lr_ratio",
    "loraplus_text_encoder_lr_ratio", "ggpo_beta", "ggpo_sigma", "network_reg_lrs", "split_qkv",
}  # fmt: skip
# lycoris/config.py: the groups of layers that each preset takes, in the U-Net and in the text encoders.
_BOTH, _ATTENTION = ("attention", "mlp"), ("attention",)
_PRESETS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "full": (("attention", "transformer", "resnet", "sampler", "ends"), _BOTH),
    "full-lin": (("attention", "transformer", "resnet"), _BOTH),
    "attn-mlp": (("attention", "transformer"), _BOTH),
    "attn-only": (_ATTENTION, _ATTENTION),
    "unet-only": (("attention", "transformer", "resnet", "sampler", "ends"), ()),
    "unet-transformer-only": (("attention", "transformer"), ()),
    "unet-convblock-only": (("resnet", "sampler"), ()),
}
_WITHOUT_CONVOLUTIONS = ("full-lin", "attn-mlp", "attn-only", "unet-transformer-only")
# How many numbers an optimizer keeps for each one that it trains, of how many bytes.
_OPTIMIZERS = {
    "": 8, "adamw": 8, "adam": 8, "adamw8bit": 2, "pagedadamw8bit": 2, "pagedadamw32bit": 8, "lion": 4, "lion8bit": 1,
    "pagedlion8bit": 1, "sgdnesterov": 4, "sgdnesterov8bit": 1, "prodigy": 16, "dadaptadam": 12, "dadaptation": 12,
    "adafactor": 0,
}  # fmt: skip


def sizes(candidate: Candidate) -> tuple[int | None, int | None]:
    """The estimated bytes of one saved network and of one training state; None for what cannot be estimated."""
    family, model = family_of(candidate), base_model(candidate)
    return save_bytes(candidate, family, model), state_bytes(candidate, family, model)


def save_bytes(candidate: Candidate, family: Family | None, model: Model | None = None) -> int | None:
    """The estimated size of one saved network in bytes; None where it cannot be estimated.

    `model` is the base model, whose number of blocks counts for FLUX.1 and SD 3.
    """
    counted = _counted(candidate, family, model)
    if counted is None:
        return None
    numbers, layers = counted
    return int(numbers * _precision(candidate) + layers * (_HEADER_BYTES + 4))


def state_bytes(candidate: Candidate, family: Family | None, model: Model | None = None) -> int | None:
    """The estimated size of one training state: the network as it is trained, and what the optimizer keeps."""
    counted = _counted(candidate, family, model)
    kind = str(candidate.value("optimizer_type") or "").lower()
    if counted is None or kind not in _OPTIMIZERS:
        return None
    numbers, layers = counted
    return int(numbers * (_trained_bytes(candidate) + _OPTIMIZERS[kind]) + layers * 2 * _HEADER_BYTES)


def _precision(candidate: Candidate) -> int:
    return _PRECISIONS.get(str(candidate.value("save_precision")), _trained_bytes(candidate))


def _trained_bytes(candidate: Candidate) -> int:
    halved = candidate.value("full_fp16") is True or candidate.value("full_bf16") is True
    return 2 if halved else 4


def _counted(candidate: Candidate, family: Family | None, model: Model | None) -> tuple[float, int] | None:
    """How many numbers the network has, and how many layers it hangs on."""
    items = {key: item.text for key, item in candidate.items("network_args").items()}
    if family is None or set(items) - _SAME_SIZE or candidate.value("dim_from_weights") is True:
        return None
    dim = candidate.value("network_dim")
    try:
        dim = int(_DEFAULT_DIM if dim is None else dim)
        chosen = _chosen_layers(candidate, family, model, items, dim)
        size = _decomposed(_size_of(candidate, items), items)
        if chosen is None or size is None or dim <= 0:
            return None
        found = [(layers.number * size(layers, rank), layers.number) for layers, rank in chosen]
    except (ValueError, OverflowError):
        return None  # an argument that is no number: a finding of another check
    return sum(numbers for numbers, _ in found), sum(number for _, number in found)


def _chosen_layers(
    candidate: Candidate, family: Family, model: Model | None, items: Mapping[str, str], dim: int
) -> list[tuple[Layers, int]] | None:
    """The layers that the network hangs on, each with its rank."""
    module = candidate.value("network_module")
    if module == "lycoris.kohya":
        preset = items.get("preset", "full")
        if preset not in _PRESETS or family not in (Family.SD1, Family.SD2, Family.SDXL):
            return None
        u_net_groups, text_groups = _PRESETS[preset]
        convolution = 0 if preset in _WITHOUT_CONVOLUTIONS else int(items.get("conv_dim") or dim)
    elif family in _LORA_MODULES.get(str(module), ()):
        convolution = int(items["conv_dim"]) if "conv_dim" in items else 0
        text_groups, u_net_groups = _BOTH, ("attention", "transformer", *(("resnet", "sampler") if convolution else ()))
    else:
        return None
    u_net: Groups | None = U_NETS.get(family)
    if u_net is None:
        layers = transformer_layers(family, model.blocks if model else (0, 0))
        u_net = {"transformer": layers} if layers else None
    trains_text = candidate.value("network_train_unet_only") is not True
    if u_net is None or (trains_text and family not in TEXT_ENCODERS):
        return None
    parts = [(u_net, u_net_groups)] if candidate.value("network_train_text_encoder_only") is not True else []
    parts += [(groups, text_groups) for groups in TEXT_ENCODERS.get(family, ())] if trains_text else []
    found = [layers for groups, names in parts for name in names for layers in groups.get(name, ())]
    ranked = [(layers, dim if layers.kernel == 1 else convolution) for layers in found]
    return [(layers, rank) for layers, rank in ranked if rank]


def _size_of(candidate: Candidate, items: Mapping[str, str]) -> Callable[[Layers, int], float] | None:
    """How many numbers a network of this kind has for a layer and a rank; None for a kind that is not followed."""
    algo = items.get("algo", "lora").lower() if candidate.value("network_module") == "lycoris.kohya" else "lora"
    if algo in ("lora", "locon"):
        return _lora
    if algo == "loha":
        return lambda layers, rank: 2 * _lora(layers, rank)  # two pairs of matrices, multiplied with each other
    if algo == "full":
        return lambda layers, rank: layers.inputs * layers.outputs * layers.kernel
    if algo == "lokr":
        factor = int(items.get("factor", "-1"))
        both = bool(items.get("decompose_both"))  # lycoris/kohya.py takes any text for true
        whole, swapped = (
            items.get(key, "false").lower() != "false" for key in ("full_matrix", "unbalanced_factorization")
        )
        return lambda layers, rank: _lokr(layers, rank, factor, both and not whole, whole, swapped)
    return None


def _decomposed(
    size: Callable[[Layers, int], float] | None, items: Mapping[str, str]
) -> Callable[[Layers, int], float] | None:
    """With the magnitudes of DoRA: one for each output, or each input (lycoris/modules/locon.py, LoConModule)."""
    if size is None or items.get("algo") == "full" or items.get("dora_wd", "false").lower() == "false":
        return size
    if items.get("wd_on_output", "true").lower() != "false":  # it takes every other text for true
        return lambda layers, rank: size(layers, rank) + layers.outputs
    return lambda layers, rank: size(layers, rank) + layers.inputs


def _lora(layers: Layers, rank: int) -> int:
    return rank * (layers.inputs * layers.kernel + layers.outputs)


def _lokr(layers: Layers, rank: int, factor: int, both: bool, whole: bool, swapped: bool) -> int:
    """lycoris/modules/lokr.py: a small matrix times a large one, each whole or as a pair of thin ones."""
    small_in, large_in = _factors(layers.inputs, factor)
    small_out, large_out = _factors(layers.outputs, factor)
    if swapped:
        small_out, large_out = large_out, small_out
    thin = both and rank < max(small_out, small_in) / 2
    small = rank * (small_out + small_in) if thin else small_out * small_in
    if whole or rank >= max(large_out, large_in) / 2:
        return small + large_out * large_in * layers.kernel
    return small + rank * (large_out + large_in * layers.kernel)


def _factors(size: int, factor: int) -> tuple[int, int]:
    """The two factors of a size, the smaller one at most `factor` and as near to the other as that allows.

    lycoris/functional/general.py, factorization.
    """
    if factor > 0 and size % factor == 0:
        small = factor
    else:
        limit = size if factor < 0 else factor
        small = max(_divisors(size, limit), default=1)
    return min(small, size // small), max(small, size // small)


def _divisors(size: int, limit: int) -> Iterator[int]:
    return (number for number in range(1, math.isqrt(size) + 1) if size % number == 0 and number <= limit)
