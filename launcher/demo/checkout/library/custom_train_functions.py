"""Ways to weight the loss, and their options."""

from __future__ import annotations

import argparse

import torch
from torch import Tensor


def add_custom_train_arguments(parser: argparse.ArgumentParser, support_weighted_captions: bool = True) -> None:
    parser.add_argument("--min_snr_gamma", type=float, default=None, help="bound on the weight of easy timesteps")
    parser.add_argument(
        "--scale_v_pred_loss_like_noise_pred", action="store_true", help="weight velocity errors like noise errors"
    )
    parser.add_argument("--v_pred_like_loss", type=float, default=None, help="share of a velocity-like loss to add")
    parser.add_argument("--debiased_estimation_loss", action="store_true", help="weight errors by the noise")
    if support_weighted_captions:
        parser.add_argument(
            "--weighted_captions", action="store_true", default=False, help="read (words:1.3) in captions"
        )


def snr_weight(kept: Tensor, gamma: float, *, velocity: bool) -> Tensor:
    """The min-SNR weight of each sample; `kept` is the share of the picture that is left at its timestep."""
    snr = kept / (1 - kept)
    bounded = torch.minimum(snr, torch.full_like(snr, gamma))
    return bounded / (snr + 1 if velocity else snr)
