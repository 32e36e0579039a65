"""Rules about how long is trained, in which portions, from which step on, and on what it is validated."""

from __future__ import annotations

import math

from launcher.base.findings import Severity
from launcher.base.origin import Source
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.loop import loop_says, steps_of_run, whole
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_LOOP = "train_network.py, train"
_EPOCHS_WIN = r"if args\.max_train_epochs is not None: args\.max_train_steps = "
_INITIAL = r"args\.max_train_steps > initial_step"
_VALIDATION = ("validate_every_n_steps", "validate_every_n_epochs", "max_validation_steps", "validation_seed")
# Optimizers whose rate is a plain step length, of 1e-6 to 1e-2; others take 1 as "find it yourself".
_PLAIN_RATES = ("adamw", "lion", "paged", "ademamix", "radam")
_LARGEST_RATE = 0.1


@rule(
    "epochs-over-steps",
    Severity.WARNING,
    "The trainer replaces max_train_steps when max_train_epochs is given.",
    _LOOP,
    options=("max_train_steps", "max_train_epochs"),
)
def _epochs_over_steps(candidate: Candidate) -> Said | None:
    steps, epochs = candidate.chosen("max_train_steps"), whole(candidate, "max_train_epochs")
    if steps is None or epochs is None or steps.setting.origin.source in (Source.NAME, Source.TEMPLATE):
        return None  # the finding name-steps says it of a name; a template's steps are there to be replaced
    if candidate.name.steps is not None or not loop_says(candidate, _EPOCHS_WIN):
        return None
    message = f"max_train_steps = {steps.setting.value} has no effect: max_train_epochs = {epochs} decides."
    return Said(message, "Keep one of them.", option="max_train_steps")


@rule(
    "nothing-to-train",
    Severity.WARNING,
    "The trainer loads everything, trains no step, saves an untrained model and ends without an error.",
    _LOOP,
    options=("max_train_steps",),
)
def _nothing_to_train(candidate: Candidate) -> Said | None:
    epochs = whole(candidate, "max_train_epochs")
    option = "max_train_steps" if epochs is None else "max_train_epochs"
    number = steps_of_run(candidate) if epochs is None else epochs
    pattern = r"num_train_epochs = math\.ceil\(args\.max_train_steps / num_update_steps_per_epoch\)"
    if number is None or number > 0 or not loop_says(candidate, pattern):
        return None
    return Said(f"{option} = {number} trains nothing.", "Give a number from 1 on.", option=option)


@rule(
    "gradient-accumulation",
    Severity.ERROR,
    "The number of batches is divided by gradient_accumulation_steps: 0 fails once the base model is loaded, and with "
    "less the number of epochs comes out below 0 and nothing is trained.",
    _LOOP,
    options=("gradient_accumulation_steps",),
)
def _accumulation(candidate: Candidate) -> Said | None:
    steps = whole(candidate, "gradient_accumulation_steps")
    if steps is None or steps > 0 or not loop_says(candidate, r"/ args\.gradient_accumulation_steps\)"):
        return None
    return Said(f"gradient_accumulation_steps = {steps} cannot be trained with.", "1 means no accumulation.")


@rule(
    "accumulation-two-models",
    Severity.WARNING,
    "The script trains U-Net and text encoder as two models, for which accelerate does not accumulate gradients "
    "rightly; the trainer warns of it too.",
    "train_db.py, train",
    Evidence("{script}", "train", (r"if args\.gradient_accumulation_steps > 1:", r"accelerate does not support")),
    options=("gradient_accumulation_steps",),
)
def _two_models(candidate: Candidate) -> Said | None:
    steps = whole(candidate, "gradient_accumulation_steps")
    if steps is None or steps <= 1:
        return None
    message = f"gradient_accumulation_steps = {steps} does not work rightly in {candidate.trainer.script}."
    return Said(message, "Use a larger train_batch_size.")


@rule(
    "batch-size",
    Severity.ERROR,
    "Pictures are put into batches of this size: with 0 the trainer divides by zero, with less it makes no batch.",
    "library/train_util.py, make_buckets",
    Evidence("library/train_util.py", "make_buckets", (r"/ self\.batch_size\)",)),
    options=("train_batch_size",),
)
def _batch_size(candidate: Candidate) -> Said | None:
    size = whole(candidate, "train_batch_size")
    if size is None or size > 0:
        return None
    if candidate.blueprint or "dataset_config" in candidate.files:
        return None  # said of the datasets (dataset_blueprint.py)
    return Said(f"train_batch_size = {size} makes no batches.", "Give a number from 1 on.")


@rule(
    "initial-step-too-late",
    Severity.ERROR,
    "The trainer stops when the initial step is not before the last one, after the base model is loaded.",
    _LOOP,
    options=("initial_step", "max_train_steps"),
)
def _initial_too_late(candidate: Candidate) -> Said | None:
    initial, steps = whole(candidate, "initial_step"), steps_of_run(candidate)
    if initial is None or steps is None or not 0 < steps <= initial or not loop_says(candidate, _INITIAL):
        return None
    message = f"initial_step = {initial} is not before the end of the run: it trains {steps} steps in all."
    return Said(message, "max_train_steps counts the steps before initial_step too.")


@rule(
    "initial-step-and-epoch",
    Severity.WARNING,
    "initial_step wins over initial_epoch. An initial step or epoch before the first is passed over.",
    _LOOP,
    options=("initial_step", "initial_epoch"),
)
def _initial_both(candidate: Candidate) -> Said | None:
    step, epoch = whole(candidate, "initial_step"), whole(candidate, "initial_epoch")
    said = None
    if step is not None and epoch is not None:
        said = Said(f"initial_epoch = {epoch} has no effect: initial_step = {step} wins.", None, "initial_epoch")
    elif epoch is not None and epoch < 1:
        said = Said(f"initial_epoch = {epoch} has no effect: the first epoch is 1.", None, "initial_epoch")
    elif step is not None and step < 0:
        said = Said(f"initial_step = {step} has no effect: it begins at 0.", None, "initial_step")
    return said if said and loop_says(candidate, r"if args\.initial_step is not None: initial_step = ") else None


@rule(
    "skip-without-initial-step",
    Severity.WARNING,
    "Steps are only skipped up to an initial step: initial_step, initial_epoch, or that of a resumed state.",
    _LOOP,
    options=("skip_until_initial_step", "initial_step", "initial_epoch", "resume"),
)
def _skip_alone(candidate: Candidate) -> Said | None:
    starts = any(candidate.chosen(option) for option in ("initial_step", "initial_epoch", "resume"))
    if starts or candidate.value("skip_until_initial_step") is not True:
        return None
    if not loop_says(candidate, r"if initial_step > 0: if args\.skip_until_initial_step"):
        return None
    message = "skip_until_initial_step has no effect: there is no initial_step, initial_epoch or resume."
    return Said(message, "Give one of them, or leave it out.", "skip_until_initial_step")


@rule(
    "no-seed",
    Severity.ADVICE,
    "Without a seed the trainer takes another one each time: the same spec trains another model.",
    _LOOP,
    options=("seed",),
)
def _no_seed(candidate: Candidate) -> Said | None:
    if candidate.chosen("seed") or candidate.value("seed") is not None:
        return None
    random = (r"if args\.seed is None: args\.seed = random\.randint", r"if args\.seed is not None: set_seed")
    if not any(loop_says(candidate, pattern) for pattern in random):
        return None
    return Said("No seed is set: trained again, this run comes out differently.", "Set seed to any whole number.")


@rule(
    "seed",
    Severity.ERROR,
    "numpy takes seeds of 32 bits, and the trainer gives it this one before anything else.",
    "accelerate/utils/random.py, set_seed",
    options=("seed",),
)
def _seed(candidate: Candidate) -> Said | None:
    seed = whole(candidate, "seed")
    if seed is None or 0 <= seed < 2**32 or not loop_says(candidate, r"set_seed\(args\.seed\)"):
        return None
    return Said(f"seed = {seed} is outside of what numpy takes.", f"Give a number from 0 to {2**32 - 1}.")


@rule(
    "learning-rate",
    Severity.WARNING,
    "A rate above 0.1 ends in NaN, and one below 0 makes the model worse with every step, unless the optimizer finds "
    "its own. Most likely an e- is missing, or a minus sign is too much.",
    "kl",
    options=("learning_rate", "optimizer_type"),
)
def _learning_rate(candidate: Candidate) -> Said | None:
    optimizer = str(candidate.value("optimizer_type") or "adamw").lower()
    relative = any(name in optimizer for name in ("prodigy", "dadapt", "schedulefree", "."))
    if relative or not optimizer.startswith(_PLAIN_RATES):
        return None
    for option in ("learning_rate", "unet_lr"):
        rate = candidate.value(option) if candidate.chosen(option) else None
        if isinstance(rate, (int, float)) and (rate > _LARGEST_RATE or rate < 0 or math.isnan(rate)):
            message = f"{option} = {rate} is most likely a mistake for {candidate.value('optimizer_type') or 'AdamW'}."
            return Said(message, "Usual are 1e-6 to 1e-2: 1e-4 is 0.0001.", option)
    return None


@rule(
    "validate-every",
    Severity.ERROR,
    "The trainer divides by it, whether there is anything to validate or not: 0 fails at the first step or epoch.",
    _LOOP,
    options=("validate_every_n_steps", "validate_every_n_epochs"),
)
def _validate_every(candidate: Candidate) -> Said | None:
    for option in ("validate_every_n_steps", "validate_every_n_epochs"):
        if whole(candidate, option) == 0 and loop_says(candidate, rf"% args\.{option} == 0"):
            end = "step" if option.endswith("steps") else "epoch"
            message = f"{option} = 0 makes the trainer fail with a division by zero at the end of the first {end}."
            return Said(message, "Leave it out.", option)
    return None


@rule(
    "validation-split",
    Severity.ERROR,
    "Outside of 0 to 1 there is no validation, and above it pictures are taken away from training all the same; with 1 "
    "none is left.",
    "library/config_util.py, generate_dataset_group_by_blueprint; library/train_util.py, split_train_val",
    Evidence("library/config_util.py", "generate_dataset_group_by_blueprint", (r"params\.validation_split > 1\.0",)),
    options=("validation_split",),
)
def _validation_split(candidate: Candidate) -> Said | None:
    split = candidate.value("validation_split") if candidate.chosen("validation_split") else None
    if not isinstance(split, (int, float)) or 0 <= split < 1:
        return None
    if candidate.blueprint or "dataset_config" in candidate.files:
        return None  # said of the datasets (dataset_blueprint.py)
    hint = f"It is a share: {split / 100:g} is {split:g} percent." if 1 < split < 100 else "It is a share from 0 to 1."
    return Said(f"validation_split = {split:g} is no share of the pictures that can be kept for validation.", hint)


@rule(
    "validation-alone",
    Severity.WARNING,
    "Validation needs pictures of its own: without validation_split there is none.",
    "library/config_util.py, generate_dataset_group_by_blueprint",
    Evidence("library/config_util.py", "generate_dataset_group_by_blueprint", (r"params\.validation_split == 0\.0",)),
    options=("validation_split", *_VALIDATION),
)
def _validation_alone(candidate: Candidate) -> Said | None:
    wanted = next((option for option in _VALIDATION if candidate.chosen(option)), None)
    config = candidate.files.get("dataset_config")
    own = config is not None and b"validation_split" in config.content
    if wanted is None or own or candidate.value("validation_split") or candidate.chosen("dataset_class"):
        return None
    message = f"{wanted} has no effect: no pictures are kept for validation."
    return Said(message, "Set validation_split, such as 0.1.", wanted)


@rule(
    "debug-dataset",
    Severity.ERROR,
    "The trainer then looks through the dataset and ends: nothing is trained and no model saved.",
    _LOOP,
    options=("debug_dataset",),
)
def _debug_dataset(candidate: Candidate) -> Said | None:
    ends = r"if args\.debug_dataset: .{0,900}?return"
    if candidate.value("debug_dataset") is not True or not loop_says(candidate, ends):
        return None
    return Said("debug_dataset shows the pictures and trains nothing.", "Leave it out to train.")


RULES: tuple[Rule, ...] = (
    _epochs_over_steps,
    _nothing_to_train,
    _accumulation,
    _two_models,
    _batch_size,
    _initial_too_late,
    _initial_both,
    _skip_alone,
    _no_seed,
    _seed,
    _learning_rate,
    _validate_every,
    _validation_split,
    _validation_alone,
    _debug_dataset,
)
