"""kl's demo trainer: the shape of sd-scripts' train_network.py, on a model so small that a CPU will do."""

from __future__ import annotations

import argparse
import logging
import math
import os
import random
import time

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from library import (
    config_util,
    custom_train_functions,
    demo_hooks,
    demo_model,
    network_util,
    optimizer_util,
    sai_model_spec,
    train_util,
    unused_options,
)
from library.dataset import Batches, training_size
from library.loop import Loop
from library.metadata import training_metadata
from library.progress import Progress, Start, first_step, skipped
from library.sampling import Sampler
from library.saving import Output
from library.utils import add_logging_arguments, setup_logging
from tqdm import tqdm

logger = logging.getLogger(__name__)

ABOUT = (
    "This is kl's demo trainer, not sd-scripts: a tiny model with random weights, "
    "trained for real, to show and to test launching."
)


class NetworkTrainer:
    """Trains a network of --network_module on the demo's base model."""

    base_version = "sd_demo"

    def train(self, args: argparse.Namespace) -> None:
        if args.output_dir is None:
            raise ValueError("output_dir is required")
        if args.seed is None:
            args.seed = random.SystemRandom().randint(0, 2**32)
        set_seed(args.seed)
        # The model is too small to gain from more, and the sums come out the same on any number of cores.
        torch.set_num_threads(1)
        torch.backends.cudnn.deterministic = True
        datasets, keys_without_effect = config_util.datasets_of(args)
        if keys_without_effect:
            logger.warning(f"dataset config: no effect in the demo trainer: {', '.join(sorted(keys_without_effect))}")
        batches = Batches(datasets)
        if len(batches) == 0:
            logger.error(
                "No data found. Please verify arguments (train_data_dir must be the parent of folders with images)"
            )
            return
        accelerator = prepare_accelerator(args)
        text_encoder, unet = demo_model.load_base()
        for part in (text_encoder, unet):
            part.requires_grad_(False).eval().to(accelerator.device)
        network, network_args = network_util.create_network(args, text_encoder, unet)
        loader = torch.utils.data.DataLoader(
            batches,
            batch_size=1,  # an item is a whole batch already
            shuffle=True,
            collate_fn=the_only_one,
            num_workers=min(args.max_data_loader_n_workers, os.cpu_count() or 1),
            persistent_workers=args.persistent_data_loader_workers,
        )
        params = network_util.prepare_optimizer_params(args, network)
        optimizer_name, optimizer_args, optimizer = optimizer_util.get_optimizer(args, params)
        steps_per_epoch = math.ceil(len(loader) / args.gradient_accumulation_steps)
        if args.max_train_epochs is not None:
            args.max_train_steps = args.max_train_epochs * steps_per_epoch
            print(f"override steps. steps for {args.max_train_epochs} epochs is: {args.max_train_steps}", flush=True)
        scheduler = optimizer_util.get_scheduler(args, optimizer)
        network, optimizer, loader, scheduler = accelerator.prepare(network, optimizer, loader, scheduler)
        accelerator.unwrap_model(network).prepare_grad_etc(text_encoder, unet)

        progress = Progress()
        progress.register(accelerator)
        if args.resume:
            logger.info(f"resume training from local state: {args.resume}")
            accelerator.load_state(args.resume)
        epochs = math.ceil(args.max_train_steps / steps_per_epoch)
        if args.save_n_epoch_ratio:
            args.save_every_n_epochs = epochs // args.save_n_epoch_ratio or 1

        size = training_size(datasets[0].resolution)
        output = Output(
            args,
            accelerator,
            training_metadata(
                args,
                base_version=self.base_version,
                optimizer=f"{optimizer_name}({optimizer_args})" if optimizer_args else optimizer_name,
                network_args=network_args,
                images=batches.image_count,
                batches_per_epoch=len(loader),
                epochs=epochs,
            ),
            lambda: sai_model_spec.model_spec(
                args, args.output_name or "last", f"kl-{self.base_version}", f"{size[0]}x{size[1]}"
            ),
        )
        loop = Loop(
            args=args,
            accelerator=accelerator,
            text_encoder=text_encoder,
            unet=unet,
            network=network,
            optimizer=optimizer,
            scheduler=scheduler,
            progress=progress,
            output=output,
            sampler=Sampler(args, text_encoder, unet, size),
        )
        initial_step = first_step(args, progress.steps_in_state, len(loader))
        epoch_to_start = 0
        if initial_step > 0:
            epoch_to_start, initial_step = skipped(args, initial_step, len(loader))
        global_step = 0
        loop.begin()
        if initial_step > 0:
            # As in sd-scripts: what was trained in the epochs before is not counted any more.
            for _ in range(epoch_to_start):
                initial_step -= len(loader)
            global_step = initial_step
        bar: tqdm[int] = tqdm(range(args.max_train_steps - initial_step), smoothing=0, desc="steps")
        loop.run(loader, epochs, Start(epoch_to_start, max(0, initial_step), global_step), bar)


def the_only_one(batches: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    return batches[0]


def prepare_accelerator(args: argparse.Namespace) -> Accelerator:
    folder = None
    if args.logging_dir is not None:
        folder = f"{args.logging_dir}/{args.log_prefix or ''}{time.strftime('%Y%m%d%H%M%S')}"
    log_with = args.log_with or ("tensorboard" if folder else None)
    if log_with in ("wandb", "all"):
        raise ValueError("the demo trainer logs with tensorboard only")
    if log_with and folder is None:
        raise ValueError("logging_dir is required when log_with is tensorboard")
    accelerator = Accelerator(
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        mixed_precision=args.mixed_precision,
        log_with=log_with,
        project_dir=folder,
    )
    if accelerator.num_processes > 1:
        raise ValueError("the demo trainer trains in one process only: use --num_processes=1")
    logger.info(f"accelerator device: {accelerator.device}, {torch.get_num_threads()} threads")
    return accelerator


def setup_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add_logging_arguments(parser)
    train_util.add_sd_models_arguments(parser)
    sai_model_spec.add_model_spec_arguments(parser)
    train_util.add_dataset_arguments(parser, True, True, True)
    train_util.add_training_arguments(parser, True)
    train_util.add_masked_loss_arguments(parser)
    optimizer_util.add_optimizer_arguments(parser)
    config_util.add_config_arguments(parser)
    custom_train_functions.add_custom_train_arguments(parser)
    parser.add_argument("--no_metadata", action="store_true", help="write only the least metadata into the model")
    parser.add_argument(
        "--save_model_as",
        type=str,
        default="safetensors",
        choices=[None, "ckpt", "pt", "safetensors"],
        help="format of the model file",
    )
    parser.add_argument("--unet_lr", type=float, default=None, help="learning rate of the U-Net")
    parser.add_argument("--text_encoder_lr", type=float, default=None, nargs="*", help="of the text encoders, several")
    parser.add_argument("--network_weights", type=str, default=None, help="weights to start the network from")
    parser.add_argument("--network_module", type=str, default=None, help="Python module that makes the network")
    parser.add_argument("--network_dim", type=int, default=None, help="the network's dimension (rank)")
    parser.add_argument("--network_alpha", type=float, default=1, help="scales the network: alpha / dimension")
    parser.add_argument("--network_dropout", type=float, default=None, help="share of neurons left out in training")
    parser.add_argument(
        "--network_args", type=str, default=None, nargs="*", help="KEY=VALUE for the network module, several"
    )
    parser.add_argument("--network_train_unet_only", action="store_true", help="train no text encoder")
    parser.add_argument("--network_train_text_encoder_only", action="store_true", help="train no U-Net")
    parser.add_argument("--training_comment", type=str, default=None, help="text for the metadata")
    parser.add_argument("--dim_from_weights", action="store_true", help="take the dimension from --network_weights")
    parser.add_argument("--scale_weight_norms", type=float, default=None, help="upper bound on the weights' norm")
    parser.add_argument("--no_half_vae", action="store_true", help="keep the VAE in full precision")
    parser.add_argument(
        "--skip_until_initial_step", action="store_true", help="pass over what was trained before the first step"
    )
    parser.add_argument("--initial_epoch", type=int, default=None, help="epoch to start with, 1 for the first")
    parser.add_argument("--initial_step", type=int, default=None, help="steps that count as done, over all epochs")
    return parser


def main(parser: argparse.ArgumentParser, trainer: NetworkTrainer) -> None:
    """Read the options, say what will not be used, train."""
    args = parser.parse_args()
    setup_logging(args)
    args = train_util.read_config_from_file(args, parser)
    setup_logging(args)
    print(ABOUT, flush=True)
    unused = unused_options.without_effect(unused_options.given_options(parser, args))
    if unused:
        print(f"Options given that this demo trainer accepts but does not use: {', '.join(unused)}", flush=True)
    if hooks := demo_hooks.in_use():
        print(f"Test hooks: {', '.join(hooks)}", flush=True)
    trainer.train(args)


if __name__ == "__main__":
    main(setup_parser(), NetworkTrainer())
