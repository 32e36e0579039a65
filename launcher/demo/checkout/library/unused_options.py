"""Nothing is silently ignored: which options were given that this demo trainer takes but has no use for."""

from __future__ import annotations

import argparse
from typing import Any

from library import demo_model

# Every option that some module of the demo trainer looks at. A test holds this list against the source.
USED = frozenset(
    {
        "caption_extension", "caption_extention", "caption_prefix", "caption_separator", "caption_suffix",
        "config_file", "console_log_file", "console_log_level", "dataset_config", "gradient_accumulation_steps",
        "initial_epoch", "initial_step", "keep_tokens", "learning_rate", "log_prefix", "log_tracker_name", "log_with",
        "logging_dir", "loss_type", "lr_scheduler", "lr_scheduler_num_cycles", "lr_scheduler_power",
        "lr_warmup_steps", "max_data_loader_n_workers", "max_grad_norm", "max_timestep", "max_train_epochs",
        "max_train_steps", "metadata_author", "metadata_description", "metadata_license", "metadata_tags",
        "metadata_title", "metadata_trigger_phrase", "metadata_usage_hint", "min_snr_gamma", "min_timestep",
        "mixed_precision", "multires_noise_discount", "multires_noise_iterations", "network_alpha", "network_args",
        "network_dim", "network_dropout", "network_module", "network_train_text_encoder_only",
        "network_train_unet_only", "network_weights", "no_metadata", "noise_offset", "optimizer_args",
        "optimizer_type", "output_config", "output_dir", "output_name", "persistent_data_loader_workers",
        "resolution", "resume", "sample_at_first", "sample_every_n_epochs", "sample_every_n_steps", "sample_prompts",
        "save_every_n_epochs", "save_every_n_steps", "save_last_n_epochs", "save_last_n_epochs_state",
        "save_last_n_steps", "save_last_n_steps_state", "save_model_as", "save_n_epoch_ratio", "save_precision",
        "save_state", "save_state_on_train_end", "scale_weight_norms", "sdpa", "seed", "shuffle_caption",
        "skip_until_initial_step", "text_encoder_lr", "train_batch_size", "train_data_dir", "training_comment",
        "unet_lr", "v2", "v_parameterization",
    }
)  # fmt: skip


class _NotGiven:
    """Stands where neither the command line nor the configuration file says anything."""


def given_options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> dict[str, Any]:
    """The options that somebody wrote, on the command line or in the configuration file."""
    blank = argparse.Namespace(**dict.fromkeys(vars(parser.parse_args([])), _NotGiven))
    on_command_line = {
        name for name, value in vars(parser.parse_args(namespace=blank)).items() if value is not _NotGiven
    }
    return {
        name: value
        for name, value in vars(args).items()
        if name in on_command_line or value != parser.get_default(name)
    }


def without_effect(given: dict[str, Any]) -> list[str]:
    """Those of them that change nothing here."""
    unused = {name for name in given if name not in USED}
    if given.get("pretrained_model_name_or_path") == demo_model.NAME:
        unused.discard("pretrained_model_name_or_path")
    return sorted(unused)
