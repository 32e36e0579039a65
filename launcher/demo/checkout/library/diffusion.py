"""The noise: how much at which timestep, what kind, how wrong a prediction is, and the way back to a picture."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from library.custom_train_functions import snr_weight

TIMESTEPS = 1000


def signal_share(timesteps: Tensor) -> Tensor:
    """The share of the picture's variance that is left at each timestep (Stable Diffusion's noise schedule)."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, TIMESTEPS, device=timesteps.device) ** 2
    return (1 - betas).cumprod(0)[timesteps][:, None, None, None]


def make_noise(args: argparse.Namespace, latents: Tensor) -> Tensor:
    noise = torch.randn_like(latents)
    if args.noise_offset:
        noise = noise + args.noise_offset * torch.randn(*latents.shape[:2], 1, 1, device=latents.device)
    if args.multires_noise_iterations:
        noise = _add_coarse_noise(noise, args.multires_noise_iterations, args.multires_noise_discount)
    return noise


def _add_coarse_noise(noise: Tensor, levels: int, discount: float) -> Tensor:
    """Add noise of ever larger grain, each level weaker by `discount`, and bring the whole back to variance 1."""
    height, width = noise.shape[2:]
    total = noise
    for level in range(1, levels + 1):
        size = (max(1, height >> level), max(1, width >> level))
        coarse = torch.randn(*noise.shape[:2], *size, device=noise.device)
        total = total + discount**level * functional.interpolate(coarse, size=(height, width), mode="bilinear")
        if size == (1, 1):
            break
    return total / total.std()


def batch_loss(args: argparse.Namespace, latents: Tensor, predict: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Add noise at random timesteps and measure how well `predict` tells it."""
    first, end = args.min_timestep or 0, args.max_timestep or TIMESTEPS
    timesteps = torch.randint(first, end, (len(latents),), device=latents.device)
    kept = signal_share(timesteps)
    noise = make_noise(args, latents)
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    target = kept.sqrt() * noise - (1 - kept).sqrt() * latents if args.v_parameterization else noise
    loss = LOSSES[args.loss_type](predict(noisy, timesteps).float(), target, reduction="none").mean(dim=(1, 2, 3))
    if args.min_snr_gamma:
        loss = loss * snr_weight(kept.flatten(), args.min_snr_gamma, velocity=args.v_parameterization)
    return loss.mean()


def denoise(latents: Tensor, steps: int, predict: Callable[[Tensor, Tensor], Tensor], *, velocity: bool) -> Tensor:
    """From noise to a picture in `steps` DDIM steps."""
    schedule = torch.linspace(TIMESTEPS - 1, 0, steps + 1, device=latents.device).round().long()
    for now, following in pairwise(schedule):
        kept, kept_after = signal_share(now[None]), signal_share(following[None])
        output = predict(latents, now.expand(len(latents))).float()
        picture = (
            kept.sqrt() * latents - (1 - kept).sqrt() * output
            if velocity
            else (latents - (1 - kept).sqrt() * output) / kept.sqrt()
        ).clamp(-1, 1)
        noise = (latents - kept.sqrt() * picture) / (1 - kept).sqrt()
        latents = kept_after.sqrt() * picture + (1 - kept_after).sqrt() * noise
    return latents


LOSSES: dict[str, Callable[..., Tensor]] = {
    "l1": functional.l1_loss,
    "l2": functional.mse_loss,
    "huber": functional.huber_loss,
    "smooth_l1": functional.smooth_l1_loss,
}
