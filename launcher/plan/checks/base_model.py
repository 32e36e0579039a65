"""The base model: there, whole, and what the script trains."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path

from launcher.base.findings import Code, Finding, Severity
from launcher.data.model_family import Family, Kind, Model
from launcher.data.model_files import cached_snapshot, hub_is_offline, read_config, weight_files
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.model_file import MODEL_MISSING, SAFETENSORS, check_model_file
from launcher.plan.checks.script_family import CLASSIC, OPTION, PLAIN, base_model, script_family, script_for
from launcher.trainer.source_text import Evidence

_LOADERS = "library/train_util.py and library/sdxl_train_util.py, _load_target_model"
BASE_MODEL_FOLDER = Code(
    "base-model-folder",
    Severity.ERROR,
    "A folder is read as a model of diffusers, or not at all: without the files that diffusers looks for the run ends.",
    _LOADERS + "; library/flux_utils.py, analyze_checkpoint_state",
)
BASE_MODEL_LINK = Code(
    "base-model-link",
    Severity.ERROR,
    "The trainer replaces a symbolic link by what it names. A relative name then counts from the checkout and is "
    "taken for a repository on the hub; a file of the hub's cache loses the end of its name and is unpickled.",
    _LOADERS,
)
BASE_MODEL_KIND = Code(
    "base-model-kind",
    Severity.ERROR,
    "The file holds something else than a whole base model: its tensors do not fit, and loading it fails.",
    "library/model_util.py, load_models_from_stable_diffusion_checkpoint, and the loaders of the other families",
)
BASE_MODEL_FAMILY = Code(
    "base-model-family",
    Severity.ERROR,
    "Each training script loads one family of models. The tensors of another do not fit, and loading them fails after "
    "all imports, or when training begins.",
    "library/model_util.py, load_models_from_stable_diffusion_checkpoint, and the loaders of the other families",
)
BASE_MODEL_V2 = Code(
    "base-model-v2",
    Severity.ERROR,
    "v2 decides which U-Net and text encoder a file is loaded into: with the wrong one loading fails. A folder says "
    "that itself, but v2 still chooses the tokenizer, and the wrong one teaches wrong words.",
    "library/model_util.py, load_models_from_stable_diffusion_checkpoint; library/strategy_sd.py, SdTokenizeStrategy",
)
V_PREDICTION = Code(
    "v-prediction",
    Severity.WARNING,
    "A model that predicts v learns nonsense when it is trained to predict noise, and the other way round. Nothing "
    "fails: the samples just get worse.",
    "train_network.py, get_noise_pred_and_target",
)
HUB_MODEL = Code(
    "hub-model",
    Severity.ADVICE,
    "What is no file and no folder is taken for a repository on the hub, and downloaded when the run starts.",
    _LOADERS,
)
_FLUX_PART = "transformer/diffusion_pytorch_model-00001-of-00003.safetensors"
_SHARD = re.compile(r"\d+-of-\d+\.safetensors$")
_INPUTS = {Family.SD1: 4, Family.SD2: 4, Family.SDXL: 4, Family.FLUX: 64, Family.CHROMA: 64}


def check_base_model(candidate: Candidate) -> Iterator[Finding]:
    """pretrained_model_name_or_path: what it names, against what the script loads."""
    value, where = candidate.value(OPTION), candidate.where(OPTION)
    if not isinstance(value, str) or not value:
        return
    wanted, path = script_family(candidate), candidate.path(OPTION)
    if path is None:
        yield from _on_the_hub(candidate, value, wanted)
    elif path.is_dir():
        yield from _folder(path, where, wanted, candidate.trainer.script)
    else:
        opened = yield from _link(candidate, path, wanted)
        if opened is not None:
            by_suffix = wanted in CLASSIC or wanted is None
            yield from check_model_file(OPTION, path, where, by_suffix=by_suffix, name=opened)
    if wanted:
        yield from _model(candidate, base_model(candidate), wanted, path)


def _on_the_hub(candidate: Candidate, value: str, wanted: Family | None) -> Iterator[Finding]:
    where = candidate.where(OPTION)
    if wanted and wanted not in CLASSIC:
        message = f"{value} is no file, and {candidate.trainer.script} downloads none."
        yield MODEL_MISSING.at(where, message, f"Give the {wanted.value} model's .safetensors file.")
    elif cached_snapshot(value, candidate.environ) is not None or "/" not in value:
        return
    elif hub_is_offline(candidate.environ):
        message = f"{value} is not on this machine, and HF_HUB_OFFLINE forbids to download it."
        hint = "Correct the path, or download it first without HF_HUB_OFFLINE."
        yield HUB_MODEL.at(where, message, hint, severity=Severity.ERROR)
    else:
        message = f"{value} is not on this machine: it will be downloaded from the hub when the run starts."
        yield HUB_MODEL.at(where, message, "If a file or folder is meant, correct the path.")


def _folder(path: Path, where: str | None, wanted: Family | None, script: str) -> Iterator[Finding]:
    if wanted in (Family.FLUX, Family.CHROMA):
        if not (path / _FLUX_PART).is_file():
            message = f"{path} is a folder without {_FLUX_PART}, the only form of a folder that {script} reads."
            yield BASE_MODEL_FOLDER.at(where, message, "Give the model's .safetensors file.")
    elif wanted and wanted not in CLASSIC:
        message = f"{path} is a folder, and {script} reads one file."
        yield BASE_MODEL_FOLDER.at(where, message, "Give the model's .safetensors file.")
    elif wanted:
        for part in ("model_index.json", "unet/config.json"):
            if not read_config(path / part):
                message = f"{path} is no model of diffusers: it has no {part} that can be read."
                yield BASE_MODEL_FOLDER.at(where, message, "Give the model's own folder, or a .safetensors file.")
                return
        for file in weight_files(path):
            if file.parent.name in ("unet", "vae", "text_encoder", "text_encoder_2"):
                yield from check_model_file(OPTION, file, where)


def _link(candidate: Candidate, path: Path, wanted: Family | None) -> Generator[Finding, None, str | None]:
    """The file name by which the trainer will know the file; None when it will not find it."""
    if wanted not in CLASSIC or not path.is_symlink() or not path.is_file():
        return path.name
    loader = "library/sdxl_train_util.py" if wanted is Family.SDXL else "library/train_util.py"
    if candidate.says(Evidence(loader, "_load_target_model", (r"os\.readlink\(name_or_path\)",))):
        target = path.readlink()
    elif candidate.says(Evidence(loader, "_load_target_model", (r"os\.path\.realpath\(name_or_path\)",))):
        target = path.resolve()
    else:
        return path.name
    if not (candidate.trainer.checkout / target).is_file():
        message = f"{path} is a link to {target}, which the trainer looks for in its own folder and does not find."
        yield BASE_MODEL_LINK.at(candidate.where(OPTION), message, f"Give the file itself: {path.resolve()}.")
        return None
    if path.suffix.lower() == SAFETENSORS and target.suffix.lower() != SAFETENSORS:
        message = f"{path} is a link to {target.name}: the trainer goes by that name, and will take it for a pickle."
        yield BASE_MODEL_LINK.at(candidate.where(OPTION), message, "Copy or hard-link the file under its own name.")
        return None
    return target.name


def _model(candidate: Candidate, model: Model, wanted: Family, path: Path | None) -> Iterator[Finding]:
    where, script = candidate.where(OPTION), candidate.trainer.script
    shown = path or candidate.value(OPTION)
    if path and _SHARD.search(path.name):
        return  # one of several files: what it lacks is in the others
    if model.kind not in (Kind.BASE, Kind.UNKNOWN, Kind.TRANSFORMER):
        yield BASE_MODEL_KIND.at(where, f"{shown} is {model.kind.value}, not a base model.", _better(model, wanted))
    elif model.family and model.family is not wanted and not {model.family, wanted} <= set(PLAIN):
        yield _wrong_family(candidate, model.family, wanted, shown)
    elif model.kind is Kind.TRANSFORMER and model.family and wanted is not Family.FLUX:
        yield BASE_MODEL_KIND.at(where, f"{shown} is {model.kind.value}, which {script} does not read.")
    else:
        yield from _parts(model, where, str(shown))
        yield from _flags(candidate, model, wanted, path)


def _better(model: Model, wanted: Family) -> str:
    if model.kind is Kind.LORA:
        return "To train on from a LoRA, give it as network_weights, and the model that it was trained on here."
    return f"Give the {wanted.value} model as one .safetensors file" + (
        ", or as a folder of diffusers." if wanted in CLASSIC else "."
    )


def _wrong_family(candidate: Candidate, family: Family, wanted: Family, shown: object) -> Finding:
    message = f"{shown} is a model of {family.value}, and {candidate.trainer.script} trains {_trains(wanted)}."
    if {family, wanted} == {Family.FLUX, Family.CHROMA} and candidate.has("model_type"):
        hint = f'Set model_type = "{"chroma" if family is Family.CHROMA else "flux"}".'
    else:
        other = script_for(candidate, family)
        hint = f"Set run.script to {other}." if other else f"Give a model of {_trains(wanted)}."
    return BASE_MODEL_FAMILY.at(candidate.where(OPTION), message, hint)


def _trains(wanted: Family) -> str:
    return "SD 1 and SD 2" if wanted in PLAIN else wanted.value


def _parts(model: Model, where: str | None, shown: str) -> Iterator[Finding]:
    if model.lacks:
        message = f"{shown} is no whole model: it has no {' and no '.join(model.lacks)}."
        yield BASE_MODEL_KIND.at(where, message, "Give the whole model; another VAE is given as vae.")
    usual = _INPUTS.get(model.family) if model.family else None
    if usual and model.inputs and model.inputs != usual:
        message = f"{shown} takes {model.inputs} channels, not {usual}: it is made for inpainting or editing."
        yield BASE_MODEL_KIND.at(where, message, "sd-scripts trains ordinary models only: give the one it came from.")


def _flags(candidate: Candidate, model: Model, wanted: Family, path: Path | None) -> Iterator[Finding]:
    family = model.family
    if wanted in PLAIN and family and candidate.has("v2") and family is not wanted:
        message = f"The base model is of {family.value}, and v2 is {'not ' if family is Family.SD2 else ''}set."
        hint = "Set v2 = true." if family is Family.SD2 else "Remove v2."
        is_file = path is not None and path.is_file()
        severity = Severity.ERROR if is_file else Severity.WARNING
        yield BASE_MODEL_V2.at(candidate.where("v2") or candidate.where(OPTION), message, hint, severity=severity)
    if wanted not in CLASSIC or not candidate.has("v_parameterization") or model.v_prediction is None:
        return
    trained = candidate.value("v_parameterization") is True
    if model.v_prediction and not trained:
        also = " and zero_terminal_snr = true" if model.zero_snr and candidate.has("zero_terminal_snr") else ""
        message = "The base model says that it predicts v, and v_parameterization is not set."
        yield V_PREDICTION.at(candidate.where(OPTION), message, f"Set v_parameterization = true{also}.")
    elif trained and not model.v_prediction and model.diffusers:
        message = "v_parameterization is set, and the base model says that it predicts noise (epsilon)."
        yield V_PREDICTION.at(candidate.where("v_parameterization"), message, "Remove v_parameterization.")
