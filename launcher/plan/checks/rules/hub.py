"""Rules about uploads to the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from launcher.base.findings import Severity
from launcher.base.words import listed
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_UPLOAD = "library/huggingface_util.py, upload"
_FILE = "library/huggingface_util.py"
_HAS_UPLOAD = Evidence(_FILE, "upload", (r"args\.huggingface_repo_id",))
_JOINS_PATH = Evidence(_FILE, "upload", (r"args\.huggingface_path_in_repo \+ dest_suffix",))
_ASKS_FOR_PATH = Evidence(_FILE, "upload", (r"if args\.huggingface_path_in_repo is not None else None",))
_KINDS = ("model", "dataset", "space")
_WITH_REPOSITORY = (
    "huggingface_repo_type", "huggingface_path_in_repo", "huggingface_repo_visibility", "async_upload",
    "save_state_to_huggingface",
)  # fmt: skip


@rule(
    "hub-path",
    Severity.ERROR,
    "The trainer gives the hub no name for the file then. The upload fails, which is only a line in the log (before "
    "v0.7 the trainer itself fails at the first save).",
    f"{_UPLOAD}; huggingface_hub, upload_file",
    _JOINS_PATH,
    options=("huggingface_repo_id", "huggingface_path_in_repo"),
)
def _path(candidate: Candidate) -> Said | None:
    if not candidate.value("huggingface_repo_id") or candidate.value("huggingface_path_in_repo") is not None:
        return None
    hint = 'Set huggingface_path_in_repo, such as "loras".'
    if not candidate.says(_ASKS_FOR_PATH):
        return Said("huggingface_repo_id needs huggingface_path_in_repo: the trainer fails at the first save.", hint)
    if not (candidate.has("network_module") or candidate.value("save_model_as") in ("safetensors", "ckpt", "pt")):
        return None  # a folder in diffusers' form can be uploaded without
    return Said("huggingface_repo_id without huggingface_path_in_repo uploads no model.", hint)


@rule(
    "hub-token",
    Severity.ERROR,
    "Without a token the hub takes nothing. That is only a line in the log: training goes on and ends well.",
    _UPLOAD,
    _HAS_UPLOAD,
    options=("huggingface_repo_id",),
)
def _token(candidate: Candidate) -> Said | None:
    if not candidate.value("huggingface_repo_id"):
        return None
    environ = candidate.environ
    if environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return Said("huggingface_repo_id is set, and HF_HUB_OFFLINE forbids uploads.", "Unset HF_HUB_OFFLINE.")
    given = any(environ.get(name, "").strip() for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"))
    if given or any(name.startswith("COLAB_") for name in environ):  # Colab keeps tokens elsewhere
        return None
    path = _token_file(candidate)
    try:
        if path is None or path.exists():
            return None
    except OSError:
        return None
    message = "huggingface_repo_id needs a token of the hub, and there is none: nothing would be uploaded."
    return Said(message, "Set HF_TOKEN in the environment, or run hf auth login.")


def _token_file(candidate: Candidate) -> Path | None:
    """Where `hf auth login` keeps the token (huggingface_hub/constants.py, HF_TOKEN_PATH)."""
    environ = candidate.environ
    if environ.get("HF_TOKEN_PATH"):
        return Path(environ["HF_TOKEN_PATH"])
    if environ.get("HF_HOME"):
        return Path(environ["HF_HOME"]) / "token"
    if environ.get("XDG_CACHE_HOME"):
        return Path(environ["XDG_CACHE_HOME"]) / "huggingface" / "token"
    return Path(environ["HOME"]) / ".cache" / "huggingface" / "token" if environ.get("HOME") else None


@rule(
    "hub-repository",
    Severity.WARNING,
    "Nothing is uploaded without huggingface_repo_id, and these options only say how. The upload of a state fails, "
    "which is only a line in the log.",
    _UPLOAD,
    _HAS_UPLOAD,
    options=("huggingface_repo_id",),
)
def _repository(candidate: Candidate) -> Said | None:
    if candidate.value("huggingface_repo_id"):
        return None
    alone = next((name for name in _WITH_REPOSITORY if candidate.chosen(name) and candidate.value(name)), None)
    if alone is None:
        return None
    return Said(f"{alone} has no effect without huggingface_repo_id.", 'huggingface_repo_id = "owner/name".', alone)


@rule(
    "hub-state",
    Severity.WARNING,
    "States are uploaded when they are saved, and only save_state and save_state_on_train_end save any.",
    "library/train_util.py, save_and_remove_state_stepwise",
    Evidence("library/train_util.py", "save_state_on_train_end", (r"args\.save_state_to_huggingface",)),
    options=("save_state_to_huggingface", "save_state"),
)
def _state(candidate: Candidate) -> Said | None:
    saved = candidate.value("save_state") or candidate.value("save_state_on_train_end")
    if candidate.value("save_state_to_huggingface") is not True or saved:
        return None
    message = "save_state_to_huggingface has no effect: no states are saved."
    return Said(message, "Set save_state = true as well.", "save_state_to_huggingface")


@rule(
    "hub-type",
    Severity.ERROR,
    "The hub knows models, datasets and spaces. The upload to anything else fails, which is only a line in the log.",
    f"{_UPLOAD}; huggingface_hub/constants.py, REPO_TYPES",
    _HAS_UPLOAD,
    options=("huggingface_repo_id", "huggingface_repo_type"),
)
def _type(candidate: Candidate) -> Said | None:
    kind = candidate.value("huggingface_repo_type")
    if not candidate.value("huggingface_repo_id") or kind is None or kind in _KINDS:
        return None
    message = f"huggingface_repo_type = {kind!r} is none that the hub has: nothing would be uploaded."
    return Said(message, f"It may be {listed(_KINDS, 'or')}.", "huggingface_repo_type")


@rule(
    "hub-visibility",
    Severity.WARNING,
    'Only the word "public" makes a new repository public.',
    _UPLOAD,
    Evidence(_FILE, "upload", (r'args\.huggingface_repo_visibility != "public"',)),
    options=("huggingface_repo_id", "huggingface_repo_visibility"),
)
def _visibility(candidate: Candidate) -> Said | None:
    seen = candidate.value("huggingface_repo_visibility")
    if not candidate.value("huggingface_repo_id") or seen in (None, "public", "private"):
        return None
    message = f"huggingface_repo_visibility = {seen!r} makes the repository private."
    return Said(message, "It may be public or private.", "huggingface_repo_visibility")


RULES: tuple[Rule, ...] = (_path, _token, _repository, _state, _type, _visibility)
