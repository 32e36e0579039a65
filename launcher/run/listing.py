"""The runs below the output roots, as a list."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.base.times import moment, seconds_of
from launcher.record.manifest import MANIFEST, Manifest, ManifestError
from launcher.run.directory import LOG
from launcher.run.failure import read_end
from launcher.run.find import FoundRun, removed_runs, runs_in
from launcher.run.manifest_parts import AttemptPart, RunPart, as_attempt, read_part
from launcher.run.outcome import Outcome
from launcher.run.progress import Progress, parse_progress
from launcher.run.size import bytes_beside_folders, bytes_of
from launcher.run.state import current_outcome, settle

FAILED = (Outcome.FAILED, Outcome.STOPPED, Outcome.LOST)

_LIVE = 16_000  # letters of a running log's end in which the bar is looked for


@dataclass(frozen=True)
class ListedRun:
    """A run in a list. `problem` says why its manifest cannot be read; hardly anything else is known then.

    `created` and `started` (of the last attempt) are seconds since 1970; `seconds` is how long all attempts took.
    `step` and `loss` are the last that were seen, `total_steps` what was planned. `size` is in bytes: the files of
    the directory as they are, its states and samples as recorded, without what TensorBoard wrote.
    """

    run: FoundRun
    outcome: Outcome | None = None
    problem: str | None = None
    created: float | None = None
    started: float | None = None
    seconds: float | None = None
    step: int | None = None
    total_steps: int | None = None
    loss: float | None = None
    lowest_loss: float | None = None
    size: int = 0
    attempts: int = 0
    notes: str = ""

    @property
    def when(self) -> float:
        """What "newest" means: the last attempt's start, or when the directory was taken."""
        return self.started or self.created or 0.0

    @property
    def failed(self) -> bool:
        """Whether it is one that did not come to its end."""
        return self.run.removed or self.outcome in FAILED


def list_runs(roots: Sequence[Path], *, removed: bool = False) -> list[ListedRun]:
    """Every run below the roots, in no order; with `removed` also those that were removed.

    An end that nobody saw is written down, as `settle` does.
    """
    once: dict[str, Path] = {}
    for root in roots:
        once.setdefault(os.path.realpath(root), root)
    found = [*runs_in(list(once.values())), *(removed_runs() if removed else ())]
    return [listed(run) for run in found]


def removed_count() -> int:
    """How many runs were removed of which the log is kept."""
    return sum(1 for _ in removed_runs())


def listed(run: FoundRun) -> ListedRun:
    """A run's line. Raises nothing: why a run cannot be read is its `problem`."""
    try:
        part = read_part(run.directory, RunPart)
        last = part.attempts[-1] if part.attempts else None
        if last is None or last.ended is not None or last.exit_code is not None or run.removed:
            attempts = () if last is None else (as_attempt(last),)
            outcome = current_outcome(run.directory, Manifest(final=tuple(part.final), attempts=attempts))
        else:
            outcome = settle(run.directory)[1]
            part = read_part(run.directory, RunPart)  # its end may just have been written down
        return _line(run, part, outcome)
    except OSError as error:
        return _unreadable(run, error.strerror or str(error))
    except (ManifestError, ValueError, TypeError, AttributeError) as error:  # anything may stand in a foreign run.json
        return _unreadable(run, str(error))


def live_progress(log: Path) -> Progress | None:
    """What the progress bar at the end of a running log says."""
    for line in reversed(read_end(log)[-_LIVE:].replace("\r", "\n").split("\n")):
        progress = parse_progress(line)
        if progress is not None:
            return progress
    return None


def _line(run: FoundRun, part: RunPart, outcome: Outcome) -> ListedRun:
    running = outcome is Outcome.RUNNING
    step, total, loss = _last_seen(part)
    if running and part.attempts:
        live = live_progress(run.directory / (os.path.basename(part.attempts[-1].log) or LOG))  # noqa: PTH119
        if live is not None:
            step, total, loss = live.step, live.total, loss if live.loss is None else live.loss
    losses = [*(_number(each.lowest_loss) for each in part.attempts), loss if running else None]
    lowest = [value for value in losses if value is not None and not math.isnan(value)]
    return ListedRun(
        run=run,
        outcome=outcome,
        created=moment(part.created),
        started=moment(part.attempts[-1].started) if part.attempts else None,
        seconds=seconds_of(((each.started, each.ended) for each in part.attempts), running=running),
        step=step,
        total_steps=total,
        loss=loss,
        lowest_loss=min(lowest, default=None),
        size=_size(run, part, running=running),
        attempts=len(part.attempts),
        notes=part.notes,
    )


def _last_seen(part: RunPart) -> tuple[int | None, int | None, float | None]:
    """The last step, the steps planned, and the last loss, of the last attempt in which there was one."""
    seen: AttemptPart | None = next((each for each in reversed(part.attempts) if each.last_step is not None), None)
    if seen is None:
        return None, part.steps, None
    return seen.last_step, seen.total_steps or part.steps, _number(seen.last_loss)


def _size(run: FoundRun, part: RunPart, *, running: bool) -> int:
    if running or run.removed:
        return bytes_of(run.directory)
    total, folders = bytes_beside_folders(run.directory)
    return total + sum(each.size for each in part.artifacts if each.path.partition("/")[0] in folders)


def _number(value: float | str | None) -> float | None:
    """A loss; one that is not a number stands in the manifest as a word."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _unreadable(run: FoundRun, problem: str) -> ListedRun:
    try:
        changed = (run.directory / MANIFEST).stat().st_mtime
    except OSError:
        changed = None
    return ListedRun(run, problem=problem, created=changed, size=bytes_of(run.directory))
