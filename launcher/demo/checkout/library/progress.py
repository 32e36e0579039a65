"""Where a training is: kept in each state as train_state.json, and where a resumed training starts."""

from __future__ import annotations

import argparse
import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator

logger = logging.getLogger(__name__)


class Progress:
    """The epoch (1 for the first) and the steps done; saved and loaded with every state."""

    def __init__(self) -> None:
        self.epoch = 0
        self.steps_done = 0
        self.steps_in_state: int | None = None

    def register(self, accelerator: Accelerator) -> None:
        accelerator.register_save_state_pre_hook(self._save)
        accelerator.register_load_state_pre_hook(self._load)

    def _save(self, models: list[Any], weights: list[Any], folder: str) -> None:
        path = Path(folder) / "train_state.json"
        logger.info(f"save train state to {path} at epoch {self.epoch} step {self.steps_done}")
        path.write_text(json.dumps({"current_epoch": self.epoch, "current_step": self.steps_done}), encoding="utf-8")

    def _load(self, models: list[Any], folder: str) -> None:
        path = Path(folder) / "train_state.json"
        if path.exists():
            state = json.loads(path.read_text(encoding="utf-8"))
            self.steps_in_state = state["current_step"]
            logger.info(f"load train state from {path}: {state}")


@dataclass(frozen=True)
class Start:
    """Where training starts."""

    epochs_to_skip: int = 0
    batches_to_skip: int = 0  # of the first epoch that is trained
    step: int = 0


def first_step(args: argparse.Namespace, steps_in_state: int | None, batches_per_epoch: int) -> int:
    """How many steps count as done, by the options or by the state. Raises ValueError when those are all there are."""
    initial = _initial_step(args, steps_in_state, batches_per_epoch)
    if 0 < args.max_train_steps <= initial:
        raise ValueError(f"max_train_steps should be greater than initial step: {args.max_train_steps} vs {initial}")
    return initial


def skipped(args: argparse.Namespace, initial: int, batches_per_epoch: int) -> tuple[int, int]:
    """The epochs before step `initial`, and the batches that are to be skipped, as sd-scripts works them out.

    Without --skip_until_initial_step epochs are left out, and no batches; steps are counted from 0 again then.
    """
    steps_per_epoch = math.ceil(batches_per_epoch / args.gradient_accumulation_steps)
    if not args.skip_until_initial_step:
        return initial // steps_per_epoch, 0
    logger.info(f"skipping {initial} steps")
    batches = initial * args.gradient_accumulation_steps
    return batches // steps_per_epoch, batches


def _initial_step(args: argparse.Namespace, steps_in_state: int | None, batches_per_epoch: int) -> int:
    if args.initial_step is None and args.initial_epoch is None:
        return steps_in_state or 0
    if steps_in_state is not None:
        logger.warning("steps from the state is ignored because initial_step is specified")
    if args.initial_step is not None:
        return int(args.initial_step)
    return int((args.initial_epoch - 1) * math.ceil(batches_per_epoch / args.gradient_accumulation_steps))
