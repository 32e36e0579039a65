"""Rules of noise and timesteps."""

from __future__ import annotations

from launcher.base.findings import Severity
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.facts import differs, number, trains_flow, trains_sdxl
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_TRAIN_UTIL = "library/train_util.py"
_VERIFY = f"{_TRAIN_UTIL}, verify_training_args"
_SAMPLE = f"{_TRAIN_UTIL}, get_noise_noisy_latents_and_timesteps"


def _verified(pattern: str) -> Evidence:
    """A check of verify_training_args that is not commented out."""
    return Evidence(_TRAIN_UTIL, "verify_training_args", (rf"(?<!# )(?<!#){pattern}",))


def _sampled(pattern: str) -> Evidence:
    return Evidence(_TRAIN_UTIL, "get_noise_noisy_latents_and_timesteps", (pattern,))


@rule(
    "noise-offset-multires", Severity.ERROR,
    "The script refuses to start: this release takes either noise_offset or multires noise.",
    _VERIFY,
    _verified(r"if args\.noise_offset is not None and args\.multires_noise_iterations is not None: raise"),
    options=("multires_noise_iterations", "noise_offset"),
)  # fmt: skip
def noise_offset_multires(candidate: Candidate) -> Said | None:
    """Both kinds of noise, in releases that refuse it."""
    if candidate.value("noise_offset") is None or candidate.value("multires_noise_iterations") is None:
        return None
    return Said("noise_offset and multires_noise_iterations are both set.", "Keep one of them.")


@rule(
    "adaptive-noise-alone", Severity.ERROR,
    "The script refuses to start: adaptive_noise_scale only changes noise_offset.",
    _VERIFY,
    _verified(r"if args\.adaptive_noise_scale is not None and args\.noise_offset is None: raise"),
    options=("adaptive_noise_scale", "noise_offset"),
)  # fmt: skip
def adaptive_noise_alone(candidate: Candidate) -> Said | None:
    """adaptive_noise_scale without noise_offset."""
    if candidate.value("adaptive_noise_scale") is None or candidate.value("noise_offset") is not None:
        return None
    return Said("adaptive_noise_scale is set, and noise_offset is not.", "Set noise_offset.")


@rule(
    "adaptive-noise-unused", Severity.WARNING,
    "A noise_offset of 0 adds no noise, whatever adaptive_noise_scale says.",
    _SAMPLE,
    _sampled(r"if args\.noise_offset: "),
    Evidence("train_network.py", "train", (r"if args\.noise_offset: .*?args\.adaptive_noise_scale",)),
    options=("adaptive_noise_scale", "noise_offset"),
)  # fmt: skip
def adaptive_noise_unused(candidate: Candidate) -> Said | None:
    """adaptive_noise_scale with a noise_offset of 0."""
    if not differs(candidate, "adaptive_noise_scale") or candidate.value("noise_offset") != 0:
        return None
    return Said("adaptive_noise_scale is set, and noise_offset is 0.", "Give noise_offset a value above 0.")


@rule(
    "noise-strength-unused", Severity.WARNING,
    "noise_offset_random_strength draws the strength of noise_offset anew in each step; without it there is nothing "
    "to draw.",
    _SAMPLE,
    _sampled(r"if args\.noise_offset: if args\.noise_offset_random_strength:"),
    options=("noise_offset_random_strength", "noise_offset"),
)  # fmt: skip
def noise_strength_unused(candidate: Candidate) -> Said | None:
    """noise_offset_random_strength without noise_offset."""
    if not candidate.value("noise_offset_random_strength") or candidate.value("noise_offset"):
        return None
    return Said("noise_offset_random_strength is set, and noise_offset is not.", "Set noise_offset.")


@rule(
    "noise-offset-strength", Severity.WARNING,
    "The offset is one random number for each channel, added to its noise. Above 1 it outweighs the noise itself, and "
    "the model learns little but brightness.",
    _SAMPLE,
    _sampled(r"if args\.noise_offset: "),
    Evidence("train_network.py", "train", (r"if args\.noise_offset: ",)),
    options=("noise_offset",),
)  # fmt: skip
def noise_offset_strength(candidate: Candidate) -> Said | None:
    """A noise_offset that is stronger than the noise."""
    offset = candidate.value("noise_offset")
    if not isinstance(offset, (int, float)) or abs(offset) <= 1 or trains_flow(candidate):
        return None
    return Said(f"noise_offset is {offset:g}: it outweighs the noise.", "Usual are 0.03 to 0.1.")


@rule(
    "ip-noise-strength-unused", Severity.WARNING,
    "ip_noise_gamma_random_strength draws the strength of ip_noise_gamma anew in each step; without it there is "
    "nothing to draw.",
    _SAMPLE,
    _sampled(r"if args\.ip_noise_gamma: if args\.ip_noise_gamma_random_strength:"),
    options=("ip_noise_gamma_random_strength", "ip_noise_gamma"),
)  # fmt: skip
def ip_noise_strength_unused(candidate: Candidate) -> Said | None:
    """ip_noise_gamma_random_strength without ip_noise_gamma."""
    if not candidate.value("ip_noise_gamma_random_strength") or candidate.value("ip_noise_gamma"):
        return None
    return Said("ip_noise_gamma_random_strength is set, and ip_noise_gamma is not.", "Set ip_noise_gamma.")


@rule(
    "multires-discount-unused", Severity.WARNING,
    "The discount counts from one layer of multires noise to the next; without multires_noise_iterations there is "
    "none.",
    _SAMPLE,
    _sampled(r"if args\.multires_noise_iterations: "),
    Evidence("train_network.py", "train", (r"if args\.multires_noise_iterations: ",)),
    options=("multires_noise_discount", "multires_noise_iterations"),
)  # fmt: skip
def multires_discount_unused(candidate: Candidate) -> Said | None:
    """multires_noise_discount without multires_noise_iterations."""
    if not differs(candidate, "multires_noise_discount") or candidate.value("multires_noise_iterations"):
        return None
    message = "multires_noise_discount is set, and multires_noise_iterations is not."
    return Said(message, "Set multires_noise_iterations: 6 to 10 is usual.")


@rule(
    "zero-terminal-snr", Severity.WARNING,
    "With zero terminal SNR the last timestep is pure noise: only a model that predicts v can learn from it.",
    _VERIFY,
    _verified(r"if args\.zero_terminal_snr and not args\.v_parameterization:"),
    options=("zero_terminal_snr", "v_parameterization"),
)  # fmt: skip
def zero_terminal_snr(candidate: Candidate) -> Said | None:
    """zero_terminal_snr without v_parameterization."""
    if not candidate.value("zero_terminal_snr") or candidate.value("v_parameterization") or trains_flow(candidate):
        return None
    return Said("zero_terminal_snr is set, and v_parameterization is not.", "Set v_parameterization for a v model.")


@rule(
    "v-without-v2", Severity.WARNING,
    "This release expects v_parameterization only for models of Stable Diffusion 2.",
    _VERIFY,
    _verified(r"if args\.v_parameterization and not args\.v2:"),
    options=("v_parameterization", "v2"),
)  # fmt: skip
def v_without_v2(candidate: Candidate) -> Said | None:
    """v_parameterization without v2, in releases that warn of it; newer ones train v models of SDXL too."""
    if not candidate.value("v_parameterization") or candidate.value("v2"):
        return None
    return Said("v_parameterization is set, and v2 is not.", "Leave v_parameterization out, or use a newer release.")


@rule(
    "v2-sdxl", Severity.ERROR,
    "The script refuses to start: SDXL is not Stable Diffusion 2.",
    "library/sdxl_train_util.py, verify_sdxl_training_args",
    Evidence("library/sdxl_train_util.py", "verify_sdxl_training_args", (r"assert not args\.v2",)),
    options=("v2",),
)  # fmt: skip
def v2_sdxl(candidate: Candidate) -> Said | None:
    """v2 with an SDXL script."""
    if not candidate.value("v2") or not trains_sdxl(candidate):
        return None
    return Said(f"v2 is set, and {candidate.trainer.script} trains SDXL.", "Leave v2 out.")


_TIMESTEPS = 1000  # the trainer makes its noise scheduler with so many
_NO_RANGE = "Every step draws its timestep from min_timestep up to, not including, max_timestep."


@rule(
    "timestep-range-empty", Severity.ERROR,
    f"{_NO_RANGE} An empty range fails in the first step.",
    f"{_TRAIN_UTIL}, get_timesteps_and_huber_c",
    # Newer releases ask for min_timestep < max_timestep before they draw.
    Evidence(_TRAIN_UTIL, "get_noise_noisy_latents_and_timesteps", (
        r"timesteps = torch\.randint\(min_timestep, max_timestep,",
    )),
    Evidence(_TRAIN_UTIL, "get_timesteps_and_huber_c", (r"timesteps = torch\.randint\(min_timestep, max_timestep,",)),
    options=("min_timestep", "max_timestep"),
)  # fmt: skip
def timestep_range_empty(candidate: Candidate) -> Said | None:
    """min_timestep not below max_timestep, in releases that fail on it."""
    return _empty(candidate)


@rule(
    "timestep-range-one", Severity.WARNING,
    f"{_NO_RANGE} With an empty range all steps train the timestep max_timestep alone.",
    f"{_TRAIN_UTIL}, get_timesteps",
    Evidence(_TRAIN_UTIL, "get_timesteps", (r"if min_timestep < max_timestep: .*else: .*torch\.full\(",)),
    options=("min_timestep", "max_timestep"),
)  # fmt: skip
def timestep_range_one(candidate: Candidate) -> Said | None:
    """min_timestep not below max_timestep, in releases that then train one timestep."""
    return None if trains_flow(candidate) else _empty(candidate)


def _empty(candidate: Candidate) -> Said | None:
    low, high = candidate.value("min_timestep"), candidate.value("max_timestep")
    if low is None and high is None:
        return None
    first, last = number(low), 1000.0 if high is None else number(high)
    if first < last:
        return None
    message = f"min_timestep is {first:g} and max_timestep is {last:g}: there is nothing between them."
    return Said(message, "min_timestep must be below max_timestep, which is 1000 unless set.")


@rule(
    "timestep-beyond", Severity.ERROR,
    "The noise scheduler of Stable Diffusion has 1000 timesteps, from 0 to 999. The trainer fails in the first step "
    "that draws one beyond them; from below 0 it counts from the end.",
    f"{_TRAIN_UTIL}, get_noise_noisy_latents_and_timesteps",
    Evidence(_TRAIN_UTIL, "get_noise_noisy_latents_and_timesteps", (
        r"max_timestep = noise_scheduler\.config\.num_train_timesteps if args\.max_timestep is None",
    )),
    options=("min_timestep", "max_timestep"),
)  # fmt: skip
def timestep_beyond(candidate: Candidate) -> Said | None:
    """A range of timesteps with some that the model does not have."""
    if trains_flow(candidate):
        return None
    low, high = candidate.value("min_timestep"), candidate.value("max_timestep")
    if high is not None and number(high) > _TIMESTEPS:
        message = f"max_timestep is {number(high):g}, and there are {_TIMESTEPS} timesteps."
        return Said(message, f"Write {_TIMESTEPS} or less.", "max_timestep")
    if low is not None and number(low) < 0:
        message = f"min_timestep is {number(low):g}, and timesteps begin with 0."
        return Said(message, "Write 0 or more.", "min_timestep", Severity.WARNING)
    return None


RULES: tuple[Rule, ...] = (
    noise_offset_multires,
    adaptive_noise_alone,
    adaptive_noise_unused,
    noise_strength_unused,
    noise_offset_strength,
    ip_noise_strength_unused,
    multires_discount_unused,
    zero_terminal_snr,
    v_without_v2,
    v2_sdxl,
    timestep_range_empty,
    timestep_range_one,
    timestep_beyond,
)
