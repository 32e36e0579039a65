"""Rules of captions: what is done to them before they are tokenized, and how the text encoders read them."""

from __future__ import annotations

from launcher.base.findings import Severity
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.facts import (
    Part,
    caches_text,
    differs,
    is_on,
    number,
    parts_of,
    parts_with,
    trains_flow,
    trains_sdxl,
)
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_TRAIN_UTIL = "library/train_util.py"
_CLIP_STATES = 13  # of SD 1: what goes into its 12 layers, and what comes out of each
_PROCESS = f"{_TRAIN_UTIL}, BaseDataset.process_caption"
_SPLIT = "A caption is only taken apart into tags to shuffle them, to drop some or to warm up."
# In releases before token_warmup_step there are only two reasons to take a caption apart.
_SPLITS = Evidence(
    _TRAIN_UTIL, "process_caption",
    (r"if subset\.shuffle_caption or (?:subset\.token_warmup_step > 0 or )?subset\.caption_tag_dropout_rate > 0:",),
)  # fmt: skip


def _is_split(part: Part) -> bool:
    reasons = ("shuffle_caption", "token_warmup_step", "caption_tag_dropout_rate")
    return any(is_on(part.params.get(reason)) for reason in reasons)


@rule("keep-separator-unused", Severity.WARNING, _SPLIT, _PROCESS, _SPLITS, options=("keep_tokens_separator",))
def keep_separator_unused(candidate: Candidate) -> Said | None:
    """keep_tokens_separator where tags stay in place: it even stays in the caption."""
    key = "keep_tokens_separator"
    part = next((part for part in parts_with(candidate, key) if not _is_split(part)), None)
    if part is None:
        return None
    message = f"{part.says(candidate, key)}, and captions are not shuffled."
    return Said(message, f"Set shuffle_caption = true, or leave {key} out.", key, place=part.place(key))


@rule(
    "warmup-min-unused", Severity.WARNING,
    "The number of tags to begin with counts only while they warm up.",
    _PROCESS,
    Evidence(_TRAIN_UTIL, "process_caption", (r"if subset\.token_warmup_step and ",)),
    options=("token_warmup_min", "token_warmup_step"),
)  # fmt: skip
def warmup_min_unused(candidate: Candidate) -> Said | None:
    """token_warmup_min without token_warmup_step."""
    known = candidate.options.get("token_warmup_min")
    for part in parts_with(candidate, "token_warmup_min"):
        value = part.params["token_warmup_min"]
        if known and value != known.default and not is_on(part.params.get("token_warmup_step")):
            message = f"{part.says(candidate, 'token_warmup_min')}, and token_warmup_step is not set."
            return Said(message, "Set token_warmup_step.", place=part.place("token_warmup_min"))
    return None


@rule(
    "caption-separator-unused", Severity.WARNING, _SPLIT, _PROCESS,
    Evidence(_TRAIN_UTIL, "process_caption", (*_SPLITS.patterns, r"subset\.caption_separator")),
    options=("caption_separator", "shuffle_caption"),
)  # fmt: skip
def caption_separator_unused(candidate: Candidate) -> Said | None:
    """A separator at which nothing is split."""
    known = candidate.options.get("caption_separator")
    for part in parts_with(candidate, "caption_separator"):
        value = part.params["caption_separator"]
        used = _is_split(part) or is_on(part.params.get("secondary_separator"))
        if known and value not in (known.default, (known.default,), [known.default]) and not used:
            message = f"{part.says(candidate, 'caption_separator')}, and captions are not shuffled."
            hint = "Set shuffle_caption = true, or leave caption_separator out."
            return Said(message, hint, place=part.place("caption_separator"))
    return None


@rule(
    "captions-all-dropped", Severity.WARNING,
    "Every caption is replaced by an empty one: the run trains without captions.",
    _PROCESS,
    Evidence(_TRAIN_UTIL, "process_caption", (
        r"random\.random\(\) < subset\.caption_dropout_rate",
        r"self\.current_epoch % subset\.caption_dropout_every_n_epochs == 0",
    )),
    options=("caption_dropout_rate", "caption_dropout_every_n_epochs"),
)  # fmt: skip
def captions_all_dropped(candidate: Candidate) -> Said | None:
    """A dropout rate of 1, or a dropout in every epoch."""
    for part in parts_of(candidate):
        rate, epochs = (number(part.params.get(f"caption_dropout_{key}")) for key in ("rate", "every_n_epochs"))
        if rate == 1:  # above 1 it is not even a rate: see dataset_blueprint.py
            key = "caption_dropout_rate"
            message = f"{part.says(candidate, key)}: every caption is dropped."
            return Said(message, "It is a share between 0 and 1.", key, place=part.place(key))
        if epochs == 1:
            key = "caption_dropout_every_n_epochs"
            message = f"{part.says(candidate, key)}: every epoch's captions are dropped."
            return Said(message, "Leave it out, or write 2 or more.", key, place=part.place(key))
    return None


@rule(
    "caption-extention", Severity.WARNING,
    "caption_extention, the older spelling, replaces caption_extension.",
    f"{_TRAIN_UTIL}, prepare_dataset_args",
    Evidence(_TRAIN_UTIL, "prepare_dataset_args", (r"args\.caption_extension = args\.caption_extention",)),
    options=("caption_extention", "caption_extension"),
)  # fmt: skip
def caption_extention(candidate: Candidate) -> Said | None:
    """Both spellings, with two values."""
    values = [candidate.value(option) for option in ("caption_extension", "caption_extention")]
    if not candidate.chosen("caption_extension") or values[1] is None or values[0] == values[1]:
        return None
    return Said(f"caption_extention = {values[1]!r} replaces caption_extension = {values[0]!r}.", "Keep one of them.")


@rule(
    "weighted-captions-refused", Severity.ERROR,
    "The script refuses to start: weighted captions are not for SDXL in this release.",
    "library/sdxl_train_util.py, verify_sdxl_training_args",
    Evidence("library/sdxl_train_util.py", "verify_sdxl_training_args", (
        r"(?<!# )assert \( not hasattr\(args, \"weighted_captions\"\) or not args\.weighted_captions",
    )),
    options=("weighted_captions",),
)  # fmt: skip
def weighted_captions_refused(candidate: Candidate) -> Said | None:
    """Weighted captions with SDXL, in releases before they were supported."""
    if not candidate.value("weighted_captions") or not trains_sdxl(candidate):
        return None
    return Said("weighted_captions does not go with SDXL in this release.", "Leave weighted_captions out.")


@rule(
    "weighted-captions-missing", Severity.ERROR,
    "The first step fails: this model's tokenizer knows no weighted captions.",
    "library/strategy_base.py, TokenizeStrategy.tokenize_with_weights",
    Evidence("library/strategy_base.py", "tokenize_with_weights", (r"raise NotImplementedError",)),
    options=("weighted_captions", "network_module"),
)  # fmt: skip
def weighted_captions_missing(candidate: Candidate) -> Said | None:
    """Weighted captions with a model whose strategy does not have them."""
    if not candidate.value("weighted_captions") or not trains_flow(candidate):
        return None
    strategy = candidate.source.text(_strategy_file(candidate) or "")
    if not strategy or "def tokenize_with_weights" in strategy:
        return None
    if caches_text(candidate) and candidate.value("network_train_unet_only"):
        message = "weighted_captions has no effect on cached text encoder outputs of this model."
        return Said(message, "Leave weighted_captions out.", severity=Severity.WARNING)
    message = f"weighted_captions is set, and {candidate.trainer.script} cannot read weighted captions."
    return Said(message, "Leave weighted_captions out.")


def _strategy_file(candidate: Candidate) -> str | None:
    """The file of the class that turns a flow-matching script's captions into tokens."""
    for name in ("flux", "sd3", "lumina", "hunyuan_image", "anima"):
        if candidate.says(Evidence("{script}", "get_tokenize_strategy", (rf"\bstrategy_{name}\.",))):
            return f"library/strategy_{name}.py"
    return None


@rule(
    "max-token-length-unused", Severity.WARNING,
    "This model's tokenizers do not go by max_token_length.",
    "flux_train_network.py, assert_extra_args",
    Evidence("{script}", "assert_extra_args", (r"if args\.max_token_length is not None: logger\.warning\(",)),
    options=("max_token_length",),
)  # fmt: skip
def max_token_length_unused(candidate: Candidate) -> Said | None:
    """max_token_length with FLUX and SD3."""
    if candidate.value("max_token_length") is None:
        return None
    message = f"max_token_length has no effect in {candidate.trainer.script}."
    instead = candidate.has("t5xxl_max_token_length")
    return Said(message, "Set t5xxl_max_token_length instead." if instead else "Leave it out.")


@rule(
    "clip-skip-v2", Severity.WARNING,
    "Stable Diffusion 2 was trained on another layer already; clip_skip counts from the end on top of that.",
    f"{_TRAIN_UTIL}, verify_training_args",
    Evidence(_TRAIN_UTIL, "verify_training_args", (r"if args\.v2 and args\.clip_skip is not None:",)),
    options=("clip_skip", "v2"),
)  # fmt: skip
def clip_skip_v2(candidate: Candidate) -> Said | None:
    """clip_skip with v2."""
    if not candidate.value("v2") or candidate.value("clip_skip") is None:
        return None
    return Said("clip_skip is set for a v2 model.", "Leave clip_skip out.")


@rule(
    "clip-skip-sdxl", Severity.WARNING,
    "SDXL always trains on the last layer but one of its text encoders.",
    "library/sdxl_train_util.py, verify_sdxl_training_args",
    Evidence("library/sdxl_train_util.py", "verify_sdxl_training_args", (r"if args\.clip_skip is not None:",)),
    options=("clip_skip",),
)  # fmt: skip
def clip_skip_sdxl(candidate: Candidate) -> Said | None:
    """clip_skip with SDXL."""
    if candidate.value("clip_skip") is None or not trains_sdxl(candidate):
        return None
    return Said(f"clip_skip has no effect in {candidate.trainer.script}.", "Leave clip_skip out.")


@rule(
    "clip-skip-unused", Severity.WARNING,
    "clip_skip is for the text encoders of Stable Diffusion 1 and 2; this model's are read as they are.",
    "the script's get_text_encoding_strategy",
    Evidence("{script}", "get_text_encoding_strategy", (r"\A(?!.*args\.clip_skip)",)),
    options=("clip_skip", "network_module"),
)  # fmt: skip
def clip_skip_unused(candidate: Candidate) -> Said | None:
    """clip_skip with a flow-matching model."""
    if candidate.value("clip_skip") is None or not trains_flow(candidate) or not differs(candidate, "clip_skip"):
        return None
    return Said(f"clip_skip has no effect in {candidate.trainer.script}.", "Leave clip_skip out.")


@rule(
    "clip-skip-layer", Severity.ERROR,
    "clip_skip counts layers from the last, which is 1. 0 and less count from the first: the model would learn from "
    "words that were hardly read. CLIP of Stable Diffusion 1 has 12, and with more than 13 the trainer fails at the "
    "first step.",
    "library/strategy_sd.py, SdTextEncodingStrategy.encode_tokens",
    Evidence("library/strategy_sd.py", "encode_tokens", (r"\[\"hidden_states\"\]\[-self\.clip_skip\]",)),
    Evidence(_TRAIN_UTIL, "get_hidden_states", (r"\[\"hidden_states\"\]\[-args\.clip_skip\]",)),
    options=("clip_skip",),
)  # fmt: skip
def clip_skip_layer(candidate: Candidate) -> Said | None:
    """clip_skip that names no layer, or the wrong end: other programs write -2 where sd-scripts wants 2."""
    layer = candidate.value("clip_skip")
    if not isinstance(layer, (int, float)) or trains_sdxl(candidate) or trains_flow(candidate) or candidate.value("v2"):
        return None
    if layer > _CLIP_STATES:
        return Said(f"clip_skip is {layer:g}, and CLIP has no more than 12 layers.", "2 is usual for anime models.")
    if layer < 1:
        hint = f"Set clip_skip = {-layer:g}." if 1 < -layer < _CLIP_STATES else "Leave it out for the last layer."
        return Said(f"clip_skip is {layer:g}, and layers are counted from 1.", hint, severity=Severity.WARNING)
    return None


RULES: tuple[Rule, ...] = (
    keep_separator_unused,
    warmup_min_unused,
    caption_separator_unused,
    captions_all_dropped,
    caption_extention,
    weighted_captions_refused,
    weighted_captions_missing,
    max_token_length_unused,
    clip_skip_v2,
    clip_skip_sdxl,
    clip_skip_unused,
    clip_skip_layer,
)
