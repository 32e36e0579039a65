"""The options of the miniature's scripts: names, types and defaults as sd-scripts has them, no more than specs use."""

from __future__ import annotations

SWITCHES = """
v2 v_parameterization shuffle_caption color_aug flip_aug random_crop debug_dataset cache_latents cache_latents_to_disk
enable_bucket bucket_no_upscale alpha_mask save_state_to_huggingface resume_from_huggingface async_upload save_state
save_state_on_train_end mem_eff_attn torch_compile xformers sdpa persistent_data_loader_workers
gradient_checkpointing full_fp16 full_bf16 fp8_base ddp_gradient_as_bucket_view ddp_static_graph
noise_offset_random_strength zero_terminal_snr lowram sample_at_first output_config masked_loss deepspeed use_8bit_adam
use_lion_optimizer scale_v_pred_loss_like_noise_pred debiased_estimation_loss weighted_captions
cpu_offload_checkpointing no_metadata no_half_vae cache_info enable_wildcard fused_backward_pass
"""
PLAIN = {
    "str": """
pretrained_model_name_or_path tokenizer_cache_dir train_data_dir caption_extention secondary_separator caption_prefix
caption_suffix face_crop_aug_range resolution dataset_class reg_data_dir in_json output_dir output_name
huggingface_repo_id huggingface_repo_type huggingface_path_in_repo huggingface_token huggingface_repo_visibility
resume vae logging_dir log_prefix log_tracker_name wandb_run_name log_tracker_config wandb_api_key sample_prompts
config_file conditioning_data_dir console_log_file training_comment
""",
    "int": """
caption_dropout_every_n_epochs save_every_n_epochs save_every_n_steps save_n_epoch_ratio save_last_n_epochs
save_last_n_epochs_state save_last_n_steps save_last_n_steps_state max_train_epochs seed ddp_timeout clip_skip
multires_noise_iterations min_timestep max_timestep sample_every_n_steps sample_every_n_epochs lr_scheduler_timescale
""",
    "float": """
noise_offset ip_noise_gamma adaptive_noise_scale lr_scheduler_min_lr_ratio min_snr_gamma v_pred_like_loss
""",
}
# Name, type, default.
WITH_DEFAULT = (
    ("caption_separator", "str", ","),
    ("caption_extension", "str", ".caption"),
    ("keep_tokens", "int", 0),
    ("keep_tokens_separator", "str", ""),
    ("vae_batch_size", "int", 1),
    ("min_bucket_reso", "int", 256),
    ("max_bucket_reso", "int", 1024),
    ("bucket_reso_steps", "int", 64),
    ("token_warmup_min", "int", 1),
    ("token_warmup_step", "float", 0),
    ("caption_dropout_rate", "float", 0.0),
    ("caption_tag_dropout_rate", "float", 0.0),
    ("dataset_repeats", "int", 1),
    ("prior_loss_weight", "float", 1.0),
    ("train_batch_size", "int", 1),
    ("max_train_steps", "int", 1600),
    ("max_data_loader_n_workers", "int", 8),
    ("gradient_accumulation_steps", "int", 1),
    ("multires_noise_discount", "float", 0.3),
    ("huber_c", "float", 0.1),
    ("huber_scale", "float", 1.0),
    ("optimizer_type", "str", ""),
    ("learning_rate", "float", 2e-6),
    ("max_grad_norm", "float", 1.0),
    ("lr_scheduler_type", "str", ""),
    ("lr_scheduler", "str", "constant"),
    ("lr_scheduler_num_cycles", "int", 1),
    ("lr_scheduler_power", "float", 1),
)
_SAMPLERS = (
    "ddim", "pndm", "lms", "euler", "euler_a", "heun", "dpm_2", "dpm_2_a", "dpmsolver", "dpmsolver++", "dpmsingle",
    "k_lms", "k_euler", "k_euler_a", "k_dpm_2", "k_dpm_2_a",
)  # fmt: skip
# Name, type, default, choices.
CHOICES = (
    ("save_precision", "str", None, (None, "float", "fp16", "bf16")),
    ("max_token_length", "int", None, (None, 150, 225)),
    ("mixed_precision", "str", "no", ("no", "fp16", "bf16")),
    ("log_with", "str", None, ("tensorboard", "wandb", "all")),
    ("loss_type", "str", "l2", ("l1", "l2", "huber", "smooth_l1")),
    ("huber_schedule", "str", "snr", ("constant", "exponential", "snr")),
    ("sample_sampler", "str", "ddim", _SAMPLERS),
    ("dynamo_backend", "str", "inductor", ("eager", "aot_eager", "inductor")),
)
LISTS = (("optimizer_args", "str"), ("lr_scheduler_args", "str"))
NETWORK = """
    parser.add_argument("--save_model_as", type=str, default="safetensors", choices=[None, "ckpt", "pt", "safetensors"])
    parser.add_argument("--unet_lr", type=float, default=None)
    parser.add_argument("--text_encoder_lr", type=float, default=None, nargs="*")
    parser.add_argument("--fp8_base_unet", action="store_true")
    parser.add_argument("--network_weights", type=str, default=None)
    parser.add_argument("--network_module", type=str, default=None)
    parser.add_argument("--network_dim", type=int, default=None)
    parser.add_argument("--network_alpha", type=float, default=1)
    parser.add_argument("--network_dropout", type=float, default=None)
    parser.add_argument("--network_args", type=str, default=None, nargs="*")
    parser.add_argument("--network_train_unet_only", action="store_true")
    parser.add_argument("--network_train_text_encoder_only", action="store_true")
    parser.add_argument("--dim_from_weights", action="store_true")
    parser.add_argument("--scale_weight_norms", type=float, default=None)
    parser.add_argument("--base_weights", type=str, default=None, nargs="*")
    parser.add_argument("--base_weights_multiplier", type=float, default=None, nargs="*")
    parser.add_argument("--skip_until_initial_step", action="store_true")
    parser.add_argument("--initial_epoch", type=int, default=None)
    parser.add_argument("--initial_step", type=int, default=None)
    parser.add_argument("--validation_split", type=float, default=0.0)
"""
CACHED = """
    parser.add_argument("--cache_text_encoder_outputs", action="store_true")
    parser.add_argument("--cache_text_encoder_outputs_to_disk", action="store_true")
"""
_SAMPLED = """
    parser.add_argument("--blocks_to_swap", type=int, default=None)
    parser.add_argument("--timestep_sampling", choices=["sigma", "uniform", "sigmoid", "shift"{more}], default="sigma")
    parser.add_argument("--discrete_flow_shift", type=float, default=3.0)
"""
_PREDICTED = """
    parser.add_argument("--model_prediction_type", choices=["raw", "additive", "sigma_scaled"], default="raw")
"""
FLOW = _SAMPLED.replace("{more}", ', "flux_shift"') + _PREDICTED
FLUX = (
    FLOW
    + """
    parser.add_argument("--clip_l", type=str)
    parser.add_argument("--t5xxl", type=str)
    parser.add_argument("--ae", type=str)
    parser.add_argument("--guidance_scale", type=float, default=3.5)
    parser.add_argument("--model_type", type=str, choices=["flux", "chroma"], default="flux")
"""
)
SD3 = """
    parser.add_argument("--blocks_to_swap", type=int, default=None)
    parser.add_argument("--clip_l", type=str)
    parser.add_argument("--clip_g", type=str)
    parser.add_argument("--t5xxl", type=str)
"""
LUMINA = (
    _SAMPLED.replace("{more}", ', "nextdit_shift"')
    + _PREDICTED
    + """
    parser.add_argument("--gemma2", type=str)
    parser.add_argument("--ae", type=str)
    parser.add_argument("--system_prompt", type=str, default="")
"""
)
ANIMA = (
    _SAMPLED.replace("{more}", ', "flux_shift"')
    + """
    parser.add_argument("--qwen3", type=str)
    parser.add_argument("--vae_chunk_size", type=int, default=None)
    parser.add_argument("--vae_disable_cache", action="store_true")
"""
)


def common_arguments() -> str:
    """The body of a function that adds to `parser` what every script has."""
    lines = [f'parser.add_argument("--{name}", action="store_true")' for name in SWITCHES.split()]
    lines += [
        f'parser.add_argument("--{name}", type={kind}, default=None)'
        for kind, names in PLAIN.items()
        for name in names.split()
    ]
    lines += [
        f'parser.add_argument("--{name}", type={kind}, default={default!r})' for name, kind, default in WITH_DEFAULT
    ]
    lines += [
        f'parser.add_argument("--{name}", type={kind}, default={default!r}, choices={list(choices)!r})'
        for name, kind, default, choices in CHOICES
    ]
    lines += [f'parser.add_argument("--{name}", type={kind}, default=None, nargs="*")' for name, kind in LISTS]
    lines += ['parser.add_argument("--dataset_config", type=pathlib.Path, default=None)']
    lines += [f'parser.add_argument("--{name}", type=int_or_float, default=0)' for name in ("lr_warmup_steps",)]
    lines += ['parser.add_argument("--lr_decay_steps", type=int_or_float, default=0)']
    return "".join(f"    {line}\n" for line in lines)
