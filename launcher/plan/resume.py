"""The plan of a resumed attempt: what the run was launched with, from one of its states on."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin, Source
from launcher.plan.plan import Argument, Plan, PlannedFile, Trainer
from launcher.trainer.counting import NETWORK_SCRIPT, SKIP_OPTION, counting_on, imports_network_script

FOLDER = "resume"  # in the run directory: the script that counts on
_KL = Origin(Source.KL, "kl resume")
_RESUME = "resume"
# They say where to start, and hold for the first attempt alone. sample_at_first would draw under the name of step 0.
_START = (_RESUME, "resume_from_huggingface", SKIP_OPTION, "initial_step", "initial_epoch", "sample_at_first")
_LENGTH = ("max_train_steps", "max_train_epochs")
_NOT_BY_STEPS = ("constant", "constant_with_warmup", "inverse_sqrt", "piecewise_constant")
_BY_CHANCE = ("main_process_port",)  # kl takes a free one each time
_ELSEWHERE = (
    "kl launch trains on from a state as another run: --resume=STATE after --, with a name and steps of its own."
)


@dataclass(frozen=True)
class From:
    """Where an attempt goes on: a state and its step. `steps` are those of the whole run, None as they were."""

    state: Path
    step: int
    steps: int | None = None


def resumed(plan: Plan, start: From, environ: Mapping[str, str] = os.environ) -> Plan:
    """The plan of the next attempt in the run of `plan`: its own words but for those that say where to start.

    sd-scripts' own way does not count on (launcher/trainer/counting.py), so a copy of the script that does is among
    the files. Raises KlError (environment not ready) when the checkout's script cannot be made to.
    """
    files = resume_scripts(plan)
    longer = start.steps is not None and start.steps != _written_steps(plan)
    gone = (*_START, *_LENGTH) if longer else _START
    arguments = [argument for argument in plan.arguments if argument.name not in gone]
    if longer:
        arguments.append(_argument("max_train_steps", start.steps))
    arguments.append(_argument(_RESUME, str(start.state)))
    arguments.append(Argument(SKIP_OPTION, (f"--{SKIP_OPTION}",), True, _KL))
    folder = plan.directory / FOLDER
    path = plan.variables.get("PYTHONPATH") or environ.get("PYTHONPATH")
    # The copy does not stand among the modules that it imports.
    python_path = os.pathsep.join([str(plan.trainer.checkout), *([path] if path else [])])
    return replace(
        plan,
        arguments=tuple(arguments),
        trainer=replace(plan.trainer, script=str(folder / Path(plan.trainer.script).name)),
        variables={**plan.variables, "PYTHONPATH": python_path},
        files=files,
        steps=start.steps or plan.steps,
    )


def resume_scripts(plan: Plan) -> tuple[PlannedFile, ...]:
    """The script of a resumed attempt, and the module that it takes its training from, counting on.

    Raises KlError (environment not ready) for a script that counts from 0 again, or in a way that is not known.
    """
    trainer = plan.trainer
    if trainer.script == NETWORK_SCRIPT:
        return (_counting(trainer),)
    source = _read(trainer, trainer.script)
    if Path(trainer.script).name != trainer.script or not imports_network_script(source):
        raise _impossible(f"{trainer.script} counts its steps from 0 when it is resumed, and has no option against it.")
    path = trainer.checkout / trainer.script
    return (PlannedFile(f"{FOLDER}/{trainer.script}", source, _KL, path), _counting(trainer))


def differences(then: Plan, now: Plan) -> tuple[str, ...]:
    """What the spec says otherwise now than the run was launched with: one text for each option."""
    return (*_differ(then.arguments, now.arguments), *_differ(then.accelerate, now.accelerate))


def in_another_folder(argument: Argument, before: Path, now: Path) -> Argument:
    """An argument of a run directory that was moved or copied, with its own paths below the new one."""
    old, new = str(before), str(now)
    if not isinstance(argument.value, str) or not (argument.value == old or argument.value.startswith(f"{old}/")):
        return argument
    words = tuple(word.replace(f"={old}", f"={new}", 1) for word in argument.words)
    return replace(argument, words=words, value=new + argument.value[len(old) :])


def spreads_over_steps(plan: Plan) -> str | None:
    """The scheduler whose learning rates depend on how many steps there are; None when they do not."""
    values = {argument.name: argument.value for argument in plan.arguments}
    name = values.get("lr_scheduler_type") or values.get("lr_scheduler") or "constant"
    return None if name in _NOT_BY_STEPS else str(name)


def _written_steps(plan: Plan) -> int | None:
    """The number of steps on the command line; None where it has none, or epochs decide."""
    values = {argument.name: argument.value for argument in plan.arguments}
    try:
        return None if "max_train_epochs" in values else int(str(values.get("max_train_steps")))
    except ValueError:
        return None


def _argument(name: str, value: int | str | None) -> Argument:
    return Argument(name, (f"--{name}={value}",), value, _KL)


def _counting(trainer: Trainer) -> PlannedFile:
    source = _read(trainer, NETWORK_SCRIPT)
    if f"--{SKIP_OPTION}".encode() not in source:
        raise _impossible(
            f"{NETWORK_SCRIPT} of this checkout counts its steps from 0 when it is resumed: --{SKIP_OPTION} came "
            "with v0.9.0."
        )
    changed = counting_on(source)
    if changed is None:
        raise _impossible(f"How {NETWORK_SCRIPT} of this checkout counts the steps of a resumed run is not known.")
    return PlannedFile(f"{FOLDER}/{NETWORK_SCRIPT}", changed, _KL, trainer.checkout / NETWORK_SCRIPT)


def _read(trainer: Trainer, script: str) -> bytes:
    path = trainer.checkout / script
    try:
        return path.read_bytes()
    except OSError as error:
        raise KlError(
            f"{path} cannot be read: {error.strerror}.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="The run was trained with this checkout; put it back.",
        ) from None


def _impossible(message: str) -> KlError:
    reason = " Checkpoints that are there would be written over, under the names of other steps."
    return KlError(message + reason, code=ExitCode.ENVIRONMENT_NOT_READY, hint=_ELSEWHERE)


def _differ(then: tuple[Argument, ...], now: tuple[Argument, ...]) -> Iterator[str]:
    before, after = ({each.name: each for each in arguments} for arguments in (then, now))
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        present = old or new
        if name in _BY_CHANCE or present is None or (None in (old, new) and present.origin.source is Source.KL):
            continue
        if old is None or new is None or not _are_same(old, new):
            where = f" ({new.origin})" if new else ""
            yield f"{name}: {_said(old)} then, {_said(new)} now{where}"


def _are_same(old: Argument, new: Argument) -> bool:
    before, after = [_value(word) for word in old.words], [_value(word) for word in new.words]
    return sorted(before) == sorted(after) if new.items else before == after  # items have no order


def _value(word: str) -> str:
    """A word of a command line as it is compared: 1e-4 and 0.0001 are one number."""
    flag, equals, text = word.partition("=")
    try:
        return f"{flag}{equals}{float(ast.literal_eval(text))}" if equals else word
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, OverflowError):
        return word


def _said(argument: Argument | None) -> str:
    if argument is None:
        return "not set"
    words = [word.removeprefix(f"--{argument.name}").removeprefix("=") for word in argument.words]
    return " ".join(word for word in words if word) or "set"
