"""Mistakes in the base model, the files beside it, and the weights that a run goes on from."""

from __future__ import annotations

from mistake import ERROR, WARNING, Planted, add, put

from launcher.base.findings import Severity

_LORA = "sd15-lora"


def _base(
    id_: str, file: str, code: str, message: str = "", hint: str = "", *, base: str = _LORA,
    severity: Severity = ERROR,
) -> Planted:  # fmt: skip
    old = {"sd15-lora": "sd1", "sdxl-lora": "sdxl", "flux-lora": "flux", "sd2-lora": "sd2", "sd3-lora": "sd3"}[base]
    change = put(f"{{models}}/{old}.safetensors", f"{{models}}/{file}")
    return Planted(f"base-{id_}", base, change, code, severity, message, hint)


MISTAKES = (
    _base("missing", "sd11.safetensors", "model-missing", "sd11", "sd1.safetensors"),
    _base("other-suffix", "sd1.safetensor", "model-missing", "sd1.safetensor", "sd1.safetensors"),
    _base("sdxl-for-sd1", "sdxl.safetensors", "base-model-family", "SDXL", "sdxl_train_network.py"),
    _base("sd1-for-sdxl", "sd1.safetensors", "base-model-family", "SD 1", "train_network.py", base="sdxl-lora"),
    _base("flux-for-sdxl", "flux.safetensors", "base-model-family", "FLUX", "flux_train_network.py", base="sdxl-lora"),
    _base("sd3-for-flux", "sd3.safetensors", "base-model-family", "SD 3", "sd3_train_network.py", base="flux-lora"),
    _base("sdxl-for-sd3", "sdxl.safetensors", "base-model-family", "SDXL", "sdxl_train_network.py", base="sd3-lora"),
    _base("sd1-for-flux", "sd1.safetensors", "base-model-family", "SD 1", "train_network.py", base="flux-lora"),
    _base("sd1-folder-for-flux", "diffusers-sd1", "base-model-family", "SD 1", "train_network.py", base="flux-lora"),
    _base("sdxl-folder-for-sd1", "diffusers-sdxl", "base-model-family", "SDXL", "sdxl_train_network.py"),
    _base("sd2-without-v2", "sd2.safetensors", "base-model-v2", "SD 2", "v2 = true"),
    Planted(
        "base-sd1-with-v2",
        "sd2-lora",
        put("sd2.safetensors", "sd1.safetensors"),
        "base-model-v2",
        at="v2",
        hint="Remove v2",
    ),
    _base("lora", "lora16.safetensors", "base-model-kind", "LoRA", "network_weights"),
    _base("vae", "vae.safetensors", "base-model-kind", "VAE"),
    _base("embedding", "embedding.safetensors", "base-model-kind"),
    _base("controlnet", "controlnet.safetensors", "base-model-kind"),
    _base("unet", "unet.safetensors", "base-model-kind"),
    _base("text-encoder", "clip.safetensors", "base-model-kind"),
    _base("cut-off", "cut-off.safetensors", "model-damaged"),
    _base("page", "page.safetensors", "model-damaged"),
    _base("empty", "empty.safetensors", "model-damaged"),
    _base("pickle", "old.ckpt", "model-pickle", "old.ckpt", severity=WARNING),
    _base("empty-folder", "empty-folder", "base-model-folder", "empty-folder"),
    _base("folder-for-flux", "empty-folder", "base-model-folder", base="flux-lora"),
    Planted(
        "weights-missing", "sd15-weights", put("lora16", "lora17"), "model-missing", message="lora17", hint="lora16"
    ),
    Planted(
        "weights-of-other-dim",
        "sd15-weights",
        put("lora16", "lora32"),
        "network-weights-dim",
        message="32",
        hint="network_dim = 32",
        at="network_dim",
    ),
    Planted("weights-of-sdxl", "sd15-weights", put("lora16", "lora-sdxl"), "network-weights-family"),
    Planted("weights-are-a-model", "sd15-weights", put("lora16", "sd1"), "network-weights-kind"),
    Planted(
        "vae-missing",
        _LORA,
        add('vae = "{models}/vea.safetensors"'),
        "model-missing",
        message="vea",
        hint="vae.safetensors",
    ),
    Planted("vae-is-a-lora", _LORA, add('vae = "{models}/lora16.safetensors"'), "other-model-kind"),
    Planted(
        "flux-without-t5",
        "flux-lora",
        put('t5xxl = "{models}/t5.safetensors"\n', ""),
        "other-model-needed",
        message="t5xxl",
        at=None,
    ),
    Planted(
        "flux-without-ae",
        "flux-lora",
        put('ae = "{models}/ae.safetensors"\n', ""),
        "other-model-needed",
        message="ae",
        at=None,
    ),
    Planted(
        "flux-clip-is-t5", "flux-lora", put("clip.safetensors", "t5.safetensors"), "other-model-kind", message="clip_l"
    ),
    Planted("flux-ae-of-sd1", "flux-lora", put("ae.safetensors", "vae.safetensors"), "other-model-kind", message="ae"),
)
