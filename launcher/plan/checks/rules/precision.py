"""Rules of precision: what is computed and kept in which kind of number."""

from __future__ import annotations

from launcher.base.findings import Severity
from launcher.base.words import listed
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.facts import trains_sdxl
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_TRAIN = "train_network.py, train"


def _trained(pattern: str) -> Evidence:
    return Evidence("train_network.py", "train", (pattern,))


@rule(
    "full-fp16-precision", Severity.ERROR,
    "The trainer stops after everything is loaded and cached: full fp16 goes with mixed precision fp16 only.",
    _TRAIN,
    _trained(r"if args\.full_fp16: assert \(? ?args\.mixed_precision == \"fp16\""),
    options=("full_fp16", "mixed_precision", "network_module"),
)  # fmt: skip
def full_fp16_precision(candidate: Candidate) -> Said | None:
    """full_fp16 with another mixed_precision."""
    return _needs(candidate, "full_fp16", "fp16")


@rule(
    "full-bf16-precision", Severity.ERROR,
    "The trainer stops after everything is loaded and cached: full bf16 goes with mixed precision bf16 only.",
    _TRAIN,
    _trained(r"elif args\.full_bf16: assert \(? ?args\.mixed_precision == \"bf16\""),
    options=("full_bf16", "mixed_precision", "network_module"),
)  # fmt: skip
def full_bf16_precision(candidate: Candidate) -> Said | None:
    """full_bf16 with another mixed_precision; with full_fp16 nobody asks for it."""
    return None if candidate.value("full_fp16") else _needs(candidate, "full_bf16", "bf16")


def _needs(candidate: Candidate, switch: str, precision: str) -> Said | None:
    given = candidate.value("mixed_precision")
    if not candidate.value(switch) or given == precision:
        return None
    return Said(f"{switch} is set, and mixed_precision is {given}.", f'Set mixed_precision = "{precision}".')


@rule(
    "full-precision-twice", Severity.WARNING,
    "The trainer asks for full_fp16 first and then looks no further.",
    _TRAIN,
    _trained(r"if args\.full_fp16: .*elif args\.full_bf16: "),
    options=("full_bf16", "full_fp16", "network_module"),
)  # fmt: skip
def full_precision_twice(candidate: Candidate) -> Said | None:
    """full_fp16 and full_bf16."""
    both = candidate.value("full_fp16") and candidate.value("full_bf16")
    return Said("full_fp16 and full_bf16 are both set: full_fp16 wins.", "Keep one of them.") if both else None


@rule(
    "fp8-base-precision", Severity.ERROR,
    "The trainer stops after everything is loaded and cached: the base model in fp8 needs mixed precision.",
    _TRAIN,
    _trained(r"if args\.fp8_base(?: or args\.fp8_base_unet)?: assert .*?args\.mixed_precision != \"no\""),
    options=("fp8_base", "mixed_precision", "network_module"),
)  # fmt: skip
def fp8_base_precision(candidate: Candidate) -> Said | None:
    """fp8_base without mixed precision."""
    found = _fp8(candidate)
    if not found or candidate.value("mixed_precision") != "no" or _drops_fp8(candidate):
        return None
    return Said(f"{listed(found)} needs mixed_precision, which is no.", 'Set mixed_precision = "bf16".', found[0])


@rule(
    "fp8-base-unused", Severity.WARNING,
    "fp8_base and fp8_base_unet are not for this model. The script logs that, and leaves them out or goes on with what "
    "it does not support.",
    "hunyuan_image_train_network.py and anima_train_network.py, assert_extra_args",
    Evidence("{script}", "assert_extra_args", (r"if \(?args\.fp8_base or args\.fp8_base_unet\)?.*?logger\.warning\(",)),
    options=("fp8_base", "network_module"),
)  # fmt: skip
def fp8_base_unused(candidate: Candidate) -> Said | None:
    """fp8_base where the model has its own way, or none."""
    found = _fp8(candidate)
    if not found:
        return None
    hint = "Set fp8_scaled = true instead." if candidate.has("fp8_scaled") else "Leave it out."
    return Said(f"{candidate.trainer.script} does not support {listed(found)}.", hint, found[0])


def _fp8(candidate: Candidate) -> list[str]:
    return [option for option in ("fp8_base", "fp8_base_unet") if candidate.value(option)]


def _drops_fp8(candidate: Candidate) -> bool:
    """Whether the script turns fp8_base off by itself: Anima's always, HunyuanImage's when it has fp8_scaled."""
    drops = Evidence("{script}", "assert_extra_args", (r"args\.fp8_base = False",))
    return candidate.says(drops) and (not candidate.has("fp8_scaled") or bool(candidate.value("fp8_scaled")))


@rule(
    "no-half-vae-unused", Severity.WARNING,
    "This model's VAE is always computed in its own precision.",
    "hunyuan_image_train_network.py, cast_vae",
    Evidence("{script}", "cast_vae", (r"return False",)),
    options=("no_half_vae", "network_module"),
)  # fmt: skip
def no_half_vae_unused(candidate: Candidate) -> Said | None:
    """no_half_vae where the script does not cast the VAE."""
    if not candidate.value("no_half_vae"):
        return None
    return Said(f"no_half_vae has no effect in {candidate.trainer.script}.", "Leave it out.")


@rule(
    "sdxl-half-vae", Severity.ADVICE,
    "The VAE that SDXL came with overflows in fp16: latents become NaN, or pictures black.",
    "sd-scripts' README, SDXL training; library/train_util.py, cache_batch_latents",
    Evidence("train_network.py", "train", (r"torch\.float32 if args\.no_half_vae else weight_dtype",)),
    options=("mixed_precision", "no_half_vae", "vae"),
)  # fmt: skip
def sdxl_half_vae(candidate: Candidate) -> Said | None:
    """SDXL's own VAE in fp16."""
    if candidate.value("mixed_precision") != "fp16" or candidate.value("no_half_vae") or candidate.value("vae"):
        return None
    if not trains_sdxl(candidate):
        return None
    hint = "Set no_half_vae = true, give a vae that is made for fp16, or use bf16."
    return Said("mixed_precision is fp16, and SDXL's own VAE overflows in fp16.", hint)


@rule(
    "bf16-recommended", Severity.ADVICE,
    "The script itself recommends bf16 for this model.",
    "hunyuan_image_train_network.py, assert_extra_args",
    Evidence("{script}", "assert_extra_args", (r"if args\.mixed_precision == \"fp16\": logger\.warning\(",)),
    options=("mixed_precision", "network_module"),
)  # fmt: skip
def bf16_recommended(candidate: Candidate) -> Said | None:
    """fp16 where the script warns of it."""
    if candidate.value("mixed_precision") != "fp16":
        return None
    return Said(f"{candidate.trainer.script} recommends bf16, not fp16.", 'Set mixed_precision = "bf16".')


RULES: tuple[Rule, ...] = (
    full_fp16_precision,
    full_bf16_precision,
    full_precision_twice,
    fp8_base_precision,
    fp8_base_unused,
    no_half_vae_unused,
    sdxl_half_vae,
    bf16_recommended,
)
