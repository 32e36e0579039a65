"""Asks the trainer itself what it says to sets of options. Run by the interpreter of a bed, in a checkout.

From stdin a list of questions in JSON, to stdout (last line) the list of answers: "ok", or the name of the error.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path.cwd()))
logging.disable(logging.CRITICAL)

from library import strategy_base, train_util  # type: ignore[import-not-found]  # noqa: E402


class Group:
    """A dataset group of one subset, with the trainer's own checks of it."""

    is_latent_cacheable = train_util.BaseDataset.is_latent_cacheable
    is_text_encoder_output_cacheable = train_util.BaseDataset.is_text_encoder_output_cacheable

    def __init__(self, args: Any) -> None:
        self.subsets = [SimpleNamespace(**vars(args))]

    def verify_bucket_reso_steps(self, steps: int) -> None: ...


def trainer_of(script: str) -> tuple[Any, Any]:
    """The script as a module, and a trainer made of the class that it defines."""
    module = importlib.import_module(script.removesuffix(".py"))
    classes = [value for value in vars(module).values() if isinstance(value, type) and "NetworkTrainer" in str(value)]
    return module, next(value for value in classes if value.__module__ == module.__name__)()


def checks(question: dict[str, Any]) -> None:
    """The trainer's checks before it loads anything: those that need no pictures and no model."""
    module, trainer = trainer_of(question["script"])
    args = module.setup_parser().parse_args(question["argv"])
    train_util.verify_training_args(args)
    group = Group(args)
    assert not args.cache_latents or group.is_latent_cacheable()
    trainer.assert_extra_args(args, group, None)


def huber(question: dict[str, Any]) -> None:
    """The threshold of a Huber loss, with the script's own noise scheduler."""
    import torch

    module, trainer = trainer_of(question["script"])
    args = module.setup_parser().parse_args(question["argv"])
    scheduler = trainer.get_noise_scheduler(args, torch.device("cpu"))
    train_util.get_huber_threshold_if_needed(args, torch.tensor([1]), scheduler)


def weights(question: dict[str, Any]) -> None:
    """Weighted captions, by the class that makes the script's tokens. It need not be made itself to see."""
    strategy = importlib.import_module(f"library.strategy_{question['strategy']}")
    name = next(name for name in vars(strategy) if name.endswith("TokenizeStrategy") and name != "TokenizeStrategy")
    getattr(strategy, name).tokenize_with_weights(None, "a (red:1.2) fox")


def training(question: dict[str, Any]) -> None:
    """The training itself, until it fails."""
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state(True)
    GradientState._reset_state()
    for name in ("TokenizeStrategy", "LatentsCachingStrategy", "TextEncodingStrategy"):
        getattr(strategy_base, name)._strategy = None
    module, trainer = trainer_of(question["script"])
    trainer.train(module.setup_parser().parse_args(question["argv"]))


def answer(question: dict[str, Any]) -> str:
    asked = {"checks": checks, "huber": huber, "weights": weights, "training": training}[question["asked"]]
    try:
        asked(question)
    except Exception as error:
        return type(error).__name__
    return "ok"


if __name__ == "__main__":
    said = sys.stdout
    sys.stdout = sys.stderr
    print(json.dumps([answer(question) for question in json.load(sys.stdin)]), file=said)
