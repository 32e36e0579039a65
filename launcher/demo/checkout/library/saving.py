"""Writes checkpoints and states, and removes those that are no longer to be kept."""

from __future__ import annotations

import argparse
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from library.file_names import epoch_name, epoch_to_remove, last_name, step_name, step_to_remove

logger = logging.getLogger(__name__)

PRECISIONS = {"float": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
MINIMUM_METADATA = frozenset(
    {
        "ss_v2", "ss_base_model_version", "ss_network_module", "ss_network_dim", "ss_network_alpha",
        "ss_network_args",
    }
)  # fmt: skip


class Output:
    """Writes checkpoints and states of one training."""

    def __init__(
        self,
        args: argparse.Namespace,
        accelerator: Accelerator,
        metadata: dict[str, str],
        describe: Callable[[], dict[str, str]],
    ) -> None:
        self.args = args
        self.accelerator = accelerator
        self.metadata = metadata
        self.describe = describe
        self.folder = Path(args.output_dir)

    def save_step(self, network: Any, step: int, epoch: int) -> None:
        args, every = self.args, self.args.save_every_n_steps
        self._save_model(network, step_name(args, step), step, epoch)
        if args.save_state:
            logger.info(f"saving state at step {step}")
            self._save_state(step_name(args, step))
            window = args.save_last_n_steps_state or args.save_last_n_steps
            self._remove_state(step_to_remove(step, every, window), step_name)
        self._remove_model(step_to_remove(step, every, args.save_last_n_steps), step_name)

    def save_epoch(self, network: Any, step: int, epoch: int) -> None:
        args, every = self.args, self.args.save_every_n_epochs
        self._save_model(network, epoch_name(args, epoch), step, epoch)
        self._remove_model(epoch_to_remove(epoch, every, args.save_last_n_epochs), epoch_name)
        if args.save_state:
            logger.info(f"saving state at epoch {epoch}")
            self._save_state(epoch_name(args, epoch))
            count = args.save_last_n_epochs_state or args.save_last_n_epochs
            self._remove_state(epoch_to_remove(epoch, every, count), epoch_name)

    def save_last(self, network: Any, step: int, epoch: int) -> None:
        self._save_model(network, last_name(self.args), step, epoch)
        logger.info("model saved.")

    def save_last_state(self) -> None:
        logger.info("saving last state.")
        self._save_state(last_name(self.args))

    def _save_model(self, network: Any, name: str, step: int, epoch: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._model_path(name)
        print(f"\nsaving checkpoint: {path}", flush=True)
        self.metadata.update(ss_training_finished_at=str(time.time()), ss_steps=str(step), ss_epoch=str(epoch))
        written = {
            key: value for key, value in self.metadata.items() if not self.args.no_metadata or key in MINIMUM_METADATA
        }
        dtype = PRECISIONS.get(self.args.save_precision or "")
        network.save_weights(str(path), dtype, {**written, **self.describe()})

    def _save_state(self, name: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.accelerator.save_state(str(self._state_path(name)))

    def _remove_model(self, number: int | None, name: Callable[[argparse.Namespace, int], str]) -> None:
        if number is None:
            return
        path = self._model_path(name(self.args, number))
        if path.exists():
            print(f"removing old checkpoint: {path}", flush=True)
            path.unlink()

    def _remove_state(self, number: int | None, name: Callable[[argparse.Namespace, int], str]) -> None:
        if not number:
            return
        path = self._state_path(name(self.args, number))
        if path.exists():
            logger.info(f"removing old state: {path}")
            shutil.rmtree(path)

    def _model_path(self, name: str) -> Path:
        return self.folder / f"{name}.{self.args.save_model_as}"

    def _state_path(self, name: str) -> Path:
        return self.folder / f"{name}-state"
