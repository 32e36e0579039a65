"""How long the run trains, when several places say so."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.base.findings import Finding
from launcher.plan.codes import NAME_STEPS
from launcher.plan.resolve import Resolved
from launcher.spec.names import RunName


def check_steps(name: RunName, resolved: Resolved) -> Iterator[Finding]:
    """The name's steps against what is trained: a name that lies is read wrong for ever."""
    if name.steps is None:
        return
    epochs = resolved.get("max_train_epochs")
    if epochs:
        # train_network.py, train: max_train_steps is replaced when max_train_epochs is given.
        message = f"max_train_epochs decides how long this trains, not the {name.steps} steps of the name."
        hint = "Remove max_train_epochs, or give the run a name without steps."
        yield NAME_STEPS.at(str(epochs.setting.origin), message, hint)
        return
    steps = resolved.get("max_train_steps")
    if steps and str(steps.setting.value) != str(name.steps):
        message = f"The name says {name.steps} steps, and {steps.setting.origin} says {steps.setting.value}."
        hint = "Name the run after the steps it trains."
        yield NAME_STEPS.at(str(steps.setting.origin), message, hint)
