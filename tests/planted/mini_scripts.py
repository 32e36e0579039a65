"""The miniature's training scripts and network modules."""

from __future__ import annotations

from mini_options import ANIMA, CACHED, FLUX, LUMINA, NETWORK, SD3
from network_sources import (
    CONVOLUTIONS,
    DYLORA,
    blocks,
    choice,
    create_network,
    from_weights,
    network_call,
    network_class,
    numbers,
    switch_spelt_true,
)

_HEAD = """
import argparse
from library import train_util, config_util
from library.config_util import ConfigSanitizer, BlueprintGenerator
"""
_PARSER = """
def setup_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    train_util.add_common_arguments(parser)
"""
_DATASETS = """
        blueprint_generator = BlueprintGenerator(ConfigSanitizer(True, {fine_tuning}, args.masked_loss, {dropout}))
        if args.dataset_config is not None:
            ignored = ["train_data_dir", "reg_data_dir", "in_json"]
        elif args.in_json is None:
            subsets = config_util.generate_dreambooth_subsets_config_by_subdirs(args.train_data_dir, args.reg_data_dir)
        else:
            subsets = [{{"image_dir": args.train_data_dir, "metadata_file": args.in_json}}]
"""
_LOOP = """
        if args.max_train_epochs is not None:
            args.max_train_steps = args.max_train_epochs * len(train_dataloader)
        loader = DataLoader(datasets, persistent_workers=args.persistent_data_loader_workers)
        if args.save_n_epoch_ratio is not None and args.save_n_epoch_ratio > 0:
            args.save_every_n_epochs = math.floor(num_train_epochs / args.save_n_epoch_ratio) or 1
        train_util.resume_from_local_or_hf_if_specified(accelerator, args)
        if args.initial_epoch is not None or args.initial_step is not None:
            if args.initial_step is not None:
                initial_step = args.initial_step
        elif state is not None:
            data = json.load(state)
            steps_from_state = data["current_step"]
            initial_step = steps_from_state
        assert args.max_train_steps > initial_step
        if initial_step > 0 and not args.skip_until_initial_step:
            initial_step = 0  # do not skip
        num_update_steps_per_epoch = math.ceil(len(loader) / args.gradient_accumulation_steps)
        num_train_epochs = math.ceil(args.max_train_steps / num_update_steps_per_epoch)
        global_step = 0
        for epoch in range(num_train_epochs):
            if args.save_every_n_steps is not None and global_step % args.save_every_n_steps == 0:
                save("." + args.save_model_as)
            saving = (epoch + 1) % args.save_every_n_epochs == 0 and (epoch + 1) < num_train_epochs
            train_util.sample_images(accelerator, args, epoch + 1, global_step, device)
"""
TRAIN_NETWORK = (
    _HEAD
    + """
class NetworkTrainer:
    def __init__(self):
        self.is_sdxl = False

    def assert_extra_args(self, args, train_dataset_group):
        train_dataset_group.verify_bucket_reso_steps(64)

    def load_target_model(self, args, weight_dtype, accelerator):
        return train_util.load_target_model(args, weight_dtype, accelerator)

    def get_noise_scheduler(self, args, device):
        return DDPMScheduler(num_train_timesteps=1000)

    def get_noise_pred_and_target(self, args, noise_scheduler, latents):
        return train_util.get_noise_noisy_latents_and_timesteps(args, noise_scheduler, latents)

    def post_process_loss(self, loss, args, timesteps, noise_scheduler):
        if args.min_snr_gamma:
            loss = apply_snr_weight(loss, timesteps, noise_scheduler, args.min_snr_gamma)
        if args.debiased_estimation_loss:
            loss = apply_debiased_estimation(loss, timesteps, noise_scheduler)
        return loss

    def train(self, args):
        if args.seed is None:
            args.seed = random.randint(0, 2**32)
        set_seed(args.seed)
"""
    + _DATASETS.format(fine_tuning=True, dropout=True)
    + """
        if args.cache_latents:
            assert train_dataset_group.is_latent_cacheable()
        self.assert_extra_args(args, train_dataset_group)
        vae_dtype = torch.float32 if args.no_half_vae else weight_dtype
"""
    + network_call('"="')
    + """
        train_unet = not args.network_train_text_encoder_only
        train_text_encoder = not args.network_train_unet_only
        network.apply_to(text_encoder, unet, train_text_encoder, train_unet)
        if args.network_weights is not None:
            info = network.load_weights(args.network_weights)
        if hasattr(network, "prepare_optimizer_params_with_multiple_te_lrs"):
            params = network.prepare_optimizer_params_with_multiple_te_lrs(args.text_encoder_lr, args.unet_lr)
        else:
            params = network.prepare_optimizer_params(args.text_encoder_lr[0], args.unet_lr, args.learning_rate)
        if args.full_fp16:
            assert args.mixed_precision == "fp16"
        elif args.full_bf16:
            assert args.mixed_precision == "bf16"
        if args.fp8_base or args.fp8_base_unet:
            assert args.mixed_precision != "no"
"""
    + _LOOP
    + _PARSER
    + NETWORK
    + "    return parser\n"
)
_SDXL_NETWORK = (
    """
import argparse
import train_network
from library import sdxl_train_util

class SdxlNetworkTrainer(train_network.NetworkTrainer):
    def __init__(self):
        super().__init__()
        self.is_sdxl = True

    def assert_extra_args(self, args, train_dataset_group):
        sdxl_train_util.verify_sdxl_training_args(args)
        if args.cache_text_encoder_outputs:
            assert train_dataset_group.is_text_encoder_output_cacheable()
        assert args.network_train_unet_only or not args.cache_text_encoder_outputs
        train_dataset_group.verify_bucket_reso_steps(32)

def setup_parser() -> argparse.ArgumentParser:
    parser = train_network.setup_parser()
"""
    + CACHED
    + "    return parser\n"
)


def _flow(script: str, opened: str, arguments: str) -> str:
    """A script for a family that learns flows; it opens the files that options name."""
    files = ", ".join(f"args.{option}" for option in opened.split())
    return f"""
import argparse
import train_network
from library import {script}_train_utils

class {script.title()}NetworkTrainer(train_network.NetworkTrainer):
    def assert_extra_args(self, args, train_dataset_group):
        super().assert_extra_args(args, train_dataset_group)
        if args.cache_text_encoder_outputs:
            assert train_dataset_group.is_text_encoder_output_cacheable()
        assert (
            args.blocks_to_swap is None or args.blocks_to_swap == 0
        ) or not args.cpu_offload_checkpointing
        train_dataset_group.verify_bucket_reso_steps(32)

    def load_target_model(self, args, weight_dtype, accelerator):
        return load({files})

    def get_noise_scheduler(self, args, device):
        return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000)

    def post_process_loss(self, loss, args, timesteps, noise_scheduler):
        return loss

def setup_parser() -> argparse.ArgumentParser:
    parser = train_network.setup_parser()
{CACHED}{arguments}    return parser
"""


def _alone(extra: str, *, fine_tuning: bool = True, dropout: bool = True) -> str:
    """A script that trains without a network."""
    datasets = _DATASETS.format(fine_tuning=fine_tuning, dropout=dropout)
    return f"{_HEAD}\nclass Trainer:\n    def train(self, args):\n{datasets}{_LOOP}{_PARSER}{extra}    return parser\n"


_SDXL_TRAIN = _alone(
    CACHED
    + """
    parser.add_argument("--save_model_as", type=str, default=None)
    parser.add_argument("--learning_rate_te1", type=float, default=None)
    parser.add_argument("--learning_rate_te2", type=float, default=None)
    parser.add_argument("--train_text_encoder", action="store_true")
"""
)
_INVERSION = _alone(
    """
    parser.add_argument("--save_model_as", type=str, default="pt", choices=[None, "ckpt", "pt", "safetensors"])
    parser.add_argument("--token_string", type=str, default=None)
    parser.add_argument("--init_word", type=str, default=None)
    parser.add_argument("--num_vectors_per_token", type=int, default=1)
    parser.add_argument("--use_object_template", action="store_true")
"""
)
_TRAIN_DB = _alone(
    """
    parser.add_argument("--save_model_as", type=str, default=None)
    parser.add_argument("--stop_text_encoder_training", type=int, default=None)
""",
    fine_tuning=False,
)
_MANY_RATES = """
    def prepare_optimizer_params_with_multiple_te_lrs(self, text_encoder_lr, unet_lr):
        return [unet_lr, *text_encoder_lr]
"""
_LORA = (
    create_network(
        CONVOLUTIONS,
        blocks(
            23, 25, "block_dims", "block_alphas", "conv_block_dims", "conv_block_alphas",
            weights=("down_lr_weight", "mid_lr_weight", "up_lr_weight"),
        ),
        numbers("loraplus_lr_ratio", "module_dropout", "rank_dropout"),
    )
    + from_weights()
    + """
class LoRAModule:
    def __init__(self, lora_dim=4, alpha=1):
        self.alpha = self.lora_dim if alpha is None or alpha == 0 else alpha
"""
    + network_class("LoRANetwork", "Transformer2DModel", prefix="UNET_")
    + """
    def prepare_optimizer_params(self, text_encoder_lr, unet_lr, default_lr):
        return [text_encoder_lr or default_lr, unet_lr or default_lr]
"""
)  # fmt: skip


def _other_lora(target: str, *parts: str) -> str:
    """A network module for another family."""
    return create_network(numbers("rank_dropout"), *parts) + network_class("LoRANetwork", target) + _MANY_RATES


SCRIPTS = {
    "train_network.py": TRAIN_NETWORK,
    "sdxl_train_network.py": _SDXL_NETWORK,
    "flux_train_network.py": _flow("flux", "clip_l t5xxl ae", FLUX),
    "sd3_train_network.py": _flow("sd3", "clip_l clip_g t5xxl", SD3),
    "lumina_train_network.py": _flow("lumina", "gemma2 ae", LUMINA),
    "anima_train_network.py": _flow("anima", "qwen3 vae", ANIMA),
    "sdxl_train.py": _SDXL_TRAIN,
    "train_textual_inversion.py": _INVERSION,
    "train_db.py": _TRAIN_DB,
    "networks/lora.py": _LORA,
    "networks/dylora.py": DYLORA + network_class("DyLoRANetwork", "Transformer2DModel", prefix="UNET_"),
    "networks/lora_flux.py": _other_lora(
        "DoubleStreamBlock", choice("train_blocks", "all", "single", "double"), switch_spelt_true("split_qkv")
    ),
    "networks/lora_sd3.py": _other_lora("SingleDiTBlock"),
    "networks/lora_lumina.py": _other_lora("JointTransformerBlock"),
    "networks/lora_anima.py": _other_lora("Block"),
    "networks/merge_lora.py": "def merge(args):\n    pass\n",
}
