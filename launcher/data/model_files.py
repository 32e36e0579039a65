"""Where a model is on disk: one file, a folder in diffusers' layout, or a repository in the hub's cache."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

_LARGEST_CONFIG = 1_000_000  # bytes: a configuration of diffusers has some hundred
_TRUE = ("1", "ON", "YES", "TRUE")  # huggingface_hub/constants.py


def read_config(path: Path) -> Mapping[str, Any]:
    """A JSON file of diffusers, such as model_index.json; empty when it is not there or is something else."""
    try:
        if not path.is_file():
            return {}
        state = path.stat()
        return _config(path, state.st_size, state.st_mtime_ns) if state.st_size <= _LARGEST_CONFIG else {}
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=64)
def _config(path: Path, _size: int, _changed: int) -> Mapping[str, Any]:
    """Read once in a process: every check asks what the base model is."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def weight_files(folder: Path) -> Iterator[Path]:
    """The safetensors files of a diffusers folder's parts, in order: unet/…, vae/…"""
    try:
        for part in sorted(folder.iterdir()):
            if part.is_dir():
                yield from sorted(part.glob("*.safetensors"))
    except OSError:
        return


def cached_snapshot(repository: str, environ: Mapping[str, str]) -> Path | None:
    """The folder of a hub repository (`owner/name`) in the hub's cache, at the commit that `main` last was.

    By huggingface_hub/constants.py and its layout of the cache. None when it is not there.
    """
    folder = _hub_cache(environ) / f"models--{repository.replace('/', '--')}"
    try:
        commit = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
        snapshot = folder / "snapshots" / commit
        return snapshot if commit and "/" not in commit and snapshot.is_dir() else None
    except (OSError, ValueError):
        return None


def hub_is_offline(environ: Mapping[str, str]) -> bool:
    """Whether nothing may be downloaded (HF_HUB_OFFLINE)."""
    return environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE


def _hub_cache(environ: Mapping[str, str]) -> Path:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(name):
            return Path(environ[name]).expanduser()
    home = environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    cache = environ.get("XDG_CACHE_HOME")
    user = environ.get("HOME")
    base = Path(cache).expanduser() if cache else Path(user or "~").expanduser() / ".cache"
    return base / "huggingface" / "hub"
