"""Rules about going on from a saved training state."""

from __future__ import annotations

import json
import os
from pathlib import Path

from launcher.base.findings import Severity
from launcher.base.nearest import nearest
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.loop import loop_says, steps_of_run
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence, SourceText

_UTIL = "library/train_util.py, resume_from_local_or_hf_if_specified"
_LOCAL = r"accelerator\.load_state\(args\.resume\)"
_LOADS = (
    Evidence("library/train_util.py", "resume_from_local_or_hf_if_specified", (_LOCAL,)),
    Evidence("{script}", "", (_LOCAL,)),  # before v0.6
)
_FROM_HUB = Evidence(
    "library/train_util.py", "resume_from_local_or_hf_if_specified", (r"args\.resume\.split\(\"/\"\)\[1\]",)
)
_STEPS_OF_STATE = r"steps_from_state = data\[\"current_step\"\]"
# What accelerate loads whatever is trained (accelerate/checkpointing.py, load_accelerator_state).
_ONE_OF = ("model.safetensors", "pytorch_model.bin")
_NEEDED = ("optimizer.bin", "scheduler.bin")
_NAMES = Evidence(
    "accelerate/utils/constants.py", "", (r'OPTIMIZER_NAME = "optimizer"', r'SCHEDULER_NAME = "scheduler"')
)
# With these a state is other files (accelerate/accelerator.py, load_state).
_OTHER_FORMS = ("use_deepspeed", "use_fsdp", "use_megatron_lm", "use_tpu", "tpu")
_MOST_ENTRIES = 10_000
_LARGEST_STATE_FILE = 65_536  # bytes of train_state.json, which has two numbers


def _folder(candidate: Candidate) -> Path | None:
    """The state's folder as the trainer will look for it; None when there is none to look for."""
    value = candidate.value("resume") if candidate.chosen("resume") else None
    if not isinstance(value, str) or not value or candidate.value("resume_from_huggingface") is True:
        return None
    # What looks like a hub id stays as it is in the plan, and the trainer runs in the checkout's folder.
    return candidate.path("resume") or candidate.trainer.checkout / value


@rule(
    "resume-no-state",
    Severity.ERROR,
    "A state is a folder NAME-state that save_state wrote beside the model. The trainer loads it after the base model "
    "and the latents, and fails there.",
    f"{_UTIL}; accelerate/accelerator.py, load_state",
    *_LOADS,
    options=("resume",),
)
def _no_state(candidate: Candidate) -> Said | None:
    folder = _folder(candidate)
    if folder is None:
        return None
    try:
        if folder.is_dir():
            return _incomplete(candidate, folder)
        is_file = folder.is_file()
    except (OSError, ValueError):
        return None
    if is_file:
        state = folder.with_name(f"{folder.stem}-state")
        hint = f"The state is the folder {state.name} beside it." if _is_dir(state) else _WRITE_ONE
        return Said(f"resume names a file: {folder}. Training goes on from a state, which is a folder.", hint)
    if candidate.path("resume") is None:
        message = f"resume: there is no folder {candidate.value('resume')}."
        return Said(message, "For a state on the hub set resume_from_huggingface = true.")
    near = nearest(folder.name, _states_in(folder.parent))
    hint = f"Did you mean {near}?" if near else _WRITE_ONE
    return Said(f"resume: there is no folder {folder}.", hint)


_WRITE_ONE = "save_state = true makes the trainer write NAME-state with each save."


def _incomplete(candidate: Candidate, folder: Path) -> Said | None:
    if candidate.value("deepspeed") or {flag.name for flag in candidate.accelerate} & set(_OTHER_FORMS):
        return None
    names = set(_entries(folder))
    missing = [name for name in _NEEDED if name not in names]
    missing += [] if names & set(_ONE_OF) else [_ONE_OF[0]]
    if not missing or not _keeps_names(candidate):
        return None
    message = f"resume: {folder} is no complete state: it has no {' and no '.join(missing)}."
    states = [name for name in names if name.endswith("-state")]
    near = nearest(f"{folder.name}-state", states) or next(iter(sorted(states)), None)
    return Said(message, f"Did you mean {near} in it?" if near else _WRITE_ONE)


def _keeps_names(candidate: Candidate) -> bool:
    """Whether accelerate's files still have these names; so they had in every version so far."""
    constants = candidate.packages.find("accelerate.utils.constants")
    if constants is None or constants.file is None:
        return True
    return SourceText(constants.root).says(_NAMES)


@rule(
    "resume-finished",
    Severity.ERROR,
    "The trainer takes the step from the state and stops when the run has no step after it, once all is loaded.",
    "train_network.py, train",
    options=("resume", "max_train_steps", "initial_step"),
)
def _finished(candidate: Candidate) -> Said | None:
    step, steps = _step_of_state(candidate), steps_of_run(candidate)
    if step is None or steps is None or steps > step or _begins_elsewhere(candidate):
        return None
    if not loop_says(candidate, _STEPS_OF_STATE, r"args\.max_train_steps > initial_step"):
        return None
    message = f"resume: the state is of step {step}, and the run trains {steps} steps in all."
    return Said(message, "Give more steps: they count from the very beginning.")


@rule(
    "resume-counts-again",
    Severity.WARNING,
    "With resume the trainer counts steps from 0, or with skip_until_initial_step from the begin of the state's epoch: "
    "the same steps get the same names again. kl resume goes on counting. For a state from elsewhere it is advice.",
    "train_network.py, train",
    options=("resume", "skip_until_initial_step"),
)
def _counts_again(candidate: Candidate) -> Said | None:
    step = _step_of_state(candidate)
    if not step or _begins_elsewhere(candidate) or candidate.value("skip_until_initial_step") is True:
        return None
    if not loop_says(candidate, _STEPS_OF_STATE, r"initial_step = 0 # do not skip", r"global_step = 0"):
        return None
    message = f"resume: the state is of step {step}, and the trainer counts its steps and names its saves from 0 on."
    run = _run_of_state(candidate)
    if run:
        return Said(message, f"kl resume {run} goes on with that run, its steps and its names.")
    hint = "skip_until_initial_step = true goes on counting, as long as the state is of the first epoch."
    # It counts batches instead of steps where several make one step.
    one = candidate.value("gradient_accumulation_steps") in (None, 1)
    return Said(message, hint if one else None, severity=Severity.ADVICE)


@rule(
    "resume-initial-step",
    Severity.WARNING,
    "initial_step and initial_epoch win over the step that the state holds.",
    "train_network.py, train",
    options=("resume", "initial_step", "initial_epoch"),
)
def _initial_step(candidate: Candidate) -> Said | None:
    given = next((name for name in ("initial_step", "initial_epoch") if candidate.chosen(name)), None)
    step = _step_of_state(candidate) if given else None
    if given is None or step is None or (given == "initial_step" and candidate.value(given) == step):
        return None
    if not loop_says(candidate, _STEPS_OF_STATE, r"args\.initial_epoch is not None or args\.initial_step is not None"):
        return None
    message = f"{given} = {candidate.value(given)} wins over the state, which is of step {step}."
    return Said(message, f"Leave out {given} to begin where the state ends.", given)


@rule(
    "resume-network-weights",
    Severity.WARNING,
    "The state holds the network's weights, and is loaded after network_weights.",
    "train_network.py, train",
    options=("resume", "network_weights"),
)
def _network_weights(candidate: Candidate) -> Said | None:
    if not candidate.value("resume") or not candidate.value("network_weights") or candidate.value("dim_from_weights"):
        return None
    order = r"network\.load_weights\(args\.network_weights\).*(resume_from_local_or_hf_if_specified\(|load_state\()"
    if not loop_says(candidate, order):
        return None
    message = "network_weights has no effect: resume loads the weights of its state over them."
    return Said(message, "Leave network_weights out.", "network_weights")


@rule(
    "resume-precision",
    Severity.WARNING,
    "fp16 training on a GPU keeps a loss scale, and looks for it in the state: scaler.pt. A state that was saved in "
    "another precision has none, and loading it fails.",
    "accelerate/checkpointing.py, load_accelerator_state",
    *_LOADS,
    options=("resume", "mixed_precision"),
)
def _precision(candidate: Candidate) -> Said | None:
    folder = _folder(candidate)
    flags = {flag.name for flag in candidate.accelerate}
    if folder is None or candidate.value("mixed_precision") != "fp16" or flags & {*_OTHER_FORMS, "cpu"}:
        return None
    names = set(_entries(folder))
    if not names.issuperset(_NEEDED) or "scaler.pt" in names or candidate.value("deepspeed"):
        return None
    message = f"resume: {folder} was not saved by fp16 training: it has no scaler.pt."
    return Said(message, "Give the mixed_precision that the state was trained with.", "mixed_precision")


@rule(
    "resume-from-hub-alone",
    Severity.WARNING,
    "resume_from_huggingface only says where the state of resume is.",
    _UTIL,
    _FROM_HUB,
    options=("resume", "resume_from_huggingface"),
)
def _from_hub_alone(candidate: Candidate) -> Said | None:
    if candidate.value("resume_from_huggingface") is not True or candidate.value("resume"):
        return None
    return Said("resume_from_huggingface has no effect without resume.", 'resume = "owner/repository".')


@rule(
    "resume-from-hub",
    Severity.ERROR,
    "With resume_from_huggingface the trainer takes the first two parts of resume for a repository on the hub.",
    _UTIL,
    _FROM_HUB,
    options=("resume", "resume_from_huggingface"),
)
def _from_hub(candidate: Candidate) -> Said | None:
    value = candidate.value("resume")
    if candidate.value("resume_from_huggingface") is not True or not isinstance(value, str) or not value:
        return None
    folder = candidate.path("resume")
    if folder is not None and _is_dir(folder):
        message = f"resume is a folder of this machine, and resume_from_huggingface looks for it on the hub: {value}."
        return Said(message, "Leave out resume_from_huggingface.", "resume_from_huggingface")
    if "/" in value.strip("/") and not value.startswith(("/", "~", ".", "$")):
        return None
    return Said(f"resume = {value!r} is no repository on the hub.", 'Write "owner/repository".', "resume")


def _begins_elsewhere(candidate: Candidate) -> bool:
    return any(candidate.chosen(option) for option in ("initial_step", "initial_epoch"))


def _step_of_state(candidate: Candidate) -> int | None:
    """The step that train_state.json of the state says (train_network.py, save_model_hook)."""
    folder = _folder(candidate)
    if folder is None:
        return None
    path = folder / "train_state.json"
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_STATE_FILE:
            return None
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    step = data.get("current_step") if isinstance(data, dict) else None
    return step if isinstance(step, int) and not isinstance(step, bool) else None


def _run_of_state(candidate: Candidate) -> str | None:
    """The name of kl's run whose directory holds the state; None for a state from elsewhere."""
    folder = _folder(candidate)
    try:
        return folder.parent.name if folder and (folder.parent / "run.json").is_file() else None
    except (OSError, ValueError):
        return None


def _states_in(folder: Path) -> list[str]:
    return [name for name in _entries(folder) if name.endswith("-state")]


def _entries(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry, _ in zip(entries, range(_MOST_ENTRIES), strict=False)]
    except (OSError, ValueError):
        return []


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


RULES: tuple[Rule, ...] = (
    _no_state,
    _finished,
    _counts_again,
    _initial_step,
    _network_weights,
    _precision,
    _from_hub_alone,
    _from_hub,
)
