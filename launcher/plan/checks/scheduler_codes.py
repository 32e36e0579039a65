"""The findings about learning rate schedulers."""

from __future__ import annotations

from launcher.base.findings import Code, Severity

_FIX = "library/train_util.py, get_scheduler_fix"

UNKNOWN_SCHEDULER = Code(
    "unknown-scheduler", Severity.ERROR,
    "argparse takes any text for lr_scheduler and lr_scheduler_type; an unknown one fails when the scheduler is made, "
    "after the latents are cached.", _FIX,
)  # fmt: skip
NO_PACKAGE = Code(
    "scheduler-package-missing", Severity.ERROR,
    "The package of lr_scheduler_type is imported only when the scheduler is made, after the latents are cached.", _FIX,
)  # fmt: skip
REFUSED = Code(
    "scheduler-refused", Severity.ERROR,
    "The trainer refuses this combination of options when it makes the scheduler.", _FIX,
)  # fmt: skip
WARMUP_REFUSED = Code(
    "warmup-refused", Severity.ERROR,
    "A scheduler that has no warm-up is refused with a warm-up other than 0.", _FIX,
)  # fmt: skip
UNUSABLE = Code(
    "scheduler-unusable", Severity.ERROR,
    "The trainer hands this scheduler arguments that it does not take, or steps it without what it needs.", _FIX,
)  # fmt: skip
BAD_VALUE = Code(
    "scheduler-args-value", Severity.ERROR,
    "Values of lr_scheduler_args are read as Python literals; anything else ends the run when the scheduler is made.",
    _FIX,
)  # fmt: skip
UNKNOWN_KEY = Code(
    "scheduler-args-key", Severity.ERROR,
    "Every key of lr_scheduler_args is handed to the scheduler, which fails at one that it does not have.", _FIX,
)  # fmt: skip
GIVEN_TWICE = Code(
    "scheduler-args-twice", Severity.ERROR,
    "The trainer gives this argument to the scheduler itself; given again it is a TypeError.", _FIX,
)  # fmt: skip
MISSING_ARGUMENT = Code(
    "scheduler-args-missing", Severity.ERROR,
    "The scheduler cannot be made without this argument.", "the scheduler's package",
)  # fmt: skip
SCHEDULER_REFUSES = Code(
    "scheduler-args-refused", Severity.ERROR,
    "The scheduler checks its values and raises an exception for this one.", "the scheduler's package",
)  # fmt: skip
DOUBTFUL_VALUE = Code(
    "scheduler-args-type", Severity.WARNING,
    "The value is of another kind than the argument's default, which is most likely a mistake.",
    "the scheduler's package",
)  # fmt: skip
WITHOUT_EFFECT = Code(
    "scheduler-option-without-effect", Severity.WARNING,
    "Not every scheduler uses every option: the cycles are those of cosine_with_restarts, the power that of "
    "polynomial; Adafactor with relative_step and schedule-free optimizers use none.", _FIX,
)  # fmt: skip
WARMUP_TOO_LONG = Code(
    "warmup-too-long", Severity.WARNING,
    "With a warm-up as long as the training the learning rate that was set is never reached.", _FIX,
)  # fmt: skip
TOO_MANY_CYCLES = Code("too-many-cycles", Severity.WARNING, "A cycle shorter than a step restarts in every step.", _FIX)
BAD_STEPS = Code(
    "steps-not-whole", Severity.ERROR,
    "A number of steps from 1 up has to be whole, below 1 it is a share of the run: anything else ends the script "
    "when it reads its arguments.", "library/train_util.py, add_optimizer_arguments",
)  # fmt: skip
