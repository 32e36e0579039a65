"""The end of a launch: the outcome, the reason when it failed, and the directory removed when it holds nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.plan.plan import Plan
from launcher.record.manifest import Manifest
from launcher.run.artifacts import final_model_there
from launcher.run.attempt import end, write
from launcher.run.clean import tidy
from launcher.run.failure import Failure, explain, free_bytes, read_end, recorded_options, trainer_exit_code
from launcher.run.outcome import Facts, Outcome, derive, kl_exit_code
from launcher.run.result import RunResult
from launcher.run.screen import SafeScreen
from launcher.run.watch import Watch


@dataclass(frozen=True)
class Ended:
    """How the process that kl started ended, and the signal with which kl was asked to stop it.

    `stop_reason` is why kl stopped it by itself.
    """

    exit_code: int
    stop_signal: int | None
    stop_reason: str | None = None


NOT_WAITED = 1.5  # seconds that the record of a run is waited for whose end is not to be held up
# The manifest with what of the record was still to come; it is waited for as many seconds, None for all of it.
Complete = Callable[[Manifest, float | None], Manifest]


def conclude(
    plan: Plan, manifest: Manifest, watch: Watch, ended: Ended, screen: SafeScreen, complete: Complete
) -> RunResult:
    """Write down how the run ended, tidy it away when it left nothing of worth, and return what it came to."""
    log_end = read_end(plan.directory / manifest.attempts[-1].log)
    code = trainer_exit_code(ended.exit_code, log_end)
    final = final_model_there(plan.directory, plan.outputs.final)
    facts = Facts(started=True, alive=False, exit_code=code, stop_signal=ended.stop_signal, final_model=final)
    outcome = derive(facts)
    manifest = end(manifest, outcome, code, ended.stop_signal)
    write(manifest, plan.directory, screen, last=True)
    manifest = _completed(plan, manifest, outcome, complete, screen)
    attempt = manifest.attempts[-1]
    result = RunResult(
        name=plan.name,
        directory=plan.directory,
        outcome=outcome,
        exit_code=kl_exit_code(outcome, code, ended.stop_signal),
        steps=attempt.last_step,
        last_loss=attempt.last_loss,
        artifacts=watch.artifacts,
        seconds=watch.seconds,
        log=attempt.log,
        failure=_failure(code, log_end, ended, manifest, plan.directory) if outcome is Outcome.FAILED else None,
    )
    screen.note(_in_short(result))
    if outcome is Outcome.SUCCEEDED or result.artifacts or plan.keep_failed:
        return result
    return _tidied(result, plan.directory, manifest)


def _completed(plan: Plan, manifest: Manifest, outcome: Outcome, complete: Complete, screen: SafeScreen) -> Manifest:
    """The record of a run that is of worth is waited for, unless its training is to go on."""
    crashed = outcome is Outcome.FAILED and bool(manifest.artifacts) and not plan.auto_resume
    completed = complete(manifest, None if outcome is Outcome.SUCCEEDED or crashed else NOT_WAITED)
    if completed != manifest:
        write(completed, plan.directory, screen)
    return completed


def _failure(code: int, log_end: str, ended: Ended, manifest: Manifest, directory: Path) -> Failure:
    options = recorded_options(manifest)
    failure = explain(code, log_end, options, free_bytes(directory))
    if ended.stop_reason is None:
        return failure
    from launcher.run.causes import loss_is_nan  # noqa: PLC0415 - long tables, needed only when a run fails

    # What the trainer says of its interruption is no reason.
    reason = f"stopped, as run.stop_on_nan says: {ended.stop_reason}"
    return replace(failure, reason=reason, exception="", cause=loss_is_nan(options))


def _in_short(result: RunResult) -> str:
    """How a run ended, for kl.log: nobody may be there to see the result."""
    steps = f" after {result.steps} steps" if result.steps else ""
    text = f"{result.name} {result.outcome.value}{steps}"
    if result.failure is None:
        return text
    cause = result.failure.cause
    said = (result.failure.reason, result.failure.exception, cause.meaning if cause else "")
    return "\n".join((f"{text}: {said[0]}", *filter(None, said[1:])))


def _tidied(result: RunResult, directory: Path, manifest: Manifest) -> RunResult:
    tidied = tidy(directory, manifest, result.outcome)
    if tidied.stays:
        return replace(result, kept=tidied.stays)
    return replace(result, directory=None, removed_to=tidied.record)
