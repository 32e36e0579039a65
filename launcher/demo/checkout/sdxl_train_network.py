"""kl's demo trainer under the name of sd-scripts' SDXL script: the same training, three options more."""

from __future__ import annotations

import argparse

import train_network


class SdxlNetworkTrainer(train_network.NetworkTrainer):
    base_version = "sdxl_demo"


def add_sdxl_training_arguments(parser: argparse.ArgumentParser, support_text_encoder_caching: bool = True) -> None:
    if support_text_encoder_caching:
        parser.add_argument("--cache_text_encoder_outputs", action="store_true", help="encode every caption once")
        parser.add_argument(
            "--cache_text_encoder_outputs_to_disk", action="store_true", help="keep encoded captions in files"
        )
    parser.add_argument("--disable_mmap_load_safetensors", action="store_true", help="read the model at one go")


def setup_parser() -> argparse.ArgumentParser:
    parser = train_network.setup_parser()
    add_sdxl_training_arguments(parser)
    return parser


if __name__ == "__main__":
    train_network.main(setup_parser(), SdxlNetworkTrainer())
