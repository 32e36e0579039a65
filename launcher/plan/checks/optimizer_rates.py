"""Learning rates against what the optimizer makes of them: D-Adaptation, Prodigy, Adafactor."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.base.findings import Finding, Severity
from launcher.plan.checks import optimizer_codes as codes
from launcher.plan.checks.candidate import Candidate
from launcher.trainer.following_values import Named
from launcher.trainer.lookup import Definition, text_of
from launcher.trainer.optimizers import OptimizerReading
from launcher.trainer.source_text import Evidence

_TOO_LOW, _TOO_HIGH = 0.1, 10.0  # get_optimizer warns up to the first; the second is its mirror
# What dadaptation and prodigyopt say in `step` where they take one rate only.
_ONE_RATE = "different lr values in different parameter groups"
_FIRST_ONLY = Evidence("library/train_util.py", "get_optimizer", (r"only the first one will take effect",))
_OWN_CLIPPING = Evidence("library/train_util.py", "get_optimizer", (r"args\.max_grad_norm != 0",))
_RATES = ("learning_rate", "unet_lr", "text_encoder_lr")
# Scripts that train U-Net and text encoder together unless they are told otherwise.
_TRAINS_BOTH = ("train_network.py", "sdxl_train_network.py")


def check_rates(candidate: Candidate, reading: OptimizerReading, found: Definition) -> Iterator[Finding]:
    """Rates that the optimizer refuses, ignores or was not made for."""
    finds_its_own = "prodigy" in found.name.lower() or found.name.lower().startswith("dadapt")
    different: list[Finding] = []
    if _ONE_RATE in found.text:
        different = list(_different(candidate, found.name))
        yield from different
        yield from _lora_plus(candidate, found.name)
    elif finds_its_own and found.name.lower().startswith("dadapt") and candidate.says(_FIRST_ONLY):
        yield from _first_only(candidate, found.name)
    if finds_its_own and not different:
        yield from _far_from_one(candidate, found.name)
    if found.name == "Adafactor":
        yield from _adafactor(candidate, reading)


def trained_rates(candidate: Candidate) -> dict[str, float]:
    """The rates other than 0 that parts are trained with, by what is trained; empty where that is not known.

    train_network.py, train: unet_lr and text_encoder_lr, else learning_rate; networks/lora.py,
    prepare_optimizer_params: what has rate 0 is left out.
    """
    usual = candidate.value("learning_rate")
    if not candidate.has("unet_lr"):
        return {"learning_rate": usual} if isinstance(usual, float) and usual else {}
    rates: dict[str, float] = {}
    unet, encoders = candidate.value("unet_lr"), candidate.value("text_encoder_lr")
    if candidate.value("network_train_text_encoder_only") is not True:
        rates["U-Net"] = usual if unet is None else unet
    if candidate.value("network_train_unet_only") is not True:
        listed = encoders if isinstance(encoders, list) else [encoders]
        for index, rate in enumerate(listed or [None]):
            rates["text encoder" + (f" {index + 1}" if index else "")] = usual if rate is None else rate
    if candidate.trainer.script in _TRAINS_BOTH and not _several_encoder_rates(candidate):
        rates = {name: rate for name, rate in rates.items() if name in ("U-Net", "text encoder")}
    return {name: float(rate) for name, rate in rates.items() if isinstance(rate, (int, float)) and rate}


def _several_encoder_rates(candidate: Candidate) -> bool:
    """Whether the network gives each text encoder a rate of its own; else only the first of a list counts."""
    module = candidate.packages.find(str(candidate.value("network_module") or ""))
    text = text_of(module.root / module.file) if module and module.file else None
    return bool(text and "prepare_optimizer_params_with_multiple_te_lrs" in text)


def _place(candidate: Candidate) -> str | None:
    for option in ("text_encoder_lr", "unet_lr", "learning_rate", "optimizer_type"):
        if candidate.where(option):
            return candidate.where(option)
    return None


def _listed(rates: dict[str, float]) -> str:
    return " and ".join(f"{rate:g} for the {name}" for name, rate in rates.items())


def _different(candidate: Candidate, name: str) -> Iterator[Finding]:
    rates = trained_rates(candidate)
    if len(set(rates.values())) < 2:
        return
    message = f"{name} takes one learning rate, and this run has {_listed(rates)}."
    hint = "Give both the same rate, or 0 to the one that is not to be trained."
    severity = None if _both_are_trained(candidate) else Severity.WARNING
    yield codes.DIFFERENT_RATES.at(_place(candidate), message, hint, severity=severity)


def _both_are_trained(candidate: Candidate) -> bool:
    """Whether the network has modules in U-Net and text encoder for sure."""
    module = str(candidate.value("network_module") or "")
    items = candidate.items("network_args")
    preset = items["preset"].text if "preset" in items else "full"
    plain = module in ("networks.lora", "networks.lora_fa", "networks.dylora")
    lycoris = module == "lycoris.kohya" and preset in ("full", "full-lin", "attn-mlp", "attn-only")
    return candidate.trainer.script in _TRAINS_BOTH and (plain or lycoris)


def _lora_plus(candidate: Candidate, name: str) -> Iterator[Finding]:
    module = candidate.packages.find(str(candidate.value("network_module") or ""))
    text = text_of(module.root / module.file) if module and module.file else None
    if not text or "loraplus_lr_ratio" not in text or len(trained_rates(candidate)) == 0:
        return
    for key, item in candidate.items("network_args").items():
        if key.startswith("loraplus_") and key.endswith("lr_ratio") and _is_other_than_one(item.text):
            message = f"{name} takes one learning rate, and {key}={item.text} gives the up weights another one."
            severity = None if key == "loraplus_lr_ratio" else Severity.WARNING
            yield codes.DIFFERENT_RATES.at(str(item.origin), message, f"Remove {key}.", severity=severity)


def _is_other_than_one(text: str) -> bool:
    try:
        return float(text) not in (0.0, 1.0)
    except ValueError:
        return False


def _first_only(candidate: Candidate, name: str) -> Iterator[Finding]:
    rates = trained_rates(candidate)
    if len(set(rates.values())) > 1:
        message = f"{name} takes one learning rate, and this run has {_listed(rates)}: only the first counts."
        yield codes.FIRST_RATE_ONLY.at(_place(candidate), message, "Give both the same rate.")


def _far_from_one(candidate: Candidate, name: str) -> Iterator[Finding]:
    rates = trained_rates(candidate)
    far = {what: rate for what, rate in rates.items() if rate <= _TOO_LOW or rate >= _TOO_HIGH}
    if far:
        (what, rate), *_ = far.items()
        own = {"U-Net": "unet_lr", "text encoder": "text_encoder_lr"}.get(what, "learning_rate")
        option = own if candidate.where(own) else "learning_rate"
        default = "" if candidate.where(option) else " by default"
        message = f"{name} finds the rate itself and multiplies it by {option}, which is {rate:g}{default}."
        yield codes.RATE_FAR_FROM_ONE.at(candidate.where(option) or _place(candidate), message, f"Set {option} = 1.0.")


def _given(candidate: Candidate, key: str) -> str | None:
    item = candidate.items("optimizer_args").get(key)
    return item.text if item else None


def _adafactor(candidate: Candidate, reading: OptimizerReading) -> Iterator[Finding]:
    if reading.options.changed.get("learning_rate", "") is None:
        for option in _RATES:
            if candidate.where(option) and (option == "learning_rate" or candidate.has("unet_lr")):
                message = f"{option} has no effect: Adafactor with relative_step takes its rates from the step count."
                hint = "Set relative_step = false in optimizer_args to train with this rate."
                if _given(candidate, "relative_step") == "False" and _given(candidate, "warmup_init") == "True":
                    hint = "warmup_init turns relative_step on: leave it out to train with this rate."
                yield codes.RATE_WITHOUT_EFFECT.at(candidate.where(option), message, hint)
        return
    norm = candidate.value("max_grad_norm")
    own = reading.made is not None and reading.made.of == Named("transformers.optimization.Adafactor")
    if own and norm and candidate.says(_OWN_CLIPPING):
        message = f"max_grad_norm is {norm:g}: gradients are clipped before Adafactor clips its updates."
        yield codes.ADAFACTOR_CLIPS_TWICE.at(candidate.where("max_grad_norm"), message, "Set max_grad_norm = 0.")
