"""The network that is trained: made by the module that --network_module names, as LyCORIS offers it."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from library.metadata import first_of


def create_network(args: argparse.Namespace, text_encoder: Any, unet: Any) -> tuple[Any, dict[str, Any]]:
    """The network that --network_module makes, applied to the base model, and the arguments it was made with."""
    if not args.network_module:
        raise ValueError("network_module is required: the demo trainer is made for lycoris.kohya")
    print("import network module:", args.network_module, flush=True)
    module = importlib.import_module(args.network_module)
    keywords: dict[str, Any] = dict(item.split("=", 1) for item in args.network_args or [])
    keywords.setdefault("dropout", args.network_dropout)
    # The warnings are about the model classes that a preset names and the demo's model does not have.
    network = module.create_network(
        1.0, args.network_dim, args.network_alpha, None, text_encoder, unet,
        neuron_dropout=args.network_dropout, **{"warn_on_unmatched": False, **keywords},
    )  # fmt: skip
    network.apply_to(text_encoder, unet, not args.network_train_unet_only, not args.network_train_text_encoder_only)
    if args.network_weights:
        print(f"load network weights from {args.network_weights}: {network.load_weights(args.network_weights)}")
    return network, keywords


def prepare_optimizer_params(args: argparse.Namespace, network: Any) -> list[dict[str, Any]]:
    """The network's parameters with their learning rates; older LyCORIS versions return them alone."""
    rates = (first_of(args.text_encoder_lr), args.unet_lr)
    try:
        made = network.prepare_optimizer_params(*rates, args.learning_rate)
    except TypeError:
        made = network.prepare_optimizer_params(*rates)
    groups = made[0] if isinstance(made, tuple) else made
    return [{**group, "params": list(group["params"])} for group in groups]
