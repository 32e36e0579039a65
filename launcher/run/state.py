"""What a run is at this moment, worked out from its directory: kl that launched it may be gone."""

from __future__ import annotations

from pathlib import Path

from launcher.record.manifest import Manifest
from launcher.run.artifacts import final_model_there
from launcher.run.outcome import Facts, Outcome, derive
from launcher.run.process import is_same_process


def current_outcome(directory: Path, manifest: Manifest) -> Outcome:
    """The outcome of a run's last attempt, whatever its manifest says: the process may have ended unseen."""
    if not manifest.attempts:
        return Outcome.PLANNED
    last = manifest.attempts[-1]
    known = last.pid is not None and last.pid_started is not None
    alive = last.exit_code is None and known and is_same_process(last.pid or 0, last.pid_started or 0.0)
    return derive(
        Facts(
            started=True,
            alive=alive,
            exit_code=last.exit_code,
            stop_signal=last.stop_signal,
            final_model=final_model_there(directory, manifest.final),
        )
    )
