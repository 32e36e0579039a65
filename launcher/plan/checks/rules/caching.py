"""Rules of caching: latents, and what the text encoders make of the captions."""

from __future__ import annotations

from launcher.base.findings import Severity
from launcher.base.words import listed
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.facts import (
    are,
    caches_latents,
    caches_text,
    differs,
    is_on,
    number,
    parts_of,
    parts_with,
)
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_TEXT = "cache_text_encoder_outputs"
_DATASET = "library/train_util.py, BaseDataset.is_text_encoder_output_cacheable"
_REFUSED = "The script refuses to start: cached text encoder outputs are the same in every step."
_REFUSES = Evidence("{script}", "", (r"is_text_encoder_output_cacheable\(",))
# Given cache_supports_dropout, the check lets caption_dropout_rate pass.
_REFUSES_DROPOUT = Evidence("{script}", "", (r"is_text_encoder_output_cacheable\( ?\)",))
_ASKED_IN_THE_SCRIPT = Evidence("{script}", "", (r"is_text_encoder_output_cacheable",))
# What captions go through only when they are tokenized for a step.
_PROCESSED = (
    "caption_prefix", "caption_suffix", "secondary_separator", "enable_wildcard", "caption_dropout_every_n_epochs",
)  # fmt: skip
_PROCESSED_TOO = ("shuffle_caption", "caption_tag_dropout_rate", "token_warmup_step", "caption_dropout_rate")


@rule(
    "text-cache-shuffle", Severity.ERROR, _REFUSED, _DATASET, _REFUSES, options=(_TEXT, "shuffle_caption")
)  # fmt: skip
def text_cache_shuffle(candidate: Candidate) -> Said | None:
    """Captions cannot be shuffled once their outputs are cached."""
    return _refused(candidate, "shuffle_caption")


@rule("text-cache-dropout", Severity.ERROR, _REFUSED, _DATASET, _REFUSES_DROPOUT, options=(_TEXT,))
def text_cache_dropout(candidate: Candidate) -> Said | None:
    """Captions cannot be dropped once their outputs are cached, except where a script supports it."""
    return _refused(candidate, "caption_dropout_rate")


@rule("text-cache-tag-dropout", Severity.ERROR, _REFUSED, _DATASET, _REFUSES, options=(_TEXT,))
def text_cache_tag_dropout(candidate: Candidate) -> Said | None:
    """Tags cannot be dropped once the outputs are cached."""
    return _refused(candidate, "caption_tag_dropout_rate")


@rule("text-cache-warmup", Severity.ERROR, _REFUSED, _DATASET, _REFUSES, options=(_TEXT,))
def text_cache_warmup(candidate: Candidate) -> Said | None:
    """Captions cannot grow tag by tag once their outputs are cached."""
    return _refused(candidate, "token_warmup_step")


def _refused(candidate: Candidate, key: str) -> Said | None:
    part = next(parts_with(candidate, key), None) if caches_text(candidate) else None
    named = Evidence("library/train_util.py", "is_text_encoder_output_cacheable", (rf"subset\.{key}\b",))
    if part is None or not candidate.says(named):
        return None
    message = f"{part.says(candidate, key)}, and text encoder outputs are cached."
    return Said(message, f"Turn {key} off, or do not cache text encoder outputs.", _text_option(candidate))


@rule(
    "text-cache-caption", Severity.WARNING,
    "Cached text encoder outputs are made from the captions as they stand in the files: these settings change "
    "nothing in them.",
    "library/train_util.py, BaseDataset.__getitem__",
    Evidence("library/train_util.py", "__getitem__", (r"if tokenization_required: caption = self\.process_caption\(",)),
    Evidence("library/train_util.py", "__getitem__", (
        r"text_encoder_outputs1 is not None: .* else: caption = self\.process_caption\(",
    )),
    options=(_TEXT,),
)  # fmt: skip
def text_cache_caption(candidate: Candidate) -> Said | None:
    """What is done to a caption in each step is not done to cached ones."""
    if not caches_text(candidate):
        return None
    keys = [*_PROCESSED, *(() if candidate.says(_ASKED_IN_THE_SCRIPT) else _PROCESSED_TOO)]
    for part in parts_of(candidate):
        found = [key for key in keys if is_on(part.params.get(key))]
        if found:
            place = part.at(candidate, found[0])
            message = f"{listed(found)} {are(found)} set{place}: no part of cached text encoder outputs."
            return Said(message, "Write it into the caption files, or do not cache.", _text_option(candidate))
    return None


@rule(
    "text-cache-trained", Severity.ERROR,
    "The script refuses to start: a text encoder whose outputs are cached cannot be trained.",
    "sdxl_train_network.py, assert_extra_args",
    Evidence("{script}", "assert_extra_args", (
        r"assert \(? ?args\.network_train_unet_only or not args\.cache_text_encoder_outputs",
    )),
    options=(_TEXT, "network_train_unet_only"),
)  # fmt: skip
def text_cache_trained(candidate: Candidate) -> Said | None:
    """SDXL and Anima train no text encoder with cached outputs."""
    if not caches_text(candidate) or candidate.value("network_train_unet_only"):
        return None
    message = "The text encoder's outputs are cached, and network_train_unet_only is not set."
    return Said(message, "Set network_train_unet_only = true, or do not cache.", _text_option(candidate))


@rule(
    "text-cache-t5xxl", Severity.ERROR,
    "The script stops once the network is made: T5XXL cannot be trained while its outputs are cached.",
    "flux_train_network.py, post_process_network",
    Evidence("{script}", "post_process_network", (
        r"if self\.train_t5xxl and args\.cache_text_encoder_outputs: raise",
    )),
    options=("network_args", _TEXT),
)  # fmt: skip
def text_cache_t5xxl(candidate: Candidate) -> Said | None:
    """FLUX and SD3: network_args.train_t5xxl against the cache."""
    item = candidate.items("network_args").get("train_t5xxl")
    if item is None or item.text != "True" or not caches_text(candidate):
        return None
    message = "network_args.train_t5xxl is True, and the text encoders' outputs are cached."
    return Said(message, "Leave train_t5xxl out, or do not cache.", "network_args")


@rule(
    "text-batch-unused", Severity.WARNING,
    "Only the caching of text encoder outputs goes by this number.",
    "library/train_util.py, BaseDataset.new_cache_text_encoder_outputs",
    Evidence("library/train_util.py", "new_cache_text_encoder_outputs", (r"caching_strategy\.batch_size",)),
    options=("text_encoder_batch_size", _TEXT),
)  # fmt: skip
def text_batch_unused(candidate: Candidate) -> Said | None:
    """A batch size for a cache that is not made."""
    if not differs(candidate, "text_encoder_batch_size") or caches_text(candidate):
        return None
    return Said("text_encoder_batch_size is set, and the text encoder's outputs are not cached.", f"Set {_TEXT}.")


_LATENT = "library/train_util.py, BaseDataset.is_latent_cacheable"
_LATENT_REFUSED = "The script refuses to start: cached latents are the same in every step."


@rule(
    "latent-cache-crop", Severity.ERROR, _LATENT_REFUSED, _LATENT,
    Evidence("library/train_util.py", "is_latent_cacheable", (r"not subset\.random_crop",)),
    options=("cache_latents",),
)  # fmt: skip
def latent_cache_crop(candidate: Candidate) -> Said | None:
    """Pictures cannot be cropped at random once their latents are cached."""
    return _uncacheable(candidate, "random_crop")


@rule(
    "latent-cache-color", Severity.ERROR, _LATENT_REFUSED, _LATENT,
    Evidence("library/train_util.py", "is_latent_cacheable", (r"not subset\.color_aug",)),
    options=("cache_latents",),
)  # fmt: skip
def latent_cache_color(candidate: Candidate) -> Said | None:
    """Colours cannot change once the latents are cached."""
    return _uncacheable(candidate, "color_aug")


def _uncacheable(candidate: Candidate, key: str) -> Said | None:
    part = next(parts_with(candidate, key), None)
    if part is None or not caches_latents(candidate):
        return None
    message = f"{part.says(candidate, key)}, and latents are cached."
    return Said(message, f"Turn {key} off, or do not cache latents.", _latent_option(candidate))


@rule(
    "face-crop-unused", Severity.WARNING,
    "Pictures are cropped around faces only without buckets and without cached latents.",
    "library/train_util.py, BaseDataset.__getitem__",
    Evidence("library/train_util.py", "__getitem__", (r"if self\.enable_bucket: .*?else: if face_cx > 0",)),
    options=("face_crop_aug_range", "cache_latents"),
)  # fmt: skip
def face_crop_unused(candidate: Candidate) -> Said | None:
    """Buckets and cached latents have their own cropping."""
    for part in parts_with(candidate, "face_crop_aug_range"):
        why = "latents are cached" if caches_latents(candidate) else "pictures go into buckets"
        if why == "latents are cached" or part.dataset.get("enable_bucket"):
            message = f"{part.says(candidate, 'face_crop_aug_range')}, and {why}."
            return Said(message, "Leave face_crop_aug_range out.")
    return None


@rule(
    "vae-batch-unused", Severity.WARNING,
    "Only the caching of latents goes by this number.",
    "train_network.py, train",
    Evidence("train_network.py", "train", (r"\.cache_latents\( ?vae, args\.vae_batch_size",)),
    options=("vae_batch_size", "network_module"),
)  # fmt: skip
def vae_batch_unused(candidate: Candidate) -> Said | None:
    """A batch size for a cache that is not made. Newer releases also encode the steps' pictures by it."""
    if not differs(candidate, "vae_batch_size") or caches_latents(candidate):
        return None
    count = number(candidate.value("vae_batch_size"))
    return Said(f"vae_batch_size is {count:g}, and latents are not cached.", "Set cache_latents.")


@rule(
    "cache-check-unused", Severity.WARNING,
    "Only files of a cache on disk are checked.",
    "library/train_util.py, BaseDataset.new_cache_latents",
    Evidence("library/train_util.py", "new_cache_latents", (r"if caching_strategy\.cache_to_disk: ",)),
    options=("skip_cache_check", "cache_latents_to_disk"),
)  # fmt: skip
def cache_check_unused(candidate: Candidate) -> Said | None:
    """skip_cache_check where nothing is kept on disk."""
    kept = ("cache_latents_to_disk", "cache_text_encoder_outputs_to_disk")
    if not candidate.value("skip_cache_check") or any(candidate.value(option) for option in kept):
        return None
    return Said("skip_cache_check is set, and no cache is kept on disk.", "Set cache_latents_to_disk, or leave it out.")


def _text_option(candidate: Candidate) -> str:
    return _TEXT if candidate.value(_TEXT) else f"{_TEXT}_to_disk"


def _latent_option(candidate: Candidate) -> str:
    return "cache_latents" if candidate.value("cache_latents") else "cache_latents_to_disk"


RULES: tuple[Rule, ...] = (
    text_cache_shuffle,
    text_cache_dropout,
    text_cache_tag_dropout,
    text_cache_warmup,
    text_cache_caption,
    text_cache_trained,
    text_cache_t5xxl,
    text_batch_unused,
    latent_cache_crop,
    latent_cache_color,
    face_crop_unused,
    vae_batch_unused,
    cache_check_unused,
)
