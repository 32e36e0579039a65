"""The values that a function of the trainer would find in its `args`, and its refusals in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from launcher.plan.checks.candidate import Candidate
from launcher.plan.values import is_key_value
from launcher.trainer.following_values import UNKNOWN, Refusal
from launcher.trainer.optimizers import TrainerFile


def trainer_file(candidate: Candidate) -> TrainerFile:
    """The file of the checkout that makes optimizer and scheduler."""
    return TrainerFile(candidate.source, candidate.packages)


def asked_of(candidate: Candidate, instead: dict[str, Any] | None = None) -> Callable[[str], Any]:
    """What the trainer finds in `args.NAME`; UNKNOWN where that is not sure. `instead` replaces some values."""

    def ask(name: str) -> Any:
        return instead[name] if instead and name in instead else argument(candidate, name)

    return ask


def argument(candidate: Candidate, name: str) -> Any:
    """One value of the trainer's `args`; UNKNOWN where that is not sure."""
    option = candidate.options.get(name)
    if option is None or option.unread:
        return UNKNOWN
    chosen = candidate.chosen(name)
    if chosen is None:
        return list(option.default) if isinstance(option.default, tuple) else option.default
    if is_key_value(option):
        return [f"{item.key}={item.text}" for item in chosen.items]
    value = candidate.value(name)
    if isinstance(value, str) and option.type == "int_or_float" and value.endswith("%"):
        try:
            return float(value[:-1]) / 100
        except ValueError:
            return UNKNOWN
    return UNKNOWN if value is None else value  # a value that the parser refuses is a finding already


def packages_are_known(candidate: Candidate) -> bool:
    """Whether a module that is not found is missing for sure: PYTHONPATH may bring others."""
    variables = {**candidate.environ, **candidate.environment.variables}
    return candidate.packages.known and not variables.get("PYTHONPATH")


def in_words(refusal: Refusal) -> str:
    """What the trainer would say: sd-scripts says it in English and, behind a slash, in Japanese."""
    said = (refusal.message or "").partition(" / ")[0].strip().rstrip(".")
    speaks = refusal.exception in ("AssertionError", "ValueError", "RuntimeError", "NotImplementedError")
    return said[:300] if said and speaks else f"{refusal.exception}: {said[:300]}" if said else refusal.exception
