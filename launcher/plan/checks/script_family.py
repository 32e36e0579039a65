"""Which family of base models the training script takes, and what the base model of a run is."""

from __future__ import annotations

from pathlib import Path

from launcher.data.model_family import Family, Kind, Model, recognise_file, recognise_folder
from launcher.data.model_files import cached_snapshot
from launcher.plan.checks.candidate import Candidate
from launcher.trainer.source_text import Evidence

OPTION = "pretrained_model_name_or_path"
PLAIN = (Family.SD1, Family.SD2)
# Read by model_util and sdxl_model_util: a file, a folder of diffusers, or a hub id. All others are one file.
CLASSIC = (*PLAIN, Family.SDXL)
_PLAIN_SCRIPTS = {
    "train_network.py", "train_db.py", "fine_tune.py", "train_textual_inversion.py", "train_textual_inversion_XTI.py",
    "train_control_net.py", "train_controlnet.py",
}  # fmt: skip
_PREFIXES = {
    Family.SDXL: "sdxl_", Family.SD3: "sd3_", Family.FLUX: "flux_", Family.CHROMA: "flux_", Family.LUMINA: "lumina_",
    Family.HUNYUAN_IMAGE: "hunyuan_image_", Family.ANIMA: "anima_", Family.SD1: "", Family.SD2: "",
}  # fmt: skip
# Where each is loaded, so that nothing is said of a checkout that does it otherwise.
_LOADERS = {
    Family.SD1: Evidence("library/model_util.py", "load_models_from_stable_diffusion_checkpoint", ("load_state_dict",)),
    Family.SD2: Evidence("library/model_util.py", "load_models_from_stable_diffusion_checkpoint", ("load_state_dict",)),
    Family.SDXL: Evidence("library/sdxl_model_util.py", "load_models_from_sdxl_checkpoint", (r"conditioner\.embed",)),
    Family.SD3: Evidence("library/sd3_utils.py", "load_mmdit", (r"model\.diffusion_model\.",)),
    Family.FLUX: Evidence("library/flux_utils.py", "", ("double_blocks", "load_state_dict")),
    Family.CHROMA: Evidence("library/flux_utils.py", "", ("chroma_models",)),
    Family.LUMINA: Evidence("library/lumina_util.py", "load_lumina_model", ("load_state_dict",)),
    Family.HUNYUAN_IMAGE: Evidence("library/hunyuan_image_models.py", "load_hunyuan_image_model", ("load_state_dict",)),
    Family.ANIMA: Evidence("library/anima_utils.py", "load_anima_model", ("load_state_dict",)),
}


def script_family(candidate: Candidate) -> Family | None:
    """The family that the script trains with these options; None for a script that kl does not know."""
    name = Path(candidate.trainer.script).name
    if name in _PLAIN_SCRIPTS:
        family = Family.SD2 if candidate.value("v2") is True else Family.SD1
    elif name.startswith("flux_") and candidate.value("model_type") == "chroma":
        family = Family.CHROMA
    else:
        known = (family for family, prefix in _PREFIXES.items() if prefix and name.startswith(prefix))
        found = next(known, None)
        if found is None:
            return None
        family = found
    return family if candidate.says(_LOADERS[family]) else None


def script_for(candidate: Candidate, family: Family) -> str | None:
    """The script of the checkout that does the same for another family; None when it has none."""
    name = Path(candidate.trainer.script).name
    own = next((prefix for prefix in _PREFIXES.values() if prefix and name.startswith(prefix)), "")
    prefix = _PREFIXES.get(family)
    if prefix is None:
        return None
    other = prefix + name[len(own) :]
    try:
        return other if (candidate.trainer.checkout / other).is_file() else None
    except OSError:
        return None


def base_model_path(candidate: Candidate) -> Path | None:
    """Where the base model is on this machine: a file or folder; None when it is nowhere, or not on this machine."""
    path = candidate.path(OPTION)
    if path is None:
        value = candidate.value(OPTION)
        return cached_snapshot(value, candidate.environ) if isinstance(value, str) and value else None
    return path


def base_model(candidate: Candidate) -> Model:
    """What the base model is, as far as it can be told without opening a pickle."""
    path = base_model_path(candidate)
    try:
        if path is None or not path.exists():
            return Model(Kind.UNKNOWN)
        return recognise_folder(path) if path.is_dir() else recognise_file(path)
    except OSError:
        return Model(Kind.UNKNOWN)


def family_of(candidate: Candidate) -> Family | None:
    """The family of the base model; what the script takes where the model does not say."""
    return base_model(candidate).family or script_family(candidate)
