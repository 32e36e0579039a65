"""What became of a run. Derived from facts, never only stored."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum

NO_FINAL_MODEL = 1  # kl's exit code when the trainer ended with 0 but left no final model


class Outcome(str, Enum):
    """The state a run is in, or ended in."""

    PLANNED = "planned"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"  # it runs no more, and nobody saw how it ended


@dataclass(frozen=True)
class Facts:
    """What is known of an attempt. `exit_code` is None until the trainer was seen to end."""

    started: bool
    alive: bool
    exit_code: int | None
    stop_signal: int | None  # the signal with which kl was asked to stop the run
    final_model: bool


def derive(facts: Facts) -> Outcome:
    """The outcome that the facts amount to.

    A run that was asked to stop but had just finished, with its final model, succeeded.
    """
    if not facts.started:
        return Outcome.PLANNED
    if facts.exit_code is None:
        return Outcome.RUNNING if facts.alive else Outcome.LOST
    if facts.exit_code == 0 and facts.final_model:
        return Outcome.SUCCEEDED
    return Outcome.FAILED if facts.stop_signal is None else Outcome.STOPPED


def kl_exit_code(outcome: Outcome, exit_code: int, stop_signal: int | None) -> int:
    """What `kl launch` itself ends with: the trainer's own code, or 128+N for the signal that stopped the run."""
    if outcome is Outcome.SUCCEEDED:
        return 0
    if outcome is Outcome.STOPPED and stop_signal is not None:
        return 128 + stop_signal
    return exit_code or NO_FINAL_MODEL


def signal_of(exit_code: int) -> signal.Signals | None:
    """The signal that ended a process, when its exit code is 128+N; 255, say, is only a number."""
    try:
        return signal.Signals(exit_code - 128)
    except ValueError:
        return None
