"""Where the files of CLIP's tokenizer lie on a machine, without asking anybody for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from launcher.data.clip_tokens import FILES, ClipTokenizer, load_clip_tokenizer

# The repositories whose tokenizer sd-scripts loads for SD and SDXL, each with the folder that it is in there
# (library/strategy_sd.py, library/strategy_sdxl.py; before 0.9 library/train_util.py, library/sdxl_train_util.py).
# They all hold the same merges.
_REPOSITORIES = (
    ("openai/clip-vit-large-patch14", ""),
    ("laion/CLIP-ViT-bigG-14-laion2B-39B-b160k", ""),
    ("stabilityai/stable-diffusion-2", "tokenizer"),
)
_OWN_FOLDERS = ("tokenizer", "tokenizer_2")  # of a model in the form of diffusers


def find_clip_tokenizer(
    environ: Mapping[str, str], *, cache_dir: Path | None = None, model: Path | None = None, ftfy: bool = True
) -> ClipTokenizer | None:
    """CLIP's tokenizer, from whichever of its places holds it; None when it is not on the machine.

    `cache_dir` is the run's tokenizer_cache_dir, `model` its base model, which may be a folder of diffusers, and
    `environ` says where the cache of the Hugging Face hub is. `ftfy`: whether the training environment has that.
    """
    for folder in _folders(environ, cache_dir, model):
        found = _loaded(folder, ftfy) if _has_files(folder) else None
        if found:
            return found
    return None


def _has_files(folder: Path) -> bool:
    try:
        return any((folder / name).is_file() for name in FILES)
    except (OSError, ValueError):
        return False


@lru_cache(maxsize=8)
def _loaded(folder: Path, ftfy: bool) -> ClipTokenizer | None:
    return load_clip_tokenizer(folder, ftfy=ftfy)


def _folders(environ: Mapping[str, str], cache_dir: Path | None, model: Path | None) -> Iterator[Path]:
    if cache_dir:
        # As the trainer lays it out (library/strategy_base.py, _load_tokenizer).
        yield from (cache_dir / name.replace("/", "_") for name, _ in _REPOSITORIES)
    hub = _hub_cache(environ)
    if hub:
        for name, subfolder in _REPOSITORIES:
            for snapshot in _listed(hub / f"models--{name.replace('/', '--')}" / "snapshots"):
                yield snapshot / subfolder if subfolder else snapshot
    if model:
        yield from (model / name for name in _OWN_FOLDERS)


def _hub_cache(environ: Mapping[str, str]) -> Path | None:
    """The folder that huggingface_hub keeps repositories in (huggingface_hub/constants.py)."""
    for name, below in (("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub")):
        if environ.get(name):
            return _whole(environ[name], environ) / below
    if environ.get("XDG_CACHE_HOME"):
        return _whole(environ["XDG_CACHE_HOME"], environ) / "huggingface" / "hub"
    return Path(environ["HOME"]) / ".cache" / "huggingface" / "hub" if environ.get("HOME") else None


def _whole(text: str, environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"] + text[1:]) if text.startswith("~/") and environ.get("HOME") else Path(text)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (OSError, ValueError):
        return []
