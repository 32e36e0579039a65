"""What people call an option, from other trainers and from talk, where the nearest spelling would be another one."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.base.nearest import nearest

_CALLED = {
    "learning_rate": ("lr",),
    "text_encoder_lr": ("te_lr",),
    "max_train_epochs": ("epoch", "epochs", "num_epochs", "max_epochs"),
    "max_train_steps": ("steps", "max_steps", "num_steps", "total_steps"),
    "network_dim": ("dim", "rank", "lora_dim", "lora_rank", "network_rank"),
    "network_alpha": ("alpha", "lora_alpha"),
    "mixed_precision": ("precision",),
    "save_precision": ("save_dtype",),
    "pretrained_model_name_or_path": ("model", "base_model", "model_path", "checkpoint", "pretrained_model"),
    "vae": ("vae_path",),
    "lr_scheduler_num_cycles": ("cycles", "num_cycles"),
    "lr_warmup_steps": ("warmup",),
    "gradient_accumulation_steps": ("accumulate", "grad_accum", "grad_accumulation_steps"),
    "max_grad_norm": ("gradient_clipping", "clip_grad", "clip_grad_norm"),
    "max_data_loader_n_workers": ("workers", "num_workers", "dataloader_num_workers"),
    "save_every_n_steps": ("save_steps", "save_every_steps"),
    "save_every_n_epochs": ("save_epochs", "save_every_epochs"),
    "sample_every_n_steps": ("sample_every_steps",),
    "sample_sampler": ("sampler",),
    "sample_prompts": ("prompts", "prompt_file"),
    "min_snr_gamma": ("min_snr", "snr_gamma"),
    "multires_noise_iterations": ("pyramid_noise", "pyramid_noise_iterations"),
    "multires_noise_discount": ("pyramid_noise_discount",),
    "caption_extension": ("caption_ext",),
    "enable_bucket": ("bucket", "bucketing"),
}
_MEANT = {other: option for option, others in _CALLED.items() for other in others}


def option_meant(key: str, names: Sequence[str]) -> str | None:
    """The option of the script that is meant by a key it does not have, None when none is near.

    A rate that is spelled out is the one whose option says lr: unet_learning_rate is unet_lr.
    """
    plain = key.lower().replace("-", "_")
    called, short = _MEANT.get(plain), plain.replace("learning_rate", "lr")
    return next((name for name in (called, short) if name in names), None) or nearest(key, names)
