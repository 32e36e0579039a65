"""Rules of what is trained: U-Net and text encoders, their learning rates, the dim."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from launcher.base.findings import Severity
from launcher.base.words import listed
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.optimizer_rates import trained_rates
from launcher.plan.checks.rules.facts import are, is_on, those_set
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_TRAIN = "train_network.py, train"
_UNET_ONLY, _TEXT_ONLY = "network_train_unet_only", "network_train_text_encoder_only"
_LARGEST = 2_000_000  # bytes: no module of a network is larger
_MODULES = 12  # of one package that are followed


def _trained(*patterns: str) -> Evidence:
    return Evidence("train_network.py", "train", patterns)


_APPLIED = _trained(r"network\.apply_to\( ?text_encoder, unet, train_text_encoder, train_unet ?\)")


@rule(
    "trains-nothing", Severity.ERROR,
    "Nothing is left to train: the optimizer fails on an empty list, after everything is loaded and cached.",
    _TRAIN, _APPLIED,
    options=(_UNET_ONLY, _TEXT_ONLY),
)  # fmt: skip
def trains_nothing(candidate: Candidate) -> Said | None:
    """Only the U-Net and only the text encoder."""
    if not candidate.value(_UNET_ONLY) or not candidate.value(_TEXT_ONLY):
        return None
    return Said(f"{_UNET_ONLY} and {_TEXT_ONLY} are both set: nothing is trained.", "Keep one of them.")


@rule(
    "rates-all-zero", Severity.ERROR,
    "Parts with a learning rate of 0 are left out, and the optimizer fails on an empty list, or nothing is learned.",
    "networks/lora.py, prepare_optimizer_params",
    _APPLIED,
    options=("learning_rate", "unet_lr", "text_encoder_lr"),
)  # fmt: skip
def rates_all_zero(candidate: Candidate) -> Said | None:
    """No learning rate other than 0 for anything that is trained."""
    zero = [name for name in ("learning_rate", "unet_lr", "text_encoder_lr") if _is_zero(candidate, name)]
    both = candidate.value(_UNET_ONLY) and candidate.value(_TEXT_ONLY)
    if not zero or both or trained_rates(candidate):
        return None
    found = candidate.packages.find(str(candidate.value("network_module") or ""))
    skips = found is not None and found.file is not None and "NO LR skipping" in _read(found.root / found.file)
    message = f"{listed(zero)} {are(zero)} 0, so nothing is trained."
    return Said(message, "Give a rate, such as 1e-4.", zero[0], None if skips else Severity.WARNING)


def _is_zero(candidate: Candidate, option: str) -> bool:
    rates = _as_list(candidate.value(option)) if candidate.chosen(option) else []
    return bool(rates) and all(isinstance(rate, (int, float)) and rate == 0 for rate in rates)


@rule(
    "text-lr-unused", Severity.WARNING,
    "The text encoder is not trained: its learning rate has no effect.",
    _TRAIN, _APPLIED,
    options=("text_encoder_lr", _UNET_ONLY),
)  # fmt: skip
def text_lr_unused(candidate: Candidate) -> Said | None:
    """text_encoder_lr with network_train_unet_only."""
    rates = candidate.value("text_encoder_lr")
    if not candidate.value(_UNET_ONLY) or not any(is_on(rate) for rate in _as_list(rates)):
        return None
    return Said(f"text_encoder_lr is set, and {_UNET_ONLY} too.", "Leave one of them out.")


@rule(
    "unet-lr-unused", Severity.WARNING,
    "The U-Net is not trained: its learning rate has no effect.",
    _TRAIN, _APPLIED,
    options=("unet_lr", _TEXT_ONLY),
)  # fmt: skip
def unet_lr_unused(candidate: Candidate) -> Said | None:
    """unet_lr with network_train_text_encoder_only."""
    if not candidate.value(_TEXT_ONLY) or not is_on(candidate.value("unet_lr")):
        return None
    return Said(f"unet_lr is set, and {_TEXT_ONLY} too.", "Leave one of them out.")


@rule(
    "text-lr-count", Severity.WARNING,
    "This network takes one learning rate for all text encoders: the first of the list.",
    _TRAIN,
    _trained(r"hasattr\(network, \"prepare_optimizer_params_with_multiple_te_lrs\"\)", r"args\.text_encoder_lr\[0\]"),
    options=("text_encoder_lr", "network_module"),
)  # fmt: skip
def text_lr_count(candidate: Candidate) -> Said | None:
    """Several learning rates for a network that takes one. Equal ones do no harm."""
    rates = _as_list(candidate.value("text_encoder_lr"))
    if len(set(rates)) < 2 or candidate.value(_UNET_ONLY):
        return None
    if _defines(candidate, "prepare_optimizer_params_with_multiple_te_lrs") is not False:
        return None
    message = f"text_encoder_lr lists {len(rates)} rates, and {candidate.value('network_module')} takes the first only."
    return Said(message, f"Write text_encoder_lr = {rates[0]:g}.")


@rule(
    "weight-norms-unused", Severity.WARNING,
    "The trainer turns scale_weight_norms off for a network that cannot scale its weights.",
    _TRAIN,
    _trained(r"args\.scale_weight_norms and not hasattr\(network, \"apply_max_norm_regularization\"\)"),
    options=("scale_weight_norms", "network_module"),
)  # fmt: skip
def weight_norms_unused(candidate: Candidate) -> Said | None:
    """scale_weight_norms for a network without apply_max_norm_regularization."""
    if not candidate.value("scale_weight_norms") or _defines(candidate, "apply_max_norm_regularization") is not False:
        return None
    return Said(f"{candidate.value('network_module')} does not support scale_weight_norms.", "Leave it out.")


def _defines(candidate: Candidate, method: str) -> bool | None:
    """Whether the network's module, or one of its package that it imports, defines a method; None when not known."""
    return _holds(candidate, rf"^[ \t]*def {method}\b")


def _holds(candidate: Candidate, pattern: str) -> bool | None:
    """The same of a pattern of their text."""
    dotted = candidate.value("network_module")
    found = candidate.packages.find(dotted) if isinstance(dotted, str) else None
    if found is None or found.file is None or found.file.endswith("__init__.py"):
        return None
    waiting = [found.root / found.file]
    seen: set[Path] = set()
    while waiting and len(seen) < _MODULES:
        path = waiting.pop()
        text = _read(path) if path not in seen else ""
        seen.add(path)
        if re.search(pattern, text, re.MULTILINE):
            return True
        package = re.escape(path.parent.name)
        imports = rf"^[ \t]*from[ \t]+(?:\.|{package}\.)(\w+)[ \t]+import|^[ \t]*(?:import|from)[ \t]+{package}\.(\w+)"
        names = [one or other for one, other in re.findall(imports, text, re.MULTILINE)]
        waiting += [path.with_name(f"{name}.py") for name in names]
    return False if not waiting else None


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace") if path.stat().st_size <= _LARGEST else ""
    except (OSError, ValueError):
        return ""


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]


_FROM_WEIGHTS = _trained(r"if args\.dim_from_weights: network, _ = network_module\.create_network_from_weights\(")


@rule(
    "dim-from-weights-alone", Severity.ERROR,
    "The trainer fails after everything is loaded and cached: there are no weights to take the dim from.",
    _TRAIN, _FROM_WEIGHTS,
    options=("dim_from_weights", "network_weights"),
)  # fmt: skip
def dim_from_weights_alone(candidate: Candidate) -> Said | None:
    """dim_from_weights without network_weights."""
    if not candidate.value("dim_from_weights") or candidate.value("network_weights"):
        return None
    return Said("dim_from_weights is set, and network_weights is not.", "Set network_weights.")


@rule(
    "dim-from-weights-alpha", Severity.WARNING,
    "With dim_from_weights the network is made like the one in network_weights: network_alpha and network_dropout are "
    "not looked at.",
    _TRAIN, _FROM_WEIGHTS,
    options=("dim_from_weights", "network_alpha"),
)  # fmt: skip
def dim_from_weights_alpha(candidate: Candidate) -> Said | None:
    """network_alpha and network_dropout with dim_from_weights; network_dim is compared with the weights elsewhere."""
    found = those_set(candidate, "network_alpha", "network_dropout")
    if not candidate.value("dim_from_weights") or not candidate.value("network_weights") or not found:
        return None  # without weights the run fails, and says so
    message = f"{listed(found)} {are(found)} set, and dim_from_weights too."
    return Said(message, "Leave one of them out.", found[0])


@rule(
    "network-dim-none", Severity.ERROR,
    "A module with no rank is left out, and one of less than none cannot be made: the network is empty, or fails, "
    "after the base model is loaded and the pictures are cached.",
    "networks/lora.py, create_modules",
    _trained(r"\.create_network\("),
    options=("network_dim", "network_module"),
)  # fmt: skip
def network_dim_none(candidate: Candidate) -> Said | None:
    """network_dim below 1, unless other dims are given for convolutions or blocks."""
    dim, module = candidate.value("network_dim"), candidate.value("network_module")
    divides = str(module).startswith("networks.") or _is_lycoris_of_rank(candidate)
    if not isinstance(dim, int) or dim > 0 or not divides or _other_dims(candidate):
        return None
    return Said(f"network_dim is {dim}.", "Give a rank from 1 on; 8 to 32 are usual.")


def _is_lycoris_of_rank(candidate: Candidate) -> bool:
    """Whether the network is of LyCORIS and an algorithm that divides by its rank."""
    algo = candidate.items("network_args").get("algo")
    known = algo is None or algo.text.lower() in ("lora", "locon", "loha", "lokr")
    return candidate.value("network_module") == "lycoris.kohya" and known


@rule(
    "network-alpha-none", Severity.WARNING,
    "An alpha of 0 is taken for the rank: weights are not scaled at all.",
    "networks/lora.py, LoRAModule.__init__; lycoris/modules/locon.py, LoConModule.__init__",
    _trained(r"\.create_network\("),
    options=("network_alpha", "network_module"),
)  # fmt: skip
def network_alpha_none(candidate: Candidate) -> Said | None:
    """network_alpha = 0, for which each module of the network takes its own rank."""
    if candidate.value("network_alpha") != 0 or not candidate.chosen("network_alpha"):
        return None
    if candidate.value("dim_from_weights") or not _takes_rank_for_alpha(candidate):
        return None
    dim = candidate.value("network_dim")
    rank = f"network_dim, {dim}" if isinstance(dim, int) else "the rank"
    hint = f"Write {dim} if that is meant; half of it is usual." if isinstance(dim, int) else "Write what is meant."
    return Said(f"network_alpha is 0, which is taken for {rank}.", hint)


def _takes_rank_for_alpha(candidate: Candidate) -> bool:
    zero = r"= *(?:self\.)?lora_dim if alpha is None or alpha == 0 else alpha"
    if candidate.value("network_module") != "lycoris.kohya":
        return _holds(candidate, zero) is True
    items = candidate.items("network_args")
    algo = items["algo"].text.lower() if "algo" in items else "lora"
    found = candidate.packages.find(f"lycoris.modules.{'locon' if algo == 'lora' else algo}")
    return bool(found and found.file and re.search(zero, _read(found.root / found.file)))


def _other_dims(candidate: Candidate) -> bool:
    return bool(candidate.value("dim_from_weights")) or any("dim" in key for key in candidate.items("network_args"))


@rule(
    "network-dropout-share", Severity.WARNING,
    "A dropout is the share that is left out at random: with 1 or more nothing is left to train, or the network fails.",
    "networks/lora.py, LoRAModule.forward",
    _trained(r"args\.network_dropout"),
    options=("network_dropout",),
)  # fmt: skip
def network_dropout_share(candidate: Candidate) -> Said | None:
    """network_dropout that is no probability."""
    share = candidate.value("network_dropout")
    if not isinstance(share, (int, float)) or 0 <= share < 1:
        return None
    message = f"network_dropout is {share:g}, and not from 0 to below 1."
    severity = Severity.ERROR if share != 1 and _drops_out(candidate) else None
    return Said(message, "Write a number such as 0.1.", severity=severity)


def _drops_out(candidate: Candidate) -> bool:
    """Whether the network hands the share to torch, which refuses what is no probability."""
    dotted = "lycoris.modules.locon" if _is_lycoris_of_rank(candidate) else candidate.value("network_module")
    found = candidate.packages.find(str(dotted or ""))
    text = _read(found.root / found.file) if found is not None and found.file is not None else ""
    return "functional.dropout(" in text or "nn.Dropout(" in text


RULES: tuple[Rule, ...] = (
    trains_nothing,
    rates_all_zero,
    text_lr_unused,
    unet_lr_unused,
    text_lr_count,
    weight_norms_unused,
    dim_from_weights_alone,
    dim_from_weights_alpha,
    network_dim_none,
    network_alpha_none,
    network_dropout_share,
)
