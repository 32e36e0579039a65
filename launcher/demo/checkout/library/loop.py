"""The training loop: epochs, steps, and what happens after each."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from tqdm import tqdm

from library import demo_hooks, demo_model
from library.diffusion import batch_loss
from library.progress import Progress, Start
from library.sampling import Sampler
from library.saving import Output

logger = logging.getLogger(__name__)


class Losses:
    """The mean loss of the last epoch's worth of batches, which is what `avr_loss` shows."""

    def __init__(self) -> None:
        self.by_batch: dict[int, float] = {}

    def add(self, batch: int, loss: float) -> None:
        self.by_batch[batch] = loss

    def average(self) -> float:
        return sum(self.by_batch.values()) / max(1, len(self.by_batch))


@dataclass(kw_only=True)
class Loop:
    """The epochs and steps themselves."""

    args: argparse.Namespace
    accelerator: Accelerator
    text_encoder: demo_model.CLIPTextModel
    unet: demo_model.UNet2DConditionModel
    network: Any
    optimizer: Any
    scheduler: Any
    progress: Progress
    output: Output
    sampler: Sampler
    losses: Losses = field(default_factory=Losses)
    step: int = 0

    def begin(self) -> None:
        """What comes before the first step."""
        if self.args.logging_dir is not None:
            self.accelerator.init_trackers(self.args.log_tracker_name or "network_train")
        self.sampler.draw_if_due(self.network, 0, 0)

    def run(self, loader: Any, epochs: int, start: Start, bar: tqdm[Any]) -> None:
        args, accelerator = self.args, self.accelerator
        logger.info(f"train {args.max_train_steps} steps, {epochs} epochs; num batches per epoch: {len(loader)}")
        self.step = start.step
        to_skip = start.batches_to_skip
        for epoch in range(start.epochs_to_skip, epochs):
            print(f"\nepoch {epoch + 1}/{epochs}\n", flush=True)
            self.progress.epoch = epoch + 1
            self._train_epoch(accelerator.skip_first_batches(loader, to_skip) if to_skip else loader, epoch, bar)
            to_skip = 0
            self._end_epoch(epoch + 1, last=epoch + 1 >= epochs)
        bar.close()
        network = accelerator.unwrap_model(self.network)
        accelerator.end_training()
        if args.save_state or args.save_state_on_train_end:
            self.output.save_last_state()
        if not demo_hooks.leaves_out_final_model():
            self.output.save_last(network, self.step, epochs)

    def _train_epoch(self, batches: Iterable[Any], epoch: int, bar: tqdm[Any]) -> None:
        args, accelerator = self.args, self.accelerator
        for number, (latents, tokens) in enumerate(batches):
            demo_hooks.before_step(self.step + 1)
            with accelerator.accumulate(self.network):
                loss = self._train_batch(latents, tokens)
            weight_norm = self._limit_weights()
            if accelerator.sync_gradients:
                bar.update(1)
                self.step += 1
                self.progress.steps_done = self.step
                self.sampler.draw_if_due(self.network, self.step, None)
                if args.save_every_n_steps and self.step % args.save_every_n_steps == 0:
                    self.output.save_step(accelerator.unwrap_model(self.network), self.step, epoch)
            shown = demo_hooks.shown_loss(loss, self.step)
            self.losses.add(number, shown)
            average = self.losses.average()
            bar.set_postfix({**weight_norm, "avr_loss": average})
            self._log({"loss/current": shown, "loss/average": average, **self._rates()}, self.step)
            if self.step >= args.max_train_steps:
                return

    def _train_batch(self, latents: torch.Tensor, tokens: torch.Tensor) -> float:
        accelerator = self.accelerator
        with accelerator.autocast():
            context = self.text_encoder(tokens)
            loss = batch_loss(self.args, latents, lambda noisy, timesteps: self.unet(noisy, timesteps, context))
        accelerator.backward(loss)
        if accelerator.sync_gradients and self.args.max_grad_norm:
            accelerator.clip_grad_norm_(self.network.parameters(), self.args.max_grad_norm)
        self.optimizer.step()
        self.scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def _limit_weights(self) -> dict[str, float]:
        if not self.args.scale_weight_norms:
            return {}
        network = self.accelerator.unwrap_model(self.network)
        scaled, mean, _ = network.apply_max_norm_regularization(self.args.scale_weight_norms, self.accelerator.device)
        return {"Keys Scaled": float(scaled), "Average key norm": float(mean)}

    def _end_epoch(self, epoch: int, *, last: bool) -> None:
        args = self.args
        self._log({"loss/epoch_average": self.losses.average()}, epoch)
        if args.save_every_n_epochs and epoch % args.save_every_n_epochs == 0 and not last:
            self.output.save_epoch(self.accelerator.unwrap_model(self.network), self.step, epoch)
        self.sampler.draw_if_due(self.network, self.step, epoch)

    def _rates(self) -> dict[str, float]:
        return {f"lr/group{number}": float(rate) for number, rate in enumerate(self.scheduler.get_last_lr())}

    def _log(self, values: dict[str, float], step: int) -> None:
        if self.accelerator.trackers:
            self.accelerator.log(values, step=step)
