"""Network modules of a made-up trainer, how its script calls them, and the models that they look for layers in.

The names, defaults and numbers are those of sd-scripts and LyCORIS, the statements are ours: as few as kl's readers
need to be told the same. Nothing of it is ever run.
"""

from __future__ import annotations

from collections.abc import Iterable

_PARAMETERS = "multiplier, network_dim, network_alpha, vae, text_encoder, unet"
LOADS = """
    def load_weights(self, file):
        return self.load_state_dict(weights_sd, False)
"""
UNET = """
class Transformer2DModel: ...

class TimestepEmbedding: ...

class UNet2DConditionModel:
    def __init__(self):
        self.time_embedding = TimestepEmbedding(320, 1280)
"""
# A model whose blocks can be moved away, and how many of them.
FLUX_BLOCKS = """
configs = {"dev": FluxParams(depth=19, depth_single_blocks=38), "schnell": FluxParams(depth=19, depth_single_blocks=38)}

class DoubleStreamBlock: ...

class SingleStreamBlock: ...

class Flux:
    def enable_block_swap(self, num_blocks):
        double_blocks_to_swap = num_blocks // 2
        single_blocks_to_swap = (num_blocks - double_blocks_to_swap) * 2
        assert double_blocks_to_swap <= self.num_double_blocks - 2 and (
            single_blocks_to_swap <= self.num_single_blocks - 2
        )
"""


def network_call(cut: str) -> str:
    """The part of NetworkTrainer.train that makes the network; each of network_args is cut at `cut`."""
    return f"""
        own = dict(net_arg.split({cut}) for net_arg in args.network_args or ())
        network_module = importlib.import_module(args.network_module)
        if args.dim_from_weights:
            network, _ = network_module.create_network_from_weights(
                1, args.network_weights, vae, text_encoder, unet, **own
            )
        elif "dropout" not in own:
            own["dropout"] = args.network_dropout
        if not args.dim_from_weights:
            network = network_module.create_network(
                1.0, args.network_dim, args.network_alpha, vae, text_encoder, unet,
                neuron_dropout=args.network_dropout, **own
            )
"""


CONVOLUTIONS = """
    conv_dim, conv_alpha = kwargs.get("conv_dim"), kwargs.get("conv_alpha")
    if conv_dim is not None:
        conv_dim = int(conv_dim)
    if conv_dim is None or conv_alpha is None:
        conv_alpha = 1.0
    else:
        conv_alpha = float(conv_alpha)
"""


def numbers(*names: str) -> str:
    """A part of create_network: arguments that are numbers, if they are given."""
    return f"\n    for name in {names!r}:\n        if kwargs.get(name) is not None:\n            float(kwargs[name])\n"


def blocks(sdxl: int, other: int, *names: str, weights: Iterable[str] = ()) -> str:
    """A part of create_network: lists with a number for each block, read only where the first of them is given.

    The lists `weights` ask for the others too; they are too short with fewer than one for each block of a half.
    """
    shared = f"""
    count = {sdxl} if issubclass(unet.__class__, SdxlUNet2DConditionModel) else {other}
    asked = kwargs.get("{names[0]}") is not None
"""
    for name in weights:
        shared += f"""
    {name} = kwargs.get("{name}")
    if {name} is not None:
        asked = True
        if len([float(each) for each in {name}.split(",")]) < count // 2:
            logger.warning(f"{name} is too short. From the {{count // 2}}-th on all are 1")
"""
    return f"""{shared}
    if asked:
        for name in {names!r}:
            text = kwargs.get(name)
            if text is not None:
                listed = [int(each) if name.endswith("dims") else float(each) for each in text.split(",")]
                assert len(listed) == count, f"as many {{name}} as there are blocks: {{count}}"
"""


def choice(name: str, *known: str) -> str:
    """A part of create_network: an argument that is one of these words."""
    return f"""
    {name} = kwargs.get("{name}")
    if {name} is not None:
        assert {name} in {list(known)!r}, "invalid"
"""


def switch_spelt_true(name: str) -> str:
    """A part of create_network: a switch that is on for the word True only."""
    return f'\n    {name} = kwargs.get("{name}", False) == "True"\n'


def create_network(
    *parts: str, own: str = "neuron_dropout=None, ", made: str = "LoRANetwork(text_encoder, unet, multiplier)"
) -> str:
    """A network module's function that makes a network, with parts for the arguments that it reads."""
    return f"\ndef create_network({_PARAMETERS}, {own}**kwargs):\n{''.join(parts)}    return {made}\n"


def from_weights(*names: str) -> str:
    """A network module's function that makes a network of a file, and reads these arguments."""
    read = ", ".join(f'kwargs.get("{name}")' for name in names)
    return (
        "\ndef create_network_from_weights(multiplier, file, vae, text_encoder, unet, weights_sd=None, **kwargs):\n"
        f"    return LoRANetwork({read})\n"
    )


def network_class(name: str, targets: str, text_targets: str = "CLIPAttention CLIPMLP", *, prefix: str = "") -> str:
    """The class of a network, with the classes of a model that it looks for."""
    return (
        f"\nclass {name}:\n    {prefix}TARGET_REPLACE_MODULE = {targets.split()!r}\n"
        f"    TEXT_ENCODER_TARGET_REPLACE_MODULE = {text_targets.split()!r}\n{LOADS}"
    )


RANKS_TOGETHER = """
class DyLoRAModule:
    def __init__(self, lora_dim=4, unit=1):
        assert self.lora_dim % self.unit == 0, "the rank is no multiple of unit"
"""
DYLORA = (
    create_network(
        """
    unit, conv_dim = int(kwargs.get("unit") or 1), kwargs.get("conv_dim")
    if conv_dim is not None:
        assert network_dim == int(conv_dim)
""",
        own="",
        made="DyLoRANetwork(text_encoder, unet, unit)",
    )
    + RANKS_TOGETHER
)


def kohya(algos: Iterable[str], *plain: str, more: str = "", made: str = "") -> str:
    """lycoris/kohya.py: the algorithms it knows, arguments it takes as they are, and `more` of create_network.

    `made` are further keywords that the network is made with.
    """
    return f"""
from .config import PRESET
from .utils.preset import read_preset

deprecated_arg_dict = {{"disable_conv_cp": "use_tucker", "use_cp": "use_tucker"}}
network_module_dict = {dict.fromkeys(algos, 1)!r}

def create_network({_PARAMETERS}, **kwargs):
    for name, given in dict(kwargs).items():
        if name in deprecated_arg_dict:
            kwargs[deprecated_arg_dict[name]] = given
    rank = int(kwargs.get("conv_dim") or network_dim or 4)
    scale = float(kwargs.get("conv_alpha") or network_alpha or 1)
    shares = [float(kwargs.get(name) or 0) for name in ("dropout", "module_dropout", "rank_dropout")]
    others = [kwargs.get(name) for name in {plain!r}]
    kind = (kwargs.get("algo") or "lora").lower()
    preset = kwargs.get("preset", "full")
    preset = PRESET[preset] if preset in PRESET else read_preset(preset)
{more}
    return LycorisNetworkKohya(text_encoder, unet, rank, scale, kind, *shares, *others{made})

class LycorisNetworkKohya:
    def __init__(self, text_encoder, unet, conv_lora_dim=4):
        if not self.ENABLE_CONV:
            conv_lora_dim = 0
        assert lora_name not in names, f"duplicated lora name: {{lora_name}}"
{LOADS}"""


_PRESETS = """
PRESET = {
    "attn-only": {"enable_conv": False, "unet_target_module": ["CrossAttention"], "unet_target_name": []},
    "attn-mlp": {"enable_conv": False, "unet_target_module": ["Transformer2DModel"], "unet_target_name": []},
    "full": dict(
        enable_conv=True,
        unet_target_module=["Transformer2DModel", "ResnetBlock2D", "TimestepEmbedding"],
        unet_target_name=["conv_in", "conv_out", "time_embedding.linear_1", "time_embedding.linear_2"],
    ),
}
"""
# The rest of LyCORIS.
LYCORIS = {
    "lycoris/__init__.py": "VERSION = '4.1.3'\n",
    "lycoris/config.py": _PRESETS,
    "lycoris/utils/__init__.py": "",
    "lycoris/utils/preset.py": "import toml\n\ndef read_preset(file):\n    return toml.load(file)\n",
    "lycoris/wrapper.py": (
        'VALID_PRESET_KEYS = ("enable_conv", "text_encoder_target_module", "unet_target_module", "unet_target_name")\n'
    ),
    "lycoris_lora-4.1.3.dist-info/METADATA": "Name: lycoris-lora\nVersion: 4.1.3\n",
}
