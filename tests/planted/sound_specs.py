"""Sound specs, as people write them: nothing is to be said about any of them.

`{models}` is the folder of model files, `{here}` the one that holds the spec.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from data_files import photographs
from mistake import CONFIG, PROMPTS

Files = Mapping[str, bytes | str]


@dataclass(frozen=True)
class Sound:
    """A spec with the files around it. `modules` are what the environment must have for it."""

    id: str
    spec: str
    files: Files = field(default_factory=dict)
    name: str = "fox-v1s2000"
    environ: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


def run(script: str, file: str, more: str = 'dataset_folder = "data"') -> str:
    """The beginning of a spec: the script and the base model."""
    return f'[run]\nscript = "{script}"\n{more}\n\n[model]\npretrained_model_name_or_path = "{{models}}/{file}"\n'


def network(module: str, dim: int, alpha: float, **items: object) -> str:
    """A network with its network_args."""
    head = f'\n[network]\nnetwork_module = "{module}"\nnetwork_dim = {dim}\nnetwork_alpha = {alpha}\n'
    return head + "".join(["\n[network_args]\n", *(f"{key} = {json.dumps(item)}\n" for key, item in items.items())])


def optimizer(kind: str, rate: float, *more: str, **items: object) -> str:
    """An optimizer with its optimizer_args, one rate for all, and more lines."""
    head = f'\n[optimizer]\noptimizer_type = "{kind}"\nlearning_rate = {rate}\n' + "".join(f"{line}\n" for line in more)
    return head + "".join(["\n[optimizer_args]\n", *(f"{key} = {json.dumps(item)}\n" for key, item in items.items())])


LORA = network("networks.lora", 16, 8)
LOCON = network("lycoris.kohya", 16, 8, algo="locon", preset="attn-mlp")
RATES = ("unet_lr = 1e-4", "text_encoder_lr = 5e-5")
RESTARTS = ('lr_scheduler = "cosine_with_restarts"', "lr_scheduler_num_cycles = 3", "lr_warmup_steps = 100")
ADAMW = optimizer("AdamW", 1e-4, *RATES, *RESTARTS, "max_grad_norm = 1.0", weight_decay=0.1, betas=[0.9, 0.99])
TRAINING = """
[training]
mixed_precision = "fp16"
gradient_checkpointing = true
sdpa = true
min_snr_gamma = 5
seed = 42

[data]
cache_latents = true
max_data_loader_n_workers = 2
persistent_data_loader_workers = true

[saving]
save_model_as = "safetensors"
save_precision = "fp16"
save_every_n_steps = 400
"""
SAMPLES = """
[samples]
sample_every_n_steps = 400
sample_sampler = "euler_a"
"""
USUAL = ADAMW + TRAINING + SAMPLES
CONFIG_TEXT = """[general]
enable_bucket = true
shuffle_caption = true
keep_tokens = 1
caption_extension = ".txt"

[[datasets]]
resolution = 512
batch_size = 4
min_bucket_reso = 256
max_bucket_reso = 1024

[[datasets.subsets]]
image_dir = "{here}/data/img"
num_repeats = 10
"""
PROMPTS_TEXT = """# every 400 steps
fox, sitting, forest --w 512 --h 512 --d 1 --s 20 --l 7 --n blurry, text
fox, running, snow --w 512 --h 768 --d 2 --s 28
"""

CONFIG_1024 = CONFIG_TEXT.replace("max_bucket_reso = 1024", "max_bucket_reso = 2048").replace("= 512", "= 1024")
PROMPTS_1024 = PROMPTS_TEXT.replace("512", "1024").replace("768", "1536")
DATA: Files = {CONFIG: CONFIG_TEXT, PROMPTS: PROMPTS_TEXT, **photographs("data/img", 512)}
DATA_1024: Files = {CONFIG: CONFIG_1024, PROMPTS: PROMPTS_1024, **photographs("data/img", 1024)}
IN_SPEC = """
[[datasets]]
resolution = 1024
batch_size = 2
enable_bucket = true
  [[datasets.subsets]]
  image_dir = "img"
  num_repeats = 5
  caption_extension = ".txt"
"""
NO_SAMPLES = 'drop = ["sample_every_n_steps", "sample_sampler"]'
FLOW = (
    optimizer("AdamW", 1e-4, 'lr_scheduler = "cosine_with_restarts"', "lr_scheduler_num_cycles = 2")
    + """
[training]
mixed_precision = "bf16"
gradient_checkpointing = true
sdpa = true
network_train_unet_only = true
cache_latents = true
cache_text_encoder_outputs = true
max_data_loader_n_workers = 2
persistent_data_loader_workers = true
save_model_as = "safetensors"
save_precision = "bf16"
save_every_n_steps = 500
"""
)
FLOW_CONFIG = CONFIG_1024.replace("shuffle_caption = true\nkeep_tokens = 1\n", "")
FLOW_DATA: Files = {CONFIG: FLOW_CONFIG, **photographs("data/img", 1024)}
STATE: Files = {
    "state/train_state.json": json.dumps({"current_epoch": 3, "current_step": 800}), "state/model.safetensors": b"",
    "state/optimizer.bin": b"", "state/scheduler.bin": b"", "state/scaler.pt": b"", "state/random_states_0.pkl": b"",
}  # fmt: skip
METADATA = json.dumps({f"{{here}}/data/img/{index:02}.png": {"caption": "fox, sitting"} for index in range(8)})

SD = run("train_network.py", "sd1.safetensors")
SDXL = run("sdxl_train_network.py", "sdxl.safetensors")
FOLDERS_ONLY = run("train_network.py", "sd1.safetensors", "")
FOLDERS = """
[pictures]
train_data_dir = "train"
resolution = "512,512"
enable_bucket = true
caption_extension = ".txt"
train_batch_size = 2
"""
EVERY: tuple[Sound, ...] = (
    Sound("sd15-lora", SD + LORA + USUAL, DATA),
    Sound("sd15-locon", SD + LOCON + USUAL, DATA),
    Sound("sd15-lora-conv", SD + network("networks.lora", 16, 8, conv_dim=8, conv_alpha=1) + USUAL, DATA),
    Sound(
        "sd15-blocks",
        SD + network("networks.lora", 16, 8, block_dims=[8] * 25, block_alphas=[4] * 25) + USUAL,
        DATA,
    ),
    Sound("sd15-dylora", SD + network("networks.dylora", 16, 8, unit=4) + USUAL, DATA),
    Sound("sd15-loraplus", SD + network("networks.lora", 16, 8, loraplus_lr_ratio=16) + USUAL, DATA),
    Sound("sd15-diffusers", SD.replace("sd1.safetensors", "diffusers-sd1") + LORA + USUAL, DATA),
    Sound(
        "sd15-folders",
        FOLDERS_ONLY + FOLDERS + LORA + ADAMW + TRAINING,
        photographs("train/10_fox", 512),
    ),
    Sound(
        "sd15-folders-reg",
        FOLDERS_ONLY + FOLDERS + 'reg_data_dir = "reg"\nprior_loss_weight = 0.5\n' + LORA + ADAMW + TRAINING,
        {**photographs("train/10_fox animal", 512), **photographs("reg/1_animal", 512, 20)},
    ),
    Sound(
        "sd15-no-captions",
        SD + LORA + USUAL,
        {
            CONFIG: CONFIG_TEXT.replace("shuffle_caption = true\nkeep_tokens = 1\n", "").replace(
                "num_repeats", 'class_tokens = "sks fox"\nnum_repeats'
            ),
            PROMPTS: PROMPTS_TEXT,
            **photographs("data/img", 512, captions=""),
        },
    ),
    Sound(
        "sd15-several-datasets",
        SD + LORA + USUAL,
        {
            **DATA,
            CONFIG: CONFIG_TEXT
            + """
[[datasets]]
resolution = [640, 768]
batch_size = 2

[[datasets.subsets]]
image_dir = "{here}/data/more"
num_repeats = 2
keep_tokens = 2
caption_dropout_rate = 0.05
flip_aug = false

[[datasets.subsets]]
image_dir = "{here}/data/img"
""",
            **photographs("data/more", 640),
        },
    ),
    Sound(
        "sd15-metadata",
        SD + LORA + ADAMW + TRAINING,
        {
            CONFIG: CONFIG_TEXT.replace('caption_extension = ".txt"\n', "").replace(
                "num_repeats", 'metadata_file = "{here}/data/meta.json"\nnum_repeats'
            ),
            "data/meta.json": METADATA,
            **photographs("data/img", 512, captions=""),
        },
    ),
    Sound(
        "sd15-resumed",
        SD + LORA + USUAL + '\n[again]\nresume = "state"\nsave_state = true\nskip_until_initial_step = true\n',
        {**DATA, **STATE},
    ),
    Sound(
        "sd15-weights",
        SD + LORA + USUAL + '\n[again]\nnetwork_weights = "{models}/lora16.safetensors"\n',
        DATA,
    ),
    Sound(
        "sd15-v-prediction",
        SD + LORA + ADAMW + TRAINING + "v_parameterization = true\nzero_terminal_snr = true\n"
        "scale_v_pred_loss_like_noise_pred = true\n",
        DATA,
    ),
    Sound("sd15-noise", SD + LORA + USUAL + "\n[noise]\nnoise_offset = 0.05\nadaptive_noise_scale = 0.005\n", DATA),
    Sound(
        "sd15-pyramid",
        SD + LORA + USUAL + "\n[noise]\nmultires_noise_iterations = 6\nmultires_noise_discount = 0.3\n",
        DATA,
    ),
    Sound(
        "sd15-epochs",
        SD + LORA + USUAL.replace("_n_steps = 400", "_n_epochs = 2")
        + "\n[long]\nmax_train_epochs = 10\nsave_last_n_epochs = 3\nsave_state = true\nsave_last_n_epochs_state = 1\n",
        DATA,
        name="fox",
    ),
    Sound("sd15-keep", SD.replace("[run]", "[run]\nkeep_last_saves = 3") + LORA + USUAL, DATA),
    Sound(
        "sd15-logged",
        SD + LORA + USUAL + '\n[log]\nlog_with = "tensorboard"\nlog_tracker_name = "fox"\n',
        DATA,
        modules=("tensorboard",),
    ),
    Sound(
        "sd15-wandb-offline",
        SD + LORA + USUAL + '\n[log]\nlog_with = "wandb"\nlog_tracker_name = "fox"\n',
        DATA,
        environ={"WANDB_MODE": "offline"},
        modules=("wandb",),
    ),
    Sound("sd15-pytorch-cosine", SD + LORA + optimizer("AdamW", 1e-4, 'lr_scheduler = "cosine"') + TRAINING, DATA),
    Sound("sd15-constant", SD + LORA + optimizer("AdamW", 1e-4, 'lr_scheduler = "constant"') + TRAINING, DATA),
    Sound(
        "sd15-prodigy",
        SD + LORA
        + optimizer("Prodigy", 1.0, 'lr_scheduler = "cosine"', d_coef=1.0, weight_decay=0.01, use_bias_correction=True)
        + TRAINING + SAMPLES,
        DATA,
        modules=("prodigyopt",),
    ),
    Sound(
        "sd15-adamw8bit",
        SD + LORA + optimizer("AdamW8bit", 1e-4, *RATES, *RESTARTS, weight_decay=0.1) + TRAINING + SAMPLES,
        DATA,
        modules=("bitsandbytes",),
    ),
    Sound(
        "sd15-lion",
        SD + LORA + optimizer("Lion", 2e-5, 'lr_scheduler = "linear"', weight_decay=0.1) + TRAINING,
        DATA,
        modules=("lion_pytorch",),
    ),
    Sound(
        "sd15-schedule-free",
        SD + LORA + optimizer("AdamWScheduleFree", 1e-4, warmup_steps=100, weight_decay=0.01) + TRAINING,
        DATA,
        modules=("schedulefree",),
    ),
    Sound(
        "sd15-dotted",
        SD + LORA + optimizer("pytorch_optimizer.CAME", 1e-4, 'lr_scheduler = "cosine"', weight_decay=0.01) + TRAINING,
        DATA,
        modules=("pytorch_optimizer",),
    ),
    Sound(
        "sd15-from-the-line",
        SD + LORA + USUAL,
        DATA,
        arguments=("--network_dim=32", "--clip_skip", "2", "--network_args", "conv_dim=4", "conv_alpha=1"),
    ),
    Sound(
        "sd15-gpus",
        SD + LORA + USUAL + '\n[accelerate]\nnum_cpu_threads_per_process = 4\nmixed_precision = "fp16"\n',
        DATA,
    ),
    Sound(
        "sd15-prompts-toml",
        SD + LORA + USUAL + '\n[prompted]\nsample_prompts = "prompts.toml"\n',
        {
            **DATA,
            "prompts.toml": '[prompt]\nwidth = 512\nheight = 512\nsample_steps = 20\n\n'
            '[[prompt.subset]]\nprompt = "fox, sitting"\nseed = 1\n\n'
            '[[prompt.subset]]\nprompt = "fox, snow"\nscale = 6\n',
        },
    ),
    Sound(
        "sd15-prompts-json",
        SD + LORA + USUAL + '\n[prompted]\nsample_prompts = "prompts.json"\n',
        {**DATA, "prompts.json": json.dumps([{"prompt": "fox, sitting", "width": 512, "height": 768, "seed": 1}])},
    ),
    Sound(
        "sd15-prompts-in-spec",
        SD + LORA + USUAL + '\n[[sample_prompts]]\nprompt = "fox"\nnegative_prompt = "blurry"\nwidth = 512\n',
        DATA,
    ),
    Sound(
        "sd2-lora",
        run("train_network.py", "sd2.safetensors") + "v2 = true\n" + LORA + ADAMW + TRAINING,
        DATA,
    ),
    Sound("sdxl-lora", SDXL + LORA + USUAL + "no_half_vae = true\n", DATA_1024),
    Sound(
        "sdxl-unet-only",
        SDXL + LORA + optimizer("AdamW", 1e-4, "unet_lr = 1e-4", *RESTARTS) + TRAINING
        + "network_train_unet_only = true\ncache_text_encoder_outputs = true\n",
        {CONFIG: FLOW_CONFIG, **photographs("data/img", 1024)},
    ),
    Sound(
        "sdxl-locon",
        SDXL + network("lycoris.kohya", 16, 8, algo="locon", preset="full", conv_dim=8, conv_alpha=4) + USUAL,
        DATA_1024,
    ),
    Sound("sdxl-blocks", SDXL + network("networks.lora", 16, 8, block_dims=[8] * 23) + USUAL, DATA_1024),
    Sound(
        "sdxl-adafactor",
        SDXL + LORA
        + optimizer(
            "Adafactor", 1e-4, 'lr_scheduler = "constant_with_warmup"', "lr_warmup_steps = 100", "max_grad_norm = 0.0",
            scale_parameter=False, relative_step=False, warmup_init=False,
        )
        + TRAINING,
        DATA_1024,
        modules=("transformers",),
    ),
    Sound(
        "pony-lokr",
        SDXL + network("lycoris.kohya", 16, 8, algo="lokr", preset="full", factor=8, conv_dim=8, conv_alpha=4)
        + USUAL + "no_half_vae = true\n",
        DATA_1024,
    ),
    Sound(
        "pony-loha-dora",
        SDXL + network("lycoris.kohya", 8, 4, algo="loha", preset="attn-mlp", dora_wd=True) + USUAL,
        DATA_1024,
    ),
    Sound(
        "template-sdxl-locon",
        f'extends = "sdxl-locon"\n[run]\n{NO_SAMPLES}\n[model]\n'
        'pretrained_model_name_or_path = "{models}/sdxl.safetensors"\n' + IN_SPEC,
        photographs("img", 1024),
    ),
    Sound(
        "template-sdxl-sampled",
        'extends = "sdxl-locon"\n[model]\npretrained_model_name_or_path = "{models}/sdxl.safetensors"\n' + IN_SPEC
        + '\n[[sample_prompts]]\nprompt = "fox"\nwidth = 1024\nheight = 1024\n',
        photographs("img", 1024),
    ),
    Sound(
        "template-sd15-locon",
        'extends = "sd15-locon"\n[run]\ndataset_folder = "data"\n[model]\n'
        'pretrained_model_name_or_path = "{models}/sd1.safetensors"\n',
        DATA,
    ),
    Sound(
        "template-pony-guide",
        'extends = "pony-locon-guide"\n[run]\ndataset_folder = "data"\n'
        'drop = ["network_args.block_dims", "network_args.block_alphas", "network_args.rank_dropout_scale"]\n'
        '[model]\npretrained_model_name_or_path = "{models}/diffusers-sdxl"\ntrain_data_dir = "train"\n',
        {**photographs("train/10_fox", 1024, 40), PROMPTS: PROMPTS_1024},
    ),
    Sound(
        "flux-lora",
        run("flux_train_network.py", "flux.safetensors")
        + 'clip_l = "{models}/clip.safetensors"\nt5xxl = "{models}/t5.safetensors"\nae = "{models}/ae.safetensors"\n'
        'timestep_sampling = "shift"\ndiscrete_flow_shift = 3.1582\nmodel_prediction_type = "raw"\n'
        "guidance_scale = 1.0\nfp8_base = true\n"
        + network("networks.lora_flux", 16, 8, train_blocks="all", split_qkv=True) + FLOW,
        FLOW_DATA,
    ),
    Sound(
        "sd3-lora",
        run("sd3_train_network.py", "sd3.safetensors")
        + 'clip_l = "{models}/clip.safetensors"\nclip_g = "{models}/clip.safetensors"\n'
        't5xxl = "{models}/t5.safetensors"\n'
        + network("networks.lora_sd3", 16, 8) + FLOW,
        FLOW_DATA,
    ),
    Sound(
        "lumina-lora",
        run("lumina_train_network.py", "lumina.safetensors")
        + 'gemma2 = "{models}/gemma2.safetensors"\nae = "{models}/ae.safetensors"\n'
        + network("networks.lora_lumina", 16, 8) + FLOW,
        FLOW_DATA,
    ),
    Sound(
        "sdxl-fine-tuning",
        run("sdxl_train.py", "sdxl.safetensors")
        + optimizer("AdamW", 1e-5, 'lr_scheduler = "constant_with_warmup"', "lr_warmup_steps = 100")
        + TRAINING + "train_text_encoder = true\nlearning_rate_te1 = 5e-6\nlearning_rate_te2 = 0.0\n",
        DATA_1024,
    ),
    Sound(
        "sd15-textual-inversion",
        run("train_textual_inversion.py", "sd1.safetensors")
        + 'token_string = "sksfox"\ninit_word = "fox"\nnum_vectors_per_token = 4\nuse_object_template = true\n'
        + optimizer("AdamW", 5e-4, 'lr_scheduler = "cosine"') + TRAINING,
        {CONFIG: CONFIG_TEXT.replace("shuffle_caption = true\nkeep_tokens = 1\n", ""), **photographs("data/img", 512)},
    ),
)  # fmt: skip
BY_ID = {sound.id: sound for sound in EVERY}
