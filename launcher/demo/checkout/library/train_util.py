"""The options that every training script shares, in the groups sd-scripts has, and the configuration file."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import toml

logger = logging.getLogger(__name__)

SAMPLERS = [
    "ddim", "pndm", "lms", "euler", "euler_a", "heun", "dpm_2", "dpm_2_a", "dpmsolver", "dpmsolver++", "dpmsingle",
    "k_lms", "k_euler", "k_euler_a", "k_dpm_2", "k_dpm_2_a",
]  # fmt: skip


def add_sd_models_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--v2", action="store_true", help="the base model is a Stable Diffusion 2.x")
    parser.add_argument("--v_parameterization", action="store_true", help="learn the velocity instead of the noise")
    parser.add_argument(
        "--pretrained_model_name_or_path", type=str, default=None, help="base model: here always the built-in 'demo'"
    )
    parser.add_argument("--tokenizer_cache_dir", type=str, default=None, help="folder that keeps tokenizers")


def add_dataset_arguments(
    parser: argparse.ArgumentParser, support_dreambooth: bool, support_caption: bool, support_caption_dropout: bool
) -> None:
    parser.add_argument("--train_data_dir", type=str, default=None, help="folder of folders named REPEATS_WORDS")
    parser.add_argument("--cache_info", action="store_true", help="keep captions and picture sizes in a file")
    parser.add_argument("--shuffle_caption", action="store_true", help="put the parts of a caption in random order")
    parser.add_argument("--caption_separator", type=str, default=",", help="what stands between parts of a caption")
    parser.add_argument("--caption_extension", type=str, default=".caption", help="how caption files end")
    parser.add_argument("--caption_extention", type=str, default=None, help="an old spelling of --caption_extension")
    parser.add_argument("--keep_tokens", type=int, default=0, help="caption parts that stay in front when shuffled")
    parser.add_argument("--keep_tokens_separator", type=str, default="", help="marks the end of the fixed parts")
    parser.add_argument("--secondary_separator", type=str, default=None, help="joins parts that stay together")
    parser.add_argument("--enable_wildcard", action="store_true", help="choose among {one|two} in captions")
    parser.add_argument("--caption_prefix", type=str, default=None, help="text put before every caption")
    parser.add_argument("--caption_suffix", type=str, default=None, help="text put after every caption")
    parser.add_argument("--color_aug", action="store_true", help="vary the colours a little")
    parser.add_argument("--flip_aug", action="store_true", help="mirror pictures at random")
    parser.add_argument("--face_crop_aug_range", type=str, default=None, help="LEAST,MOST: crop around a face")
    parser.add_argument("--random_crop", action="store_true", help="crop anywhere instead of the centre")
    parser.add_argument("--debug_dataset", action="store_true", help="show the data instead of training")
    parser.add_argument("--resolution", type=str, default=None, help="size of training pictures: SIZE or WIDTH,HEIGHT")
    parser.add_argument("--cache_latents", action="store_true", help="encode every picture once, before training")
    parser.add_argument("--vae_batch_size", type=int, default=1, help="pictures encoded at a time")
    parser.add_argument("--cache_latents_to_disk", action="store_true", help="keep encoded pictures in files")
    parser.add_argument("--skip_cache_check", action="store_true", help="trust encoded pictures as they are")
    parser.add_argument("--enable_bucket", action="store_true", help="train pictures of several shapes")
    parser.add_argument("--min_bucket_reso", type=int, default=256, help="shortest side of a bucket")
    parser.add_argument("--max_bucket_reso", type=int, default=1024, help="longest side of a bucket")
    parser.add_argument("--bucket_reso_steps", type=int, default=64, help="bucket sides are multiples of this")
    parser.add_argument("--bucket_no_upscale", action="store_true", help="never enlarge a picture for its bucket")
    parser.add_argument(
        "--resize_interpolation",
        type=str,
        default=None,
        choices=["lanczos", "nearest", "bilinear", "linear", "bicubic", "cubic", "area"],
        help="how pictures are resized",
    )
    parser.add_argument("--token_warmup_min", type=int, default=1, help="caption parts used at the first step")
    parser.add_argument("--token_warmup_step", type=float, default=0, help="step from which captions are whole")
    parser.add_argument("--alpha_mask", action="store_true", help="use a picture's transparency as a loss mask")
    parser.add_argument("--dataset_class", type=str, default=None, help="a dataset class of one's own: MODULE.CLASS")
    if support_caption_dropout:
        parser.add_argument("--caption_dropout_rate", type=float, default=0.0, help="share of captions left out")
        parser.add_argument("--caption_dropout_every_n_epochs", type=int, default=0, help="epochs without captions")
        parser.add_argument("--caption_tag_dropout_rate", type=float, default=0.0, help="share of parts left out")
    if support_dreambooth:
        parser.add_argument("--reg_data_dir", type=str, default=None, help="folder of regularization pictures")
    if support_caption:
        parser.add_argument("--in_json", type=str, default=None, help="metadata file of a fine-tuning dataset")
        parser.add_argument("--dataset_repeats", type=int, default=1, help="repeats of a fine-tuning dataset")


def add_training_arguments(parser: argparse.ArgumentParser, support_dreambooth: bool) -> None:  # noqa: PLR0915
    parser.add_argument("--output_dir", type=str, default=None, help="folder for everything that training makes")
    parser.add_argument("--output_name", type=str, default=None, help="what the files are called, without ending")
    parser.add_argument("--huggingface_token", type=str, default=None, help="token of a Hugging Face account")
    parser.add_argument(
        "--save_precision", type=str, default=None, choices=[None, "float", "fp16", "bf16"], help="numbers in the file"
    )
    parser.add_argument("--save_every_n_epochs", type=int, default=None, help="save a checkpoint every N epochs")
    parser.add_argument("--save_every_n_steps", type=int, default=None, help="save a checkpoint every N steps")
    parser.add_argument("--save_n_epoch_ratio", type=int, default=None, help="save about N checkpoints, by epochs")
    parser.add_argument("--save_last_n_epochs", type=int, default=None, help="keep the last N epoch checkpoints")
    parser.add_argument("--save_last_n_epochs_state", type=int, default=None, help="the same, for states")
    parser.add_argument("--save_last_n_steps", type=int, default=None, help="keep checkpoints of the last N steps")
    parser.add_argument("--save_last_n_steps_state", type=int, default=None, help="the same, for states")
    parser.add_argument("--save_state", action="store_true", help="save a state with every checkpoint and at the end")
    parser.add_argument("--save_state_on_train_end", action="store_true", help="save a state at the end")
    parser.add_argument("--resume", type=str, default=None, help="the state to go on from")
    parser.add_argument("--train_batch_size", type=int, default=1, help="pictures in a step")
    parser.add_argument(
        "--max_token_length", type=int, default=None, choices=[None, 150, 225], help="longest caption, in tokens"
    )
    parser.add_argument("--mem_eff_attn", action="store_true", help="attention that needs less memory")
    parser.add_argument("--torch_compile", action="store_true", help="compile the model")
    parser.add_argument("--xformers", action="store_true", help="attention by xformers")
    parser.add_argument("--sdpa", action="store_true", help="attention by PyTorch itself")
    parser.add_argument("--vae", type=str, default=None, help="another VAE")
    parser.add_argument("--max_train_steps", type=int, default=1600, help="steps to train")
    parser.add_argument("--max_train_epochs", type=int, default=None, help="epochs to train: overrides the steps")
    parser.add_argument("--max_data_loader_n_workers", type=int, default=8, help="processes that load pictures")
    parser.add_argument("--persistent_data_loader_workers", action="store_true", help="keep them between epochs")
    parser.add_argument("--seed", type=int, default=None, help="makes a run repeatable; random when left out")
    parser.add_argument("--gradient_checkpointing", action="store_true", help="less memory, more time")
    parser.add_argument("--gradient_accumulation_steps", type=int, default=1, help="batches in one step")
    parser.add_argument(
        "--mixed_precision", type=str, default="no", choices=["no", "fp16", "bf16"], help="numbers used in training"
    )
    parser.add_argument("--full_fp16", action="store_true", help="gradients in fp16 too")
    parser.add_argument("--full_bf16", action="store_true", help="gradients in bf16 too")
    parser.add_argument("--clip_skip", type=int, default=None, help="layers of the text encoder to leave out")
    parser.add_argument("--logging_dir", type=str, default=None, help="folder for TensorBoard logs")
    parser.add_argument(
        "--log_with", type=str, default=None, choices=["tensorboard", "wandb", "all"], help="what to log with"
    )
    parser.add_argument("--log_prefix", type=str, default=None, help="put before the time in the log folder's name")
    parser.add_argument("--log_tracker_name", type=str, default=None, help="what the log is called")
    parser.add_argument("--wandb_run_name", type=str, default=None, help="what the run is called at wandb")
    parser.add_argument("--wandb_api_key", type=str, default=None, help="key of a wandb account")
    parser.add_argument("--log_config", action="store_true", help="log the configuration")
    parser.add_argument("--noise_offset", type=float, default=None, help="noise that is the same all over a picture")
    parser.add_argument("--noise_offset_random_strength", action="store_true", help="noise_offset is its upper bound")
    parser.add_argument("--multires_noise_iterations", type=int, default=None, help="levels of coarser noise")
    parser.add_argument("--multires_noise_discount", type=float, default=0.3, help="weight lost at each level")
    parser.add_argument("--ip_noise_gamma", type=float, default=None, help="noise added to the model's input")
    parser.add_argument("--adaptive_noise_scale", type=float, default=None, help="noise_offset by mean colour")
    parser.add_argument("--zero_terminal_snr", action="store_true", help="nothing but noise at the last timestep")
    parser.add_argument("--min_timestep", type=int, default=None, help="first timestep trained")
    parser.add_argument("--max_timestep", type=int, default=None, help="timesteps trained end before this one")
    parser.add_argument(
        "--loss_type", type=str, default="l2", choices=["l1", "l2", "huber", "smooth_l1"], help="how errors count"
    )
    parser.add_argument("--lowram", action="store_true", help="load the model straight to the GPU")
    parser.add_argument("--highvram", action="store_true", help="do not empty the GPU's cache")
    parser.add_argument("--sample_every_n_steps", type=int, default=None, help="draw samples every N steps")
    parser.add_argument("--sample_at_first", action="store_true", help="draw samples before training too")
    parser.add_argument(
        "--sample_every_n_epochs", type=int, default=None, help="draw samples every N epochs: overrides the steps"
    )
    parser.add_argument("--sample_prompts", type=str, default=None, help="file of prompts: .txt, .toml or .json")
    parser.add_argument("--sample_sampler", type=str, default="ddim", choices=SAMPLERS, help="how samples are drawn")
    parser.add_argument("--config_file", type=str, default=None, help="TOML file to read options from")
    parser.add_argument("--output_config", action="store_true", help="write that file and end")
    if support_dreambooth:
        parser.add_argument("--prior_loss_weight", type=float, default=1.0, help="weight of regularization pictures")


def add_masked_loss_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--conditioning_data_dir", type=str, default=None, help="folder of masks")
    parser.add_argument("--masked_loss", action="store_true", help="use them")


def read_config_from_file(args: argparse.Namespace, parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Put what --config_file holds under what the command line says; sections are headings, any key is taken."""
    if not args.config_file:
        return args
    path = Path(args.config_file if args.config_file.endswith(".toml") else args.config_file + ".toml")
    if args.output_config:
        write_config(path, args, parser)
        raise SystemExit(0)
    if not path.exists():
        logger.error(f"{path} not found.")
        raise SystemExit(1)
    logger.info(f"Loading settings from {path}...")
    read = argparse.Namespace()
    for key, value in toml.load(path).items():
        for name, inner in value.items() if isinstance(value, dict) else [(key, value)]:
            setattr(read, name, inner)
    return parser.parse_args(namespace=read)


def write_config(path: Path, args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    if path.exists():
        logger.error(f"Config file already exists. Aborting... {path}")
        raise SystemExit(1)
    left_out = {"config_file", "output_config", "wandb_api_key", "huggingface_token"}
    kept = {
        name: value
        for name, value in vars(args).items()
        if name not in left_out and value is not None and value != parser.get_default(name)
    }
    path.write_text(toml.dumps(kept), encoding="utf-8")
    logger.info(f"Saved config file: {path}")
