"""Settings that come from outside the spec: environment variables, and the run's name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.spec.names import RunName
from launcher.spec.tree import trouble_with

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")
# Variables that stand for one of kl's own settings in the table [run].
_TEXTS = {
    "SD_REPO": "sd_scripts",
    "SD_SCRIPT": "script",
    "TRAINING_DIR": "dataset_folder",
    "OUTPUT_DIR": "output_root",
}


def from_environment(environ: Mapping[str, str]) -> tuple[Setting, ...]:
    """The settings that environment variables make; an empty variable is not set.

    Raises KlError (wrong usage) when STEPS is not a positive whole number or NO_CLEAN is neither yes nor no.
    """
    settings = [
        _setting(("run",), key, environ[variable], variable)
        for variable, key in _TEXTS.items()
        if environ.get(variable)
    ]
    if environ.get("STEPS"):
        settings.append(_setting((), "max_train_steps", _steps(environ["STEPS"]), "STEPS"))
    if environ.get("NO_CLEAN"):
        settings.append(_setting(("run",), "no_clean", _yes_or_no("NO_CLEAN", environ["NO_CLEAN"]), "NO_CLEAN"))
    return tuple(settings)


def from_name(name: RunName) -> tuple[Setting, ...]:
    """The settings that a run's name makes: its steps are the steps to train."""
    if name.steps is None:
        return ()
    return (Setting((), "max_train_steps", name.steps, Origin(Source.NAME, f"the name {name.text}")),)


def is_debug(environ: Mapping[str, str]) -> bool:
    """Whether DEBUG asks to show the plan instead of launching it.

    Raises KlError (wrong usage) when DEBUG is neither yes nor no: guessing could start a training nobody wanted.
    """
    return _yes_or_no("DEBUG", environ.get("DEBUG", ""))


def _setting(table: tuple[str, ...], key: str, value: Value, variable: str) -> Setting:
    trouble = trouble_with(value) if isinstance(value, str) else None
    if trouble:
        raise _refused(variable, str(value), f"cannot be used: {trouble}", "Write it in UTF-8.")
    return Setting(table, key, value, Origin(Source.ENVIRONMENT, variable))


def _steps(text: str) -> int:
    if not re.fullmatch(r"\s*[0-9]{1,9}\s*", text) or int(text) == 0:
        raise _refused("STEPS", text, "is not a number of steps", "Give a whole number from 1 on, as in STEPS=2400.")
    return int(text)


def _yes_or_no(variable: str, text: str) -> bool:
    plain = text.strip().lower()
    if plain in _YES:
        return True
    if plain in _NO or not plain:
        return False
    raise _refused(variable, text, "is neither yes nor no", f"Use {variable}=1 or {variable}=0, or unset it.")


def _refused(variable: str, text: str, why: str, hint: str) -> KlError:
    return KlError(f"{variable}={text!r} {why.removesuffix('.')}.", code=ExitCode.USAGE, where=variable, hint=hint)
