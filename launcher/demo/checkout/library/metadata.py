"""The `ss_*` metadata that is written into every model file."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

from library import demo_model


def training_metadata(
    args: argparse.Namespace,
    *,
    base_version: str,
    optimizer: str,
    network_args: dict[str, Any],
    images: int,
    batches_per_epoch: int,
    epochs: int,
) -> dict[str, str]:
    """What is known before training; a value that was not given is the word None, as in sd-scripts."""
    known = {
        # Not from the seeded generator: two runs with one seed are two sessions.
        "ss_session_id": random.SystemRandom().randint(0, 2**32),
        "ss_training_started_at": time.time(),
        "ss_output_name": args.output_name,
        "ss_learning_rate": args.learning_rate,
        "ss_text_encoder_lr": first_of(args.text_encoder_lr),
        "ss_unet_lr": args.unet_lr,
        "ss_num_train_images": images,
        "ss_num_batches_per_epoch": batches_per_epoch,
        "ss_num_epochs": epochs,
        "ss_batch_size_per_device": args.train_batch_size,
        "ss_gradient_accumulation_steps": args.gradient_accumulation_steps,
        "ss_max_train_steps": args.max_train_steps,
        "ss_lr_warmup_steps": args.lr_warmup_steps,
        "ss_lr_scheduler": args.lr_scheduler,
        "ss_network_module": args.network_module,
        "ss_network_dim": args.network_dim,
        "ss_network_alpha": args.network_alpha,
        "ss_network_dropout": args.network_dropout,
        "ss_mixed_precision": args.mixed_precision,
        "ss_v2": args.v2,
        "ss_base_model_version": base_version,
        "ss_seed": args.seed,
        "ss_noise_offset": args.noise_offset,
        "ss_multires_noise_iterations": args.multires_noise_iterations,
        "ss_multires_noise_discount": args.multires_noise_discount,
        "ss_min_snr_gamma": args.min_snr_gamma,
        "ss_scale_weight_norms": args.scale_weight_norms,
        "ss_loss_type": args.loss_type,
        "ss_training_comment": args.training_comment,
        "ss_sd_scripts_commit_hash": _commit(),
        "ss_optimizer": optimizer,
        "ss_max_grad_norm": args.max_grad_norm,
        "ss_sd_model_name": demo_model.NAME,
    }
    written = {key: str(value) for key, value in known.items()}
    if network_args:
        written["ss_network_args"] = json.dumps(network_args)
    return written


def first_of(value: Any) -> Any:
    """The first of several values; a configuration file may give one value alone."""
    if isinstance(value, list):
        return value[0] if value else None
    return value


def _commit() -> str:
    try:
        return subprocess.check_output(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - whichever git the user has
            cwd=Path(__file__).parent,
            stderr=subprocess.DEVNULL,
            text=True,
        ).strip()
    except (OSError, subprocess.CalledProcessError):
        return "(unknown)"
