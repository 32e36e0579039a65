"""The miniature's site-packages: optimizers, schedulers, LyCORIS and accelerate, as far as kl reads them."""

from __future__ import annotations

from network_sources import LYCORIS, from_weights, kohya
from trainer_sources import ADAM, ONE_RATE, optimizer_class, transformers_of

_TORCH_SCHEDULERS = """
class LRScheduler:
    def __init__(self, optimizer, last_epoch=-1): ...

    def step(self, epoch=None): ...

class CosineAnnealingLR(LRScheduler):
    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1): ...

class ConstantLR(LRScheduler):
    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5, last_epoch=-1): ...
"""
_ADAFACTOR = optimizer_class(
    "Adafactor",
    "lr=None, clip_threshold=1.0, decay_rate=-0.8, beta1=None, weight_decay=0.0, eps=(1e-30, 1e-3), "
    "scale_parameter=True, relative_step=True, warmup_init=False",
    ("relative_step and lr is not None", "warmup_init and not relative_step"),
)
_PRODIGY = ONE_RATE.format(
    name="Prodigy",
    parameters="betas=(0.9, 0.999), weight_decay=0, decouple=True, use_bias_correction=False, safeguard_warmup=False, "
    "d0=1e-6, d_coef=1.0",
)
# Each kind of scheduler with what its function takes besides the optimizer.
_KINDS = {
    "constant": "",
    "constant_with_warmup": ", num_warmup_steps",
    "cosine": ", num_warmup_steps, num_training_steps, num_cycles=0.5",
    "cosine_with_restarts": ", num_warmup_steps, num_training_steps, num_cycles=1",
    "linear": ", num_warmup_steps, num_training_steps",
    "polynomial": ", num_warmup_steps, num_training_steps, lr_end=1e-7, power=1.0",
}
_KOHYA = (
    kohya(
        ("diag-oft", "full", "ia3", "locon", "loha", "lokr", "lora"),
        *("decompose_both", "dora_wd", "full_matrix", "train_norm", "use_scalar", "use_tucker"),
        more="""
    factor = int(kwargs.get("factor") or -1)
    ratio = kwargs.get("loraplus_lr_ratio")
    ratio = None if ratio is None else float(ratio)
""",
    )
    + from_weights()
)
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
PACKAGES = {
    "accelerate/__init__.py": "",
    "accelerate/commands/__init__.py": "",
    "accelerate/commands/launch.py": _ACCELERATE,
    "torch/__init__.py": "from . import optim\n",
    "torch/optim/__init__.py": "from . import lr_scheduler\nfrom .adam import Adam, AdamW, LBFGS, SGD\n",
    "torch/optim/adam.py": ADAM,
    "torch/optim/lr_scheduler.py": _TORCH_SCHEDULERS,
    **transformers_of(_KINDS, _ADAFACTOR),
    "bitsandbytes/__init__.py": "from . import optim\n",
    "bitsandbytes/optim/__init__.py": optimizer_class(
        "AdamW8bit", "lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2"
    ),
    "lion_pytorch/__init__.py": optimizer_class("Lion", "lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0"),
    "schedulefree/__init__.py": optimizer_class("AdamWScheduleFree", "lr=0.0025, weight_decay=0, warmup_steps=0"),
    "prodigyopt/__init__.py": _PRODIGY,
    "pytorch_optimizer/__init__.py": optimizer_class("CAME", "lr=2e-4, betas=(0.9, 0.999, 0.9999), weight_decay=0.0"),
    "lycoris/kohya.py": _KOHYA,
    **LYCORIS,
    "tensorboard/__init__.py": "",
    "toml/__init__.py": "",
    "wandb/__init__.py": "",
    "xformers/__init__.py": "",
    "xformers/ops/__init__.py": "",
}
