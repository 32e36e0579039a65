"""Options that contradict each other, that do nothing without another, or that fail together."""

from __future__ import annotations

from pathlib import Path

from mistake import ERROR, WARNING, Change, Planted, Write, add, config, put, remove
from sound_specs import STATE

from launcher.base.findings import Severity

_LORA = "sd15-lora"
_SDXL = "sdxl-lora"
_UNET = "sdxl-unet-only"


def _add(
    id_: str, text: str, code: str, severity: Severity = ERROR, *, base: str = _LORA, message: str = ""
) -> Planted:
    return Planted(id_, base, add(text), code, severity, message, at=None)


def _put(
    id_: str, change: tuple[Change, ...], code: str, severity: Severity = ERROR, *, base: str = _LORA,
    message: str = "", name: str | None = None,
) -> Planted:  # fmt: skip
    return Planted(id_, base, change, code, severity, message, at=None, name=name)


MISTAKES = (
    # Caching.
    _put(
        "te-cache-shuffles", config("[general]", "[general]\nshuffle_caption = true"), "text-cache-shuffle", base=_UNET
    ),
    _put(
        "te-cache-drops",
        config("num_repeats", "caption_dropout_rate = 0.1\nnum_repeats"),
        "text-cache-dropout",
        base=_UNET,
    ),
    _put(
        "te-cache-tag-drops",
        config("num_repeats", "caption_tag_dropout_rate = 0.1\nnum_repeats"),
        "text-cache-tag-dropout",
        base=_UNET,
    ),
    _put(
        "te-cache-warms-up",
        config("num_repeats", "token_warmup_step = 100\nnum_repeats"),
        "text-cache-warmup",
        base=_UNET,
    ),
    _put("te-cache-trains", put("network_train_unet_only = true\n", ""), "text-cache-trained", base=_UNET),
    _put("crop-cached", config("num_repeats", "random_crop = true\nnum_repeats"), "latent-cache-crop"),
    _put("colour-cached", config("num_repeats", "color_aug = true\nnum_repeats"), "latent-cache-color"),
    # Steps and saving.
    _add("steps-and-epochs", "max_train_steps = 500", "epochs-over-steps", WARNING, base="sd15-epochs"),
    _add("keeps-steps-without", "save_last_n_steps = 800", "save-last-steps-alone", WARNING, base="sd15-epochs"),
    _add("keeps-epochs-without", "save_last_n_epochs = 3", "save-last-epochs-alone", WARNING),
    _add("keeps-states-without", "save_last_n_steps_state = 800", "save-state-window", WARNING),
    _add("keeps-less-than-a-step", "save_last_n_steps = 3", "save-last-steps", WARNING),
    _put("saves-after-the-end", put("save_every_n_steps = 400", "save_every_n_steps = 0"), "save-every-steps"),
    _add("ratio-and-epochs", "save_n_epoch_ratio = 2", "save-epoch-ratio", WARNING, base="sd15-epochs"),
    # Sampling.
    _add("two-intervals", "sample_every_n_epochs = 1", "sample-every-both", WARNING),
    # Attention and precision.
    _add("three-attentions", "mem_eff_attn = true", "attention-twice", WARNING),
    _add("xformers-and-sdpa", "xformers = true", "attention-twice", WARNING),
    _add("full-bf16", "full_bf16 = true", "full-bf16-precision"),
    _put(
        "full-fp16",
        put('mixed_precision = "fp16"', 'mixed_precision = "bf16"') + add("full_fp16 = true"),
        "full-fp16-precision",
    ),
    _put(
        "full-fp16-in-no",
        put('mixed_precision = "fp16"', 'mixed_precision = "no"') + add("full_fp16 = true"),
        "full-fp16-precision",
    ),
    _put(
        "fp8-base",
        put('mixed_precision = "fp16"', 'mixed_precision = "no"') + add("fp8_base = true"),
        "fp8-base-precision",
    ),
    # Noise.
    _add("discount-alone", "multires_noise_discount = 0.2", "multires-discount-unused", WARNING),
    _put("adaptive-alone", put("noise_offset = 0.05\n", ""), "adaptive-noise-alone", base="sd15-noise"),
    _add("offset-strength-alone", "noise_offset_random_strength = true", "noise-strength-unused", WARNING),
    _add("terminal-snr-alone", "zero_terminal_snr = true", "zero-terminal-snr", WARNING),
    _add("scale-v-alone", "scale_v_pred_loss_like_noise_pred = true", "scale-v-pred-alone"),
    _add("v-like-loss-with-v", "v_pred_like_loss = 0.5", "v-pred-like-with-v", base="sd15-v-prediction"),
    _add("min-over-max-timestep", "min_timestep = 800\nmax_timestep = 200", "timestep-range-one", WARNING),
    # Buckets, workers.
    _put(
        "bucket-range-unused",
        config("min_bucket_reso = 256", "bucket_no_upscale = true\nmin_bucket_reso = 320"),
        "bucket-limits-unused",
        WARNING,
    ),
    _put("workers-none", put("max_data_loader_n_workers = 2", "max_data_loader_n_workers = 0"), "persistent-workers"),
    # Network.
    _put("dim-from-nothing", put("network_alpha = 8", "dim_from_weights = true"), "dim-from-weights-alone"),
    _add("unet-only-and-rate", "network_train_unet_only = true", "text-lr-unused", WARNING),
    _add(
        "both-only",
        "network_train_unet_only = true\nnetwork_train_text_encoder_only = true",
        "trains-nothing",
        base="sd15-constant",
    ),
    _add("te-only-and-unet-rate", "network_train_text_encoder_only = true", "unet-lr-unused", WARNING),
    _put(
        "two-text-rates",
        put("text_encoder_lr = 5e-5", "text_encoder_lr = [5e-5, 1e-5]"),
        "text-lr-count",
        WARNING,
        base=_SDXL,
    ),
    _add("base-weights-multiplier", "base_weights_multiplier = [0.5]", "base-weights-multiplier"),
    _put("no-rank", put("network_dim = 16", "network_dim = 0"), "network-dim-none"),
    _put("rank-below-none", put("network_dim = 16", "network_dim = -16"), "network-dim-none"),
    _put("alpha-0", put("network_alpha = 8", "network_alpha = 0"), "network-alpha-none", WARNING),
    _put("snr-gamma-negative", put("min_snr_gamma = 5", "min_snr_gamma = -5"), "min-snr-gamma-negative", WARNING),
    _add("noise-offset-5", "noise_offset = 5", "noise-offset-strength", WARNING),
    Planted("v2-for-flux", "flux-lora", add("v2 = true"), "v2-unused", WARNING, "v2"),
    Planted(
        "limits-at-their-defaults",
        _LORA,
        config("enable_bucket = true", "enable_bucket = true\nbucket_no_upscale = true"),
        "bucket-limits-unused",
        WARNING,
        "min_bucket_reso and max_bucket_reso",
        at="min_bucket_reso",
    ),
    Planted(
        "dropout-in-percent",
        _LORA,
        add("network_dropout = 10"),
        "network-dropout-share",
        message="network_dropout is 10",
        only=("real", "the miniature's network does nothing with it"),
    ),
    _add("clip-skip-of-other-programs", "clip_skip = -2", "clip-skip-layer", WARNING),
    _add("clip-skip-none", "clip_skip = 0", "clip-skip-layer", WARNING),
    _add("clip-skip-beyond", "clip_skip = 20", "clip-skip-layer"),
    _put("seed-below-none", put("seed = 42", "seed = -1"), "seed"),
    # SDXL.
    _add("sdxl-clip-skip", "clip_skip = 2", "clip-skip-sdxl", WARNING, base=_SDXL),
    _add("sdxl-v2", "v2 = true", "v2-sdxl", base=_SDXL),
    _add("sdxl-v-prediction-in-v2", "v2 = true", "base-model-v2"),
    # Resume.
    _put("resume-nothing", put('"state"', '"states"'), "resume-no-state", base="sd15-resumed"),
    _put("resume-a-model", put('"state"', '"{models}/lora16.safetensors"'), "resume-no-state", base="sd15-resumed"),
    _put("resume-half", remove("state/optimizer.bin"), "resume-no-state", base="sd15-resumed", message="optimizer.bin"),
    Planted(
        "resume-of-a-run",
        "sd15-resumed",
        (
            *put('resume = "state"', 'resume = "run/fox-state"'),
            *put("skip_until_initial_step = true\n", ""),
            *(Write(f"run/fox-state/{Path(name).name}", content) for name, content in STATE.items()),
            Write("run/run.json", "{}"),
        ),
        "resume-counts-again",
        WARNING,
        hint="kl resume run",
        at="resume",
    ),
    _put("resume-finished", (), "resume-finished", base="sd15-resumed", name="fox-v1s800"),
    _add("initial-step-and-epoch", "initial_step = 100\ninitial_epoch = 2", "initial-step-and-epoch", WARNING),
    # Logs, uploads.
    Planted(
        "wandb-without-key",
        "sd15-wandb-offline",
        (),
        "wandb-key",
        ERROR,
        at=None,
        environ={"WANDB_MODE": "online"},
        only=("miniature", "the bed has no wandb"),
    ),
    Planted(
        "wandb-not-there",
        "sd15-logged",
        put('"tensorboard"', '"wandb"'),
        "wandb-missing",
        only=("real", "the miniature has wandb"),
    ),
    _add("tracker-alone", 'log_tracker_config = "tracker.toml"', "tracker-config"),
    _add("upload-to-nowhere", "save_state_to_huggingface = true", "hub-repository", WARNING, base="sd15-resumed"),
    _add("resume-from-hub", "resume_from_huggingface = true", "resume-from-hub-alone", WARNING),
    # Losses.
    _add("huber-c-alone", "huber_c = 0.2", "huber-unused", WARNING),
    _add("debiased-and-min-snr", "debiased_estimation_loss = true", "snr-weights-twice", WARNING),
    _add("snr-with-flow", "min_snr_gamma = 5", "flow-loss-unused", WARNING, base="flux-lora"),
    _add("masked-alone", "masked_loss = true", "masked-loss-unmasked", WARNING),
    # Flow models.
    _add(
        "blocks-swapped-and-cpu",
        "blocks_to_swap = 8\ncpu_offload_checkpointing = true",
        "swap-and-offload",
        base="flux-lora",
    ),
    _add("blocks-swapped-beyond", "blocks_to_swap = 60", "swap-too-many", base="flux-lora"),
    # Processes.
    _add("ddp-static", "ddp_gradient_as_bucket_view = true", "one-process", WARNING),
    _add("compile", 'dynamo_backend = "inductor"', "dynamo-backend", WARNING),
)
