"""What the checkout's own get_scheduler_fix would do with given options.

sd-scripts: library/train_util.py, get_scheduler_fix, and get_optimizer before it, which changes some options.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from launcher.trainer.following import follow
from launcher.trainer.following_values import UNKNOWN, Made, Options, Walk
from launcher.trainer.optimizers import TrainerFile, follow_optimizer
from launcher.trainer.signatures import enum_members

FUNCTION = "get_scheduler_fix"
# Before v0.6 the scripts handed the options over one by one, under these names.
_BY_NAME = {
    "name": "lr_scheduler", "num_warmup_steps": "lr_warmup_steps", "num_training_steps": "max_train_steps",
    "num_cycles": "lr_scheduler_num_cycles", "power": "lr_scheduler_power",
}  # fmt: skip


@dataclass(frozen=True)
class SchedulerReading:
    """What get_scheduler_fix would do. `made` is the scheduler, None where it cannot be told or does not come to be.

    `name` is the scheduler's name as get_scheduler_fix finds it: get_optimizer may have replaced it.
    """

    walk: Walk
    made: Made | None
    name: Any


def follow_scheduler(trainer: TrainerFile, ask: Callable[[str], Any], processes: int) -> SchedulerReading | None:
    """Follow get_optimizer and get_scheduler_fix; None where the checkout has no such functions."""
    function = trainer.function(FUNCTION)
    optimizer = follow_optimizer(trainer, ask)
    if function is None or optimizer is None:
        return None
    options = Options(ask)
    options.changed.update(optimizer.options.changed)
    given: dict[str, Any] = {"args": options, "num_processes": processes}
    given["optimizer"] = optimizer.made or UNKNOWN
    given |= {name: options.get(option) for name, option in _BY_NAME.items()}
    names = {each.arg for each in function.args.args}
    walk = follow(function, {name: value for name, value in given.items() if name in names}, trainer.world())
    returned = walk.returned
    return SchedulerReading(walk, returned if isinstance(returned, Made) else None, options.get("lr_scheduler"))


def scheduler_names(trainer: TrainerFile) -> tuple[str, ...]:
    """The names that get_scheduler_fix knows: those of the enumerations it uses, and those it compares with."""
    function = trainer.function(FUNCTION)
    world = trainer.world()
    found: dict[str, None] = {}
    for node in ast.walk(function) if function else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "SchedulerType":
            known = world.names("SchedulerType")
            members = enum_members(trainer.packages, known.dotted) if hasattr(known, "dotted") else None
            found |= dict.fromkeys((members or {}).values())
        elif isinstance(node, ast.Attribute) and node.attr == "PIECEWISE_CONSTANT":
            found["piecewise_constant"] = None
        elif isinstance(node, ast.Constant) and node.value == "adafactor":
            found["adafactor"] = None
    return tuple(found)
