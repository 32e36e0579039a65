"""The miniature's training scripts and network modules."""

from __future__ import annotations

from mini_options import CACHED, FLUX, LUMINA, NETWORK, SD3

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
        network_module = importlib.import_module(args.network_module)
        net_kwargs = {}
        if args.network_args is not None:
            for net_arg in args.network_args:
                key, value = net_arg.split("=")
                net_kwargs[key] = value
        if args.base_weights is not None:
            for i, weight_path in enumerate(args.base_weights):
                if args.base_weights_multiplier is None or len(args.base_weights_multiplier) <= i:
                    multiplier = 1.0
        if args.dim_from_weights:
            network, _ = network_module.create_network_from_weights(
                1, args.network_weights, vae, text_encoder, unet, **net_kwargs
            )
        else:
            if "dropout" not in net_kwargs:
                net_kwargs["dropout"] = args.network_dropout
            network = network_module.create_network(
                1.0, args.network_dim, args.network_alpha, vae, text_encoder, unet,
                neuron_dropout=args.network_dropout, **net_kwargs
            )
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
_LORA = """
NUM_OF_BLOCKS = 12
NUM_OF_BLOCKS_SDXL = 11

def create_network(multiplier, network_dim, network_alpha, vae, text_encoder, unet, neuron_dropout=None, **kwargs):
    is_sdxl = unet is not None and issubclass(unet.__class__, SdxlUNet2DConditionModel)
    if network_dim is None:
        network_dim = 4
    if network_alpha is None:
        network_alpha = 1.0
    conv_dim = kwargs.get("conv_dim", None)
    conv_alpha = kwargs.get("conv_alpha", None)
    if conv_dim is not None:
        conv_dim = int(conv_dim)
        if conv_alpha is None:
            conv_alpha = 1.0
        else:
            conv_alpha = float(conv_alpha)
    block_dims = kwargs.get("block_dims", None)
    block_lr_weight = get_block_lr_weight(
        is_sdxl, kwargs.get("down_lr_weight", None), kwargs.get("mid_lr_weight", None), kwargs.get("up_lr_weight", None)
    )
    if block_dims is not None or block_lr_weight is not None:
        block_alphas = kwargs.get("block_alphas", None)
        conv_block_dims = kwargs.get("conv_block_dims", None)
        conv_block_alphas = kwargs.get("conv_block_alphas", None)
        block_dims, block_alphas, conv_block_dims, conv_block_alphas = get_block_dims_and_alphas(
            is_sdxl, block_dims, block_alphas, network_dim, network_alpha, conv_block_dims, conv_block_alphas
        )
    rank_dropout = kwargs.get("rank_dropout", None)
    if rank_dropout is not None:
        rank_dropout = float(rank_dropout)
    module_dropout = kwargs.get("module_dropout", None)
    if module_dropout is not None:
        module_dropout = float(module_dropout)
    loraplus_lr_ratio = kwargs.get("loraplus_lr_ratio", None)
    loraplus_lr_ratio = float(loraplus_lr_ratio) if loraplus_lr_ratio is not None else None
    return LoRANetwork(text_encoder, unet, multiplier, network_dim, network_alpha, conv_dim, conv_alpha)

def get_block_lr_weight(is_sdxl, down_lr_weight, mid_lr_weight, up_lr_weight):
    if down_lr_weight is None and mid_lr_weight is None and up_lr_weight is None:
        return None
    most = NUM_OF_BLOCKS_SDXL if is_sdxl else NUM_OF_BLOCKS
    down = [float(each) for each in down_lr_weight.split(",")]
    if len(down) < most:
        logger.warning(f"down_weight or up_weight is too short. Parameters after {most}-th are filled with 1")
        down = down + [1.0] * (most - len(down))
    return down

def get_block_dims_and_alphas(is_sdxl, block_dims, block_alphas, dim, alpha, conv_block_dims, conv_block_alphas):
    count = 23 if is_sdxl else 25

    def parse_ints(text):
        return [int(each) for each in text.split(",")]

    def parse_floats(text):
        return [float(each) for each in text.split(",")]

    if block_dims is not None:
        block_dims = parse_ints(block_dims)
        assert len(block_dims) == count, f"block_dims must have {count} elements"
    else:
        block_dims = [dim] * count
    if block_alphas is not None:
        block_alphas = parse_floats(block_alphas)
        assert len(block_alphas) == count, f"block_alphas must have {count} elements"
    else:
        block_alphas = [alpha] * count
    if conv_block_dims is not None:
        conv_block_dims = parse_ints(conv_block_dims)
        assert len(conv_block_dims) == count, f"conv_block_dims must have {count} elements"
    return block_dims, block_alphas, conv_block_dims, conv_block_alphas

def create_network_from_weights(multiplier, file, vae, text_encoder, unet, weights_sd=None, **kwargs):
    pass

class LoRAModule:
    def __init__(self, lora_name, org_module, multiplier=1.0, lora_dim=4, alpha=1):
        alpha = self.lora_dim if alpha is None or alpha == 0 else alpha
        self.scale = alpha / self.lora_dim

class LoRANetwork:
    UNET_TARGET_REPLACE_MODULE = ["Transformer2DModel"]
    TEXT_ENCODER_TARGET_REPLACE_MODULE = ["CLIPAttention", "CLIPMLP"]

    def load_weights(self, file):
        return self.load_state_dict(weights_sd, False)

    def prepare_optimizer_params(self, text_encoder_lr, unet_lr, default_lr):
        pass
"""
_DYLORA = """
def create_network(multiplier, network_dim, network_alpha, vae, text_encoder, unet, **kwargs):
    conv_dim = kwargs.get("conv_dim", None)
    unit = kwargs.get("unit", None)
    if conv_dim is not None:
        conv_dim = int(conv_dim)
        assert conv_dim == network_dim
    if unit is not None:
        unit = int(unit)
    else:
        unit = 1
    return DyLoRANetwork(text_encoder, unet, lora_dim=network_dim, unit=unit)

class DyLoRAModule:
    def __init__(self, lora_name, org_module, multiplier=1.0, lora_dim=4, alpha=1, unit=1):
        self.lora_dim = lora_dim
        self.unit = unit
        assert self.lora_dim % self.unit == 0, "rank must be a multiple of unit"

class DyLoRANetwork:
    UNET_TARGET_REPLACE_MODULE = ["Transformer2DModel"]
    TEXT_ENCODER_TARGET_REPLACE_MODULE = ["CLIPAttention", "CLIPMLP"]

    def load_weights(self, file):
        return self.load_state_dict(weights_sd, False)
"""


def _other_lora(target: str, more: str = "") -> str:
    """A network module for another family."""
    return f'''
def create_network(multiplier, network_dim, network_alpha, vae, text_encoders, model, neuron_dropout=None, **kwargs):
    rank_dropout = kwargs.get("rank_dropout", None)
    if rank_dropout is not None:
        rank_dropout = float(rank_dropout)
{more}    return LoRANetwork(text_encoders, model)

class LoRANetwork:
    TARGET_REPLACE_MODULE = ["{target}"]
    TEXT_ENCODER_TARGET_REPLACE_MODULE = ["CLIPAttention", "CLIPMLP"]

    def load_weights(self, file):
        return self.load_state_dict(weights_sd, False)

    def prepare_optimizer_params_with_multiple_te_lrs(self, text_encoder_lr, unet_lr):
        pass
'''


_TRAIN_BLOCKS = """
    train_blocks = kwargs.get("train_blocks", None)
    if train_blocks is not None:
        assert train_blocks in ["all", "single", "double"], f"invalid train_blocks: {train_blocks}"
    split_qkv = kwargs.get("split_qkv", False)
    if split_qkv is not None:
        split_qkv = True if split_qkv == "True" else False
"""
SCRIPTS = {
    "train_network.py": TRAIN_NETWORK,
    "sdxl_train_network.py": _SDXL_NETWORK,
    "flux_train_network.py": _flow("flux", "clip_l t5xxl ae", FLUX),
    "sd3_train_network.py": _flow("sd3", "clip_l clip_g t5xxl", SD3),
    "lumina_train_network.py": _flow("lumina", "gemma2 ae", LUMINA),
    "sdxl_train.py": _SDXL_TRAIN,
    "train_textual_inversion.py": _INVERSION,
    "train_db.py": _TRAIN_DB,
    "networks/lora.py": _LORA,
    "networks/dylora.py": _DYLORA,
    "networks/lora_flux.py": _other_lora("DoubleStreamBlock", _TRAIN_BLOCKS),
    "networks/lora_sd3.py": _other_lora("SingleDiTBlock"),
    "networks/lora_lumina.py": _other_lora("JointTransformerBlock"),
    "networks/merge_lora.py": "def merge(args):\n    pass\n",
}
