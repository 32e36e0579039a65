"""Rules of attention, and of ways to save memory that exclude each other. processes.py has more of them."""

from __future__ import annotations

from launcher.base.findings import Severity
from launcher.base.words import listed
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.facts import are, number, trains_flow
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_ATTENTION = ("mem_eff_attn", "xformers", "sdpa")  # the first of them wins


@rule(
    "attention-twice", Severity.WARNING,
    "The trainer takes the first of mem_eff_attn, xformers and sdpa that is set, and no other.",
    "library/train_util.py, replace_unet_modules",
    Evidence("library/train_util.py", "replace_unet_modules", (r"if mem_eff_attn: .*elif xformers: ",)),
    options=("mem_eff_attn", "xformers"),
)  # fmt: skip
def attention_twice(candidate: Candidate) -> Said | None:
    """More than one kind of attention."""
    found = [option for option in _ATTENTION if candidate.value(option)]
    if len(found) < 2 or trains_flow(candidate):
        return None
    message = f"{listed(found)} are {'both' if len(found) == 2 else 'all'} set: the U-Net uses {found[0]}."
    return Said(message, "Keep one of them.", found[1])


@rule(
    "attention-unused", Severity.WARNING,
    "The model of this script has an attention of its own: these options change nothing in it.",
    "the script's load_target_model",
    Evidence("{script}", "load_target_model", (r"\A(?!.*replace_unet_modules)",)),
    options=("xformers", "mem_eff_attn", "network_module"),
)  # fmt: skip
def attention_unused(candidate: Candidate) -> Said | None:
    """xformers and mem_eff_attn where the script never reads them. sdpa is what there is anyway."""
    set_ = [option for option in ("xformers", "mem_eff_attn") if candidate.value(option)]
    if not set_ or not trains_flow(candidate):
        return None
    text = candidate.source.text(candidate.trainer.script)
    found = [option for option in set_ if f"args.{option}" not in text]
    if not found:
        return None
    verb = "has" if len(found) == 1 else "have"
    return Said(f"{listed(found)} {verb} no effect in {candidate.trainer.script}.", "Leave it out.", found[0])


@rule(
    "attention-mode", Severity.WARNING,
    "attn_mode decides, whatever xformers and sdpa say.",
    "hunyuan_image_train_network.py and anima_train_network.py, load_unet_lazily",
    Evidence("{script}", "load_unet_lazily", (r"if args\.attn_mode is not None: attn_mode = args\.attn_mode",)),
    options=("attn_mode", "xformers"),
)  # fmt: skip
def attention_mode(candidate: Candidate) -> Said | None:
    """attn_mode together with a switch for another kind of attention."""
    mode = candidate.value("attn_mode")
    kinds = {"xformers": ("xformers",), "sdpa": ("torch", "sdpa")}
    found = [option for option, same in kinds.items() if candidate.value(option) and mode not in same]
    if mode is None or not found:
        return None
    return Said(f"attn_mode is {mode}, and {listed(found)} {are(found)} set too.", "Keep one of them.", found[0])


@rule(
    "attention-sage", Severity.WARNING,
    "SageAttention computes no gradients: it is for making pictures, not for training.",
    "the help of --attn_mode",
    *(
        Evidence(file, "", (r"sageattn does not support training",))
        for file in ("{script}", "library/anima_train_utils.py")
    ),
    options=("attn_mode",),
)  # fmt: skip
def attention_sage(candidate: Candidate) -> Said | None:
    """SageAttention in training."""
    if candidate.value("attn_mode") != "sageattn":
        return None
    return Said("attn_mode is sageattn, which cannot train.", 'Set attn_mode = "torch" or "flash".')


@rule(
    "unsloth-offload", Severity.ERROR,
    "The script refuses to start: there is one way at a time to save the memory of activations.",
    "anima_train_network.py, assert_extra_args",
    Evidence("{script}", "assert_extra_args", (
        r"if args\.unsloth_offload_checkpointing: .*assert \(? ?not args\.cpu_offload_checkpointing",
    )),
    options=("unsloth_offload_checkpointing", "cpu_offload_checkpointing", "blocks_to_swap"),
)  # fmt: skip
def unsloth_offload(candidate: Candidate) -> Said | None:
    """unsloth_offload_checkpointing with another way."""
    other = next(
        (name for name in ("cpu_offload_checkpointing", "blocks_to_swap") if number(candidate.value(name))), None
    )
    if not candidate.value("unsloth_offload_checkpointing") or other is None:
        return None
    return Said(f"unsloth_offload_checkpointing and {other} are both set.", "Keep one of them.")


@rule(
    "split-mode", Severity.WARNING,
    "split_mode is deprecated: it is ignored beside blocks_to_swap, and else stands for 18 blocks.",
    "flux_train_network.py, assert_extra_args",
    Evidence("{script}", "assert_extra_args", (r"if args\.split_mode: .*?args\.blocks_to_swap is not None",)),
    options=("split_mode", "blocks_to_swap"),
)  # fmt: skip
def split_mode(candidate: Candidate) -> Said | None:
    """FLUX: split_mode, which blocks_to_swap has replaced."""
    if not candidate.value("split_mode"):
        return None
    beside = candidate.value("blocks_to_swap") is not None
    why = "is ignored beside blocks_to_swap" if beside else "is deprecated and means blocks_to_swap = 18"
    return Said(f"split_mode {why}.", "Leave it out." if beside else "Set blocks_to_swap instead.")


RULES: tuple[Rule, ...] = (
    attention_twice,
    attention_unused,
    attention_mode,
    attention_sage,
    unsloth_offload,
    split_mode,
)
