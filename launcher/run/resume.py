"""Going on where a run stopped: the newest whole state, and another attempt in the same run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.files import sha1_of, sha256_of, write_whole
from launcher.base.times import moment
from launcher.plan.plan import Plan, PlannedFile
from launcher.plan.resume import From, resumed
from launcher.record.manifest import Attempt, FileRecord, Manifest, ManifestError, read_manifest, write_manifest
from launcher.run.directory import LOG, held, unavailable
from launcher.run.kl_log import KlLog
from launcher.run.launch import follow_attempt, launch, start_attempt
from launcher.run.outcome import Outcome
from launcher.run.result import RunResult
from launcher.run.screen import SafeScreen, Screen
from launcher.run.signals import signals_taken
from launcher.run.state import current_outcome
from launcher.run.states import State, States, find_states, look_at_state

# Whoever sends one of these to the trainer wants it to end; SIGKILL may be the kernel's, out of memory.
_BY_A_PERSON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
Started = Callable[[], None]


@dataclass(frozen=True)
class Resumption:
    """Another attempt that can be started.

    `plan` is how the run was launched, `start` where it goes on, `notes` what there is to say about that; `changes`
    what is otherwise than at the launch.
    """

    plan: Plan
    start: From
    notes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


def choose(directory: Path, manifest: Manifest, outcome: Outcome, steps: int | None) -> tuple[From, tuple[str, ...]]:
    """Where a run goes on, to `steps` steps in all when that is given, and what is to be said about the other states.

    Raises KlError (wrong usage) when there is nothing to go on from, or nothing left to do.
    """
    name = manifest.name or directory.name
    total = steps or manifest.steps or _total_seen(manifest)
    if outcome is Outcome.RUNNING:
        raise _refused(f"{name} is running.", f"kl attach {name} shows it, kl stop {name} ends it.")
    if outcome is Outcome.PLANNED:
        raise _refused(f"Of {name} nothing was started.", "Remove its directory, and kl launch it.")
    done = manifest.steps or _total_seen(manifest)
    if outcome is Outcome.SUCCEEDED and (steps is None or (done is not None and steps <= done)):
        trained = f" with {done} steps" if done else ""
        raise _refused(f"{name} has finished{trained}.", f"kl resume {name} --steps N trains it on, to N steps in all.")
    states = find_states(directory, name)
    notes = [f"{state.path.name} {state.reason}: skipped" for state in states.broken]
    for state in states.whole:
        if total is None or state.step < total:
            return From(state.path, state.step, total if steps else manifest.steps), tuple(notes)
        if steps is not None and state.step > steps:
            raise _refused(f"{name} was trained to step {state.step}.", f"--steps takes more than {state.step} steps.")
        notes.append(f"{state.path.name} is of step {state.step}, the last one: nothing is left to train from it")
    raise _refused(f"{name} has no state to go on from.", _why_none(states, notes, total))


def resume(resumption: Resumption, screen: Screen, started: Started | None = None) -> RunResult:
    """Train on in another attempt, and stay until everything has ended.

    Raises KlError when the run runs already (wrong usage), its directory cannot be written (OUTPUT_UNAVAILABLE) or
    the trainer cannot be started (ENVIRONMENT_NOT_READY): the run is as it was then.
    """
    resumed(resumption.plan, resumption.start)  # a script that cannot is refused before anything is touched
    directory = resumption.plan.directory
    safe = SafeScreen(screen)
    with signals_taken() as asked:
        try:
            with _held(directory) as mine:
                recorded = _still_ended(directory, mine)
                moved = _set_aside(resumption, recorded)
                try:
                    start = replace(resumption.start, state=moved.get(resumption.start.state, resumption.start.state))
                    plan = resumed(resumption.plan, start)
                    manifest = replace(_with_files(recorded, plan), steps=plan.steps)
                    attempt = Attempt(
                        argv=plan.argv, resumed_from=start.state.name, first_step=start.step, changes=resumption.changes
                    )
                    running = start_attempt(plan, manifest, _free_log(directory, manifest), safe, attempt)
                except KlError:
                    for before, now in moved.items():
                        now.rename(before)
                    with suppress(OSError):
                        write_manifest(recorded, directory)
                    raise
                for before, now in moved.items():
                    safe.announce(f"{before.name} is {now.name} from now on: the longer run ends with another")
                if started is not None:
                    started()
                return follow_attempt(plan, running, asked, safe)
        finally:
            safe.close()


def launch_and_resume(plan: Plan, screen: Screen, started: Started | None = None) -> RunResult:
    """Launch a plan, and when it crashes and `run.auto_resume` says so, go on once from a state it has saved since."""
    return _once_more(plan, launch(plan, screen, started), screen)


def resume_and_resume(resumption: Resumption, screen: Screen, started: Started | None = None) -> RunResult:
    """Resume a run, and go on once more as `launch_and_resume` does."""
    return _once_more(resumption.plan, resume(resumption, screen, started), screen)


def _once_more(plan: Plan, result: RunResult, screen: Screen) -> RunResult:
    if not plan.auto_resume or result.outcome is not Outcome.FAILED or result.directory is None:
        return result
    safe = SafeScreen(screen)
    safe.keep_in(KlLog(plan.directory))
    try:
        manifest = read_manifest(plan.directory)
        start = _since(plan, manifest)
        if start is None:
            return result
        reason = result.failure.reason if result.failure else "it failed"
        safe.announce(f"{plan.name}: {reason}; run.auto_resume: it goes on from {start.state.name}")
        return resume(Resumption(plan, start), screen)
    except KlError as error:
        safe.announce(f"it cannot be resumed: {error.message}")
    except (OSError, ManifestError) as error:
        safe.announce(f"it cannot be resumed: {error}")
    return result


def _since(plan: Plan, manifest: Manifest) -> From | None:
    """Where the last attempt's crash is resumed; None when somebody wanted its end, or it had not saved a state."""
    last = manifest.attempts[-1]
    ended = last.signal is not None and last.signal in _BY_A_PERSON
    if last.stop_signal is not None or last.stop_reason is not None or ended:
        return None
    start, _ = choose(plan.directory, manifest, Outcome.FAILED, None)
    started = moment(last.started)
    newer = start.step > (last.first_step or 0) and started is not None and start.state.stat().st_mtime >= started
    return start if newer else None


@contextmanager
def _held(directory: Path) -> Iterator[bool]:
    with ExitStack() as stack:
        try:
            mine = stack.enter_context(held(directory))
        except OSError as error:
            raise unavailable(directory, error) from None
        yield mine


def _still_ended(directory: Path, mine: bool) -> Manifest:
    """The manifest, once it is sure that nothing runs: another kl may have been quicker."""
    try:
        manifest = read_manifest(directory)
    except (OSError, ManifestError) as error:
        raise unavailable(directory, error) from None
    if not mine or current_outcome(directory, manifest) is Outcome.RUNNING:
        name = manifest.name or directory.name
        raise _refused(f"{name} is running.", f"kl attach {name} shows it, kl stop {name} ends it.")
    return manifest


def _set_aside(resumption: Resumption, manifest: Manifest) -> dict[Path, Path]:
    """Give the final model and state of a run that had finished the names of their step; return what was renamed.

    The trainer would write its next final model over them.
    """
    plan = resumption.plan
    finals = [plan.directory / name for name in manifest.final if (plan.directory / name).exists()]
    if not finals:
        return {}
    state = plan.directory / f"{plan.name}-state"
    looked = look_at_state(state) if state.is_dir() else None
    step = looked.step if isinstance(looked, State) else manifest.steps or resumption.start.step
    moved = {}
    try:
        for path in (*finals, *([state] if looked else [])):
            ending = path.name.removeprefix(plan.name)
            targets = [path.with_name(f"{plan.name}-{word}{step:08d}{ending}") for word in ("step", "end")]
            free = [target for target in targets if not os.path.lexists(target)]
            if free:
                moved[path] = path.rename(free[0])
    except OSError as error:
        for before, now in moved.items():
            now.rename(before)
        raise unavailable(plan.directory, error) from None
    return moved


def _with_files(manifest: Manifest, plan: Plan) -> Manifest:
    """Write the files of the plan, and the manifest with them; those of an earlier resume are replaced."""
    try:
        for file in plan.files:
            path = plan.directory / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, file.content)
    except OSError as error:
        raise unavailable(plan.directory, error) from None
    names = {file.name for file in plan.files}
    kept = [record for record in manifest.files if record.name not in names]
    return replace(manifest, files=(*kept, *map(_file, plan.files)))


def _file(file: PlannedFile) -> FileRecord:
    content = file.content
    return FileRecord(file.name, str(file.source), sha1_of(content), sha256_of(content), len(content))


def _free_log(directory: Path, manifest: Manifest) -> str:
    base, ending = Path(LOG).stem, Path(LOG).suffix
    number = len(manifest.attempts) + 1
    while os.path.lexists(directory / f"{base}-{number}{ending}"):
        number += 1
    return f"{base}-{number}{ending}"


def _total_seen(manifest: Manifest) -> int | None:
    """How many steps the progress bar counted to, where the plan did not know."""
    return next((each.total_steps for each in reversed(manifest.attempts) if each.total_steps), None)


def _why_none(states: States, notes: Sequence[str], total: int | None) -> str:
    if not states.whole and not states.broken:
        return "With save_state = true, and save_every_n_steps, a run has some. kl launch trains it again."
    said = "; ".join(notes)
    return f"{said}." if total is None or not states.whole else f"{said}. --steps N goes on to more than {total} steps."


def _refused(message: str, hint: str) -> KlError:
    return KlError(message, code=ExitCode.USAGE, hint=hint)
