"""Rules of captions: each speaks about its mistake, and neither about sound specs nor for other releases."""

from __future__ import annotations

from pathlib import Path

from rules_bed import FLOW, FLUX, SDXL, TRAIN_UTIL, Case, blueprint_of, case_tests, findings, function, sdxl_checks

from launcher.base.findings import Severity
from launcher.plan.checks.rules.captions import RULES

PROCESS = {
    TRAIN_UTIL: function(
        "process_caption",
        "drop = subset.caption_dropout_rate > 0 and random.random() < subset.caption_dropout_rate",
        "drop = drop or self.current_epoch % subset.caption_dropout_every_n_epochs == 0",
        "if subset.shuffle_caption or subset.token_warmup_step > 0 or subset.caption_tag_dropout_rate > 0:",
        "    tokens = caption.split(subset.caption_separator)",
        "    if subset.token_warmup_step and self.current_step < subset.token_warmup_step:",
        "        pass",
        parameters="self, subset, caption",
    )
}
TOKENIZES = FLOW + "    def get_tokenize_strategy(self):\n        return strategy_flux.FluxTokenizeStrategy(512)\n"
STRATEGIES = {
    FLUX: TOKENIZES,
    "library/strategy_base.py": function("tokenize_with_weights", "raise NotImplementedError"),
    "library/strategy_flux.py": "class FluxTokenizeStrategy: ...\n",
}
WEIGHTED = "weighted_captions = true\n"

CASES = (
    Case(
        "keep-separator-unused", 'keep_tokens_separator = "|||"\n', PROCESS,
        ('keep_tokens_separator = "|||"\nshuffle_caption = true\n', 'keep_tokens_separator = ""\n'),
    ),
    Case(
        "warmup-min-unused", "token_warmup_min = 3\n", PROCESS,
        ("token_warmup_min = 3\ntoken_warmup_step = 100\n", "token_warmup_min = 1\n"), words=("is 3",),
    ),
    Case(
        "caption-separator-unused", 'caption_separator = "|"\n', PROCESS,
        (
            'caption_separator = "|"\nshuffle_caption = true\n', 'caption_separator = ","\n',
            'caption_separator = "|"\nsecondary_separator = ";"\n',
        ),
    ),
    Case(
        "captions-all-dropped", "caption_dropout_every_n_epochs = 1\n", PROCESS,
        ("caption_dropout_every_n_epochs = 2\n", "caption_dropout_rate = 0.99\n"),
    ),
    Case(
        "caption-extention", 'caption_extention = ".txt"\ncaption_extension = ".tags"\n',
        {TRAIN_UTIL: function("prepare_dataset_args", "args.caption_extension = args.caption_extention")},
        ('caption_extention = ".txt"\n', 'caption_extension = ".txt"\n'), words=(".txt", ".tags"),
    ),
    Case(
        "weighted-captions-refused", WEIGHTED,
        sdxl_checks(
            "assert (", '    not hasattr(args, "weighted_captions") or not args.weighted_captions', '), "no"',
        ),
        ("weighted_captions = false\n",), SDXL,
    ),
    Case("weighted-captions-missing", WEIGHTED, STRATEGIES, ("weighted_captions = false\n",), FLUX, words=(FLUX,)),
    Case(
        "max-token-length-unused", "max_token_length = 225\n",
        {FLUX: function("assert_extra_args", "if args.max_token_length is not None:", '    logger.warning("no")')},
        ("",), FLUX,
    ),
    Case(
        "clip-skip-v2", "clip_skip = 2\nv2 = true\n",
        {TRAIN_UTIL: function("verify_training_args", "if args.v2 and args.clip_skip is not None:", "    warn()")},
        ("clip_skip = 2\n", "v2 = true\n"),
    ),
    Case(
        "clip-skip-sdxl", "clip_skip = 2\n", sdxl_checks("if args.clip_skip is not None:", "    warn()"), ("",), SDXL,
    ),
    *(
        Case(
            "clip-skip-layer", f"clip_skip = {layer}\n",
            {"library/strategy_sd.py": function("encode_tokens", 'return out["hidden_states"][-self.clip_skip]')},
            ("", "clip_skip = 1\n", "clip_skip = 13\n", "clip_skip = -2\nv2 = true\n"),
        )
        for layer in (-2, 0, 14)
    ),
    Case(
        "clip-skip-unused", "clip_skip = 2\n",
        {FLUX: FLOW + "    def get_text_encoding_strategy(self, args):\n        return Strategy()\n"}, ("",), FLUX,
    ),
)  # fmt: skip

test_each_rule_both_ways, test_every_rule_is_tested = case_tests((RULES, CASES))


def test_a_rate_of_one_drops_every_caption(tmp_path: Path) -> None:
    case = Case("", "", PROCESS)
    (found,) = findings(tmp_path, RULES, case, "caption_dropout_rate = 1.0\n")
    assert found.code == "captions-all-dropped"


def test_a_subset_that_is_not_shuffled_is_found_among_others(tmp_path: Path) -> None:
    shuffled = {"keep_tokens_separator": "|||", "shuffle_caption": True}
    plain = {"keep_tokens_separator": "|||", "shuffle_caption": False}
    case = Case("", "", PROCESS)
    assert findings(tmp_path, RULES, case, "", blueprint=blueprint_of(shuffled)) == []
    (found,) = findings(tmp_path, RULES, case, "", blueprint=blueprint_of(shuffled, plain))
    assert "config.toml:3" in found.message


def test_the_default_separator_of_the_dataset_config_is_a_tuple(tmp_path: Path) -> None:
    # config_util.BaseSubsetParams has a comma too many.
    blueprint = blueprint_of({"caption_separator": (",",)})
    assert findings(tmp_path, RULES, Case("", "", PROCESS), "", blueprint=blueprint) == []


def test_weighted_captions_that_are_never_read_are_no_error(tmp_path: Path) -> None:
    text = f"{WEIGHTED}cache_text_encoder_outputs = true\nnetwork_train_unet_only = true\n"
    (found,) = findings(tmp_path, RULES, Case("", "", STRATEGIES, script=FLUX), text)
    assert (found.code, found.severity) == ("weighted-captions-missing", Severity.WARNING)


def test_a_strategy_with_weights_of_its_own_is_fine(tmp_path: Path) -> None:
    strategy = function("tokenize_with_weights", "return tokens, weights")
    sources = {**STRATEGIES, "library/strategy_flux.py": strategy}
    assert findings(tmp_path, RULES, Case("", "", sources, script=FLUX), WEIGHTED) == []


def test_a_call_that_is_commented_out_makes_no_sdxl_script(tmp_path: Path) -> None:
    checks = sdxl_checks("if args.clip_skip is not None:", "    warn()")
    sources = {FLUX: checks.pop(SDXL).replace("sdxl_train_util", "# sdxl_train_util"), **checks}
    assert findings(tmp_path, RULES, Case("", "", sources, script=FLUX), "clip_skip = 2\n") == []
