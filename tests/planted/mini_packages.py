"""The miniature's site-packages: optimizers, schedulers, LyCORIS and accelerate, as far as kl reads them."""

from __future__ import annotations

_STEP = "\n    def step(self, closure=None): ...\n"
_ADAM = """
class AdamW(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False):
        if not 0.0 <= lr:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not 0.0 <= weight_decay:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if not 0.0 <= betas[0] < 1.0:
            raise ValueError(f"Invalid beta parameter at index 0: {betas[0]}")
        if not 0.0 <= betas[1] < 1.0:
            raise ValueError(f"Invalid beta parameter at index 1: {betas[1]}")

    def step(self, closure=None): ...

class Adam(AdamW):
    pass

class SGD(Optimizer):
    def __init__(self, params, lr=1e-3, momentum=0, weight_decay=0): ...

    def step(self, closure=None): ...

class LBFGS(Optimizer):
    def __init__(self, params, lr=1, max_iter=20): ...

    @torch.no_grad()
    def step(self, closure): ...
"""
_TORCH_SCHEDULERS = """
class LRScheduler:
    def __init__(self, optimizer, last_epoch=-1): ...

    def step(self, epoch=None): ...

class CosineAnnealingLR(LRScheduler):
    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1): ...

class ConstantLR(LRScheduler):
    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5, last_epoch=-1): ...
"""
_OPTIMIZATION = """
from .trainer_utils import SchedulerType

class Adafactor(Optimizer):
    def __init__(
        self, params, lr=None, eps=(1e-30, 1e-3), clip_threshold=1.0, decay_rate=-0.8, beta1=None, weight_decay=0.0,
        scale_parameter=True, relative_step=True, warmup_init=False,
    ):
        if lr is not None and relative_step:
            raise ValueError("Cannot combine manual `lr` and `relative_step=True` options")
        if warmup_init and not relative_step:
            raise ValueError("`warmup_init=True` requires `relative_step=True`")

    def step(self, closure=None): ...

class AdafactorSchedule(LambdaLR):
    def __init__(self, optimizer, initial_lr=0.0): ...

def get_constant_schedule(optimizer, last_epoch=-1): ...
def get_constant_schedule_with_warmup(optimizer, num_warmup_steps, last_epoch=-1): ...
def get_linear(optimizer, num_warmup_steps, num_training_steps, last_epoch=-1): ...
def get_cosine(optimizer, num_warmup_steps, num_training_steps, num_cycles=0.5, last_epoch=-1): ...
def get_restarts(optimizer, num_warmup_steps, num_training_steps, num_cycles=1, last_epoch=-1): ...
def get_polynomial(optimizer, num_warmup_steps, num_training_steps, lr_end=1e-7, power=1.0, last_epoch=-1): ...

TYPE_TO_SCHEDULER_FUNCTION = {
    SchedulerType.LINEAR: get_linear,
    SchedulerType.COSINE: get_cosine,
    SchedulerType.COSINE_WITH_RESTARTS: get_restarts,
    SchedulerType.POLYNOMIAL: get_polynomial,
    SchedulerType.CONSTANT: get_constant_schedule,
    SchedulerType.CONSTANT_WITH_WARMUP: get_constant_schedule_with_warmup,
}
"""
_KINDS = """
class SchedulerType(ExplicitEnum):
    LINEAR = "linear"
    COSINE = "cosine"
    COSINE_WITH_RESTARTS = "cosine_with_restarts"
    POLYNOMIAL = "polynomial"
    CONSTANT = "constant"
    CONSTANT_WITH_WARMUP = "constant_with_warmup"
"""
_PRODIGY = """
class Prodigy(Optimizer):
    def __init__(
        self, params, lr=1.0, betas=(0.9, 0.999), weight_decay=0, decouple=True, use_bias_correction=False,
        safeguard_warmup=False, d0=1e-6, d_coef=1.0,
    ): ...

    def step(self, closure=None):
        for group in self.param_groups:
            if group["lr"] not in [lr, 0.0]:
                raise RuntimeError("Setting different lr values in different parameter groups is only supported for 0")
"""
_KOHYA = """
import ast

from .config import PRESET
from .utils.preset import read_preset

network_module_dict = {"lora": 1, "locon": 1, "loha": 1, "lokr": 1, "ia3": 1, "diag-oft": 1, "full": 1}
deprecated_arg_dict = {"disable_conv_cp": "use_tucker", "use_cp": "use_tucker"}

def create_network(multiplier, network_dim, network_alpha, vae, text_encoder, unet, **kwargs):
    for key, value in list(kwargs.items()):
        if key in deprecated_arg_dict:
            kwargs[deprecated_arg_dict[key]] = value
    if network_dim is None:
        network_dim = 4
    conv_dim = int(kwargs.get("conv_dim", network_dim) or network_dim)
    conv_alpha = float(kwargs.get("conv_alpha", network_alpha) or network_alpha)
    dropout = float(kwargs.get("dropout", 0.0) or 0.0)
    rank_dropout = float(kwargs.get("rank_dropout", 0.0) or 0.0)
    module_dropout = float(kwargs.get("module_dropout", 0.0) or 0.0)
    algo = (kwargs.get("algo", "lora") or "lora").lower()
    use_tucker = kwargs.get("use_tucker", False)
    use_scalar = kwargs.get("use_scalar", False)
    dora_wd = kwargs.get("dora_wd", False)
    train_norm = kwargs.get("train_norm", False)
    factor = int(kwargs.get("factor", -1) or -1)
    decompose_both = kwargs.get("decompose_both", False)
    loraplus_lr_ratio = (
        float(kwargs.get("loraplus_lr_ratio", None)) if kwargs.get("loraplus_lr_ratio", None) is not None else None
    )
    preset = kwargs.get("preset", "full")
    if preset not in PRESET:
        preset = read_preset(preset)
    else:
        preset = PRESET[preset]
    return LycorisNetworkKohya(text_encoder, unet, conv_lora_dim=conv_dim, network_module=algo)

def create_network_from_weights(multiplier, file, vae, text_encoder, unet, weights_sd=None, **kwargs):
    pass

class LycorisNetworkKohya:
    def __init__(self, text_encoder, unet, conv_lora_dim=4, network_module="locon"):
        if not self.ENABLE_CONV:
            conv_lora_dim = 0
        assert lora_name not in names, f"duplicated lora name: {lora_name}"

    def load_weights(self, file):
        return self.load_state_dict(weights_sd, False)
"""
_PRESETS = """
PRESET = {
    "full": {
        "enable_conv": True,
        "unet_target_module": ["Transformer2DModel", "ResnetBlock2D", "TimestepEmbedding"],
        "unet_target_name": ["conv_in", "conv_out", "time_embedding.linear_1", "time_embedding.linear_2"],
    },
    "attn-mlp": {"enable_conv": False, "unet_target_module": ["Transformer2DModel"], "unet_target_name": []},
    "attn-only": {"enable_conv": False, "unet_target_module": ["CrossAttention"], "unet_target_name": []},
}
"""
_PRESET_KEYS = """
VALID_PRESET_KEYS = ("enable_conv", "unet_target_module", "unet_target_name", "text_encoder_target_module")
"""
_ACCELERATE = """
import argparse

def launch_command_parser(subparsers=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--config_file", default=None)
    parser.add_argument("--num_processes", type=int, default=None)
    parser.add_argument("--num_machines", type=int, default=None)
    parser.add_argument("--mixed_precision", type=str, choices=["no", "fp16", "bf16", "fp8"])
    parser.add_argument("--dynamo_backend", type=str)
    parser.add_argument("--num_cpu_threads_per_process", type=int, default=None)
    parser.add_argument("--main_process_port", type=int, default=None)
    parser.add_argument("--multi_gpu", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--gpu_ids", default=None)
    return parser
"""


def _optimizer(name: str, arguments: str) -> str:
    return f"class {name}(Optimizer):\n    def __init__(self, params, {arguments}): ...\n{_STEP}"


PACKAGES = {
    "accelerate/__init__.py": "",
    "accelerate/commands/__init__.py": "",
    "accelerate/commands/launch.py": _ACCELERATE,
    "torch/__init__.py": "from . import optim\n",
    "torch/optim/__init__.py": "from . import lr_scheduler\nfrom .adam import Adam, AdamW, LBFGS, SGD\n",
    "torch/optim/adam.py": _ADAM,
    "torch/optim/lr_scheduler.py": _TORCH_SCHEDULERS,
    "transformers/__init__.py": "",
    "transformers/optimization.py": _OPTIMIZATION,
    "transformers/trainer_utils.py": _KINDS,
    "bitsandbytes/__init__.py": "from . import optim\n",
    "bitsandbytes/optim/__init__.py": _optimizer(
        "AdamW8bit", "lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2"
    ),
    "lion_pytorch/__init__.py": _optimizer("Lion", "lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0"),
    "schedulefree/__init__.py": _optimizer("AdamWScheduleFree", "lr=0.0025, weight_decay=0, warmup_steps=0"),
    "prodigyopt/__init__.py": _PRODIGY,
    "pytorch_optimizer/__init__.py": _optimizer("CAME", "lr=2e-4, betas=(0.9, 0.999, 0.9999), weight_decay=0.0"),
    "lycoris/__init__.py": "VERSION = '4.1.3'\n",
    "lycoris/kohya.py": _KOHYA,
    "lycoris/config.py": _PRESETS,
    "lycoris/wrapper.py": _PRESET_KEYS,
    "lycoris/utils/__init__.py": "",
    "lycoris/utils/preset.py": "import toml\n\ndef read_preset(preset):\n    return toml.load(preset)\n",
    "lycoris_lora-4.1.3.dist-info/METADATA": "Name: lycoris-lora\nVersion: 4.1.3\n",
    "tensorboard/__init__.py": "",
    "toml/__init__.py": "",
    "wandb/__init__.py": "",
    "xformers/__init__.py": "",
    "xformers/ops/__init__.py": "",
}
