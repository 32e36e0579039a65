"""The folders kl uses outside a run directory: configuration, cache, state; and the files it ships."""

from __future__ import annotations

from pathlib import Path

import platformdirs

APP = "kl"


def config_folder() -> Path:
    """Holds the user's own configuration, `config.toml`, and may hold `specs/` and `templates/`."""
    return Path(platformdirs.user_config_dir(APP))


def cache_folder() -> Path:
    """What can be worked out again: the options read from checkouts."""
    return Path(platformdirs.user_cache_dir(APP))


def state_folder() -> Path:
    """What is kept of runs that were removed: their logs and manifests; and the logs of set-ups."""
    return Path(platformdirs.user_state_dir(APP))


def data_folder() -> Path:
    """Holds the environments that `kl setup` makes."""
    return Path(platformdirs.user_data_dir(APP))


def shipped_folder(name: str) -> Path:
    """A folder that ships with kl (`templates`, `zsh`): beside the package in a clone, inside it when installed."""
    package = Path(__file__).resolve().parent.parent
    installed = package / name
    return installed if installed.is_dir() else package.parent / name
