"""Which runs may be removed, why the others stay, and the removal itself.

Only what is known to be worthless goes: whatever is not sure keeps the run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.errors import KlError
from launcher.record.manifest import MANIFEST, Manifest, ManifestError, read_manifest
from launcher.run.cleanup import Keeps, Survey, remove, survey, survey_by
from launcher.run.directory import held
from launcher.run.find import FoundRun, find_run
from launcher.run.half_made import could_be_half_made, half_made_rules, is_half_made
from launcher.run.in_use import Place, places_in_use, process_name, users_of
from launcher.run.outcome import Outcome
from launcher.run.process import is_same_process
from launcher.run.removed import forget, keep_record
from launcher.run.state import current_outcome, settle

_MAY_GO = (None, Outcome.PLANNED, Outcome.FAILED, Outcome.STOPPED, Outcome.LOST)
_WHY = {
    Keeps.MODEL: "it has the model {}",
    Keeps.STATE: "it has the training state {}",
    Keeps.SAMPLE: "it has the sample {}",
    Keeps.NOTE: "it has a note, in {}",
    Keeps.REPOSITORY: "a git repository is in it: {}",
    Keeps.LINK: "a link is in it: {}",
    Keeps.CHANGED: "a file was changed by hand: {}",
    Keeps.UNREADABLE: "it cannot be read: {}",
    Keeps.MOUNT: "another file system is mounted in it: {}",
    Keeps.FOREIGN: "neither kl nor the trainer made {}",
}


@dataclass(frozen=True)
class Facts:
    """What is known of a run when it is to be decided whether it may go.

    `outcome` is None for a directory that a killed launch left without a manifest. `problem` is why hardly anything
    is known. `succeeded`: an attempt did, whatever became of its model. `processes` are at work in it, `locked` means
    that another kl is.
    """

    outcome: Outcome | None = None
    problem: str | None = None
    succeeded: bool = False
    found: Survey | None = None
    processes: tuple[str, ...] = ()
    locked: bool = False


@dataclass(frozen=True)
class Verdict:
    """What may become of a run. `stays` are the reasons why it is not to be removed; none means that it may go."""

    run: FoundRun
    outcome: Outcome | None
    stays: tuple[str, ...]
    manifest: Manifest | None = None
    found: Survey | None = None

    @property
    def goes(self) -> bool:
        """Whether it may be removed."""
        return not self.stays


@dataclass(frozen=True)
class Cleaned:
    """What became of a run. `record` is the folder with its log and manifest, once it is gone."""

    verdict: Verdict
    gone: bool = False
    record: Path | None = None


@dataclass(frozen=True)
class Tidied:
    """A directory that was removed, with the folder of its log and manifest; or why it stays."""

    record: Path | None = None
    stays: tuple[str, ...] = ()

    @property
    def gone(self) -> bool:
        """Whether it was removed."""
        return not self.stays


def reasons_to_stay(facts: Facts) -> tuple[str, ...]:
    """Why a run is not to be removed, the weightiest reason first; none when it may go."""
    if facts.problem is not None:
        return (facts.problem,)
    if facts.outcome not in _MAY_GO:
        return (f"it is {facts.outcome.value}" if facts.outcome is Outcome.RUNNING else "it succeeded",)
    reasons: list[str] = []
    if facts.succeeded:
        reasons.append("an earlier attempt of it succeeded")
    if facts.locked:
        reasons.append("another kl is at work in it")
    reasons += [f"process {process} is at work in it" for process in facts.processes]
    if facts.found is None:
        reasons.append("it cannot be read")
    else:
        order = list(Keeps)
        kept = sorted(facts.found.kept, key=lambda kept: order.index(kept.why))
        reasons += [_WHY[each.why].format(each.path) for each in kept]
    return tuple(reasons)


def find_to_clean(target: str, roots: Sequence[Path]) -> FoundRun:
    """The run that `target` means, also a directory that a killed launch left without a manifest.

    Raises KlError (wrong usage) when there is none.
    """
    try:
        run = find_run(target, roots)
    except KlError:
        left = next(_half_made(target, roots), None)
        if left is None:
            raise
        return left
    return next(_half_made(target, roots), run) if run.removed else run


def judge(run: FoundRun, roots: Sequence[Path], in_use: Mapping[Place, int], *, holding: bool = False) -> Verdict:
    """Look at a run and decide; nothing is changed.

    `in_use` are the places where processes are at work. `holding`: it is this process that holds the directory.
    """
    manifest: Manifest | None = None
    problem = _misplaced(run, roots)
    if problem is None and not could_be_half_made(run.directory):
        try:
            manifest = read_manifest(run.directory)
        except (OSError, ManifestError):
            problem = f"its {MANIFEST} cannot be read"
        else:
            problem = _unsound(manifest, run)
    if problem is not None:
        return Verdict(run, None, reasons_to_stay(Facts(problem=problem)))
    outcome = None if manifest is None else current_outcome(run.directory, manifest)
    facts = Facts(outcome=outcome, succeeded=manifest is not None and _ever_succeeded(manifest))
    if outcome not in _MAY_GO:
        return Verdict(run, outcome, reasons_to_stay(facts), manifest)
    found = _surveyed(run.directory, manifest)
    facts = replace(facts, found=found, processes=_processes(manifest, found, in_use))
    if not holding and outcome in (None, Outcome.PLANNED) and not reasons_to_stay(facts):
        facts = replace(facts, locked=_is_locked(run.directory))
    return Verdict(run, outcome, reasons_to_stay(facts), manifest, found)


def clean(run: FoundRun, roots: Sequence[Path]) -> Cleaned:
    """Remove a run if it may go, its log and manifest kept. It is judged again, by what is there at this moment."""
    verdict = judge(run, roots, places_in_use())
    if not verdict.goes:
        return Cleaned(verdict)
    try:
        if verdict.manifest is not None:
            settle(run.directory)
        with held(run.directory) as mine:
            if not mine:
                return _stays(verdict, "another kl is at work in it")
            verdict = judge(run, roots, places_in_use(), holding=True)
            if verdict.stays or verdict.found is None:
                return Cleaned(verdict)
            tidied = _take_away(run.directory, verdict.manifest, verdict.found)
            return Cleaned(verdict, True, tidied.record) if tidied.gone else _stays(verdict, *tidied.stays)
    except ManifestError:
        return _stays(verdict, f"its {MANIFEST} cannot be read")
    except OSError as error:
        return _stays(verdict, f"it cannot be removed: {_reason(error)}")


def tidy(directory: Path, manifest: Manifest, outcome: Outcome) -> Tidied:
    """Remove a run that has just ended, if it may go; for the kl that has stayed with it and holds its directory."""
    found = _surveyed(directory, manifest)
    processes = _processes(manifest, found, places_in_use())
    facts = Facts(outcome=outcome, succeeded=_ever_succeeded(manifest), found=found, processes=processes)
    stays = reasons_to_stay(facts)
    return Tidied(stays=stays) if stays or found is None else _take_away(directory, manifest, found)


def _take_away(directory: Path, manifest: Manifest | None, found: Survey) -> Tidied:
    """Keep the record of a run, then remove it. One that was never begun has no record to keep."""
    record = None
    if manifest is not None and not is_half_made(manifest):
        try:
            record = keep_record(directory, manifest)
        except OSError as error:
            return Tidied(stays=(f"its log and manifest could not be kept in the state folder: {_reason(error)}",))
    if remove(directory, found):
        return Tidied(record)
    if record is not None and (directory / MANIFEST).exists():
        forget(record)
    return Tidied(stays=("it was changed while it was removed",))


def _stays(verdict: Verdict, *reasons: str) -> Cleaned:
    return Cleaned(replace(verdict, stays=reasons))


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _half_made(target: str, roots: Sequence[Path]) -> Iterator[FoundRun]:
    if "/" in target or target in (".", ".."):
        folders = [Path(os.path.abspath(os.path.expanduser(target)))]  # noqa: PTH100, PTH111 - by its text alone
    else:
        folders = [root / target for root in roots] if target else []
    for folder in folders:
        if could_be_half_made(folder):
            yield FoundRun(folder.name, folder)


def _misplaced(run: FoundRun, roots: Sequence[Path]) -> str | None:
    """Why a directory is not one to remove, by where it is."""
    if run.removed:
        return "it was removed already"
    try:
        if run.directory.is_symlink():
            return "it is a link"
        if not any(root.exists() and root.samefile(run.directory.parent) for root in roots):
            return "it is not in an output root"
        owner = run.directory.stat().st_uid
    except OSError as error:
        return f"it cannot be read: {_reason(error)}"
    return None if os.geteuid() in (0, owner) else "it is another user's"


def _unsound(manifest: Manifest, run: FoundRun) -> str | None:
    """Why a manifest is not to be believed; anybody may have written it."""
    texts = [manifest.name, *(text for file in manifest.files for text in (file.name, file.sha256))]
    texts += [text for attempt in manifest.attempts for text in (attempt.outcome, attempt.log, attempt.started)]
    numbers = [
        number
        for each in manifest.attempts
        for number in (each.pid, each.pid_started, each.kl_pid, each.kl_started, each.exit_code, each.stop_signal)
    ]
    texts += [attempt.host for attempt in manifest.attempts if attempt.host is not None]
    if not all(map(_is_name, (*texts, *manifest.final))) or not all(
        number is None or isinstance(number, (int, float)) for number in numbers
    ):
        return f"its {MANIFEST} is damaged"
    if manifest.name != run.name:
        return f"it was copied or renamed: its {MANIFEST} is of {manifest.name}"
    return None


def _is_name(text: object) -> bool:
    """Whether it is a text that may be part of a path."""
    try:
        return isinstance(text, str) and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _ever_succeeded(manifest: Manifest) -> bool:
    return Outcome.SUCCEEDED.value in (manifest.outcome, *(attempt.outcome for attempt in manifest.attempts))


def _surveyed(directory: Path, manifest: Manifest | None) -> Survey | None:
    try:
        if manifest is None or is_half_made(manifest):
            return survey_by(directory, half_made_rules())
        return survey(directory, manifest)
    except OSError:
        return None


def _processes(manifest: Manifest | None, found: Survey | None, in_use: Mapping[Place, int]) -> tuple[str, ...]:
    pids = set(users_of(found.places(), in_use)) if found is not None else set()
    for attempt in manifest.attempts if manifest is not None else ():
        if attempt.pid is not None and is_same_process(attempt.pid, attempt.pid_started):
            pids.add(attempt.pid)
    return tuple(process_name(pid) for pid in sorted(pids))


def _is_locked(directory: Path) -> bool:
    try:
        with held(directory) as mine:
            return not mine
    except OSError:
        return True
