"""The findings about optimizers and learning rates."""

from __future__ import annotations

from launcher.base.findings import Code, Severity

_GET_OPTIMIZER = "library/train_util.py, get_optimizer"

UNKNOWN_OPTIMIZER = Code(
    "unknown-optimizer", Severity.ERROR,
    "argparse takes any text for optimizer_type. A name that is neither built in nor a class of torch.optim fails "
    "when the optimizer is made, after the latents are cached.", _GET_OPTIMIZER,
)  # fmt: skip
NO_PACKAGE = Code(
    "optimizer-package-missing", Severity.ERROR,
    "The package of the optimizer is imported only when the optimizer is made, after the latents are cached.",
    _GET_OPTIMIZER,
)  # fmt: skip
NO_CLASS = Code(
    "optimizer-class-missing", Severity.ERROR,
    "The class is looked up only when the optimizer is made; a package that is too old or a misspelt name fails there.",
    _GET_OPTIMIZER,
)  # fmt: skip
REFUSED = Code(
    "optimizer-refused", Severity.ERROR,
    "The trainer refuses this combination of options when it makes the optimizer.", _GET_OPTIMIZER,
)  # fmt: skip
BAD_VALUE = Code(
    "optimizer-args-value", Severity.ERROR,
    "Values of optimizer_args are read as Python literals; anything else ends the run when the optimizer is made.",
    _GET_OPTIMIZER,
)  # fmt: skip
UNKNOWN_KEY = Code(
    "optimizer-args-key", Severity.ERROR,
    "Every key of optimizer_args is handed to the optimizer's constructor, which fails at one that it does not have, "
    "or takes it and never reads it.", _GET_OPTIMIZER,
)  # fmt: skip
GIVEN_TWICE = Code(
    "optimizer-args-twice", Severity.ERROR,
    "The trainer gives this argument to the optimizer itself; given again it is a TypeError.", _GET_OPTIMIZER,
)  # fmt: skip
MISSING_ARGUMENT = Code(
    "optimizer-args-missing", Severity.ERROR,
    "The optimizer's constructor fails without this argument.", "the optimizer's package, __init__",
)  # fmt: skip
CONSTRUCTOR_REFUSES = Code(
    "optimizer-args-refused", Severity.ERROR,
    "The optimizer's constructor checks its values and raises an exception for this one.",
    "the optimizer's package, __init__",
)  # fmt: skip
DOUBTFUL_VALUE = Code(
    "optimizer-args-type", Severity.WARNING,
    "The value is of another kind than the argument's default, which is most likely a mistake.",
    "the optimizer's package, __init__",
)  # fmt: skip
NEEDS_CLOSURE = Code(
    "optimizer-needs-closure", Severity.ERROR,
    "The trainer calls the optimizer's step without a closure: one that calls it fails in the first step.",
    "train_network.py, train; accelerate/optimizer.py, AcceleratedOptimizer.step; the optimizer's package, step",
)  # fmt: skip
DIFFERENT_RATES = Code(
    "different-rates", Severity.ERROR,
    "The optimizer finds one rate for everything it trains; with different rates other than 0 it raises an exception "
    'in the first step ("Setting different lr values in different parameter groups").',
    "the packages dadaptation and prodigyopt, step",
)  # fmt: skip
FIRST_RATE_ONLY = Code(
    "first-rate-only", Severity.WARNING,
    "D-Adaptation takes one learning rate: of several only the first has an effect.", _GET_OPTIMIZER,
)  # fmt: skip
RATE_FAR_FROM_ONE = Code(
    "rate-far-from-one", Severity.WARNING,
    "D-Adaptation and Prodigy find the rate themselves and multiply it by the learning rate, which is meant to be "
    "about 1.", _GET_OPTIMIZER,
)  # fmt: skip
RATE_WITHOUT_EFFECT = Code(
    "rate-without-effect", Severity.WARNING,
    "Adafactor with relative_step, its default in sd-scripts, takes its rates from the step count.", _GET_OPTIMIZER,
)  # fmt: skip
ADAFACTOR_CLIPS_TWICE = Code(
    "adafactor-clipping", Severity.ADVICE,
    "Adafactor clips by itself; the trainer advises max_grad_norm = 0 with it.", _GET_OPTIMIZER,
)  # fmt: skip
