"""`run.keep_last_saves`: how many saves stay, in the trainer's own options, which count differently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from launcher.base.findings import Finding
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting
from launcher.plan.codes import KEEP_LAST_SAVES
from launcher.plan.outputs import whole_number
from launcher.plan.resolve import Resolved
from launcher.trainer.options import ScriptOptions

_WINDOWS = {"save_last_n_steps": "save_every_n_steps", "save_last_n_epochs": "save_every_n_epochs"}


@dataclass(frozen=True)
class Retention:
    """Settings for the trainer, and what is wrong."""

    settings: tuple[Setting, ...]
    findings: tuple[Finding, ...]


def retention(number: int, where: str | None, resolved: Resolved, options: ScriptOptions) -> Retention:
    """Make exactly `number` saves stay; training states follow the models, the final model is never counted.

    save_last_n_steps is a window in steps: at each save, what is older than the window goes, so that N saves need a
    window of (N-1) × save_every_n_steps (library/train_util.py, get_remove_step_no). save_last_n_epochs counts
    saves (get_remove_epoch_no). The trainer's states use the same numbers when they have none of their own.
    """
    findings = list(_conflicts(where, resolved))
    settings = tuple(_settings(number, where, resolved, options))
    if not settings and not findings:
        hint = "Set save_every_n_steps or save_every_n_epochs, or remove it."
        message = "run.keep_last_saves has nothing to keep: nothing is saved on the way."
        findings.append(KEEP_LAST_SAVES.at(where, message, hint))
    return Retention(() if findings else settings, tuple(findings))


def _settings(number: int, where: str | None, resolved: Resolved, options: ScriptOptions) -> Iterator[Setting]:
    origin = Origin(Source.KL, f"run.keep_last_saves, {where}" if where else "run.keep_last_saves")
    every = whole_number(resolved, "save_every_n_steps")
    if every and options.get("save_last_n_steps"):
        yield Setting((), "save_last_n_steps", (number - 1) * every, origin)
    if whole_number(resolved, "save_every_n_epochs") and options.get("save_last_n_epochs"):
        yield Setting((), "save_last_n_epochs", number, origin)


def _conflicts(where: str | None, resolved: Resolved) -> Iterator[Finding]:
    for name in _names(_WINDOWS):
        chosen = resolved.get(name)
        if chosen:
            message = f"run.keep_last_saves ({where}) and {name} both say what is kept."
            yield KEEP_LAST_SAVES.at(str(chosen.setting.origin), message, "Keep one of them.")


def _names(windows: Iterable[str]) -> Sequence[str]:
    return [name + suffix for name in windows for suffix in ("", "_state")]
