"""Rules of flow-matching models (FLUX, SD3, Lumina, HunyuanImage, Anima): options that only others go by."""

from __future__ import annotations

import re

from launcher.base.findings import Severity
from launcher.base.words import listed
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.facts import are, differs, number, samples_with, those_set, trains_flow
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_SAMPLER = "library/flux_train_utils.py, get_noisy_model_input_and_timesteps"
_FLUX = "library/flux_models.py"
_DEPTHS = re.compile(r"\bdepth=(\d+),\s*depth_single_blocks=(\d+)")
_SAMPLED = Evidence("{script}", "get_noise_pred_and_target", (r"\.get_noisy_model_input_and_timesteps\(",))


def _without_effect(candidate: Candidate, found: list[str]) -> Said | None:
    if not found or not trains_flow(candidate):
        return None
    verb = "has" if len(found) == 1 else "have"
    message = f"{listed(found)} {verb} no effect in {candidate.trainer.script}."
    return Said(message, "Leave it out." if len(found) == 1 else "Leave them out.", found[0])


@rule(
    "flow-noise-unused", Severity.WARNING,
    "These kinds of noise are made for the noise of Stable Diffusion; a flow-matching model gets plain noise.",
    "the script's get_noise_pred_and_target",
    Evidence("{script}", "get_noise_pred_and_target", (
        r"\A(?!.*get_noise_noisy_latents_and_timesteps).*noise = torch\.randn_like\(latents\)",
    )),
    options=("noise_offset", "multires_noise_iterations", "network_module"),
)  # fmt: skip
def flow_noise_unused(candidate: Candidate) -> Said | None:
    """noise_offset and multires noise."""
    return _without_effect(candidate, those_set(candidate, "noise_offset", "multires_noise_iterations"))


@rule(
    "flow-loss-unused", Severity.WARNING,
    "These weights are made for the timesteps of Stable Diffusion; a flow-matching model's loss is left as it is.",
    "the script's post_process_loss",
    Evidence("{script}", "post_process_loss", (r"timesteps, noise_scheduler\)[^:]*: return loss\b",)),
    options=("min_snr_gamma", "network_module"),
)  # fmt: skip
def flow_loss_unused(candidate: Candidate) -> Said | None:
    """Weights by the signal-to-noise ratio."""
    found = those_set(candidate, "min_snr_gamma", "debiased_estimation_loss", "v_pred_like_loss")
    return _without_effect(candidate, found)


@rule(
    "v2-unused", Severity.WARNING,
    "v2 is for models of Stable Diffusion 2. Another model is loaded and trained as ever, and only its file says v2.",
    "the script's load_target_model; train_network.py, train",
    options=("v2", "network_module"),
)  # fmt: skip
def v2_unused(candidate: Candidate) -> Said | None:
    """v2 with a flow-matching model."""
    if not candidate.value("v2") or not trains_flow(candidate):
        return None
    return Said(f"v2 has no effect in {candidate.trainer.script}.", "Leave v2 out.")


@rule(
    "flow-v-unused", Severity.WARNING,
    "A flow-matching model predicts a flow: neither noise nor v, and along its own schedule.",
    "the script's get_noise_pred_and_target and get_noise_scheduler",
    Evidence("{script}", "get_noise_pred_and_target", (r"\A(?!.*args\.v_parameterization)",)),
    options=("v_parameterization", "network_module"),
)  # fmt: skip
def flow_v_unused(candidate: Candidate) -> Said | None:
    """v_parameterization and zero_terminal_snr."""
    return _without_effect(candidate, those_set(candidate, "v_parameterization", "zero_terminal_snr"))


@rule(
    "flow-ip-noise-unused", Severity.WARNING,
    "This model's noise is added without ip_noise_gamma.",
    "library/sd3_train_utils.py, get_noisy_model_input_and_timesteps", _SAMPLED,
    options=("ip_noise_gamma", "network_module"),
)  # fmt: skip
def flow_ip_noise_unused(candidate: Candidate) -> Said | None:
    """ip_noise_gamma where the sampling function does not know it."""
    if not differs(candidate, "ip_noise_gamma"):
        return None
    unread = samples_with(candidate, lambda text: "ip_noise_gamma" not in text)
    return _without_effect(candidate, ["ip_noise_gamma"]) if unread else None


@rule(
    "flow-range-unused", Severity.WARNING,
    "This model's timesteps are drawn from the whole range, whatever min_timestep and max_timestep say.",
    _SAMPLER, _SAMPLED,
    options=("min_timestep", "max_timestep", "network_module"),
)  # fmt: skip
def flow_range_unused(candidate: Candidate) -> Said | None:
    """min_timestep and max_timestep where the sampling function does not know them."""
    found = those_set(candidate, "min_timestep", "max_timestep")
    if not found or not samples_with(candidate, lambda text: "min_timestep" not in text):
        return None
    return _without_effect(candidate, found)


@rule(
    "logit-normal-unused", Severity.WARNING,
    "logit_mean and logit_std shape the distribution logit_normal only.",
    "library/sd3_train_utils.py, compute_density_for_timestep_sampling", _SAMPLED,
    options=("weighting_scheme", "logit_mean", "logit_std"),
)  # fmt: skip
def logit_normal_unused(candidate: Candidate) -> Said | None:
    """logit_mean and logit_std with another weighting_scheme."""
    found = those_set(candidate, "logit_mean", "logit_std")
    if not found or not _draws_by_density(candidate):
        return None
    return _needs_scheme(candidate, found, "logit_normal")


@rule(
    "mode-scale-unused", Severity.WARNING,
    "mode_scale shapes the distribution mode only.",
    "library/sd3_train_utils.py, compute_density_for_timestep_sampling", _SAMPLED,
    options=("weighting_scheme", "mode_scale"),
)  # fmt: skip
def mode_scale_unused(candidate: Candidate) -> Said | None:
    """mode_scale with another weighting_scheme."""
    found = those_set(candidate, "mode_scale")
    return _needs_scheme(candidate, found, "mode") if found and _draws_by_density(candidate) else None


def _draws_by_density(candidate: Candidate) -> bool:
    return samples_with(candidate, lambda text: "compute_density_for_timestep_sampling(" in text)


def _needs_scheme(candidate: Candidate, found: list[str], scheme: str) -> Said | None:
    sampling = candidate.value("timestep_sampling") if candidate.has("timestep_sampling") else "sigma"
    verb = are(found)
    if sampling not in ("sigma", None):
        message = f"{listed(found)} {verb} set, and timestep_sampling is {sampling}."
        hint = f'Set timestep_sampling = "sigma" and weighting_scheme = "{scheme}", or leave it out.'
        return Said(message, hint, found[0])
    if candidate.value("weighting_scheme") in (scheme, None):
        return None
    message = f"{listed(found)} {verb} set, and weighting_scheme is {candidate.value('weighting_scheme')}."
    return Said(message, f'Set weighting_scheme = "{scheme}", or leave it out.', found[0])


@rule(
    "sigmoid-scale-unused", Severity.WARNING,
    "sigmoid_scale widens the distributions that are made by a sigmoid.",
    _SAMPLER, _SAMPLED,
    options=("sigmoid_scale", "timestep_sampling"),
)  # fmt: skip
def sigmoid_scale_unused(candidate: Candidate) -> Said | None:
    """sigmoid_scale where timesteps are drawn without a sigmoid."""
    sampling = candidate.value("timestep_sampling")
    if not differs(candidate, "sigmoid_scale") or sampling not in ("sigma", "uniform"):
        return None
    if not samples_with(candidate, lambda text: "args.sigmoid_scale" in text and "sigma" in text):
        return None
    message = f"sigmoid_scale is set, and timestep_sampling is {sampling}."
    return Said(message, 'Set timestep_sampling = "sigmoid" or "shift", or leave it out.')


@rule(
    "flow-shift-unused", Severity.WARNING,
    "discrete_flow_shift shifts the timesteps of sigma and shift only.",
    _SAMPLER, _SAMPLED,
    options=("discrete_flow_shift", "timestep_sampling"),
)  # fmt: skip
def flow_shift_unused(candidate: Candidate) -> Said | None:
    """discrete_flow_shift where the timesteps are not shifted by it."""
    sampling = candidate.value("timestep_sampling")
    if not differs(candidate, "discrete_flow_shift") or sampling not in ("uniform", "sigmoid", "flux_shift"):
        return None
    if not samples_with(candidate, lambda text: text.count("args.discrete_flow_shift") == 1):
        return None
    message = f"discrete_flow_shift is set, and timestep_sampling is {sampling}."
    return Said(message, 'Set timestep_sampling = "shift", or leave it out.')


@rule(
    "chroma-mask", Severity.ERROR,
    "The script refuses to start: Chroma is trained with the attention mask of T5.",
    "flux_train_network.py, assert_extra_args",
    Evidence("{script}", "assert_extra_args", (r"else: .*?assert args\.apply_t5_attn_mask",)),
    options=("model_type", "apply_t5_attn_mask"),
)  # fmt: skip
def chroma_mask(candidate: Candidate) -> Said | None:
    """Chroma without apply_t5_attn_mask."""
    if candidate.value("model_type") != "chroma" or candidate.value("apply_t5_attn_mask"):
        return None
    return Said("model_type is chroma, and apply_t5_attn_mask is not set.", "Set apply_t5_attn_mask = true.")


@rule(
    "swap-too-many", Severity.ERROR,
    "Two blocks of each kind must stay: with more to swap the script refuses once the model is loaded.",
    "library/flux_models.py, Flux.enable_block_swap",
    Evidence(_FLUX, "enable_block_swap", (
        r"double_blocks_to_swap = num_blocks // 2", r"\(num_blocks - double_blocks_to_swap\) \* 2",
        r"double_blocks_to_swap <= self\.num_double_blocks - 2",
        r"single_blocks_to_swap <= self\.num_single_blocks - 2",
    )),
    options=("blocks_to_swap", "model_type"),
)  # fmt: skip
def swap_too_many(candidate: Candidate) -> Said | None:
    """More blocks to swap than FLUX.1 has. Of a model with fewer blocks nothing is known."""
    blocks, sizes = number(candidate.value("blocks_to_swap")), set(_DEPTHS.findall(candidate.source.text(_FLUX)))
    if len(sizes) != 1 or candidate.value("model_type") == "chroma":
        return None
    double, single = (int(depth) - 2 for depth in sizes.pop())
    most = max(n for n in range(double * 2 + 2) if n // 2 <= double and (n - n // 2) * 2 <= single)
    if blocks <= most:
        return None
    return Said(f"blocks_to_swap is {blocks:g}, and at most {most} can be swapped.", f"Set blocks_to_swap = {most}.")


RULES: tuple[Rule, ...] = (
    flow_noise_unused,
    flow_loss_unused,
    v2_unused,
    flow_v_unused,
    flow_ip_noise_unused,
    flow_range_unused,
    logit_normal_unused,
    mode_scale_unused,
    sigmoid_scale_unused,
    flow_shift_unused,
    chroma_mask,
    swap_too_many,
)
