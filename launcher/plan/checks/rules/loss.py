"""Rules of the loss: its kind, its weights, its mask."""

from __future__ import annotations

from launcher.base.findings import Severity
from launcher.base.words import listed
from launcher.plan.blueprint import Kind
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.facts import are, differs, is_on, parts_of, those_set, trains_flow
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_TRAIN_UTIL = "library/train_util.py"
_VERIFY = f"{_TRAIN_UTIL}, verify_training_args"
_HUBER = f"{_TRAIN_UTIL}, get_huber_threshold_if_needed"
_HUBER_TYPES = ("huber", "smooth_l1")


@rule(
    "scale-v-pred-alone", Severity.ERROR,
    "The script refuses to start: the loss of a v prediction is scaled, and none is trained.",
    _VERIFY,
    Evidence(_TRAIN_UTIL, "verify_training_args", (
        r"if args\.scale_v_pred_loss_like_noise_pred and not args\.v_parameterization: raise",
    )),
    options=("scale_v_pred_loss_like_noise_pred", "v_parameterization"),
)  # fmt: skip
def scale_v_pred_alone(candidate: Candidate) -> Said | None:
    """scale_v_pred_loss_like_noise_pred without v_parameterization."""
    if not candidate.value("scale_v_pred_loss_like_noise_pred") or candidate.value("v_parameterization"):
        return None
    message = "scale_v_pred_loss_like_noise_pred is set, and v_parameterization is not."
    return Said(message, "Leave it out, or set v_parameterization for a v model.")


@rule(
    "v-pred-like-with-v", Severity.ERROR,
    "The script refuses to start: a v prediction cannot be made more like one.",
    _VERIFY,
    Evidence(_TRAIN_UTIL, "verify_training_args", (
        r"if args\.v_pred_like_loss and args\.v_parameterization: raise",
    )),
    options=("v_pred_like_loss", "v_parameterization"),
)  # fmt: skip
def v_pred_like_with_v(candidate: Candidate) -> Said | None:
    """v_pred_like_loss together with v_parameterization."""
    if not candidate.value("v_pred_like_loss") or not candidate.value("v_parameterization"):
        return None
    return Said("v_pred_like_loss and v_parameterization are both set.", "Leave v_pred_like_loss out.")


@rule(
    "snr-weights-twice", Severity.WARNING,
    "Both weigh the loss by the noise of its timestep, and the trainer multiplies one with the other.",
    "train_network.py, post_process_loss",
    *(
        Evidence("train_network.py", function, (
            r"if args\.min_snr_gamma: loss = apply_snr_weight\(.*"
            r"if args\.debiased_estimation_loss: loss = apply_debiased_estimation\(",
        ))
        for function in ("post_process_loss", "train")
    ),
    options=("min_snr_gamma", "debiased_estimation_loss", "network_module"),
)  # fmt: skip
def snr_weights_twice(candidate: Candidate) -> Said | None:
    """min_snr_gamma together with debiased_estimation_loss."""
    both = candidate.value("min_snr_gamma") and candidate.value("debiased_estimation_loss")
    if not both or trains_flow(candidate):
        return None
    return Said("min_snr_gamma and debiased_estimation_loss are both set, and multiply.", "Keep one of them.")


@rule(
    "min-snr-gamma-negative", Severity.WARNING,
    "The loss is multiplied with the smaller of gamma and the signal-to-noise ratio: below 0 the model learns to make "
    "its mistakes larger.",
    "library/custom_train_functions.py, apply_snr_weight",
    Evidence("library/custom_train_functions.py", "apply_snr_weight", (r"torch\.minimum\(", r"gamma", r"loss \* snr_")),
    options=("min_snr_gamma",),
)  # fmt: skip
def min_snr_gamma_negative(candidate: Candidate) -> Said | None:
    """min_snr_gamma below 0."""
    gamma = candidate.value("min_snr_gamma")
    if not isinstance(gamma, (int, float)) or gamma >= 0 or trains_flow(candidate):
        return None
    return Said(f"min_snr_gamma is {gamma:g}: the loss becomes negative.", "Write 5, or leave it out.")


@rule(
    "huber-unused", Severity.WARNING,
    "These settings belong to the Huber loss; the loss is another one.",
    _HUBER,
    *(
        Evidence(_TRAIN_UTIL, function, (r"args\.loss_type == \"huber\" or args\.loss_type == \"smooth_l1\"",))
        for function in ("get_huber_threshold_if_needed", "get_timesteps_and_huber_c")
    ),
    options=("loss_type", "huber_c", "huber_schedule"),
)  # fmt: skip
def huber_unused(candidate: Candidate) -> Said | None:
    """huber_c, huber_schedule and huber_scale with a loss that is none of its kind."""
    found = those_set(candidate, "huber_c", "huber_schedule", "huber_scale")
    kind = candidate.value("loss_type")
    if not found or kind in (*_HUBER_TYPES, None):
        return None
    message = f"{listed(found)} {are(found)} set, and loss_type is {kind}."
    return Said(message, 'Set loss_type = "huber" or "smooth_l1".', found[0])


@rule(
    "huber-scale-unused", Severity.WARNING,
    "The schedule snr computes its threshold without huber_scale.",
    _HUBER,
    Evidence(_TRAIN_UTIL, "get_huber_threshold_if_needed", (
        r"args\.huber_schedule == \"snr\":(?:(?!args\.huber_scale).)*elif args\.huber_schedule == \"constant\"",
    )),
    options=("huber_scale", "huber_schedule", "loss_type"),
)  # fmt: skip
def huber_scale_unused(candidate: Candidate) -> Said | None:
    """huber_scale with the schedule snr, which is the default."""
    if not differs(candidate, "huber_scale") or candidate.value("huber_schedule") != "snr":
        return None
    if candidate.value("loss_type") not in _HUBER_TYPES or trains_flow(candidate):
        return None
    return Said("huber_scale has no effect with huber_schedule = snr.", 'Set huber_schedule = "exponential".')


@rule(
    "huber-snr-flow", Severity.ERROR,
    "The first step fails: the schedule snr needs a noise scheduler of Stable Diffusion.",
    _HUBER,
    Evidence(_TRAIN_UTIL, "get_huber_threshold_if_needed", (
        r"if not hasattr\(noise_scheduler, \"alphas_cumprod\"\): raise NotImplementedError",
    )),
    options=("loss_type", "huber_schedule", "network_module"),
)  # fmt: skip
def huber_snr_flow(candidate: Candidate) -> Said | None:
    """A Huber loss with the schedule snr, the default, for a flow-matching model."""
    if candidate.value("loss_type") not in _HUBER_TYPES or candidate.value("huber_schedule") != "snr":
        return None
    if not trains_flow(candidate):
        return None
    message = f"huber_schedule is snr, and {candidate.trainer.script} cannot compute that."
    return Said(message, 'Set huber_schedule = "constant" or "exponential".')


_MASK = "library/custom_train_functions.py, apply_masked_loss"
_MASK_OPTIONS = ("masked_loss", "network_module")


@rule(
    "masked-loss-unmasked", Severity.WARNING,
    "Without a mask for any picture the loss is that of the whole picture, as without masked_loss.",
    _MASK,
    Evidence("library/custom_train_functions.py", "apply_masked_loss", (
        r"if \"conditioning_images\" in batch:.*else: return loss",
    )),
    options=_MASK_OPTIONS,
)  # fmt: skip
def masked_loss_unmasked(candidate: Candidate) -> Said | None:
    """masked_loss where no subset has conditioning_data_dir or alpha_mask."""
    return _unmasked(candidate)


@rule(
    "masked-loss-fails", Severity.ERROR,
    "The first step fails: this release takes the mask from conditioning pictures, and there are none.",
    _MASK,
    Evidence("library/custom_train_functions.py", "apply_masked_loss", (
        r"\A(?!.*\"conditioning_images\" in batch).*batch\[\"conditioning_images\"\]",
    )),
    options=_MASK_OPTIONS,
)  # fmt: skip
def masked_loss_fails(candidate: Candidate) -> Said | None:
    """The same in releases that take a mask for granted."""
    return _unmasked(candidate)


def _unmasked(candidate: Candidate) -> Said | None:
    if not candidate.value("masked_loss"):
        return None
    parts = parts_of(candidate)
    if not parts or any(part.kind is Kind.CONTROLNET or is_on(part.params.get("alpha_mask")) for part in parts):
        return None
    message = "masked_loss is set, and no subset has a mask."
    return Said(message, "Give the subsets conditioning_data_dir, or alpha_mask = true for transparent pictures.")


RULES: tuple[Rule, ...] = (
    scale_v_pred_alone,
    v_pred_like_with_v,
    snr_weights_twice,
    min_snr_gamma_negative,
    huber_unused,
    huber_scale_unused,
    huber_snr_flow,
    masked_loss_unmasked,
    masked_loss_fails,
)
