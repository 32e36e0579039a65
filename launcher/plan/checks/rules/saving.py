"""Rules about what is saved on the way, what of it stays, and in which form."""

from __future__ import annotations

from launcher.base.findings import Severity
from launcher.base.origin import Source
from launcher.base.words import counted
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.loop import from_template, loop_says, steps_of_run, whole
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_UTIL = "library/train_util.py"
_LOOP = "train_network.py, train"
_REMOVE_STEP = Evidence(_UTIL, "get_remove_step_no", (r"step_no - args\.save_last_n_steps - 1",))
_REMOVED_EPOCHS = (r"args\.save_every_n_epochs \* args\.save_last_n_epochs",)
_REMOVE_EPOCH = Evidence(_UTIL, "get_remove_epoch_no", _REMOVED_EPOCHS)
_REMOVE_EPOCH_OLD = Evidence(_UTIL, "save_on_epoch_end", _REMOVED_EPOCHS)
# Where epochs are counted when the loop leaves it to the library: of today, before v0.7, before v0.6.
_EPOCH_ENDS = tuple(
    Evidence(_UTIL, function, (r"epoch_no % args\.save_every_n_epochs == 0",))
    for function in (
        "save_sd_model_on_epoch_end_or_stepwise_common",
        "save_sd_model_on_epoch_end_or_stepwise",
        "save_on_epoch_end",
    )
)
_STATES = Evidence(_UTIL, "save_and_remove_state_stepwise", (r"args\.save_last_n_steps_state",))
_EVERY_STEPS = r"global_step % args\.save_every_n_steps == 0"


def _saves_at_epochs(candidate: Candidate) -> bool:
    """Whether the script's loop saves by epochs, itself or by library/train_util.py."""
    if loop_says(candidate, r"\(epoch \+ 1\) % args\.save_every_n_epochs == 0"):
        return True
    by_library = any(candidate.says(evidence) for evidence in _EPOCH_ENDS)
    return by_library and loop_says(candidate, r"save_\w*on_epoch_end\w*\(")


def _by_kl(candidate: Candidate, option: str) -> bool:
    """Whether kl chose it, for run.keep_last_saves."""
    chosen = candidate.chosen(option)
    return chosen is not None and chosen.setting.origin.source is Source.KL


@rule(
    "save-every-steps",
    Severity.ERROR,
    "The trainer divides the step number by save_every_n_steps. With 0 it fails at the first step; of a number below 0 "
    "the sign is not looked at.",
    _LOOP,
    options=("save_every_n_steps",),
)
def _every_steps(candidate: Candidate) -> Said | None:
    every = whole(candidate, "save_every_n_steps")
    if every is None or every > 0 or not loop_says(candidate, _EVERY_STEPS):
        return None
    hint = "Leave it out to save only the final model."
    if every == 0:
        return Said("save_every_n_steps = 0 makes the trainer fail with a division by zero at the first step.", hint)
    return Said(f"save_every_n_steps = {every} saves {_each(-every, 'step')}.", hint, severity=Severity.WARNING)


@rule(
    "save-every-epochs",
    Severity.ERROR,
    "The trainer divides the epoch's number by save_every_n_epochs. With 0 it fails at the end of the first epoch; of "
    "a number below 0 the sign is not looked at.",
    f"{_LOOP}; {_UTIL}, save_sd_model_on_epoch_end_or_stepwise",
    options=("save_every_n_epochs",),
)
def _every_epochs(candidate: Candidate) -> Said | None:
    every = whole(candidate, "save_every_n_epochs")
    replaced = (whole(candidate, "save_n_epoch_ratio") or 0) > 0
    if every is None or every > 0 or replaced or not _saves_at_epochs(candidate):
        return None
    hint = "Leave it out to save only the final model."
    if every == 0:
        said = "save_every_n_epochs = 0 makes the trainer fail with a division by zero at the end of the first epoch."
        return Said(said, hint)
    return Said(f"save_every_n_epochs = {every} saves {_each(-every, 'epoch')}.", hint, severity=Severity.WARNING)


@rule(
    "save-steps-too-late",
    Severity.WARNING,
    "Saves on the way fall on multiples of save_every_n_steps: a run that is shorter makes none, and if it is stopped "
    "early nothing is left.",
    _LOOP,
    options=("save_every_n_steps", "max_train_steps"),
)
def _steps_too_late(candidate: Candidate) -> Said | None:
    every, steps = whole(candidate, "save_every_n_steps"), steps_of_run(candidate)
    if every is None or steps is None or not 0 < steps < every or not loop_says(candidate, _EVERY_STEPS):
        return None
    message = f"save_every_n_steps = {every} saves nothing on the way: the run has {counted(steps, 'step')}."
    milder = Severity.ADVICE if from_template(candidate, "save_every_n_steps") else None
    return Said(message, "Save more often, or leave it out.", severity=milder)


@rule(
    "save-epochs-too-late",
    Severity.WARNING,
    "Saves on the way fall on multiples of save_every_n_epochs before the last epoch, which makes the final model.",
    f"{_LOOP}; {_UTIL}, save_sd_model_on_epoch_end_or_stepwise",
    options=("save_every_n_epochs", "max_train_epochs"),
)
def _epochs_too_late(candidate: Candidate) -> Said | None:
    every, epochs = whole(candidate, "save_every_n_epochs"), whole(candidate, "max_train_epochs")
    if every is None or epochs is None or not 0 < epochs <= every or (whole(candidate, "save_n_epoch_ratio") or 0) > 0:
        return None
    if not _saves_at_epochs(candidate):
        return None
    message = f"save_every_n_epochs = {every} saves nothing on the way: the run has {counted(epochs, 'epoch')}."
    milder = Severity.ADVICE if from_template(candidate, "save_every_n_epochs") else None
    return Said(message, "Save more often, or leave it out.", severity=milder)


@rule(
    "save-last-steps-alone",
    Severity.WARNING,
    "Old saves are only removed where save_every_n_steps makes a new one.",
    f"{_UTIL}, get_remove_step_no",
    _REMOVE_STEP,
    options=("save_last_n_steps", "save_every_n_steps"),
)
def _last_steps_alone(candidate: Candidate) -> Said | None:
    if not candidate.chosen("save_last_n_steps") or candidate.chosen("save_every_n_steps"):
        return None
    message = "save_last_n_steps has no effect without save_every_n_steps."
    epochs = candidate.chosen("save_every_n_epochs")
    hint = "For saves by epochs it is save_last_n_epochs." if epochs else "Set save_every_n_steps as well."
    return Said(message, hint, option="save_last_n_steps")


@rule(
    "save-last-epochs-alone",
    Severity.WARNING,
    "Old saves are only removed where save_every_n_epochs makes a new one.",
    f"{_UTIL}, get_remove_epoch_no",
    _REMOVE_EPOCH,
    _REMOVE_EPOCH_OLD,
    options=("save_last_n_epochs", "save_every_n_epochs"),
)
def _last_epochs_alone(candidate: Candidate) -> Said | None:
    by_ratio = (whole(candidate, "save_n_epoch_ratio") or 0) > 0
    if not candidate.chosen("save_last_n_epochs") or candidate.chosen("save_every_n_epochs") or by_ratio:
        return None
    message = "save_last_n_epochs has no effect without save_every_n_epochs."
    steps = candidate.chosen("save_every_n_steps")
    hint = "For saves by steps it is save_last_n_steps." if steps else "Set save_every_n_epochs as well."
    return Said(message, hint, option="save_last_n_epochs")


@rule(
    "save-last-steps",
    Severity.ADVICE,
    "save_last_n_steps is a window in steps, not a number of files: at each save the trainer removes what is older.",
    f"{_UTIL}, get_remove_step_no",
    _REMOVE_STEP,
    options=("save_last_n_steps", "save_every_n_steps"),
)
def _last_steps(candidate: Candidate) -> Said | None:
    last, every = whole(candidate, "save_last_n_steps"), whole(candidate, "save_every_n_steps")
    if last is None or every is None or every <= 0 or _by_kl(candidate, "save_last_n_steps"):
        return None
    hint = "run.keep_last_saves = N keeps N saves."
    if -every <= last < 0:
        message = f"save_last_n_steps = {last} removes every save as soon as it is written."
        return Said(message, hint, severity=Severity.ERROR)
    if last < 0:
        message = f"save_last_n_steps = {last} has no effect: nothing is removed."
        return Said(message, hint, severity=Severity.WARNING)
    kept, steps = last // every + 1, steps_of_run(candidate)
    if steps is not None and steps // every <= kept:
        return None
    saves = "only the newest save stays" if kept == 1 else f"the newest {kept} saves stay"
    message = f"save_last_n_steps = {last} is a window in steps: with save_every_n_steps = {every} {saves}."
    return Said(message, hint, severity=Severity.WARNING if last < every else None)


@rule(
    "save-last-epochs",
    Severity.ADVICE,
    "save_last_n_epochs counts saves, not epochs: the trainer removes the save of save_last_n_epochs × "
    "save_every_n_epochs epochs ago. 0 is the save just made.",
    f"{_UTIL}, get_remove_epoch_no",
    _REMOVE_EPOCH,
    _REMOVE_EPOCH_OLD,
    options=("save_last_n_epochs", "save_every_n_epochs"),
)
def _last_epochs(candidate: Candidate) -> Said | None:
    last, every = whole(candidate, "save_last_n_epochs"), whole(candidate, "save_every_n_epochs")
    if last is None or every is None or every <= 0 or _by_kl(candidate, "save_last_n_epochs"):
        return None
    if last == 0:
        message = "save_last_n_epochs = 0 removes every save as soon as it is written."
        return Said(message, "Leave it out to keep all saves.", severity=Severity.ERROR)
    if last < 0:
        message = f"save_last_n_epochs = {last} has no effect: nothing is removed."
        return Said(message, "Leave it out to keep all saves.", severity=Severity.WARNING)
    epochs = whole(candidate, "max_train_epochs")
    if every == 1 or (epochs is not None and (epochs - 1) // every <= last):
        return None
    saves = "only the newest save stays" if last == 1 else f"the newest {last} saves stay"
    covered = f", those of the last {last * every} epochs" if last > 1 else ""
    message = f"save_last_n_epochs = {last} counts saves: with save_every_n_epochs = {every} {saves}{covered}."
    return Said(message, "run.keep_last_saves = N keeps N saves.")


@rule(
    "save-state-window",
    Severity.WARNING,
    "Training states are only written, and old ones only removed, with save_state.",
    f"{_UTIL}, save_and_remove_state_stepwise",
    _STATES,
    options=("save_last_n_steps_state", "save_last_n_epochs_state", "save_state"),
)
def _state_window(candidate: Candidate) -> Said | None:
    windows = [name for name in ("save_last_n_steps_state", "save_last_n_epochs_state") if candidate.chosen(name)]
    if not windows or candidate.value("save_state"):
        return None
    return Said(f"{windows[0]} has no effect without save_state.", "Set save_state = true as well.", windows[0])


@rule(
    "save-epoch-ratio",
    Severity.WARNING,
    "save_n_epoch_ratio replaces save_every_n_epochs once the number of epochs is known; 0 and less is passed over.",
    _LOOP,
    options=("save_n_epoch_ratio", "save_every_n_epochs"),
)
def _epoch_ratio(candidate: Candidate) -> Said | None:
    ratio = whole(candidate, "save_n_epoch_ratio")
    if ratio is None or not loop_says(candidate, r"args\.save_n_epoch_ratio > 0", r"args\.save_every_n_epochs = "):
        return None
    if ratio <= 0:
        return Said(f"save_n_epoch_ratio = {ratio} has no effect.", "Give the number of saves, or leave it out.")
    if not candidate.chosen("save_every_n_epochs"):
        return None
    message = f"save_every_n_epochs has no effect: save_n_epoch_ratio = {ratio} replaces it."
    return Said(message, "Keep one of them.", option="save_every_n_epochs")


@rule(
    "save-as-pickle",
    Severity.WARNING,
    "Only .safetensors files take metadata. A .ckpt or .pt file is a pickle: how it was made is lost, and programs "
    "that load it run code from it or refuse it.",
    "networks/lora.py, save_weights",
    options=("save_model_as", "network_module"),
)
def _as_pickle(candidate: Candidate) -> Said | None:
    form = candidate.value("save_model_as") if candidate.chosen("save_model_as") else None
    if form not in ("ckpt", "pt") or not loop_says(candidate, r"args\.save_model_as"):
        return None
    message = f"save_model_as = {form!r} makes a pickle: the model's metadata is not saved."
    return Said(message, 'Write "safetensors".')


@rule(
    "no-metadata",
    Severity.ADVICE,
    "The model file then tells its network, and neither its dataset, optimizer nor steps.",
    _LOOP,
    options=("no_metadata",),
)
def _no_metadata(candidate: Candidate) -> Said | None:
    if candidate.value("no_metadata") is not True or not loop_says(candidate, r"if args\.no_metadata"):
        return None
    return Said("no_metadata: the model will not tell how it was made.", "Leave it out to find out later.")


def _each(number: int, what: str) -> str:
    return f"every {what}" if number == 1 else f"every {counted(number, what)}"


RULES: tuple[Rule, ...] = (
    _every_steps,
    _every_epochs,
    _steps_too_late,
    _epochs_too_late,
    _last_steps_alone,
    _last_epochs_alone,
    _last_steps,
    _last_epochs,
    _state_window,
    _epoch_ratio,
    _as_pickle,
    _no_metadata,
)
