"""Launching a plan: from a free name to a trained model, or to the reason why there is none."""

from __future__ import annotations

import os

from launcher.base.errors import ExitCode, KlError
from launcher.plan.plan import Plan
from launcher.record.archive import archive_names, write_archive
from launcher.record.manifest import Manifest
from launcher.run.attempt import begin, see, write
from launcher.run.conclude import Ended, conclude
from launcher.run.directory import LOG, Taken, give_back, take, unavailable
from launcher.run.outcome import Outcome
from launcher.run.process import Processes, start
from launcher.run.result import RunResult
from launcher.run.roots import remember_root
from launcher.run.screen import SafeScreen, Screen
from launcher.run.signals import Asked, leave_terminals, signals_taken, terminals
from launcher.run.supervise import stay
from launcher.run.watch import Watch


def launch(plan: Plan, screen: Screen) -> RunResult:
    """Train what the plan says in its run directory, and stay until everything has ended.

    Raises KlError when the run directory cannot be had (OUTPUT_UNAVAILABLE) or the trainer cannot be started
    (ENVIRONMENT_NOT_READY); nothing is left behind then.
    """
    safe = SafeScreen(screen)
    with signals_taken() as asked:
        try:
            taken = take(plan.directory)
            remember_root(plan.directory.parent)
            manifest = _archived(plan, taken)
            if asked.stop_signal is not None:  # before anything was started
                give_back(taken, archive_names(plan))
                return _never_started(plan, asked.stop_signal)
            processes = _started(plan, taken)
            return _follow(plan, manifest, processes, asked, safe)
        finally:
            safe.close()


def _archived(plan: Plan, taken: Taken) -> Manifest:
    try:
        return write_archive(plan)
    except BaseException as error:
        give_back(taken, archive_names(plan))
        if isinstance(error, OSError):
            raise unavailable(plan.directory, error) from None
        raise


def _started(plan: Plan, taken: Taken) -> Processes:
    variables = {**os.environ, **plan.environment.variables, **plan.variables}
    try:
        return start(plan.argv, plan.trainer.checkout, variables, plan.directory / LOG)
    except (OSError, ValueError) as error:
        give_back(taken, (*archive_names(plan), LOG))
        reason = getattr(error, "strerror", None) or str(error)
        raise KlError(
            f"The trainer cannot be started with {plan.environment.python} in {plan.trainer.checkout}: {reason}.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="Name another environment in [env], or set this one up.",
        ) from None


def _follow(plan: Plan, manifest: Manifest, processes: Processes, asked: Asked, screen: SafeScreen) -> RunResult:
    on_terminals = terminals()
    watch = Watch(plan.directory, plan.outputs.final, screen)
    manifest = begin(manifest, processes)
    write(manifest, plan.directory, screen)
    log = plan.directory / LOG
    screen.announce(f"{plan.name}: the trainer has started (process {processes.pid}), its log is {log}")
    silent = False

    def look() -> None:
        nonlocal silent
        if asked.hangup and not silent:
            silent = True
            screen.go_silent()
            leave_terminals(on_terminals)
        if watch.look():
            write(see(manifest, watch), plan.directory, screen)

    exit_code = stay(processes, asked, look, screen)
    watch.look_last()
    return conclude(plan, see(manifest, watch), watch, Ended(exit_code, asked.stop_signal), screen)


def _never_started(plan: Plan, stop_signal: int) -> RunResult:
    return RunResult(plan.name, None, Outcome.STOPPED, 128 + stop_signal, None, None, (), 0.0, None)
