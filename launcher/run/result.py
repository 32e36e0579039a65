"""What a launch came to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from launcher.run.artifacts import Artifact
from launcher.run.directory import LOG
from launcher.run.failure import Failure
from launcher.run.outcome import Outcome


@dataclass(frozen=True)
class RunResult:
    """What a launch came to.

    `directory` is None once the run was removed; `removed_to` is the folder with its log and manifest then.
    `exit_code` is what kl ends with. `kept` says why a run without a model was not removed.
    `log` is the name of the attempt's log in the directory.
    """

    name: str
    directory: Path | None
    outcome: Outcome
    exit_code: int
    steps: int | None
    last_loss: float | None
    artifacts: tuple[Artifact, ...]
    seconds: float
    failure: Failure | None
    removed_to: Path | None = None
    log: str = LOG
    kept: tuple[str, ...] = ()
