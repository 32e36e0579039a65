"""Rules of caching: each speaks about its mistake, and neither about sound specs nor for other releases."""

from __future__ import annotations

from pathlib import Path

import pytest
from rules_bed import FLUX, SDXL, SDXL_UTIL, TRAIN_UTIL, Case, blueprint_of, case_tests, findings, function

from launcher.plan.checks.rules.caching import RULES

CACHEABLE = function(
    "is_text_encoder_output_cacheable",
    "return all(not (subset.caption_dropout_rate > 0 or subset.shuffle_caption or subset.token_warmup_step > 0",
    "    or subset.caption_tag_dropout_rate > 0) for subset in self.subsets)",
)
ASKS = function(
    "assert_extra_args",
    "assert group.is_text_encoder_output_cacheable(), 'no'",
    "assert (",
    "    args.network_train_unet_only or not args.cache_text_encoder_outputs",
    ")",
)
ASKED = {SDXL: ASKS, TRAIN_UTIL: CACHEABLE}
GETITEM = function("__getitem__", "if tokenization_required:", "    caption = self.process_caption(subset, caption)")
GETITEM_BEFORE = function(
    "__getitem__",
    "if image_info.text_encoder_outputs1 is not None:",
    "    pass",
    "else:",
    "    caption = self.process_caption(subset, image_info.caption)",
)
LATENTS = {
    TRAIN_UTIL: function("is_latent_cacheable", "return not subset.color_aug and not subset.random_crop")
    + function("verify_training_args", "args.cache_latents = True")
}
CROPS = function(
    "__getitem__", "if self.enable_bucket:", "    trim()", "else:", "    if face_cx > 0:", "        crop()"
)
CACHE = "cache_text_encoder_outputs = true\nnetwork_train_unet_only = true\n"

CASES = (
    Case("text-cache-shuffle", f"{CACHE}shuffle_caption = true\n", ASKED, (CACHE, "shuffle_caption = true\n"), SDXL),
    Case(
        "text-cache-dropout", f"{CACHE}caption_dropout_rate = 0.1\n", ASKED,
        (CACHE, "caption_dropout_rate = 0.1\n"), SDXL, words=("caption_dropout_rate is 0.1",),
    ),
    Case(
        "text-cache-tag-dropout", f"{CACHE}caption_tag_dropout_rate = 0.1\n", ASKED,
        (CACHE, "caption_tag_dropout_rate = 0.1\n"), SDXL,
    ),
    Case(
        "text-cache-warmup", f"{CACHE}token_warmup_step = 0.5\n", ASKED, (CACHE, "token_warmup_step = 0.5\n"), SDXL
    ),
    Case(
        "text-cache-caption", f'{CACHE}caption_prefix = "a"\nsecondary_separator = ";"\n',
        {**ASKED, TRAIN_UTIL: GETITEM}, (CACHE, 'caption_prefix = "a"\n'), SDXL,
        words=("caption_prefix and secondary_separator are set",),
    ),
    Case(
        "text-cache-trained", "cache_text_encoder_outputs = true\n", ASKED,
        (CACHE, "network_train_unet_only = false\n"), SDXL,
    ),
    Case(
        "text-cache-t5xxl", f"{CACHE}[network_args]\ntrain_t5xxl = true\n",
        {FLUX: function(
            "post_process_network", "if self.train_t5xxl and args.cache_text_encoder_outputs:", "    raise ValueError"
        )},
        (f"{CACHE}[network_args]\ntrain_t5xxl = false\n", "[network_args]\ntrain_t5xxl = true\n", CACHE), FLUX,
    ),
    Case(
        "text-batch-unused", "text_encoder_batch_size = 4\n",
        {TRAIN_UTIL: function("new_cache_text_encoder_outputs", "size = caching_strategy.batch_size or 1")},
        (f"{CACHE}text_encoder_batch_size = 4\n",), FLUX,
    ),
    Case(
        "latent-cache-crop", "cache_latents = true\nrandom_crop = true\n", LATENTS,
        ("cache_latents = true\n", "random_crop = true\n", "cache_latents = true\ncolor_aug = true\n"),
    ),
    Case(
        "latent-cache-color", "cache_latents_to_disk = true\ncolor_aug = true\n", LATENTS,
        ("cache_latents_to_disk = true\n", "color_aug = true\n", "cache_latents = true\nrandom_crop = true\n"),
    ),
    Case(
        "face-crop-unused", 'face_crop_aug_range = "2.0,4.0"\nenable_bucket = true\n', {TRAIN_UTIL: CROPS},
        ('face_crop_aug_range = "2.0,4.0"\n', "enable_bucket = true\n"), words=("buckets",),
    ),
    Case(
        "vae-batch-unused", "vae_batch_size = 4\n",
        {"train_network.py": function("train", "group.cache_latents(vae, args.vae_batch_size, args.to_disk)")},
        ("vae_batch_size = 4\ncache_latents = true\n", "vae_batch_size = 1\n"), words=("4",),
    ),
    Case(
        "cache-check-unused", "skip_cache_check = true\ncache_latents = true\n",
        {TRAIN_UTIL: function("new_cache_latents", "if caching_strategy.cache_to_disk:", "    check()")},
        (
            "skip_cache_check = true\ncache_latents_to_disk = true\n",
            "skip_cache_check = true\ncache_text_encoder_outputs_to_disk = true\n",
        ),
    ),
)  # fmt: skip

test_each_rule_both_ways, test_every_rule_is_tested = case_tests((RULES, CASES))


def codes(folder: Path, text: str, sources: dict[str, str], **fields: object) -> list[str]:
    case = Case("", text, sources, script=SDXL)
    return [found.code for found in findings(folder, RULES, case, text, **fields)]  # type: ignore[arg-type]


def test_a_script_that_supports_dropout_with_its_cache_is_not_accused_of_refusing_it(tmp_path: Path) -> None:
    asks = function("assert_extra_args", "assert group.is_text_encoder_output_cacheable(cache_supports_dropout=True)")
    sources = {SDXL: asks, TRAIN_UTIL: CACHEABLE + GETITEM}
    assert codes(tmp_path, f"{CACHE}caption_dropout_rate = 0.1\n", sources) == []
    assert codes(tmp_path, f"{CACHE}shuffle_caption = true\n", sources) == ["text-cache-shuffle"]


def test_a_script_that_refuses_nothing_ignores_what_captions_go_through(tmp_path: Path) -> None:
    sources = {SDXL: "", TRAIN_UTIL: CACHEABLE + GETITEM}
    assert codes(tmp_path, f"{CACHE}shuffle_caption = true\n", sources) == ["text-cache-caption"]


def test_captions_were_cached_as_they_stand_before_there_were_strategies(tmp_path: Path) -> None:
    assert codes(tmp_path, f'{CACHE}caption_prefix = "a"\n', {SDXL: ASKS, TRAIN_UTIL: GETITEM_BEFORE}) == [
        "text-cache-caption"
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({SDXL_UTIL: function("verify_sdxl_training_args", "args.cache_text_encoder_outputs = True")}, True),
        ({SDXL_UTIL: function("verify_sdxl_training_args", "pass")}, False),
    ],
)
def test_caching_to_disk_counts_where_it_turns_caching_on(
    tmp_path: Path, source: dict[str, str], expected: bool
) -> None:
    text = "cache_text_encoder_outputs_to_disk = true\nshuffle_caption = true\nnetwork_train_unet_only = true\n"
    assert (codes(tmp_path, text, {**ASKED, **source}) == ["text-cache-shuffle"]) is expected


def test_what_the_dataset_config_says_counts_more_than_the_options(tmp_path: Path) -> None:
    text = f"{CACHE}shuffle_caption = true\ncache_latents = true\n"
    sound = blueprint_of({"shuffle_caption": False, "random_crop": False})
    sources = {SDXL: ASKS, TRAIN_UTIL: CACHEABLE + LATENTS[TRAIN_UTIL]}
    assert codes(tmp_path, text, sources, blueprint=sound) == []
    bad = blueprint_of({"shuffle_caption": False}, {"random_crop": True}, places={"random_crop": "config.toml:9"})
    case = Case("", text, sources, script=SDXL)
    (found,) = findings(tmp_path, RULES, case, text, blueprint=bad)
    assert found.code == "latent-cache-crop" and found.message.startswith("random_crop is on (config.toml:9)")


def test_nothing_is_said_of_a_dataset_config_that_could_not_be_understood(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[[datasets]\n", encoding="utf-8")
    text = f"{CACHE}shuffle_caption = true\ndataset_config = '{tmp_path}/config.toml'\n"
    assert codes(tmp_path, text, ASKED) == []


def test_nothing_is_said_of_a_dataset_class(tmp_path: Path) -> None:
    assert codes(tmp_path, f'{CACHE}shuffle_caption = true\ndataset_class = "my.Dataset"\n', ASKED) == []
