"""The optimizer and the learning rate's course, and their options."""

from __future__ import annotations

import argparse
import ast
import importlib
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch


def int_or_float(value: str) -> int | float:
    """A number of steps, or a share of them when below 1."""
    if value.endswith("%"):
        return float(value[:-1]) / 100
    number = float(value)
    return int(number) if number >= 1 or number == 0 else number


def add_optimizer_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--optimizer_type", type=str, default="", help="a class of torch.optim, or MODULE.CLASS")
    parser.add_argument("--use_8bit_adam", action="store_true", help="an old way to ask for AdamW8bit")
    parser.add_argument("--use_lion_optimizer", action="store_true", help="an old way to ask for Lion")
    parser.add_argument("--learning_rate", type=float, default=2.0e-6, help="learning rate")
    parser.add_argument("--max_grad_norm", default=1.0, type=float, help="clip gradients to this norm, 0 for never")
    parser.add_argument(
        "--optimizer_args", type=str, default=None, nargs="*", help="KEY=VALUE for the optimizer, several"
    )
    parser.add_argument("--lr_scheduler_type", type=str, default="", help="a scheduler class of one's own")
    parser.add_argument(
        "--lr_scheduler_args", type=str, default=None, nargs="*", help="KEY=VALUE for the scheduler, several"
    )
    parser.add_argument(
        "--lr_scheduler",
        type=str,
        default="constant",
        help="the learning rate's course: constant, constant_with_warmup, linear, cosine, cosine_with_restarts"
        + " or polynomial",
    )
    parser.add_argument("--lr_warmup_steps", type=int_or_float, default=0, help="steps, or share of them, to warm up")
    parser.add_argument("--lr_decay_steps", type=int_or_float, default=0, help="steps, or share of them, to decay")
    parser.add_argument("--lr_scheduler_num_cycles", type=int, default=1, help="restarts of a cosine with restarts")
    parser.add_argument("--lr_scheduler_power", type=float, default=1, help="power of a polynomial")
    parser.add_argument("--lr_scheduler_timescale", type=int, default=None, help="of an inverse square root")
    parser.add_argument("--lr_scheduler_min_lr_ratio", type=float, default=None, help="least share of the rate")


def keyword_arguments(items: Iterable[str] | None) -> dict[str, Any]:
    """KEY=VALUE items as Python arguments; a value is a Python literal."""
    pairs = (item.split("=", 1) for item in items or ())
    return {key: ast.literal_eval(value) for key, value in pairs}


def get_optimizer(args: argparse.Namespace, params: list[dict[str, Any]]) -> tuple[str, str, torch.optim.Optimizer]:
    """The optimizer, its name and its arguments as they are written into the model's metadata."""
    wanted = args.optimizer_type or "AdamW"
    own = {name.lower(): name for name in dir(torch.optim) if isinstance(getattr(torch.optim, name), type)}
    module, _, name = wanted.rpartition(".")
    if not module and name.lower() not in own:
        raise ValueError(f"Unknown optimizer type: {wanted}. The demo trainer knows those of torch.optim.")
    kind = getattr(importlib.import_module(module), name) if module else getattr(torch.optim, own[name.lower()])
    given = keyword_arguments(args.optimizer_args)
    optimizer = kind(params, lr=args.learning_rate, **given)
    written = ",".join(f"{key}={value}" for key, value in given.items())
    return f"{kind.__module__}.{kind.__qualname__}", written, optimizer


def get_scheduler(args: argparse.Namespace, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LambdaLR:
    """A scheduler whose factor rises over the warm-up and then follows --lr_scheduler."""
    if args.lr_scheduler not in COURSES:
        raise ValueError(f"{args.lr_scheduler} is not a valid SchedulerType, please select one of {list(COURSES)}")
    course = COURSES[args.lr_scheduler]
    total = args.max_train_steps
    warmup = args.lr_warmup_steps
    warmup = int(warmup * total) if isinstance(warmup, float) else warmup
    if args.lr_scheduler == "constant" and warmup:
        raise ValueError("constant does not require `num_warmup_steps`. Set None or 0.")

    def factor(step: int) -> float:
        if step < warmup:
            return step / max(1, warmup)
        return course(args, min(1.0, (step - warmup) / max(1, total - warmup)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _restarting(args: argparse.Namespace, done: float) -> float:
    within = (done * args.lr_scheduler_num_cycles) % 1.0
    return 0.0 if done >= 1 else (1 + math.cos(math.pi * within)) / 2


COURSES: dict[str, Callable[[argparse.Namespace, float], float]] = {
    "constant": lambda args, done: 1.0,
    "constant_with_warmup": lambda args, done: 1.0,
    "linear": lambda args, done: 1.0 - done,
    "cosine": lambda args, done: (1 + math.cos(math.pi * done)) / 2,
    "cosine_with_restarts": _restarting,
    "polynomial": lambda args, done: (1.0 - done) ** args.lr_scheduler_power,
}
