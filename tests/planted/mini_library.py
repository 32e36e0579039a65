"""The miniature's library/: what kl reads there of datasets, checks of arguments, optimizers, samples and saves."""

from __future__ import annotations

from dataset_sources import CONFIG_UTIL
from mini_options import common_arguments

_FLAG = """
            m = re.match(r"{0} {1}", parg, re.IGNORECASE)
            if m:
                prompt_dict["{2}"] = {3}
                continue
"""
_INT, _FLOAT, _TEXT = r"(\d+)", r"([\d\.]+)", "(.+)"
_FLAGS = "".join(
    _FLAG.format(*each)
    for each in (
        ("w", _INT, "width", "int(m.group(1))"),
        ("h", _INT, "height", "int(m.group(1))"),
        ("d", _INT, "seed", "int(m.group(1))"),
        ("s", _INT, "sample_steps", "max(1, min(1000, int(m.group(1))))"),
        ("l", _FLOAT, "scale", "float(m.group(1))"),
        ("g", _FLOAT, "guidance_scale", "float(m.group(1))"),
        ("n", _TEXT, "negative_prompt", "m.group(1)"),
        ("ss", _TEXT, "sample_sampler", "m.group(1)"),
        ("cn", _TEXT, "controlnet_image", "m.group(1)"),
    )
)
_HEAD = """
import argparse
import ast
import importlib
import pathlib
import re

import imagesize
import toml
import torch
import transformers
from transformers.optimization import SchedulerType, TYPE_TO_SCHEDULER_FUNCTION
from library.lpw_stable_diffusion import LongPromptWeightingPipeline

"""
_ARGUMENTS = """
def int_or_float(value):
    number = float(value)
    return int(value) if number >= 1 else number

def add_common_arguments(parser: argparse.ArgumentParser):
"""
_DATASETS = """
class BucketManager:
    def __init__(self, no_upscale, max_reso, min_size, max_size, reso_steps):
        self.no_upscale, self.reso_steps = no_upscale, reso_steps

    def select_bucket(self, image_width, image_height):
        if not self.no_upscale:
            return self.nearest_bucket(image_width / image_height)
        return image_width - image_width % self.reso_steps, image_height - image_height % self.reso_steps

class BaseDataset:
    def __init__(self, resolution):
        self.size = resolution

    def adjust_min_max_bucket_reso_by_steps(self, resolution, min_bucket_reso, max_bucket_reso, bucket_reso_steps):
        lowest = min_bucket_reso - min_bucket_reso % bucket_reso_steps
        highest = max_bucket_reso + bucket_reso_steps - max_bucket_reso % bucket_reso_steps
        assert (
            min(resolution) >= min_bucket_reso
        )
        assert max(resolution) <= max_bucket_reso

    def process_caption(self, subset, caption):
        if subset.shuffle_caption or subset.token_warmup_step > 0 or subset.caption_tag_dropout_rate > 0:
            fixed, rest = [], []
            if subset.keep_tokens_separator and subset.keep_tokens_separator in caption:
                fixed = caption.split(subset.keep_tokens_separator)[0].split(subset.caption_separator)
            else:
                fixed = caption.split(subset.caption_separator)[: subset.keep_tokens]
                rest = caption.split(subset.caption_separator)[subset.keep_tokens :]
            caption = ", ".join(fixed + rest)
        return caption

    def get_image_size(self, image_path):
        return imagesize.get(image_path)

    def make_buckets(self):
        if self.enable_bucket:
            if self.bucket_no_upscale:
                warn("min_bucket_reso and max_bucket_reso are ignored if bucket_no_upscale is set")
        batch_count = int(math.ceil(len(bucket) / self.batch_size))

    def verify_bucket_reso_steps(self, min_steps):
        assert self.bucket_reso_steps is None or self.bucket_reso_steps % min_steps == 0

    def is_latent_cacheable(self):
        return all([not subset.color_aug and not subset.random_crop for subset in self.subsets])

    def is_text_encoder_output_cacheable(self):
        return all([
            not (subset.caption_dropout_rate > 0 or subset.shuffle_caption or subset.token_warmup_step > 0
                 or subset.caption_tag_dropout_rate > 0)
            for subset in self.subsets
        ])

class DreamBoothDataset(BaseDataset):
    def __init__(self, resolution, subsets):
        assert resolution is not None

        def read_caption(img_path, caption_extension, enable_wildcard):
            for cap_path in [splitext(img_path)[0] + caption_extension]:
                with open(cap_path, "rt", encoding="utf-8") as f:
                    try:
                        lines = f.readlines()
                    except UnicodeDecodeError as e:
                        raise e
                    assert len(lines) > 0
                    return lines[0].strip()

        for subset in subsets:
            if subset.num_repeats < 1:
                continue
            if subset in self.subsets:
                continue

class FineTuningDataset(BaseDataset):
    def __init__(self, resolution):
        self.size = min(self.width, self.height)

class ControlNetDataset(BaseDataset):
    def __init__(self, subsets):
        assert (
            not subset.random_crop
        )
"""
_VERIFY = """
def verify_training_args(args):
    if args.adaptive_noise_scale is not None and args.noise_offset is None:
        raise ValueError("adaptive_noise_scale needs noise_offset")
    if args.scale_v_pred_loss_like_noise_pred and not args.v_parameterization:
        raise ValueError("only with v")
    if args.v_pred_like_loss and args.v_parameterization:
        raise ValueError("not with v")
    if args.zero_terminal_snr and not args.v_parameterization:
        warn("meant for v")
    if args.sample_every_n_steps is not None and args.sample_every_n_steps <= 0:
        args.sample_every_n_steps = None

def resume_from_local_or_hf_if_specified(accelerator, args):
    if not args.resume:
        return
    if not args.resume_from_huggingface:
        accelerator.load_state(args.resume)
        return
    repository = args.resume.split("/")[0] + "/" + args.resume.split("/")[1]

def prepare_accelerator(args):
    if args.log_with in ["wandb", "all"]:
        import wandb
    dynamo_backend = "NO"
    if args.torch_compile:
        dynamo_backend = args.dynamo_backend
    handlers = [Handler(timeout=args.ddp_timeout, view=args.ddp_gradient_as_bucket_view)]
    return Accelerator(mixed_precision=args.mixed_precision, dynamo_backend=dynamo_backend, handlers=handlers)

def init_trackers(accelerator, args):
    init_kwargs = {}
    if args.wandb_run_name:
        init_kwargs["wandb"] = {"name": args.wandb_run_name}
    if args.log_tracker_config is not None:
        init_kwargs = toml.load(args.log_tracker_config)

def replace_unet_modules(unet, mem_eff_attn, xformers, sdpa):
    if mem_eff_attn:
        unet.set_use_memory_efficient_attention(False, True)
    elif xformers:
        import xformers.ops
    elif sdpa:
        unet.set_use_sdpa(True)

def get_timesteps(min_timestep, max_timestep, size, device):
    if min_timestep < max_timestep:
        timesteps = torch.randint(min_timestep, max_timestep, (size,))
    else:
        timesteps = torch.full((size,), max_timestep)
    return timesteps

def get_noise_noisy_latents_and_timesteps(args, noise_scheduler, latents):
    if args.noise_offset:
        if args.noise_offset_random_strength:
            offset = torch.rand(1) * args.noise_offset
    if args.multires_noise_iterations:
        noise = pyramid(noise, args.multires_noise_iterations, args.multires_noise_discount)

def get_huber_threshold_if_needed(args, timesteps, noise_scheduler):
    if not (args.loss_type == "huber" or args.loss_type == "smooth_l1"):
        return None

def get_remove_epoch_no(args, epoch_no):
    return epoch_no - args.save_every_n_epochs * args.save_last_n_epochs

def get_remove_step_no(args, step_no):
    remove = step_no - args.save_last_n_steps - 1
    return remove - remove % args.save_every_n_steps

def save_and_remove_state_stepwise(args, accelerator, step_no):
    last = args.save_last_n_steps_state if args.save_last_n_steps_state is not None else args.save_last_n_steps
"""
_OPTIMIZER = """
def get_optimizer(args, params):
    optimizer_type = args.optimizer_type
    if args.use_8bit_adam:
        assert optimizer_type == "", "one of them"
        optimizer_type = "AdamW8bit"
    if optimizer_type is None or optimizer_type == "":
        optimizer_type = "AdamW"
    optimizer_type = optimizer_type.lower()
    optimizer_kwargs = {}
    if args.optimizer_args is not None and len(args.optimizer_args) > 0:
        for arg in args.optimizer_args:
            key, value = arg.split("=")
            optimizer_kwargs[key] = ast.literal_eval(value)
    lr = args.learning_rate
    optimizer = None
    optimizer_class = None
    if optimizer_type == "Lion".lower():
        try:
            import lion_pytorch
        except ImportError:
            raise ImportError("no lion_pytorch")
        optimizer_class = lion_pytorch.Lion
        optimizer = optimizer_class(params, lr=lr, **optimizer_kwargs)
    elif optimizer_type.endswith("8bit".lower()):
        try:
            import bitsandbytes as bnb
        except ImportError:
            raise ImportError("no bitsandbytes")
        if optimizer_type == "AdamW8bit".lower():
            optimizer_class = bnb.optim.AdamW8bit
            optimizer = optimizer_class(params, lr=lr, **optimizer_kwargs)
    elif optimizer_type.startswith("DAdapt".lower()) or optimizer_type == "Prodigy".lower():
        if optimizer_type.startswith("DAdapt".lower()):
            try:
                import dadaptation
            except ImportError:
                raise ImportError("no dadaptation")
            if optimizer_type == "DAdaptAdam".lower():
                optimizer_class = dadaptation.DAdaptAdam
            else:
                raise ValueError(f"Unknown optimizer type: {optimizer_type}")
        else:
            try:
                import prodigyopt
            except ImportError:
                raise ImportError("no prodigyopt")
            optimizer_class = prodigyopt.Prodigy
        optimizer = optimizer_class(params, lr=lr, **optimizer_kwargs)
    elif optimizer_type == "Adafactor".lower():
        if "relative_step" not in optimizer_kwargs:
            optimizer_kwargs["relative_step"] = True
        if not optimizer_kwargs["relative_step"] and optimizer_kwargs.get("warmup_init", False):
            optimizer_kwargs["relative_step"] = True
        if optimizer_kwargs["relative_step"]:
            if lr != 0.0:
                warn("becomes initial_lr")
            args.learning_rate = None
            lr_scheduler = args.lr_scheduler
            args.lr_scheduler = f"adafactor:{lr}"
            lr = None
        elif args.max_grad_norm != 0.0:
            warn("clips by itself")
        optimizer_class = transformers.optimization.Adafactor
        optimizer = optimizer_class(params, lr=lr, **optimizer_kwargs)
    elif optimizer_type == "AdamW".lower():
        optimizer_class = torch.optim.AdamW
        optimizer = optimizer_class(params, lr=lr, **optimizer_kwargs)
    elif optimizer_type.endswith("schedulefree".lower()):
        try:
            import schedulefree as sf
        except ImportError:
            raise ImportError("no schedulefree")
        if optimizer_type == "AdamWScheduleFree".lower():
            optimizer_class = sf.AdamWScheduleFree
            optimizer = optimizer_class(params, lr=lr, **optimizer_kwargs)
        else:
            optimizer_class = None
    if optimizer is None:
        case_sensitive_optimizer_type = args.optimizer_type
        if "." not in case_sensitive_optimizer_type:
            optimizer_module = torch.optim
        else:
            values = case_sensitive_optimizer_type.split(".")
            optimizer_module = importlib.import_module(".".join(values[:-1]))
            case_sensitive_optimizer_type = values[-1]
        optimizer_class = getattr(optimizer_module, case_sensitive_optimizer_type)
        optimizer = optimizer_class(params, lr=lr, **optimizer_kwargs)
    return "", "", optimizer

def is_schedulefree_optimizer(optimizer, args):
    return args.optimizer_type.lower().endswith("schedulefree".lower())

def get_dummy_scheduler(optimizer):
    class DummyScheduler:
        pass
    return DummyScheduler()

def get_scheduler_fix(args, optimizer, num_processes: int):
    if is_schedulefree_optimizer(optimizer, args):
        return get_dummy_scheduler(optimizer)
    name = args.lr_scheduler
    num_training_steps = args.max_train_steps * num_processes
    warmup = args.lr_warmup_steps
    num_warmup_steps = int(warmup * num_training_steps) if isinstance(warmup, float) else warmup
    num_cycles = args.lr_scheduler_num_cycles
    power = args.lr_scheduler_power
    lr_scheduler_kwargs = {}
    if args.lr_scheduler_args is not None and len(args.lr_scheduler_args) > 0:
        for arg in args.lr_scheduler_args:
            key, value = arg.split("=")
            lr_scheduler_kwargs[key] = ast.literal_eval(value)

    def wrap_check_needless_num_warmup_steps(return_vals):
        if num_warmup_steps is not None and num_warmup_steps != 0:
            raise ValueError(f"{name} does not require `num_warmup_steps`. Set None or 0.")
        return return_vals

    if args.lr_scheduler_type:
        lr_scheduler_type = args.lr_scheduler_type
        if "." not in lr_scheduler_type:
            lr_scheduler_module = torch.optim.lr_scheduler
        else:
            values = lr_scheduler_type.split(".")
            lr_scheduler_module = importlib.import_module(".".join(values[:-1]))
            lr_scheduler_type = values[-1]
        lr_scheduler_class = getattr(lr_scheduler_module, lr_scheduler_type)
        return wrap_check_needless_num_warmup_steps(lr_scheduler_class(optimizer, **lr_scheduler_kwargs))
    if name.startswith("adafactor"):
        assert type(optimizer) == transformers.optimization.Adafactor, "only with the Adafactor optimizer"
        initial_lr = float(name.split(":")[1])
        return wrap_check_needless_num_warmup_steps(transformers.optimization.AdafactorSchedule(optimizer, initial_lr))
    name = SchedulerType(name)
    schedule_func = TYPE_TO_SCHEDULER_FUNCTION[name]
    if name == SchedulerType.CONSTANT:
        return wrap_check_needless_num_warmup_steps(schedule_func(optimizer, **lr_scheduler_kwargs))
    if name == SchedulerType.CONSTANT_WITH_WARMUP:
        return schedule_func(optimizer, num_warmup_steps=num_warmup_steps, **lr_scheduler_kwargs)
    if name == SchedulerType.COSINE_WITH_RESTARTS:
        return schedule_func(
            optimizer, num_warmup_steps=num_warmup_steps, num_training_steps=num_training_steps, num_cycles=num_cycles,
            **lr_scheduler_kwargs,
        )
    if name == SchedulerType.POLYNOMIAL:
        return schedule_func(
            optimizer, num_warmup_steps=num_warmup_steps, num_training_steps=num_training_steps, power=power,
            **lr_scheduler_kwargs,
        )
    return schedule_func(
        optimizer, num_warmup_steps=num_warmup_steps, num_training_steps=num_training_steps, **lr_scheduler_kwargs
    )
"""
_SAMPLES = f"""
def sample_images(*args, **kwargs):
    return sample_images_common(LongPromptWeightingPipeline, *args, **kwargs)

def line_to_prompt_dict(line):
    prompt_args = line.split(" --")
    prompt_dict = {{"prompt": prompt_args[0]}}
    for parg in prompt_args:
        try:{_FLAGS}
        except ValueError as ex:
            print(ex)
    return prompt_dict

def load_prompts(prompt_file):
    if prompt_file.endswith(".txt"):
        with open(prompt_file, "r", encoding="utf-8") as f:
            lines = f.readlines()
        prompts = [line.strip() for line in lines if len(line.strip()) > 0 and line[0] != "#"]
    elif prompt_file.endswith(".toml"):
        data = toml.load(prompt_file)
        prompts = [dict(**data["prompt"], **subset) for subset in data["prompt"]["subset"]]
    elif prompt_file.endswith(".json"):
        prompts = json.load(open(prompt_file, "r", encoding="utf-8"))
    for i in range(len(prompts)):
        if isinstance(prompts[i], str):
            prompts[i] = line_to_prompt_dict(prompts[i])
        assert isinstance(prompts[i], dict)
    return prompts

def get_my_scheduler(sample_sampler):
    if sample_sampler == "ddim":
        return DDIMScheduler
    elif sample_sampler == "euler" or sample_sampler == "k_euler":
        return EulerDiscreteScheduler
    elif sample_sampler == "euler_a" or sample_sampler == "k_euler_a":
        return EulerAncestralDiscreteScheduler

def sample_images_common(pipe_class, accelerator, args, epoch, steps, device):
    if steps == 0:
        if not args.sample_at_first:
            return
    else:
        if args.sample_every_n_steps is None and args.sample_every_n_epochs is None:
            return
        if args.sample_every_n_epochs is not None:
            if epoch is None or epoch % args.sample_every_n_epochs != 0:
                return
        elif steps % args.sample_every_n_steps != 0 or epoch is not None:
            return
    if not os.path.isfile(args.sample_prompts):
        print("No prompt file")
        return
    prompts = load_prompts(args.sample_prompts)
    with state.split_between_processes(prompts) as mine:
        for prompt_dict in mine:
            sample_image_inference(accelerator, args, pipe_class, prompt_dict)

def sample_image_inference(accelerator, args, pipeline, prompt_dict):
    negative_prompt = prompt_dict.get("negative_prompt")
    sample_steps = prompt_dict.get("sample_steps", 30)
    width = prompt_dict.get("width", 512)
    height = prompt_dict.get("height", 512)
    scale = prompt_dict.get("scale", 7.5)
    seed = prompt_dict.get("seed")
    controlnet_image = prompt_dict.get("controlnet_image")
    prompt = prompt_dict.get("prompt", "")
    sampler_name = prompt_dict.get("sample_sampler", args.sample_sampler)
    scheduler = get_my_scheduler(sample_sampler=sampler_name)
    if seed is not None:
        torch.manual_seed(seed)
    height = max(64, height - height % 8)
    width = max(64, width - width % 8)
"""
_PIPELINE = """
import re

_weights = re.compile(r":([+-]?[.\\d]+)\\)")

def parse_prompt_attention(text):
    multiply(float(weight))

class LongPromptWeightingPipeline:
    def __call__(self, prompt, max_embeddings_multiples: Optional[int] = 3):
        pass
"""
_MODEL_UTIL = """
def load_models_from_stable_diffusion_checkpoint(v2, ckpt_path):
    info = unet.load_state_dict(converted)

def make_bucket_resolutions(max_reso, min_size=256, max_size=1024, divisible=64):
    max_width, max_height = max_reso
    max_area = max_width * max_height
    resos = set()
    width = int(math.sqrt(max_area) // divisible) * divisible
    resos.add((width, width))
    width = min_size
    while width <= max_size:
        height = min(max_size, int((max_area // width) // divisible) * divisible)
        if height >= min_size:
            resos.add((width, height))
            resos.add((height, width))
        width += divisible
    return sorted(resos)
"""
_SDXL_TRAIN_UTIL = """
def verify_sdxl_training_args(args, supportTextEncoderCaching=True):
    assert not args.v2, "v2 is no option of SDXL"
    if args.clip_skip is not None:
        warn("no effect")
"""
_SNR = """
def apply_snr_weight(loss, timesteps, noise_scheduler, gamma):
    snr = torch.stack([noise_scheduler.all_snr[each] for each in timesteps])
    snr_weight = torch.minimum(snr, torch.full_like(snr, gamma)) / snr
    return loss * snr_weight
"""
_MASKS = """
def apply_masked_loss(loss, batch):
    if "conditioning_images" in batch:
        mask = batch["conditioning_images"]
    elif "alpha_masks" in batch and batch["alpha_masks"] is not None:
        mask = batch["alpha_masks"]
    else:
        return loss
    return loss * mask
"""
_STRATEGY = """
class SdTextEncodingStrategy:
    def encode_tokens(self, models, tokens):
        return models[0](tokens)["hidden_states"][-self.clip_skip]
"""
_UNET = """
class Transformer2DModel:
    pass

class TimestepEmbedding:
    pass

class UNet2DConditionModel:
    def __init__(self):
        self.time_embedding = TimestepEmbedding(320, 1280)
"""
_FLUX_MODELS = """
class DoubleStreamBlock:
    pass

class SingleStreamBlock:
    pass

configs = {"dev": FluxParams(depth=19, depth_single_blocks=38), "schnell": FluxParams(depth=19, depth_single_blocks=38)}

class Flux:
    def enable_block_swap(self, num_blocks, device):
        self.blocks_to_swap = num_blocks
        double_blocks_to_swap = num_blocks // 2
        single_blocks_to_swap = (num_blocks - double_blocks_to_swap) * 2
        assert double_blocks_to_swap <= self.num_double_blocks - 2
        assert single_blocks_to_swap <= self.num_single_blocks - 2
"""
LIBRARY = {
    "library/__init__.py": "",
    "library/train_util.py": _HEAD + _ARGUMENTS + common_arguments() + _DATASETS + _VERIFY + _OPTIMIZER + _SAMPLES,
    "library/config_util.py": CONFIG_UTIL,
    "library/lpw_stable_diffusion.py": _PIPELINE,
    "library/model_util.py": _MODEL_UTIL,
    "library/sdxl_train_util.py": _SDXL_TRAIN_UTIL,
    "library/sdxl_model_util.py": "def load_models_from_sdxl_checkpoint(path):\n    prefix = 'conditioner.embed'\n",
    "library/custom_train_functions.py": _MASKS + _SNR,
    "library/strategy_sd.py": _STRATEGY,
    "library/original_unet.py": _UNET,
    "library/sdxl_original_unet.py": "class Transformer2DModel:\n    pass\n",
    "library/flux_models.py": _FLUX_MODELS,
    "library/flux_utils.py": "def load_flow_model(path):\n    info = double_blocks.load_state_dict(sd)\n",
    "library/sd3_models.py": "class SingleDiTBlock:\n    pass\n",
    "library/sd3_utils.py": "def load_mmdit(state_dict):\n    prefix = 'model.diffusion_model.'\n",
    "library/lumina_models.py": "class JointTransformerBlock:\n    pass\n",
    "library/lumina_util.py": "def load_lumina_model(path):\n    info = model.load_state_dict(sd)\n",
    "library/huggingface_util.py": "def upload(args, source):\n    repository = args.huggingface_repo_id\n",
}
