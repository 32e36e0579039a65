"""Under which heading of a tidy spec an option stands. Headings mean nothing to kl: they are for whoever reads it."""

from __future__ import annotations

import re

HEADINGS = ("model", "data", "network", "optimizer", "training", "noise", "saving", "samples", "logging", "metadata")
_OTHER = "training"
# By the names of sd-scripts' options; the first that fits decides. What comes new is mostly about training.
_RULES = (
    ("samples", r"sample_.*"),
    ("metadata", r"metadata_.*|training_comment|no_metadata"),
    ("logging", r"log_.*|wandb_.*|console_log_.*|logging_dir"),
    ("saving", r"save_.*|resume.*|huggingface_.*|async_upload|.*_to_huggingface|mem_eff_save|use_safetensors"),
    ("network", r"network_.*|dim_from_weights|base_weights.*|scale_weight_norms|cond_emb_dim|control_net_lllite.*"),
    ("optimizer", r"optimizer_.*|lr_.*|learning_rate.*|.*_lr|block_lr|use_8bit_adam|use_lion_optimizer|max_grad_norm"
                  r"|fused_.*|blockwise_fused_optimizers|loss_type|huber_.*|schedulefree_.*"),
    ("noise", r".*noise.*|min_snr_gamma|.*timesteps?$|timestep_.*|.*_timestep|prior_loss_weight|v_pred.*|scale_v_pred.*"
              r"|zero_terminal_snr|debiased_estimation_loss|weighting_scheme|logit_.*|mode_scale|sigmoid_scale"
              r"|discrete_flow_shift|training_shift|model_prediction_type|guidance_scale|masked_loss"),
    ("model", r"pretrained_.*|vae.*|no_half_vae|v2|v_parameterization|clip_[lg]|t5xxl.*|ae|ae_.*|gemma2.*|qwen3.*|dit"
              r"|text_encoder|byt5|.*tokenizer.*|clip_skip|model_type|lowram|highvram|controlnet_model.*|llm_.*path"
              r"|disable_mmap_.*|weights|token_string|init_word|num_vectors_per_token|use_.*_template"),
    ("data", r"train_data_dir|reg_data_dir|in_json|dataset_.*|conditioning_data_dir|resolution|.*bucket.*|caption.*"
             r"|keep_tokens.*|shuffle_.*|.*caption.*|cache_.*|color_aug|flip_aug|random_crop|face_crop.*|.*data_loader.*"
             r"|token_warmup.*|enable_wildcard|secondary_separator|alpha_mask|max_token_length|skip_cache_check"
             r"|resize_interpolation|.*max_token_length|max_embeddings_.*|skip_latents.*|no_token_padding|debug_dataset"),
)  # fmt: skip
_PATTERNS = tuple((heading, re.compile(pattern)) for heading, pattern in _RULES)


def heading_of(option: str) -> str:
    """The heading for an option, by its name."""
    return next((heading for heading, pattern in _PATTERNS if pattern.fullmatch(option)), _OTHER)
