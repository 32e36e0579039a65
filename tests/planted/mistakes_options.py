"""Mistakes in options: names, values, options of other scripts, kl's own tables."""

from __future__ import annotations

from mistake import ERROR, SPEC, WARNING, Edit, Planted, add, put

_LORA = "sd15-lora"


def _misspelt(wrong: str, right: str, value: str, *, base: str = _LORA) -> Planted:
    """An option that the base has, under a wrong name."""
    return Planted(
        f"misspelt-{wrong}", base, put(f"\n{right} = {value}", f"\n{wrong} = {value}"), "unknown-key", hint=right
    )


def _added(wrong: str, right: str, value: str) -> Planted:
    """An option that the base lacks, under a wrong name."""
    return Planted(f"misspelt-{wrong}", _LORA, add(f"{wrong} = {value}"), "unknown-key", message=wrong, hint=right)


def _value(id_: str, old: str, new: str, code: str, *, message: str = "", hint: str = "", base: str = _LORA) -> Planted:
    return Planted(id_, base, put(old, new), code, message=message, hint=hint)


MISTAKES = (
    _misspelt("netwrok_dim", "network_dim", "16"),
    _misspelt("network-alhpa", "network_alpha", "8"),
    _misspelt("learning_rat", "learning_rate", "0.0001"),
    _misspelt("lr_schedular", "lr_scheduler", '"constant"', base="sd15-constant"),
    _misspelt("optimiser_type", "optimizer_type", '"AdamW"'),
    _misspelt("mixed_precison", "mixed_precision", '"fp16"'),
    _misspelt("gradient_checkpoint", "gradient_checkpointing", "true"),
    _misspelt("min_snr_gama", "min_snr_gamma", "5"),
    _misspelt("cache_latent", "cache_latents", "true"),
    _misspelt("save_every_n_step", "save_every_n_steps", "400"),
    _misspelt("text_encoder_learning_rate", "text_encoder_lr", "5e-5"),
    _misspelt("unet_learning_rate", "unet_lr", "1e-4"),
    _misspelt("max_dataloader_n_workers", "max_data_loader_n_workers", "2"),
    _misspelt("save_percision", "save_precision", '"fp16"'),
    _added("noise_ofset", "noise_offset", "0.05"),
    _added("clipskip", "clip_skip", "2"),
    _added("max_train_epoch", "max_train_epochs", "5"),
    _added("train_batchsize", "train_batch_size", "2"),
    _added("xformer", "xformers", "true"),
    _added("multires_noise_iteration", "multires_noise_iterations", "6"),
    _added("gradient_acumulation_steps", "gradient_accumulation_steps", "2"),
    _added("max_token_lenght", "max_token_length", "225"),
    _added("sample_samplr", "sample_sampler", '"euler_a"'),
    Planted(
        "base-model-misspelt",
        _LORA,
        put("pretrained_model_name_or_path", "pretrained_model_name"),
        "unknown-key",
        follows=("required",),
        hint="pretrained_model_name_or_path",
    ),
    Planted(
        "misspelt-in-set",
        _LORA,
        (),
        "unknown-key",
        hint="network_dim",
        at="--set netwrok_dim=8",
        sets=("netwrok_dim=8",),
    ),
    Planted("of-sdxl", _LORA, add("cache_text_encoder_outputs = true"), "unknown-key", hint="flux_train_network.py"),
    Planted("of-flux", _LORA, add("guidance_scale = 1.0"), "unknown-key", hint="flux_train_network.py"),
    Planted("of-sd3", "sdxl-lora", add('t5xxl = "t5.safetensors"'), "unknown-key", hint="sd3_train_network.py"),
    Planted("of-sdxl-train", "sdxl-lora", add("learning_rate_te1 = 1e-5"), "unknown-key", hint="sdxl_train.py"),
    Planted("of-train-db", _LORA, add("stop_text_encoder_training = 500"), "unknown-key", hint="train_db.py"),
    Planted(
        "of-textual-inversion", _LORA, add('token_string = "fox"'), "unknown-key", hint="train_textual_inversion.py"
    ),
    Planted("of-dataset-config", _LORA, add("num_repeats = 10"), "unknown-key", hint="dataset"),
    Planted("of-network-args", _LORA, add("conv_dim = 8"), "unknown-key", hint="network_args"),
    Planted("of-kl", _LORA, add("keep_last_saves = 3"), "unknown-key", hint="kl's own"),
    Planted(
        "misspelt-in-run",
        "sd15-keep",
        put("keep_last_saves", "keep_last_save"),
        "unknown-key",
        hint="keep_last_saves",
    ),
    Planted(
        "misspelt-in-accelerate",
        "sd15-gpus",
        put("num_cpu_threads_per_process", "num_cpu_thread_per_process"),
        "unknown-key",
        hint="num_cpu_threads_per_process",
    ),
    Planted("drops-nothing", _LORA, put("[run]", '[run]\ndrop = ["sed"]'), "nothing-to-drop", message="sed", at=None),
    _value("dim-as-word", "network_dim = 16", 'network_dim = "sixteen"', "wrong-type", message="network_dim"),
    _value("dim-with-fraction", "network_dim = 16", "network_dim = 16.5", "wrong-type", message="network_dim"),
    _value("dim-as-true", "network_dim = 16", "network_dim = true", "wrong-type", message="network_dim"),
    _value("rate-as-word", "learning_rate = 0.0001", 'learning_rate = "1e-4f"', "wrong-type", message="learning_rate"),
    _value("rate-with-comma", "learning_rate = 0.0001", 'learning_rate = "0,0001"', "wrong-type"),
    _value("switch-as-word", "sdpa = true", 'sdpa = "yes"', "wrong-type", message="sdpa"),
    _value("switch-as-number", "cache_latents = true", "cache_latents = 1", "wrong-type", message="cache_latents"),
    _value("seed-as-word", "seed = 42", 'seed = "random"', "wrong-type", message="seed"),
    _value("two-dims", "network_dim = 16", "network_dim = [16, 8]", "wrong-count", message="network_dim"),
    _value("precision-float16", '"fp16"\ngradient', '"float16"\ngradient', "not-a-choice", hint="fp16"),
    _value("save-as-safetensor", '"safetensors"\nsave', '"safetensor"\nsave', "not-a-choice", hint="safetensors"),
    _value("sampler-misspelt", '"euler_a"', '"euler_aa"', "not-a-choice", hint="euler_a"),
    Planted("loss-misspelt", _LORA, add('loss_type = "hubber"'), "not-a-choice", hint="huber"),
    Planted("token-length", _LORA, add("max_token_length = 200"), "not-a-choice", message="max_token_length"),
    Planted("resolution-as-list", "sd15-folders", put('"512,512"', "[512, 512]"), "wrong-count", hint='"512,512"'),
    Planted("seed-in-two-tables", _LORA, add("seed = 43"), "same-key-twice", message="seed"),
    Planted("output-name", _LORA, add('output_name = "fox"'), "set-by-kl", message="output_name"),
    Planted("output-dir", _LORA, add('output_dir = "out"'), "set-by-kl", message="output_dir"),
    Planted("token-in-spec", _LORA, add('huggingface_token = "hf_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"'), "secret"),
    Planted(
        "no-base-model",
        _LORA,
        put('pretrained_model_name_or_path = "{models}/sd1.safetensors"', ""),
        "required",
        message="pretrained_model_name_or_path",
        at=None,
    ),
    Planted(
        "no-network-module",
        _LORA,
        put('network_module = "networks.lora"', ""),
        "required",
        message="network_module",
        at=None,
    ),
    Planted("no-dataset", "sd15-constant", put('dataset_folder = "data"', ""), "no-dataset", at=None),
    Planted(
        "name-and-epochs",
        _LORA,
        add("max_train_epochs = 3"),
        "name-steps",
        WARNING,
    ),
    Planted(
        "precision-of-accelerate",
        "sd15-gpus",
        (Edit(SPEC, 'process = 4\nmixed_precision = "fp16"', 'process = 4\nmixed_precision = "bf16"'),),
        "accelerate-precision",
        WARNING,
        message="bf16",
    ),
    Planted(
        "variable-not-set",
        _LORA,
        add('vae = "$NO_SUCH_FOLDER/vae.safetensors"'),
        "path",
        ERROR,
        message="NO_SUCH_FOLDER",
    ),
)
