"""Rules about the samples made while training: when, and of which prompts."""

from __future__ import annotations

from launcher.base.findings import Severity
from launcher.base.origin import Source
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.loop import from_template, sampler_says, steps_of_run, whole
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_SAMPLES = "library/train_util.py, sample_images_common"
_EVERY = ("sample_every_n_steps", "sample_every_n_epochs")
_PROMPTS = "Write [[sample_prompts]], or name a file: sample_prompts."
_DISABLED = Evidence("library/train_util.py", "verify_training_args", (r"args\.sample_every_n_steps <= 0",))


@rule(
    "sample-without-prompts",
    Severity.ERROR,
    "The trainer asks whether the file of prompts is there without asking whether one was named: it fails at the first "
    "sample, with what it has trained so far lost.",
    _SAMPLES,
    options=("sample_prompts", *_EVERY),
)
def _without_prompts(candidate: Candidate) -> Said | None:
    if "sample_prompts" in candidate.files or candidate.value("sample_prompts"):
        return None
    if any(setting.key == "sample_prompts" for setting in candidate.resolved.whole):
        return None  # written into the spec, and wrong: a finding of its own
    asks = next((option for option in _when(candidate)), None)
    if asks is None or not sampler_says(candidate, r"os\.path\.isfile\( ?args\.sample_prompts ?\)"):
        return None
    return Said(f"{asks} is set without sample_prompts: the trainer fails at the first sample.", _PROMPTS, asks)


def _when(candidate: Candidate) -> list[str]:
    """The options by which this run will come to make a sample."""
    asks = ["sample_at_first"] if candidate.value("sample_at_first") is True else []
    epochs, steps = whole(candidate, "sample_every_n_epochs"), whole(candidate, "sample_every_n_steps")
    last_step, last_epoch = steps_of_run(candidate), whole(candidate, "max_train_epochs")
    if epochs is not None and epochs > 0:
        if last_epoch is not None and epochs <= last_epoch:
            asks.append("sample_every_n_epochs")
        elif last_epoch is None and epochs == 1:
            asks.append("sample_every_n_epochs")  # the last epoch ends too, however far it came
    elif steps is not None and steps > 0 and (last_step is None or steps <= last_step):
        asks.append("sample_every_n_steps")
    return asks


@rule(
    "prompts-without-samples",
    Severity.WARNING,
    "Samples are only made with sample_every_n_steps, sample_every_n_epochs or sample_at_first.",
    _SAMPLES,
    options=("sample_prompts", *_EVERY),
)
def _without_samples(candidate: Candidate) -> Said | None:
    file = candidate.files.get("sample_prompts")
    if file is None or file.origin.source in (Source.DATASET_FOLDER, Source.TEMPLATE):
        return None  # it is there for any run
    if any(candidate.chosen(option) for option in (*_EVERY, "sample_at_first")):
        return None
    if not sampler_says(candidate, r"args\.sample_every_n_steps is None and args\.sample_every_n_epochs is None"):
        return None
    message = f"sample_prompts ({file.origin}) has no effect: nothing says when to make samples."
    return Said(message, "Set sample_every_n_steps or sample_every_n_epochs.", "sample_prompts")


@rule(
    "sample-every-both",
    Severity.WARNING,
    "With sample_every_n_epochs the trainer does not look at sample_every_n_steps.",
    _SAMPLES,
    options=_EVERY,
)
def _every_both(candidate: Candidate) -> Said | None:
    steps, epochs = (whole(candidate, option) for option in _EVERY)
    if steps is None or epochs is None or epochs <= 0:
        return None
    if not sampler_says(candidate, r"if args\.sample_every_n_epochs is not None:"):
        return None
    message = f"sample_every_n_steps = {steps} has no effect: sample_every_n_epochs = {epochs} wins."
    return Said(message, "Keep one of them.", "sample_every_n_steps")


@rule(
    "sample-every",
    Severity.ERROR,
    "The trainer divides by it and fails with 0; later releases pass over 0 and less, with a warning.",
    f"library/train_util.py, verify_training_args; {_SAMPLES}",
    options=_EVERY,
)
def _every(candidate: Candidate) -> Said | None:
    steps, epochs = (whole(candidate, option) for option in _EVERY)
    # Where epochs are given, steps are not looked at.
    option, number = ("sample_every_n_steps", steps) if epochs is None else ("sample_every_n_epochs", epochs)
    if number is None or number > 0:
        return None
    hint = "Leave it out to make no samples."
    if candidate.says(_DISABLED):
        return Said(f"{option} = {number} is passed over.", hint, option, Severity.WARNING)
    if number != 0 or not sampler_says(candidate, rf"% args\.{option} != 0"):
        return None
    return Said(f"{option} = 0 makes the trainer fail with a division by zero.", hint, option)


@rule(
    "sample-too-late",
    Severity.WARNING,
    "Samples are made at multiples of sample_every_n_steps, or of sample_every_n_epochs.",
    _SAMPLES,
    options=(*_EVERY, "max_train_steps", "max_train_epochs"),
)
def _too_late(candidate: Candidate) -> Said | None:
    epochs, steps = whole(candidate, "sample_every_n_epochs"), whole(candidate, "sample_every_n_steps")
    last_step, last_epoch = steps_of_run(candidate), whole(candidate, "max_train_epochs")
    if epochs is not None:
        if last_epoch is None or not 0 < last_epoch < epochs:
            return None
        message = f"sample_every_n_epochs = {epochs} makes no samples: the run has {last_epoch} epochs."
        option = "sample_every_n_epochs"
    else:
        if steps is None or last_step is None or not 0 < last_step < steps:
            return None
        message = f"sample_every_n_steps = {steps} makes no samples: the run has {last_step} steps."
        option = "sample_every_n_steps"
    if not sampler_says(candidate, rf"% args\.{option} != 0"):
        return None
    milder = Severity.ADVICE if from_template(candidate, option) else None
    return Said(message, "Sample more often, or leave it out.", option, milder)


RULES: tuple[Rule, ...] = (_without_prompts, _without_samples, _every_both, _every, _too_late)
