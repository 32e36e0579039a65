"""Runs to put rules to: options that every test of rules shares, and what a set of rules says about a spec."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from candidate_bed import candidate_of
from plan_bed import NEEDED, USUAL, option, switch

from launcher.base.findings import Finding
from launcher.plan.blueprint import Blueprint, DatasetBlueprint, Kind, SubsetBlueprint
from launcher.plan.checks.rules.rule import Rule, apply_rules

SDXL, FLUX = "sdxl_train_network.py", "flux_train_network.py"
TRAIN_UTIL = "library/train_util.py"
SDXL_UTIL = "library/sdxl_train_util.py"
FLOW = "class T:\n    def get_noise_scheduler(self, args):\n        return FlowMatchEulerDiscreteScheduler(1000)\n"
CALLS_SDXL = "def assert_extra_args(args):\n    sdxl_train_util.verify_sdxl_training_args(args)\n"

_SWITCHES = (
    "cache_latents", "cache_latents_to_disk", "cache_text_encoder_outputs", "cache_text_encoder_outputs_to_disk",
    "skip_cache_check", "shuffle_caption", "enable_wildcard", "color_aug", "random_crop", "alpha_mask",
    "weighted_captions", "v2", "v_parameterization", "zero_terminal_snr", "noise_offset_random_strength",
    "ip_noise_gamma_random_strength", "scale_v_pred_loss_like_noise_pred", "debiased_estimation_loss", "masked_loss",
    "apply_t5_attn_mask", "full_fp16", "full_bf16", "fp8_base", "fp8_base_unet", "fp8_scaled", "no_half_vae",
    "mem_eff_attn", "xformers", "gradient_checkpointing", "cpu_offload_checkpointing", "split_mode",
    "unsloth_offload_checkpointing", "enable_bucket", "bucket_no_upscale", "network_train_unet_only",
    "network_train_text_encoder_only", "dim_from_weights",
)  # fmt: skip
_NUMBERS: Mapping[str, Any] = {
    "vae_batch_size": 1, "text_encoder_batch_size": None, "keep_tokens": 0, "caption_dropout_rate": 0.0,
    "caption_dropout_every_n_epochs": 0, "caption_tag_dropout_rate": 0.0, "token_warmup_min": 1,
    "token_warmup_step": 0, "max_token_length": None, "clip_skip": None, "noise_offset": None,
    "adaptive_noise_scale": None, "ip_noise_gamma": None, "multires_noise_iterations": None,
    "multires_noise_discount": 0.3, "min_timestep": None, "max_timestep": None, "min_snr_gamma": None,
    "v_pred_like_loss": None, "huber_c": 0.1, "huber_scale": 1.0, "logit_mean": 0.0, "logit_std": 1.0,
    "mode_scale": 1.29, "sigmoid_scale": 1.0, "discrete_flow_shift": 3.0, "blocks_to_swap": None,
    "min_bucket_reso": 256, "max_bucket_reso": 1024, "bucket_reso_steps": 64, "unet_lr": None,
    "scale_weight_norms": None, "network_dropout": None,
}  # fmt: skip
_TEXTS: Mapping[str, Any] = {
    "caption_separator": ",", "caption_extension": ".caption", "caption_extention": None,
    "keep_tokens_separator": "", "secondary_separator": None, "caption_prefix": None, "caption_suffix": None,
    "face_crop_aug_range": None, "resolution": None, "in_json": None, "dataset_class": None, "loss_type": "l2",
    "huber_schedule": "snr", "weighting_scheme": "uniform", "timestep_sampling": "sigma", "model_type": "flux",
    "attn_mode": None, "network_weights": None, "t5xxl_max_token_length": None,
}  # fmt: skip
OPTIONS = (
    *USUAL,
    *(switch(name) for name in _SWITCHES),
    *(option(name, type="float", default=default) for name, default in _NUMBERS.items()),
    *(option(name, type="str", default=default) for name, default in _TEXTS.items()),
    option("text_encoder_lr", type="float", nargs="*"),
)


@dataclass(frozen=True)
class Case:
    """One rule: a spec it speaks about, sources it rests on, and specs about which it must keep quiet."""

    code: str
    speaks: str
    sources: Mapping[str, str]
    quiet: tuple[str, ...] = ()
    script: str = "train_network.py"
    packages: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()  # of the message

    def __str__(self) -> str:
        return self.code


def findings(
    folder: Path,
    rules: Iterable[Rule],
    case: Case,
    text: str,
    *,
    sources: Mapping[str, str] | None = None,
    blueprint: Blueprint | None = None,
) -> list[Finding]:
    """What the rules say about a spec, with the sources of a case or with others, in a folder of its own."""
    needed = NEEDED_WITHOUT_NETWORK if "network_module" in text else NEEDED
    candidate = candidate_of(
        Path(mkdtemp(dir=folder)), needed + text, *OPTIONS,
        sources=case.sources if sources is None else sources, packages=case.packages, script_file=case.script,
    )  # fmt: skip
    return list(apply_rules(rules, replace(candidate, blueprint=blueprint)))


NEEDED_WITHOUT_NETWORK = "".join(line for line in NEEDED.splitlines(keepends=True) if "network_module" not in line)


def check_case(folder: Path, rules: tuple[Rule, ...], case: Case) -> None:
    """The rule speaks where it should, and neither about sound specs nor for a checkout that lacks its source."""
    said = [found for found in findings(folder, rules, case, case.speaks) if found.code == case.code]
    assert len(said) == 1, case.speaks
    assert said[0].where
    assert all(word in said[0].message for word in case.words), said[0].message
    rule = next(rule for rule in rules if rule.code.name == case.code)
    if rule.evidence:
        assert case.code not in _codes(findings(folder, rules, case, case.speaks, sources={})), "without its source"
    for text in case.quiet:
        assert case.code not in _codes(findings(folder, rules, case, text)), text


def case_tests(*groups: tuple[Sequence[Rule], Sequence[Case]]) -> tuple[Callable[..., None], Callable[[], None]]:
    """The two tests that a module of rules has: each case both ways beside all the rules, and a case for every rule.

    A group is the rules of one module with their cases.
    """
    rules = tuple(rule for group, _ in groups for rule in group)

    @pytest.mark.parametrize("case", [case for _, cases in groups for case in cases], ids=str)
    def each_rule_both_ways(tmp_path: Path, case: Case) -> None:
        check_case(tmp_path, rules, case)

    def every_rule_is_tested() -> None:
        for group, cases in groups:
            assert {rule.code.name for rule in group} == {case.code for case in cases}

    return each_rule_both_ways, every_rule_is_tested


def blueprint_of(
    *subsets: Mapping[str, Any], kind: Kind = Kind.DREAMBOOTH, places: Mapping[str, str] | None = None, **dataset: Any
) -> Blueprint:
    """One dataset with these subsets, at config.toml:3."""
    made = tuple(SubsetBlueprint(dict(params), "config.toml:3", dict(places or {})) for params in subsets)
    return Blueprint((DatasetBlueprint(kind, dataset, made, "config.toml:1"),))


def function(name: str, *lines: str, parameters: str = "args") -> str:
    """The source of one function."""
    return f"def {name}({parameters}):\n" + "".join(f"    {line}\n" for line in lines)


def sdxl_checks(*lines: str) -> dict[str, str]:
    """A script for SDXL, and the body of the checks that it puts its options to."""
    return {SDXL: CALLS_SDXL, SDXL_UTIL: function("verify_sdxl_training_args", *lines)}


def _codes(found: Iterable[Finding]) -> list[str]:
    return [finding.code for finding in found]
