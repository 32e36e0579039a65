"""The miniature's library/: what kl reads there of datasets, checks of arguments, optimizers, samples and saves."""

from __future__ import annotations

from dataset_sources import CONFIG_UTIL, TRAIN_UTIL
from mini_options import common_arguments
from network_sources import FLUX_BLOCKS, UNET
from prompt_sources import DRAWS, LOAD_PROMPTS, PIPELINE, SAMPLE_IMAGES
from trainer_sources import (
    EIGHT_BIT,
    LION,
    PRODIGY,
    READ_CAPTION,
    SCHEDULE_FREE,
    SHARED,
    TRAIN_UTIL_HEAD,
    dadaptation,
    get_optimizer,
    get_scheduler_fix,
)

_ARGUMENTS = """
def int_or_float(value):
    number = float(value)
    return int(value) if number >= 1 else number

def add_common_arguments(parser: argparse.ArgumentParser):
"""
_PICTURES = f"""
class BucketManager:
    def select_bucket(self, size):
        if self.no_upscale:
            return [side - side % self.reso_steps for side in size]
        return min(self.buckets, key=lambda bucket: distance(bucket, size))

class Pictures(BaseDataset):
    def get_image_size(self, path):
        return imagesize.get(path)

    def make_buckets(self):
        if self.enable_bucket:
            warn("the sizes of buckets are ignored if bucket_no_upscale is set")

    def is_latent_cacheable(self):
        return sum(not subset.random_crop and not subset.color_aug for subset in self.subsets) == len(self.subsets)

    def is_text_encoder_output_cacheable(self):
        return not any(
            subset.shuffle_caption or subset.token_warmup_step
            or subset.caption_dropout_rate or subset.caption_tag_dropout_rate
            for subset in self.subsets
        )

    def process_caption(self, subset, caption):
        words = caption.split(subset.caption_separator)
        kept = words[: subset.keep_tokens]
        if subset.keep_tokens_separator and subset.keep_tokens_separator in caption:
            kept = caption.partition(subset.keep_tokens_separator)[0]
        return join(kept, words)
{READ_CAPTION}"""
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
    if args.resume and args.resume_from_huggingface:
        fetch(args.resume.split("/")[0], args.resume.split("/")[1])
    elif args.resume:
        accelerator.load_state(args.resume)

def prepare_accelerator(args):
    if args.log_with in ["wandb", "all"]:
        import wandb
    dynamo_backend = "NO"
    if args.torch_compile:
        dynamo_backend = args.dynamo_backend
    handlers = [Handler(timeout=args.ddp_timeout, view=args.ddp_gradient_as_bucket_view)]
    return Accelerator(mixed_precision=args.mixed_precision, dynamo_backend=dynamo_backend, handlers=handlers)

def init_trackers(accelerator, args):
    if args.log_tracker_config:
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
        return torch.randint(min_timestep, max_timestep, size)
    else:
        return torch.full(size, max_timestep)

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
_MODEL_UTIL = """
def load_models_from_stable_diffusion_checkpoint(v2, ckpt_path):
    info = unet.load_state_dict(converted)
"""
_SDXL_TRAIN_UTIL = """
def verify_sdxl_training_args(args, supportTextEncoderCaching=True):
    assert not args.v2, "v2 is no option of SDXL"
    if args.clip_skip is not None:
        warn("no effect")
"""
_LOSSES = """
def apply_snr_weight(loss, timesteps, noise_scheduler, gamma):
    snr_of = [noise_scheduler.all_snr[each] for each in timesteps]
    snr_weight = torch.minimum(gamma, snr_of)
    return loss * snr_weight

def apply_masked_loss(loss, batch):
    if "conditioning_images" in batch:
        return loss * batch["conditioning_images"]
    elif batch.get("alpha_masks"):
        return loss * batch["alpha_masks"]
    else:
        return loss
"""
_STRATEGY = """
class SdTextEncodingStrategy:
    def encode_tokens(self, models, tokens):
        return models[0](tokens)["hidden_states"][-self.clip_skip]
"""
# What get_scheduler_fix hands to each kind of schedule, and to all others.
_STEPS = "num_warmup_steps num_training_steps"
_MADE = (
    SHARED
    + get_optimizer(LION, EIGHT_BIT, dadaptation("DAdaptAdam"), PRODIGY, SCHEDULE_FREE)
    + get_scheduler_fix(
        {
            "CONSTANT_WITH_WARMUP": "num_warmup_steps",
            "COSINE_WITH_RESTARTS": f"{_STEPS} num_cycles",
            "POLYNOMIAL": f"{_STEPS} power",
        },
        _STEPS,
    )
)
_TRAIN_UTIL = (
    TRAIN_UTIL_HEAD, _ARGUMENTS, common_arguments(), TRAIN_UTIL, _PICTURES, _VERIFY, _MADE, LOAD_PROMPTS,
    SAMPLE_IMAGES, DRAWS,
)  # fmt: skip
LIBRARY = {
    "library/__init__.py": "",
    "library/train_util.py": "".join(_TRAIN_UTIL),
    "library/config_util.py": CONFIG_UTIL,
    "library/lpw_stable_diffusion.py": PIPELINE,
    "library/model_util.py": _MODEL_UTIL,
    "library/sdxl_train_util.py": _SDXL_TRAIN_UTIL,
    "library/sdxl_model_util.py": "def load_models_from_sdxl_checkpoint(path):\n    prefix = 'conditioner.embed'\n",
    "library/custom_train_functions.py": _LOSSES,
    "library/strategy_sd.py": _STRATEGY,
    "library/original_unet.py": UNET,
    "library/sdxl_original_unet.py": "class Transformer2DModel:\n    pass\n",
    "library/flux_models.py": FLUX_BLOCKS,
    "library/flux_utils.py": "def load_flow_model(path):\n    info = double_blocks.load_state_dict(sd)\n",
    "library/sd3_models.py": "class SingleDiTBlock:\n    pass\n",
    "library/sd3_utils.py": "def load_mmdit(state_dict):\n    prefix = 'model.diffusion_model.'\n",
    "library/lumina_models.py": "class JointTransformerBlock:\n    pass\n",
    "library/lumina_util.py": "def load_lumina_model(path):\n    info = model.load_state_dict(sd)\n",
    "library/huggingface_util.py": "def upload(args, source):\n    repository = args.huggingface_repo_id\n",
}
