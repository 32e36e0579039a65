"""What checkpoints and states are called, and which of them are no longer kept.

As in sd-scripts, `save_last_n_epochs` counts checkpoints and `save_last_n_steps` is a window in steps.
"""

from __future__ import annotations

import argparse


def step_name(args: argparse.Namespace, step: int) -> str:
    return f"{args.output_name or 'at'}-step{step:08d}"


def epoch_name(args: argparse.Namespace, epoch: int) -> str:
    return f"{args.output_name or 'epoch'}-{epoch:06d}"


def last_name(args: argparse.Namespace) -> str:
    return args.output_name or "last"


def step_to_remove(step: int, every: int, window: int | None) -> int | None:
    """The step whose checkpoint falls out of the window of the last `window` steps."""
    if window is None:
        return None
    oldest = step - window - 1
    oldest -= oldest % every
    return oldest if oldest >= 0 else None


def epoch_to_remove(epoch: int, every: int, count: int | None) -> int | None:
    """The epoch whose checkpoint is one too many."""
    if count is None:
        return None
    oldest = epoch - every * count
    return oldest if oldest >= 0 else None
