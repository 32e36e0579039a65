"""What kind of model a file is, by the names and shapes of its tensors.

The names are those that sd-scripts looks for when it loads each (library/model_util.py, sdxl_model_util.py,
sd3_utils.py, flux_utils.py, lumina_util.py, hunyuan_image_models.py, anima_utils.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from launcher.data.model_files import read_config, weight_files
from launcher.data.safetensors_header import Header, read_header


class Family(str, Enum):
    """A family of base models, by the name that people know it by."""

    SD1 = "SD 1"
    SD2 = "SD 2"
    SDXL = "SDXL"
    SDXL_REFINER = "SDXL refiner"
    SD3 = "SD 3"
    FLUX = "FLUX.1"
    CHROMA = "Chroma"
    LUMINA = "Lumina 2"
    HUNYUAN_IMAGE = "HunyuanImage 2.1"
    ANIMA = "Anima"


class Kind(str, Enum):
    """What a file holds, in words that continue "this is …"."""

    BASE = "a base model"
    UNET = "a U-Net in diffusers' layout, without the rest of its model"
    TRANSFORMER = "a transformer in diffusers' layout"
    LORA = "a LoRA"
    CONTROLNET = "a ControlNet"
    VAE = "a VAE"
    TEXT_ENCODER = "a text encoder"
    EMBEDDING = "a textual inversion embedding"
    UNKNOWN = "a model that kl does not know"


@dataclass(frozen=True)
class Model:
    """What a file was recognised as. `family` is None where the kind has none, or it cannot be told.

    `inputs` are the channels that a U-Net or FLUX.1 takes: 4 and 64, and more for inpainting. `latents` are the
    channels of a VAE. `diffusers` says whether the names are those of diffusers. `v_prediction` is whether the
    model says that it predicts v, None when it does not say; `zero_snr` whether it was made with zero terminal SNR.
    `lacks` are the parts that a whole model of its family has and this file has not.
    `blocks` are the numbers of double and single blocks, or of joint blocks and those with a second attention.
    """

    kind: Kind
    family: Family | None = None
    inputs: int | None = None
    latents: int | None = None
    diffusers: bool = False
    v_prediction: bool | None = None
    zero_snr: bool = False
    lacks: tuple[str, ...] = ()
    blocks: tuple[int, int] = (0, 0)


_LDM = "model.diffusion_model."
_CONTEXTS = {768: Family.SD1, 1024: Family.SD2, 2048: Family.SDXL, 1280: Family.SDXL_REFINER}
# The first attention to the prompt, and where it stands: SD 1 and 2, SDXL, its refiner; then diffusers' names.
_CROSS_ATTENTION = (
    "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
    "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight",
    "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight",
    "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight",
)
_NETWORK_ENDS = (
    ".lora_down.weight", ".lora_up.weight", ".lora_A.weight", ".lora_B.weight", ".lora.down.weight",
    ".lora_linear_layer.down.weight", ".hada_w1_a", ".lokr_w1", ".lokr_w1_a", ".oft_blocks", ".oft_diag", ".a1.weight",
)  # fmt: skip
_NETWORK_STARTS = ("lora_unet_", "lora_te", "oft_unet_", "lycoris_")


def recognise(header: Header) -> Model:
    """What the file with this header is."""
    names = header.tensors
    if not names:
        return Model(Kind.UNKNOWN)
    if any(name.startswith(_NETWORK_STARTS) or name.endswith(_NETWORK_ENDS) for name in names):
        return Model(Kind.LORA)
    if _is_control_net(names):
        return Model(Kind.CONTROLNET)
    for look in (_u_net, _transformer, _vae, _text_encoder, _embedding):
        found = look(header)
        if found:
            return found
    return Model(Kind.UNKNOWN)


def recognise_file(path: Path) -> Model:
    """The same for a file; UNKNOWN where its header cannot be read."""
    header = read_header(path)
    return recognise(header) if isinstance(header, Header) else Model(Kind.UNKNOWN)


def recognise_folder(folder: Path) -> Model:
    """What a folder in diffusers' layout holds, by its configuration files. Its model_index.json may be missing."""
    index, unet = read_config(folder / "model_index.json"), read_config(folder / "unet" / "config.json")
    said = read_config(folder / "scheduler" / "scheduler_config.json").get("prediction_type")
    predicts_v = None if not isinstance(said, str) else said == "v_prediction"
    context, inputs = unet.get("cross_attention_dim"), unet.get("in_channels")
    if isinstance(context, int):
        return Model(
            Kind.BASE,
            _CONTEXTS.get(context),
            inputs=inputs if isinstance(inputs, int) else None,
            diffusers=True,
            v_prediction=predicts_v,
        )
    name = str(index.get("_class_name") or read_config(folder / "config.json").get("_class_name") or "")
    families = {
        "StableDiffusion3": Family.SD3, "Flux": Family.FLUX, "Chroma": Family.CHROMA, "Lumina2": Family.LUMINA,
        "HunyuanImage": Family.HUNYUAN_IMAGE,
    }  # fmt: skip
    family = next((family for start, family in families.items() if name.startswith(start)), None)
    if name.startswith("Autoencoder") or (not index and name == ""):
        vae = next((recognise_file(file) for file in weight_files(folder.parent) if file.parent == folder), None)
        return vae if vae and name else Model(Kind.UNKNOWN)
    return Model(Kind.BASE, family, diffusers=True) if family else Model(Kind.UNKNOWN)


def _u_net(header: Header) -> Model | None:
    for prefix in (_LDM, ""):
        for name in _CROSS_ATTENTION:
            shape = header.shape(prefix + name)
            if len(shape) == 2:
                return _u_net_with(header, prefix, shape[1])
    return None


def _u_net_with(header: Header, prefix: str, context: int) -> Model:
    said = header.metadata.get("modelspec.prediction_type")
    predicts_v = None if said is None else said in ("v", "v_prediction", "v-prediction")
    first = header.shape(f"{prefix}input_blocks.0.0.weight") or header.shape(f"{prefix}conv_in.weight")
    # NoobAI's way to say it, which many tools read: two empty tensors beside the model's own.
    marked = "v_pred" in header.tensors
    with_prefix = prefix == _LDM
    return Model(
        Kind.BASE if with_prefix else Kind.UNET,
        _CONTEXTS.get(context),
        inputs=first[1] if len(first) == 4 else None,
        diffusers=f"{prefix}conv_in.weight" in header.tensors,
        v_prediction=True if marked else predicts_v,
        zero_snr="ztsnr" in header.tensors,
        lacks=tuple(_lacks(header)) if with_prefix else (),
    )


def _lacks(header: Header) -> Iterator[str]:
    if not any(name.startswith(("cond_stage_model.", "conditioner.embedders.")) for name in header.tensors):
        yield "text encoder"
    if not any(name.startswith("first_stage_model.") for name in header.tensors):
        yield "VAE"


def _transformer(header: Header) -> Model | None:
    for prefix in ("", _LDM, "net."):
        family = _transformer_family(header, prefix)
        if family:
            first = header.shape(f"{prefix}img_in.weight")
            inputs = first[1] if len(first) == 2 else None
            return Model(Kind.BASE, family, inputs=inputs, blocks=_blocks(header, prefix))
    if "single_transformer_blocks.0.attn.to_k.weight" in header.tensors:
        return Model(Kind.TRANSFORMER, Family.FLUX, diffusers=True)
    if "transformer_blocks.0.attn.add_k_proj.weight" in header.tensors:
        family = Family.SD3 if "pos_embed.proj.weight" in header.tensors else None
        return Model(Kind.TRANSFORMER, family, diffusers=True)
    return None


def _transformer_family(header: Header, prefix: str) -> Family | None:
    def has(name: str) -> bool:
        return prefix + name in header.tensors

    if has("joint_blocks.0.x_block.attn.qkv.weight"):
        return Family.SD3
    if has("double_blocks.0.img_attn.qkv.weight"):
        return Family.CHROMA if has("distilled_guidance_layer.in_proj.weight") else Family.FLUX
    if has("byt5_in.fc1.weight") and has("txt_in.input_embedder.weight"):
        return Family.HUNYUAN_IMAGE
    if has("llm_adapter.embed.weight") and has("blocks.0.cross_attn.q_proj.weight"):
        return Family.ANIMA
    # Z-Image has the same names, and is 3840 wide.
    if header.shape(f"{prefix}layers.0.attention.qkv.weight")[1:] == (2304,) and has("cap_embedder.0.weight"):
        return Family.LUMINA
    return None


def _blocks(header: Header, prefix: str) -> tuple[int, int]:
    def count(start: str, end: str) -> int:
        return sum(name.startswith(prefix + start) and name.endswith(end) for name in header.tensors)

    joint = count("joint_blocks.", ".x_block.attn.qkv.weight")
    if joint:
        return joint, count("joint_blocks.", ".x_block.attn2.qkv.weight")
    return count("double_blocks.", ".img_attn.qkv.weight"), count("single_blocks.", ".linear1.weight")


def _vae(header: Header) -> Model | None:
    for prefix in ("", "first_stage_model."):
        first = header.shape(f"{prefix}decoder.conv_in.weight") or header.shape(f"{prefix}decoder.conv1.weight")
        if len(first) >= 4 and any(name.startswith(f"{prefix}encoder.") for name in header.tensors):
            in_diffusers = f"{prefix}decoder.conv_norm_out.weight" in header.tensors
            return Model(Kind.VAE, latents=first[1], diffusers=in_diffusers)
    return None


_TEXT_ENCODER_ENDS = (
    "text_model.embeddings.token_embedding.weight",  # CLIP
    "transformer.resblocks.0.attn.in_proj_weight",  # open_clip
    "encoder.block.0.layer.0.SelfAttention.q.weight",  # T5
    "layers.0.self_attn.q_proj.weight",  # Gemma, Qwen
)


def _text_encoder(header: Header) -> Model | None:
    found = any(name.endswith(_TEXT_ENCODER_ENDS) for name in header.tensors)
    return Model(Kind.TEXT_ENCODER) if found else None


def _embedding(header: Header) -> Model | None:
    names = set(header.tensors)
    return Model(Kind.EMBEDDING) if names in ({"emb_params"}, {"clip_l", "clip_g"}) else None


def _is_control_net(names: Mapping[str, object]) -> bool:
    starts = ("control_model.", "lllite_unet_", "lllite_")
    marks = ("controlnet_cond_embedding.conv_in.weight", "controlnet_blocks.0.weight", "input_hint_block.0.weight")
    return any(mark in names for mark in marks) or any(name.startswith(starts) for name in names)
