"""The learning rate scheduler: that it can be made, and which of its options it uses.

What an option does is found by following the checkout's own get_scheduler_fix with and without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from launcher.base.findings import Finding, Severity
from launcher.base.nearest import nearest
from launcher.plan.checks import scheduler_codes as codes
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.made_arguments import Codes, check_arguments
from launcher.plan.checks.trainer_arguments import argument, asked_of, in_words, packages_are_known, trainer_file
from launcher.trainer import signatures
from launcher.trainer.following_values import Made, Refusal
from launcher.trainer.lookup import Absence, Definition, find_definition, public_names
from launcher.trainer.schedulers import SchedulerReading, follow_scheduler, scheduler_names
from launcher.trainer.source_text import Evidence

_CODES = Codes(
    "lr_scheduler_args", codes.BAD_VALUE, codes.UNKNOWN_KEY, codes.GIVEN_TWICE, codes.MISSING_ARGUMENT,
    codes.SCHEDULER_REFUSES, codes.DOUBTFUL_VALUE,
)  # fmt: skip
_WARMUP, _DECAY, _CYCLES = "lr_warmup_steps", "lr_decay_steps", "lr_scheduler_num_cycles"
_OPTIONS = (
    _WARMUP, _DECAY, _CYCLES, "lr_scheduler_power", "lr_scheduler_timescale", "lr_scheduler_min_lr_ratio",
    "lr_scheduler_args", "lr_scheduler", "lr_scheduler_type",
)  # fmt: skip
_SOME_STEPS = 10_000  # stands for the length of a run that is given in epochs
_WHOLE_ABOVE_ONE = Evidence(
    "library/train_util.py", "add_optimizer_arguments", (r"float_value >= 1: return int\(value\)",)
)


def check_scheduler(candidate: Candidate) -> Iterator[Finding]:
    """Whether get_scheduler_fix makes the scheduler, and what of its options has no effect."""
    if not candidate.has("lr_scheduler"):
        return
    bad_steps = list(_bad_steps(candidate))
    yield from bad_steps
    reading = None if bad_steps else _read(candidate)
    if reading is None:
        return
    stopped = [each for each in reading.walk.refusals if not _is_of_an_item(candidate, each)]
    if stopped:
        yield from _refusals(candidate, stopped[0])
        return
    if reading.made is None:
        return
    wrong = list(_unusable(candidate, reading.made))
    wrong = wrong or list(check_arguments(candidate, reading.made, reading.walk, _CODES, _place(candidate)))
    yield from wrong
    if reading.walk.finished and not any(finding.severity is Severity.ERROR for finding in wrong):
        idle = [option for option in _OPTIONS if _has_no_effect(candidate, reading, option)]
        yield from (_without_effect(candidate, reading, option) for option in idle)
        yield from _lengths(candidate, idle)


def _read(candidate: Candidate, **instead: Any) -> SchedulerReading | None:
    if candidate.value("max_train_epochs") is not None:
        instead = {"max_train_steps": _SOME_STEPS, **instead}  # train_network.py, train: the epochs decide
    return follow_scheduler(trainer_file(candidate), asked_of(candidate, instead), _processes(candidate))


def _processes(candidate: Candidate) -> int:
    given = next((each.value for each in candidate.accelerate if each.name == "num_processes"), 1)
    return given if isinstance(given, int) and given > 0 else 1


def _is_of_an_item(candidate: Candidate, refusal: Refusal) -> bool:
    return str(refusal.item).partition("=")[0] in candidate.items("lr_scheduler_args")


def _place(candidate: Candidate) -> str | None:
    for option in ("lr_scheduler_type", "lr_scheduler", "optimizer_type"):
        if candidate.where(option):
            return candidate.where(option)
    return None


def _bad_steps(candidate: Candidate) -> Iterator[Finding]:
    for option in (_WARMUP, _DECAY):
        value = argument(candidate, option)
        known = candidate.options.get(option)
        if known and known.type == "int_or_float" and isinstance(value, float) and value >= 1:
            text = str(candidate.resolved.value(option))
            if not text.endswith("%") and candidate.says(_WHOLE_ABOVE_ONE):
                message = f"{option} takes a whole number of steps, or a share below 1, and {text} is neither."
                yield codes.BAD_STEPS.at(candidate.where(option), message, f"Write {value:.0f}.")


def _refusals(candidate: Candidate, refusal: Refusal) -> Iterator[Finding]:
    name = candidate.value("lr_scheduler")
    if refusal.exception == "ValueError" and refusal.item is not None and refusal.item == name:
        names = scheduler_names(trainer_file(candidate))
        close = nearest(str(name), names)
        hint = f"Did you mean {close}?" if close else f"It may be {', '.join(names)}." if names else None
        yield codes.UNKNOWN_SCHEDULER.at(_place(candidate), f"There is no scheduler {name}.", hint)
        return
    if _ends_with(candidate, refusal, lr_warmup_steps=0):
        yield _warmup_refused(candidate)
        return
    hint = None
    if str(name).startswith("adafactor"):
        hint = "It goes with optimizer_type Adafactor and its relative_step only. Choose another lr_scheduler."
    written = candidate.value("lr_scheduler_type") or name
    yield codes.REFUSED.at(
        _place(candidate), f"The trainer refuses the scheduler {written}: {in_words(refusal)}.", hint
    )


def _ends_with(candidate: Candidate, refusal: Refusal, **instead: Any) -> bool:
    """Whether the trainer would not refuse with this value instead."""
    other = _read(candidate, **instead) if candidate.where(_WARMUP) else None
    return other is not None and refusal not in other.walk.refusals


def _warmup_refused(candidate: Candidate) -> Finding:
    reading = _read(candidate, lr_warmup_steps=0)
    name = reading.name if reading else None
    written = candidate.value("lr_scheduler_type") or name
    subject, hint = f"The scheduler {written}", f"Remove {_WARMUP}."
    if str(name).startswith("adafactor:"):
        subject = "Adafactor with relative_step"
        hint = f"Remove {_WARMUP}, or set warmup_init = true in optimizer_args."
    elif name == "constant" and not candidate.value("lr_scheduler_type"):
        hint = "Use lr_scheduler constant_with_warmup."
    message = f"{subject} takes no warm-up, and {_WARMUP} is {argument(candidate, _WARMUP)}: the trainer refuses it."
    return codes.WARMUP_REFUSED.at(candidate.where(_WARMUP), message, hint)


def _unusable(candidate: Candidate, made: Made) -> Iterator[Finding]:
    """A scheduler that is not there, or that the trainer cannot use as it does."""
    found = find_definition(candidate.packages, made.of.dotted)
    module, _, name = made.of.dotted.rpartition(".")
    written = str(candidate.value("lr_scheduler_type") or "")
    if isinstance(found, Absence):
        if written and found is not Absence.OPEN and packages_are_known(candidate):
            yield _not_there(candidate, module, name, found)
        return
    signature = signatures.signature_of_definition(candidate.packages, found)
    own = [key for key in made.given if key not in candidate.items("lr_scheduler_args")]
    strange = [key for key in own if not signature.open and not signature.get(key)]
    if strange and not signature.swallows:
        listed = ", ".join(strange)
        message = f"The trainer cannot make {_shown(candidate)}: it gives it {listed}, which {name} does not take."
        yield codes.UNUSABLE.at(_place(candidate), message, "Choose another scheduler.")
        return
    yield from _needs_more(candidate, found)


def _needs_more(candidate: Candidate, found: Definition) -> Iterator[Finding]:
    needed = signatures.needed_by_method(candidate.packages, found, "step")
    if needed:
        message = f"{found.name} asks for {needed[0]} in every step, and the trainer gives none."
        yield codes.UNUSABLE.at(_place(candidate), message, "Choose another scheduler.")


def _shown(candidate: Candidate) -> str:
    return str(candidate.value("lr_scheduler_type") or candidate.value("lr_scheduler"))


def _not_there(candidate: Candidate, module: str, name: str, absence: Absence) -> Finding:
    place = candidate.where("lr_scheduler_type")
    if absence is Absence.NO_MODULE or not candidate.packages.find(module):
        message = f"lr_scheduler_type needs {module}, which is not in the environment {candidate.environment.label}."
        return codes.NO_PACKAGE.at(place, message, "Install its package, or correct the name.")
    close = nearest(name, public_names(candidate.packages, module))
    hint = f"Did you mean {close}?" if close else "Name a class with its module: MODULE.CLASS."
    if name in scheduler_names(trainer_file(candidate)):
        hint = f"{name} is a name for lr_scheduler."
    return codes.UNKNOWN_SCHEDULER.at(place, f"There is no {name} in {module}.", hint)


def _has_no_effect(candidate: Candidate, reading: SchedulerReading, option: str) -> bool:
    chosen = candidate.chosen(option)
    if chosen is None or chosen.option.unread:
        return False
    value, default = argument(candidate, option), chosen.option.default
    if value == default or (option == "lr_scheduler" and str(value).startswith("adafactor")):
        return False
    without = _read(candidate, **{option: default})
    return without is not None and without.walk.finished and without.made == reading.made and not without.walk.refusals


def _without_effect(candidate: Candidate, reading: SchedulerReading, option: str) -> Finding:
    made = reading.made
    if str(reading.name).startswith("adafactor:"):
        why = "Adafactor with relative_step makes its own schedule"
    elif made is not None and made.of.dotted == "DummyScheduler":
        why = f"{candidate.value('optimizer_type')} needs no scheduler and is given none"
    else:
        why = f"the scheduler {_shown(candidate)} does not use it"
    message = f"{option} has no effect: {why}."
    return codes.WITHOUT_EFFECT.at(candidate.where(option), message, _hint_for(option, candidate))


def _hint_for(option: str, candidate: Candidate) -> str:
    other = {_CYCLES: "cosine_with_restarts", "lr_scheduler_power": "polynomial"}.get(option)
    fits = other and not candidate.value("lr_scheduler_type")
    return f"Remove it, or use lr_scheduler {other}." if fits else "Remove it."


def _lengths(candidate: Candidate, idle: list[str]) -> Iterator[Finding]:
    """Warm-up, decay and cycles against the length of the run, where that is known."""
    steps = argument(candidate, "max_train_steps")
    if candidate.value("max_train_epochs") is not None or not isinstance(steps, int):
        return
    total = steps * _processes(candidate)
    parts = {option: _in_steps(candidate, option, total) for option in (_WARMUP, _DECAY) if option not in idle}
    warmup, decay = parts.get(_WARMUP, 0), parts.get(_DECAY, 0)
    if warmup >= total and candidate.where(_WARMUP):
        message = f"The warm-up of {warmup} steps is as long as the training of {total} steps, or longer."
        yield codes.WARMUP_TOO_LONG.at(candidate.where(_WARMUP), message, f"Lower {_WARMUP}.")
    elif warmup + decay > total and candidate.where(_DECAY):
        message = f"Warm-up and decay take {warmup + decay} steps together, and the training {total}."
        yield codes.WARMUP_TOO_LONG.at(candidate.where(_DECAY), message, f"Lower {_WARMUP} or {_DECAY}.")
    cycles = argument(candidate, _CYCLES)
    if _CYCLES not in idle and candidate.where(_CYCLES) and isinstance(cycles, int) and cycles > total:
        message = f"{cycles} cycles are more than the {total} steps of the training."
        yield codes.TOO_MANY_CYCLES.at(candidate.where(_CYCLES), message, f"Lower {_CYCLES}.")


def _in_steps(candidate: Candidate, option: str, total: int) -> int:
    value = argument(candidate, option)
    if isinstance(value, float):
        return int(value * total)
    return value if isinstance(value, int) else 0
