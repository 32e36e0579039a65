"""What must never be written down or shown: which keys hold it, and how to name the place of one."""

from __future__ import annotations

import os
from collections.abc import Mapping

from launcher.base.origin import Source
from launcher.base.settings import Setting

# Options that hold a secret, and the variable that gives it to the trainer instead.
SECRETS = {"wandb_api_key": "WANDB_API_KEY", "huggingface_token": "HF_TOKEN"}
_SHORTEST = 8  # letters: a shorter value stands in many a text by chance
_LONG = 16  # letters: a shorter one without a digit is a word, as "disabled" is
SECRET_WORDS = {"TOKEN", "KEY", "SECRET", "PASSWORD", "PASSWD", "CREDENTIALS"}


def is_secret(setting: Setting) -> bool:
    """Whether the setting most likely holds a secret: by its key, in whatever spelling."""
    if setting.table[:1] in (("env",), ("accelerate",)) and names_a_secret(setting.key):
        return True
    return setting.key.lower().replace("-", "_") in SECRETS


def names_a_secret(variable: str) -> bool:
    """Whether an environment variable most likely holds a secret, by its name."""
    return bool(SECRET_WORDS & set(variable.upper().replace("-", "_").split("_")))


def secret_values(environ: Mapping[str, str]) -> dict[str, str]:
    """What environment variables hold that name secrets; not paths of files, and nothing that may be a mere word."""
    return {name: value for name, value in environ.items() if names_a_secret(name) and _may_be_secret(value)}


def secrets_in(text: str, environ: Mapping[str, str]) -> list[str]:
    """The environment variables, by their names, that hold a secret of which the value stands in `text`."""
    return [name for name, value in secret_values(environ).items() if value in text]


def without_secret_values(text: str, environ: Mapping[str, str]) -> str:
    """The text with the names of variables in place of the secrets that they hold, as in "$WANDB_API_KEY"."""
    for name, value in secret_values(environ).items():
        text = text.replace(value, f"${name}")
    return text


def _may_be_secret(value: str) -> bool:
    long_enough = len(value) >= (_SHORTEST if any(map(str.isdigit, value)) else _LONG)
    try:
        return long_enough and not os.path.exists(os.path.expanduser(value))  # noqa: PTH110, PTH111 - any text
    except ValueError:
        return True


def place_of(setting: Setting) -> str:
    """Where a setting was written, without its value when that is a secret."""
    told_with_value = setting.origin.source is Source.SET
    return f"--set {setting.path}" if told_with_value and is_secret(setting) else str(setting.origin)
