"""What the run needs of this machine: room on the disk, GPUs, a port."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher.base.findings import Code, Finding, Severity
from launcher.base.gpus import LISTED, listed_gpus, visible_gpus
from launcher.base.origin import Source
from launcher.base.ports import free_port, is_taken
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.model_file import size_text
from launcher.plan.outputs import expected_outputs, whole_number
from launcher.plan.plan import Argument
from launcher.trainer.source_text import Evidence, SourceText

DISK_FULL = Code(
    "disk-full",
    Severity.ERROR,
    "The saves that stay need more room than the disk has. The trainer writes them as training goes on, and ends with "
    "an error, or with a cut-off file, when it is full.",
    "kl",
)
DISK_TIGHT = Code(
    "disk-tight",
    Severity.WARNING,
    "The saves that stay take most of the room that is left. The size is an estimate, and samples, logs and cached "
    "latents come on top.",
    "kl",
)
KEEP_FEWER = Code(
    "keep-fewer-saves",
    Severity.ADVICE,
    "A disk that fills in the night ends the training. Of many saves on the way only the last ones are looked at.",
    "kl",
)
TOO_FEW_GPUS = Code(
    "too-few-gpus",
    Severity.ERROR,
    "Each process takes a GPU of its own. The process without one fails at its start, and the others with it.",
    "accelerate/state.py, PartialState",
)
PORT_TAKEN = Code(
    "port-taken",
    Severity.ERROR,
    "Several processes find each other through one port. accelerate does not start while another program listens "
    "on it.",
    "accelerate/utils/launch.py, prepare_multi_gpu_env",
)
LAUNCH_REFUSED = Code(
    "accelerate-refuses",
    Severity.ERROR,
    "accelerate launch puts its options to a check of its own, and ends before the trainer starts.",
    "accelerate/commands/launch.py, _validate_launch_command",
)
NO_PORT = Code(
    "port-out-of-range",
    Severity.ERROR,
    "Ports go up to 65535. The processes cannot find each other through another one, and none starts.",
    "torch/distributed, TCPStore",
)
NO_MEETING_PLACE = Code(
    "no-main-process-ip",
    Severity.ERROR,
    "The processes of several machines meet at the address of the first one. Without it they look for a machine that "
    "is called None, and none of them starts.",
    "accelerate/utils/launch.py, prepare_multi_gpu_env",
)
# The estimate may be some percent off, and other files come on top.
_SURELY, _TIGHT, _MUCH = 1.05, 0.8, 0.3
_OTHER_DEVICES = ("cpu", "use_cpu", "tpu", "use_xpu", "use_mps")
_MEETING = ("multi_gpu", "use_fsdp", "use_tp", "use_megatron_lm")  # those that accelerate starts by torchrun
_LAST_PORT = 65535
_ONE_OF = ("multi_gpu", "cpu", "tpu", "use_deepspeed", "use_fsdp", "use_tp")


@dataclass(frozen=True)
class Room:
    """Bytes: what stays at the end, with the save that is there before an old one goes; and what the disk has left.

    `saves` is how many saves on the way stay, of `each` bytes with their state.
    """

    needed: int
    free: int
    saves: int
    each: int


def check_resources(candidate: Candidate, found: Room | None) -> Iterator[Finding]:
    """Room, GPUs and port. `found` is the room there is, None where that cannot be told."""
    yield from _check_room(candidate, found)
    yield from _check_gpus(candidate, LISTED)
    yield from _check_port(candidate)
    yield from _check_launch(candidate)
    yield from _check_meeting_place(candidate)


def room(candidate: Candidate, steps: int | None, save: int | None, state: int | None) -> Room | None:
    """What the run's saves need and what there is; None where either cannot be told.

    `steps` is how long it trains, None where epochs decide; `save` and `state` are the bytes of one of them.
    """
    free = _free(candidate.directory)
    if save is None or free is None:
        return None
    kept = _kept(candidate, steps)
    on_the_way = (state or 0) if candidate.value("save_state") is True else 0
    states = _kept_states(candidate, kept) if on_the_way else 0
    last_state = (state or 0) if candidate.value("save_state_on_train_end") is True else on_the_way
    each = save + on_the_way
    goes_first = each if kept else 0  # a new save is written before an old one goes
    needed = kept * save + states * on_the_way + save + last_state + goes_first
    return Room(needed, free, kept, each)


def _check_room(candidate: Candidate, found: Room | None) -> Iterator[Finding]:
    if found is None:
        return
    number = "one save" if not found.saves else f"{found.saves + 1} saves"
    said = f"some {size_text(found.needed)} ({number} of {size_text(found.each)})"
    left = f"{size_text(found.free)} are free for {candidate.directory}"
    where = candidate.where("save_every_n_steps") or candidate.where("save_every_n_epochs")
    hint = "Make room, or keep fewer saves: run.keep_last_saves." if found.saves > 1 else "Make room."
    if found.needed > found.free * _SURELY:
        yield DISK_FULL.at(where, f"The saves need {said}, and {left}.", hint)
    elif found.needed > found.free * _TIGHT:
        yield DISK_TIGHT.at(where, f"The saves need {said}, and {left}.", hint)
    elif found.needed > found.free * _MUCH and found.saves > 1 and candidate.run.keep_last_saves is None:
        yield KEEP_FEWER.at(where, f"The saves take {said} of the {size_text(found.free)} that are free.", hint)


def _kept(candidate: Candidate, steps: int | None) -> int:
    """How many saves on the way stay."""
    if steps is not None:
        return len(expected_outputs(candidate.name.text, candidate.resolved, steps).kept)
    epochs, every = candidate.value("max_train_epochs"), candidate.value("save_every_n_epochs")
    if not _is_count(epochs) or not _is_count(every):
        return 0
    number, last = (epochs - 1) // every, candidate.value("save_last_n_epochs")
    return min(number, last) if _is_count(last) else int(number)


def _kept_states(candidate: Candidate, kept: int) -> int:
    """The states follow the models, unless they have a window of their own (library/train_util.py)."""
    window = whole_number(candidate.resolved, "save_last_n_steps_state")
    every = whole_number(candidate.resolved, "save_every_n_steps")
    if window is not None and every:
        return window // every + 1
    last = whole_number(candidate.resolved, "save_last_n_epochs_state")
    return kept if last is None else min(kept, last)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _free(directory: Path) -> int | None:
    """Bytes free where the directory is, or will be."""
    for folder in (directory, *directory.parents):
        try:
            return shutil.disk_usage(folder).free
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return None
    return None


def _check_gpus(candidate: Candidate, listed: Path) -> Iterator[Finding]:
    processes = _argument(candidate, "num_processes")
    number = _whole(processes)
    machines = _whole(_argument(candidate, "num_machines")) or 1
    if any(_is_on(_argument(candidate, name)) for name in _OTHER_DEVICES) or machines > 1:
        return
    gpus = listed_gpus(listed)
    ids = _argument(candidate, "gpu_ids")
    chosen = _ids(ids)
    if ids and chosen:
        gone = [name for name in chosen if gpus is not None and name.isdecimal() and int(name) >= gpus]
        if gone and gpus is not None:
            message = f"gpu_ids names GPU {', '.join(gone)}, and this machine has {_gpu_count(gpus)}, counted from 0."
            yield TOO_FEW_GPUS.at(str(ids.origin), message, "Correct gpu_ids.")
            return
        visible: int | None = len(chosen)
    else:
        visible = visible_gpus(candidate.environ, gpus)
    if number and visible is not None and number > max(visible, 1):
        message = f"num_processes is {number}, and this run sees {_gpu_count(visible)}."
        where = str(processes.origin) if processes else None
        yield TOO_FEW_GPUS.at(where, message, f"Set num_processes = {max(visible, 1)}.")


def _gpu_count(number: int) -> str:
    return "no GPU" if number == 0 else "one GPU" if number == 1 else f"{number} GPUs"


def _check_port(candidate: Candidate) -> Iterator[Finding]:
    """A port that the user chose. kl's own was free a moment ago."""
    argument = _argument(candidate, "main_process_port")
    port = _whole(argument)
    processes = _whole(_argument(candidate, "num_processes")) or 1
    if not argument or not port or argument.origin.source is Source.KL or processes < 2:
        return
    if port > _LAST_PORT:
        yield NO_PORT.at(
            str(argument.origin), f"main_process_port is {port}.", f"Remove it, or set it to {free_port()}."
        )
        return
    if _whole(_argument(candidate, "machine_rank")):
        return  # the port is the first machine's
    if is_taken(port):
        message = f"Another program listens on port {port}."
        yield PORT_TAKEN.at(str(argument.origin), message, f"Remove main_process_port, or set it to {free_port()}.")


def _check_launch(candidate: Candidate) -> Iterator[Finding]:
    """What accelerate launch itself refuses, where the environment's accelerate says so."""
    several = _argument(candidate, "multi_gpu")
    chosen = [name for name in _ONE_OF if _is_on(_argument(candidate, name))]
    processes = _whole(_argument(candidate, "num_processes"))
    if several is None or "multi_gpu" not in chosen:
        return
    if len(chosen) > 1 and _launch_says(candidate, r"You can only use one of `--cpu`, `--multi_gpu`"):
        message = f"{' and '.join(chosen)} are both set, and accelerate launch takes one of them."
        yield LAUNCH_REFUSED.at(str(several.origin), message, "Keep one of them.")
    elif (
        processes is not None
        and processes < 2
        and _launch_says(candidate, r"at least 2 processes to use `--multi_gpu`")
    ):
        message = f"multi_gpu is set, and num_processes is {processes}."
        yield LAUNCH_REFUSED.at(str(several.origin), message, "Set num_processes = 2 or more, or leave multi_gpu out.")


def _check_meeting_place(candidate: Candidate) -> Iterator[Finding]:
    """Several machines, and none said to be the first."""
    machines = _argument(candidate, "num_machines")
    file = _argument(candidate, "config_file")
    starters = any(_is_on(_argument(candidate, name)) for name in _MEETING)
    others = any(_argument(candidate, name) for name in ("main_process_ip", "deepspeed_hostfile", "mpirun_hostfile"))
    if machines is None or (_whole(machines) or 1) < 2 or not starters or others:
        return
    if file is None or file.origin.source is not Source.KL:
        return  # the user's own configuration may name it
    if _says(candidate, "accelerate.utils.launch", "prepare_multi_gpu_env", r"\{main_process_ip\}:"):
        message = f"num_machines is {machines.value}, and main_process_ip is not set."
        yield NO_MEETING_PLACE.at(str(machines.origin), message, "Set main_process_ip to the address of machine 0.")


def _launch_says(candidate: Candidate, pattern: str) -> bool:
    return _says(candidate, "accelerate.commands.launch", "_validate_launch_command", pattern)


def _says(candidate: Candidate, module: str, function: str, pattern: str) -> bool:
    found = candidate.packages.find(module)
    if found is None or found.file is None:
        return False
    return SourceText(found.root).says(Evidence(found.file, function, (pattern,)))


def _argument(candidate: Candidate, name: str) -> Argument | None:
    return next((argument for argument in candidate.accelerate if argument.name == name), None)


def _whole(argument: Argument | None) -> int | None:
    text = str(argument.value) if argument else ""
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _is_on(argument: Argument | None) -> bool:
    return argument is not None and argument.value not in (False, "false", "False")


def _ids(argument: Argument | None) -> list[str]:
    if argument is None or argument.value == "all":
        return []
    value = argument.value
    names = value if isinstance(value, list) else str(value).split(",")
    return [str(name).strip() for name in names if str(name).strip()]
