"""Launching a plan: from a free name to a trained model, or to the reason why there is none."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from launcher import __version__
from launcher.base.errors import ExitCode, KlError
from launcher.base.times import now
from launcher.plan.plan import Plan
from launcher.record.archive import archive_names, write_archive
from launcher.record.manifest import Attempt, Manifest, ReproducedRecord, write_manifest
from launcher.run.ahead import take_or_go_on
from launcher.run.attempt import begin, begun, reserve, see, write
from launcher.run.conclude import Ended, conclude
from launcher.run.directory import LOG, Taken, give_back, held, take, unavailable
from launcher.run.kl_log import KlLog
from launcher.run.outcome import Outcome
from launcher.run.process import Processes, reap, start
from launcher.run.result import RunResult
from launcher.run.roots import remember_root
from launcher.run.screen import SafeScreen, Screen
from launcher.run.signals import Asked, leave_terminals, signals_taken, terminals
from launcher.run.supervise import stay
from launcher.run.watch import Watch


@dataclass(frozen=True)
class Running:
    """An attempt whose trainer was started: the manifest with it, which is written, and its processes."""

    manifest: Manifest
    processes: Processes


def launch(
    plan: Plan,
    screen: Screen,
    started: Callable[[], None] | None = None,
    reproduces: ReproducedRecord | None = None,
) -> RunResult:
    """Train what the plan says in its run directory, and stay until everything has ended.

    `started` is called once the trainer runs and its attempt is written down; `reproduces` is the run that this one
    repeats. Raises KlError when the run directory cannot be had (OUTPUT_UNAVAILABLE) or the trainer cannot be started
    (ENVIRONMENT_NOT_READY); nothing is left behind then.
    """
    safe = SafeScreen(screen)
    with signals_taken() as asked:
        try:
            taken = take_or_go_on(plan.directory) if plan.goes_on else take(plan.directory)
            with held(plan.directory):
                remember_root(plan.directory.parent)
                manifest = replace(_archived(plan, taken), reproduces=reproduces)
                if asked.stop_signal is not None:  # before anything was started
                    give_back(taken, archive_names(plan))
                    return _never_started(plan, asked.stop_signal)
                try:
                    running = start_attempt(plan, manifest, LOG, safe)
                except KlError:
                    give_back(taken, (*archive_names(plan), LOG))
                    raise
                if started is not None:
                    started()
                return follow_attempt(plan, running, asked, safe)
        finally:
            safe.close()


def start_attempt(
    plan: Plan,
    manifest: Manifest,
    log: str,
    screen: SafeScreen,
    attempt: Attempt = Attempt(),  # noqa: B008 - frozen
) -> Running:
    """Start the trainer as another attempt of the run, which writes to `log` in its directory.

    The attempt is written down first, so that a kl that dies at any moment leaves word of it. Raises KlError when
    that is not possible (OUTPUT_UNAVAILABLE) or the trainer cannot be started (ENVIRONMENT_NOT_READY); nothing runs
    then, but the attempt may stand in the manifest. Once it runs, kl.log keeps what the screen is told.
    """
    manifest = begin(manifest, log, attempt)
    try:
        write_manifest(manifest, plan.directory)
    except OSError as error:
        raise unavailable(plan.directory, error) from None
    variables = plan.environ(os.environ)
    try:
        processes = start(plan.argv, plan.trainer.checkout, variables, plan.directory / log, plan.directory)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise KlError(
            f"The trainer cannot be started with {plan.environment.python} in {plan.trainer.checkout}: {reason}.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="Name another environment in [env], or set this one up.",
        ) from None
    screen.keep_in(KlLog(plan.directory))
    manifest = begun(manifest, processes)
    write(manifest, plan.directory, screen)
    reserve(plan.directory)
    return Running(manifest, processes)


def follow_attempt(plan: Plan, running: Running, asked: Asked, screen: SafeScreen) -> RunResult:
    """Stay with an attempt until all its processes have ended, and write down how it ended."""
    try:
        return _followed(plan, running, asked, screen)
    except Exception:
        import traceback  # noqa: PLC0415 - for a bug only

        screen.note(f"a bug in kl; a training that runs goes on without it\n{traceback.format_exc()}")
        raise


def _followed(plan: Plan, running: Running, asked: Asked, screen: SafeScreen) -> RunResult:
    from launcher.run.recorder import Recorder  # noqa: PLC0415 - with all it needs: the training runs by now

    on_terminals = terminals()
    manifest, processes = running.manifest, running.processes
    log = manifest.attempts[-1].log
    watch = Watch(
        plan.directory, plan.outputs.final, screen, log=log, save_bytes=plan.save_bytes, stop_on_nan=plan.stop_on_nan
    )
    if len(manifest.attempts) > 1:
        watch.know()
    pid = manifest.attempts[-1].pid
    screen.announce(f"{plan.name}: the trainer has started (process {pid}), its log is {plan.directory / log}")
    recorder = Recorder(plan.directory, manifest)
    recorder.start()
    silent = False

    def look() -> None:
        nonlocal silent, manifest
        if asked.hangup and not silent:
            silent = True
            screen.note("the terminal was closed: kl goes on without it")
            screen.go_silent()
            leave_terminals(on_terminals)
        news = watch.look()
        if watch.wants_stop is not None and asked.stop_because(watch.wants_stop):
            news = True
            screen.announce("stopping the training, as run.stop_on_nan says")
        if news:
            manifest = see(manifest, watch, asked.stop_reason)
        recorder.saw(watch.artifacts)
        manifest, recorded = recorder.merge(manifest)
        if news or recorded:
            write(see(manifest, watch, asked.stop_reason), plan.directory, screen)

    stay(processes, asked, look, screen)
    watch.look_last()
    # Stopped by kl itself, it failed, also when somebody was impatient then.
    ended = Ended(reap(processes), asked.stop_signal if asked.stop_reason is None else None, asked.stop_reason)

    def complete(manifest: Manifest, patience: float | None) -> Manifest:
        return recorder.finish(manifest, watch.artifacts, asked, screen, patience)

    return conclude(plan, see(manifest, watch, asked.stop_reason), watch, ended, screen, complete)


def _archived(plan: Plan, taken: Taken) -> Manifest:
    try:
        # Before anything that takes time: a directory without a manifest would be nobody's.
        write_manifest(Manifest(kl_version=__version__, name=plan.name, created=now()), plan.directory)
        return write_archive(plan)
    except BaseException as error:
        give_back(taken, archive_names(plan))
        if isinstance(error, OSError):
            raise unavailable(plan.directory, error) from None
        raise


def _never_started(plan: Plan, stop_signal: int) -> RunResult:
    return RunResult(plan.name, None, Outcome.STOPPED, 128 + stop_signal, None, None, (), 0.0, None)
