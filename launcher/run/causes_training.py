"""Causes in what is trained: loss, network, optimizer and base model.

The texts are those of sd-scripts (train_network.py, library/train_util.py, library/*_model_util.py, networks/lora.py),
LyCORIS (kohya.py), prodigyopt and dadaptation, and torch (optim, amp/grad_scaler.py, nn).
"""

from __future__ import annotations

from launcher.run.cause import Cause, Options, Step, error, given, is_one_of, not_given

_NETWORK_CLASS = r"(?:\w{0,40}(?:LoRA|Lora|Lycoris|LyCORIS|OFT|DyLoRA|IA3)\w*)"
_MODEL_CLASS = r"(?:\w{0,40}(?:UNet|CLIP|Autoencoder|AutoEncoder|VAE|Flux|MMDiT|SD3|SDVAE|T5)\w*)"
_SCRIPTS = Step(
    "Use the script for the base model: train_network.py for SD 1 and 2, sdxl_train_network.py for SDXL, "
    "flux_train_network.py for FLUX, sd3_train_network.py for SD 3."
)


def _lycoris(options: Options) -> bool:
    return str(options.get("network_module") or "lycoris").startswith("lycoris")


def _unclipped(options: Options) -> bool:
    return "max_grad_norm" in options and options["max_grad_norm"] in (0, 0.0)


_SOUNDER = (
    Step("Lower learning_rate, which is {learning_rate}.", given("learning_rate")),
    Step("Lower the learning rates.", not_given("learning_rate")),
    Step("Set mixed_precision to bf16, whose numbers reach farther.", is_one_of("mixed_precision", "fp16")),
    Step("Set max_grad_norm to 1.0: 0 lets gradients grow without bound.", _unclipped),
    Step("Go on from the last checkpoint or state that was still good."),
)


LOSS_IS_NAN = Cause(
    "loss-nan",
    "The loss is no number any more: training went astray, and what was saved since is of no use.",
    _SOUNDER,
    (
        error(
            "RuntimeError|ValueError", r"(?:\w+ ){0,3}[Ll]oss (?:is|was|became|has become) (?:nan|NaN|inf|infinite)\b"
        ),
        error("RuntimeError", r"Function '\w+' returned nan values in its \d+th output"),
        error("FloatingPointError", ""),
    ),
)

TRAINING: tuple[Cause, ...] = (
    Cause(
        "latents-nan",
        "The VAE turned a picture into numbers that are no numbers: usually because it computed in fp16.",
        (
            Step("Set no_half_vae.", not_given("no_half_vae")),
            Step("Or name a VAE that was made for fp16 with vae.", not_given("vae")),
            Step("See whether the VAE, {vae}, is whole and belongs to the base model.", given("vae")),
            Step("Remove the cached latents (.npz) beside the pictures afterwards.", given("cache_latents_to_disk")),
        ),
        (error("RuntimeError", "NaN detected in latents"),),
    ),
    Cause(
        "text-encoder-nan",
        "A text encoder gave numbers that are no numbers.",
        (
            Step("Set mixed_precision to bf16, whose numbers reach farther.", is_one_of("mixed_precision", "fp16")),
            Step("See whether the text encoders of the base model are whole."),
        ),
        (error("RuntimeError", "NaN detected in text encoder outputs"),),
    ),
    Cause(
        "no-data",
        "The trainer found no picture, said so, and ended with 0 as if all were well.",
        (
            Step("See what kl dataset finds; it shows every folder and what is in it."),
            Step("In a dataset config, image_dir is the folder with the pictures itself.", given("dataset_config")),
            Step(
                "train_data_dir, {train_data_dir}, is the folder above: pictures stand in folders like 10_name in it.",
                given("train_data_dir"),
            ),
            Step("A subset with num_repeats = 0 is left out."),
        ),
        lines=(r"(?:[\d: -]*\bERROR\s+)?No data found\. Please verify",),
        exit_codes=(0,),
    ),
    Cause(
        "duplicated-lora-name",
        "The network has two modules of one name, {name}: its preset or its targets reach the same layer twice.",
        (
            Step("Choose another preset than full in network_args, such as attn-mlp.", _lycoris),
            Step("Let the targets of the network not overlap."),
        ),
        (error("AssertionError", r"duplicated lora name: (?P<name>[\w.-]*)"),),
    ),
    Cause(
        "different-learning-rates",
        "This optimizer takes one learning rate for everything that it trains, and got several.",
        (
            Step("Leave out unet_lr, which is {unet_lr}.", given("unet_lr")),
            Step("Leave out text_encoder_lr.", given("text_encoder_lr")),
            Step("Set learning_rate to 1, which these optimizers scale themselves.", not_given("learning_rate")),
            Step("Leave out loraplus_lr_ratio and block weights in network_args: they make groups of their own."),
        ),
        (error("RuntimeError", r"Setting different lr values in different parameter groups is only supported"),),
    ),
    Cause(
        "weights-of-another-network",
        "The weights to start from are of a network of another kind or size.",
        (
            Step("Set network_dim, network_alpha and network_module as they were for these weights."),
            Step("Or set dim_from_weights.", not_given("dim_from_weights")),
        ),
        (error("RuntimeError", rf"Error\(s\) in loading state_dict for {_NETWORK_CLASS}:"),),
    ),
    Cause(
        "base-model-not-sdxl",
        "The folder of the base model has no second text encoder: it is not SDXL.",
        (_SCRIPTS,),
        (error("AttributeError", "'NoneType' object has no attribute 'dtype'"),),
        frames=r"\bsdxl_train_util\.py",
    ),
    Cause(
        "wrong-base-model",
        "The base model does not have the layers that this script trains: it is of another kind, or not whole.",
        (
            _SCRIPTS,
            Step("Leave out v2: it is for SD 2 only.", given("v2")),
            Step("Set v2 if the base model is SD 2.", not_given("v2")),
            Step(
                "See whether {pretrained_model_name_or_path} is what its name says.",
                given("pretrained_model_name_or_path"),
            ),
        ),
        (
            error("RuntimeError", rf"Error\(s\) in loading state_dict for {_MODEL_CLASS}:"),
            error("NotImplementedError", "Cannot copy out of meta tensor; no data"),
            error("ValueError", r"unexpected key in (?:SD|DiffUsers model): "),
            error(
                "KeyError",
                r"'(?:time_embed|label_emb|input_blocks|middle_block|conditioner|cond_stage_model|double_bloc)",
            ),
        ),
    ),
    Cause(
        "parts-do-not-fit",
        "Two parts of what is trained do not fit one another: they are of different kinds of base model.",
        (
            _SCRIPTS,
            Step("Leave out v2: it is for SD 2 only.", given("v2")),
            Step("See whether {vae} belongs to the base model.", given("vae")),
            Step("See whether {network_weights} belongs to the base model.", given("network_weights")),
            Step("Remove caches (.npz) beside the pictures that were made for another base model."),
        ),
        (
            error("RuntimeError", r"mat1 and mat2 shapes cannot be multiplied"),
            error("RuntimeError", r"Given groups=\d+, weight of size \[[\d, ]+\], expected input\["),
        ),
    ),
    Cause(
        "optimizer-empty",
        "There is nothing to train: no layer matched, or every learning rate is 0.",
        (
            Step("Leave out network_train_text_encoder_only.", given("network_train_text_encoder_only")),
            Step("Leave out network_train_unet_only.", given("network_train_unet_only")),
            Step("See in the log how many modules the network has, and choose another preset or other targets."),
            Step("See that unet_lr and text_encoder_lr are not both 0."),
        ),
        (
            error("ValueError", "optimizer got an empty parameter list"),
            error("RuntimeError", r"element 0 of tensors does not require grad and does not have a grad_fn"),
            error("AssertionError", "No inf checks were recorded for this optimizer"),
        ),
    ),
    Cause(
        "fp16-gradients",
        "Gradients in fp16 cannot be scaled as mixed precision does it.",
        (
            Step("Leave out full_fp16.", given("full_fp16")),
            Step("Or set full_bf16 with mixed_precision = bf16."),
        ),
        (error("ValueError", r"Attempting to unscale FP16 gradients"),),
    ),
    Cause(
        "precisions-mixed",
        "Two parts of the computation were in different precisions.",
        (
            Step("To train without a GPU, set mixed_precision to no."),
            Step("Leave out full_fp16 and full_bf16.", given("full_fp16", "full_bf16")),
            Step("Set mixed_precision to bf16 or fp16: fp8_base needs it.", given("fp8_base", "fp8_base_unet")),
            Step("Set sdpa instead of xformers.", given("xformers")),
        ),
        (
            error("RuntimeError", r"(?:mat1 and mat2|expected m1 and m2|expected mat1 and mat2)[^\n]* same dtype"),
            error("RuntimeError", r"Input type \([\w:.]+\) and (?:bias|weight) type \([\w:.]+\) should be the same"),
            error("RuntimeError", r"expected scalar type \w+ but found \w+"),
        ),
    ),
)
