"""The models beside the base model: the VAE, and the text encoders of families that keep them in files of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from launcher.base.findings import Code, Finding, Severity
from launcher.data.model_family import Family, Kind, Model, recognise_file
from launcher.data.model_files import read_config
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.model_file import SAFETENSORS, check_model_file, header_of
from launcher.plan.checks.script_family import CLASSIC, script_family
from launcher.trainer.source_text import Evidence

OTHER_MODEL_NEEDED = Code(
    "other-model-needed",
    Severity.ERROR,
    "This family keeps its text encoders and VAE in files of their own. The trainer opens them whether they are given "
    "or not, and fails where they are not.",
    "flux_train_network.py, lumina_train_network.py, hunyuan_image_train_network.py, anima_train_network.py: "
    "load_target_model",
)
OTHER_MODEL_KIND = Code(
    "other-model-kind",
    Severity.ERROR,
    "The tensors of the file are not those of the model that is wanted: loading it fails, at once or when it is moved "
    "to the GPU.",
    "library/model_util.py, load_vae; library/flux_utils.py, load_ae; library/sd3_utils.py, load_vae",
)
VAE_LAYOUT = Code(
    "vae-layout",
    Severity.ERROR,
    "A single VAE file is read by the names of the original layout. One taken out of a folder of diffusers has other "
    "names: for SD 1 and SDXL a KeyError, for FLUX.1 weights that were never filled.",
    "library/model_util.py, convert_ldm_vae_checkpoint; library/flux_utils.py, load_ae",
)
_NEEDED = {
    Family.FLUX: ("clip_l", "t5xxl", "ae"),
    Family.CHROMA: ("t5xxl", "ae"),
    Family.LUMINA: ("gemma2", "ae"),
    Family.HUNYUAN_IMAGE: ("text_encoder", "byt5", "vae"),
    Family.ANIMA: ("qwen3", "vae"),
}
_LATENTS = {
    Family.SD1: 4, Family.SD2: 4, Family.SDXL: 4, Family.SD3: 16, Family.FLUX: 16, Family.CHROMA: 16,
    Family.LUMINA: 16, Family.HUNYUAN_IMAGE: 64, Family.ANIMA: 16,
}  # fmt: skip
_TEXT_ENCODERS = ("clip_l", "clip_g", "t5xxl", "gemma2", "text_encoder", "byt5", "qwen3")
_ENCODERS = {"clip_l": "CLIP", "clip_g": "CLIP", "t5xxl": "T5"}
_ENDS = {
    "CLIP": "text_model.embeddings.token_embedding.weight",
    "T5": "encoder.block.0.layer.0.SelfAttention.q.weight",
}
_ORIGINAL_LAYOUT = (Family.SD1, Family.SD2, Family.SDXL, Family.FLUX, Family.CHROMA)


def check_other_models(candidate: Candidate) -> Iterator[Finding]:
    """vae, ae and the text encoders, for scripts that kl knows."""
    wanted = script_family(candidate)
    if wanted is None:
        return
    for option in _NEEDED.get(wanted, ()):
        known = candidate.options.get(option)
        used = Evidence("{script}", "load_target_model", (rf"args\.{option}\b",))
        if known and not known.required and candidate.value(option) in (None, "") and candidate.says(used):
            message = f"{option} is missing, and {candidate.trainer.script} opens it."
            yield OTHER_MODEL_NEEDED.at(None, message, f"Give the file of {option}.")
    for option in ("vae", "ae", *_TEXT_ENCODERS):
        path = candidate.path(option)
        if path is not None:
            yield from _other_model(option, path, candidate.where(option), wanted)


def _other_model(option: str, path: Path, where: str | None, wanted: Family) -> Iterator[Finding]:
    classic = wanted in CLASSIC
    if path.is_dir():
        yield from _folder(option, path, where, wanted)
        return
    yield from check_model_file(option, path, where, by_suffix=classic or option == "qwen3")
    model = recognise_file(path)
    if model.kind is Kind.UNKNOWN:
        return
    if option in _TEXT_ENCODERS:
        if model.kind not in (Kind.TEXT_ENCODER, Kind.BASE):  # a base model may hold its text encoders
            yield OTHER_MODEL_KIND.at(where, f"{option}: {path} is {model.kind.value}, not a text encoder.")
        elif model.kind is Kind.TEXT_ENCODER:
            yield from _other_encoder(option, path, where)
        return
    yield from _vae(option, path, where, wanted, model)


def _other_encoder(option: str, path: Path, where: str | None) -> Iterator[Finding]:
    """CLIP given for T5, or T5 for CLIP: the options are easily exchanged."""
    header, wanted = header_of(path), _ENCODERS.get(option)
    if header is None or wanted is None:
        return
    found = {name for name, end in _ENDS.items() if any(tensor.endswith(end) for tensor in header.tensors)}
    if found and wanted not in found:
        message = f"{option}: {path} is {' and '.join(sorted(found))}, not {wanted}."
        right = ", ".join(other for other, name in _ENCODERS.items() if name in found)
        yield OTHER_MODEL_KIND.at(where, message, f"Give it as {right}." if right else None)


def _vae(option: str, path: Path, where: str | None, wanted: Family, model: Model) -> Iterator[Finding]:
    if model.kind is Kind.BASE and "VAE" not in model.lacks:
        return  # the VAE is taken out of it
    latents = _LATENTS[wanted]
    if model.kind is not Kind.VAE:
        said = model.kind.value + (" without a VAE" if model.kind is Kind.BASE else "")
        yield OTHER_MODEL_KIND.at(where, f"{option}: {path} is {said}, not a VAE.", "Give a VAE.")
    elif model.latents and model.latents != latents:
        message = f"{option}: {path} makes latents of {model.latents} channels, and {wanted.value} has {latents}."
        yield OTHER_MODEL_KIND.at(where, message, f"Give a VAE of {wanted.value}.")
    elif model.diffusers and wanted in _ORIGINAL_LAYOUT:
        message = f"{option}: {path} has the names of diffusers, and a single file is not read by them."
        hint = (
            f"Give the folder {path.parent}." if wanted in CLASSIC else "Give the original file, often ae.safetensors."
        )
        yield VAE_LAYOUT.at(where, message, hint)


def _folder(option: str, path: Path, where: str | None, wanted: Family) -> Iterator[Finding]:
    if option == "qwen3" or (option == "vae" and wanted in CLASSIC):
        if option == "vae" and not any(read_config(path / name) for name in ("config.json", "vae/config.json")):
            message = f"{option}: {path} is no folder of diffusers: it has no config.json."
            yield OTHER_MODEL_KIND.at(where, message, f"Give the VAE's {SAFETENSORS} file, or its own folder.")
        return
    if header_of(path / "model.safetensors") is not None:
        yield OTHER_MODEL_KIND.at(where, f"{option}: {path} is a folder.", f"Give {path / 'model.safetensors'}.")
    else:
        yield OTHER_MODEL_KIND.at(where, f"{option}: {path} is a folder, and one file is read.", "Give the file.")
