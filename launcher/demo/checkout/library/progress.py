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
    bar_total: int = 0


def start_of(args: argparse.Namespace, steps_in_state: int | None, batches_per_epoch: int) -> Start:
    """Work out the start as sd-scripts does, with what surprises people there.

    Without --skip_until_initial_step the epochs before the state are left out but steps are counted from 0 again.
    With it, batches that were trained already are skipped; the count goes on, but only within the epoch it is in.
    """
    initial = _initial_step(args, steps_in_state, batches_per_epoch)
    if initial <= 0:
        return Start(bar_total=args.max_train_steps)
    if args.max_train_steps <= initial:
        raise ValueError(f"max_train_steps should be greater than initial step: {args.max_train_steps} vs {initial}")
    steps_per_epoch = math.ceil(batches_per_epoch / args.gradient_accumulation_steps)
    if not args.skip_until_initial_step:
        return Start(epochs_to_skip=initial // steps_per_epoch, bar_total=args.max_train_steps)
    logger.info(f"skipping {initial} steps")
    batches = initial * args.gradient_accumulation_steps
    epochs = batches // steps_per_epoch
    left = batches - epochs * batches_per_epoch
    return Start(epochs, max(0, left), left, args.max_train_steps - left)


def _initial_step(args: argparse.Namespace, steps_in_state: int | None, batches_per_epoch: int) -> int:
    if args.initial_step is None and args.initial_epoch is None:
        return steps_in_state or 0
    if steps_in_state is not None:
        logger.warning("steps from the state is ignored because initial_step is specified")
    if args.initial_step is not None:
        return int(args.initial_step)
    return int((args.initial_epoch - 1) * math.ceil(batches_per_epoch / args.gradient_accumulation_steps))
