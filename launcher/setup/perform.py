"""Does the steps of a set-up, one after another, each seen to be done before the next begins."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import Protocol

import msgspec

from launcher.base.errors import ExitCode, KlError
from launcher.base.times import now
from launcher.record.packages import without_secrets
from launcher.record.requirements import last_words
from launcher.setup.configuration import configure
from launcher.setup.facts import Facts, Machine
from launcher.setup.look import look
from launcher.setup.made import Before, Made, make_anew, read_mark, remove_made, write_mark
from launcher.setup.run_command import Stop, run_command
from launcher.setup.step import Name, Step
from launcher.setup.steps import fingerprint, plan_setup, torch_for
from launcher.setup.wishes import Wishes

_IN_ENVIRONMENT = (Name.TORCH, Name.XFORMERS, Name.REQUIREMENTS)
_LONGEST = 200  # characters of what a program said, in one line
_FULL = ("no space left on device", "disk quota exceeded")
_KNOWN_BY_ITS_END = (Name.FETCH, Name.XFORMERS, Name.CONFIGURATION)  # nothing of them has to be seen afterwards


class Progress(Protocol):
    """Whoever shows how it goes."""

    def begins(self, step: Step, log: Path) -> None:
        """A step begins; its output goes into the log."""

    def ended(self, step: Step, seconds: float) -> None:
        """It ended well."""

    def says(self, text: str) -> None:
        """Something that has to be known."""


def perform(wishes: Wishes, machine: Machine, progress: Progress, stop: Stop) -> Facts:
    """Do what is left to do, and return what is there then.

    After each step everything is looked at anew: what the next one does may depend on it, and a step counts as done
    when that is seen. Raises KlError for a step that failed, and Stopped.
    """
    did: list[Name] = []
    while True:
        stop.check()
        facts = look(wishes, machine)
        steps = plan_setup(wishes, facts)
        undone = [step for step in steps if step.done is None]
        unseen = [step for step in undone if step.name in did and step.name not in _KNOWN_BY_ITS_END]
        if unseen:
            reason = "all commands ended well, but it is not what was asked for"
            if unseen[0].name in _IN_ENVIRONMENT:
                reason += f" in {facts.environment.folder}: pip's or uv's own settings may have it elsewhere"
            raise _failed(unseen[0], facts, reason)
        left = [step for step in undone if step.name not in did]
        if not left:
            _at_the_end(wishes, facts)
            return facts
        did.append(left[0].name)
        try:
            _do(left[0], wishes, facts, progress, stop)
        except OSError as error:  # of what kl writes itself
            reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise _failed(left[0], facts, reason, full=full) from None


def log_of(step: Step, state: Path) -> Path:
    """The log of a step: numbered as the steps follow one another."""
    return state / f"{list(Name).index(step.name) + 1:02}-{step.name.value}.log"


def _do(step: Step, wishes: Wishes, facts: Facts, progress: Progress, stop: Stop) -> None:
    log = log_of(step, facts.state)
    progress.begins(step, log)
    began = time.monotonic()
    _before(step, wishes, facts)
    if step.ways:
        output = _run_ways(step, facts, log, progress, stop)
        if output is not None:
            if not step.optional:
                raise _failed(step, facts, _last_words(output), full=any(words in output.lower() for words in _FULL))
            progress.says(f"{step.name.value} is left out: {_last_words(output)}. Training works without it.")
            _note(facts.environment.folder, running=None)
            return
    elif step.name is Name.CONFIGURATION:
        said = configure(wishes.name, facts.checkout.folder, facts.environment)
        if said:
            progress.says(said)
    _after(step, wishes, facts)
    progress.ended(step, time.monotonic() - began)


def _run_ways(step: Step, facts: Facts, log: Path, progress: Progress, stop: Stop) -> str | None:
    """Try the ways in order. Returns None when one succeeded, else what the last one printed."""
    output = ""
    with log.open("wb") as stream:
        for number, way in enumerate(step.ways):
            if number:
                progress.says(f"That did not work ({_last_words(output)}). Now {way.says or 'another way'}.")
            start = stream.tell()
            if all(run_command(command, stream, facts.state, stop) == 0 for command in way.commands):
                return None
            stream.flush()
            output = log.read_bytes()[start:].decode("utf-8", "replace")
    return output


def _before(step: Step, wishes: Wishes, facts: Facts) -> None:
    """What has to stand on the disk before anything else happens, so that an interruption is known for one."""
    if step.makes is not None and step.made is not None:
        made = step.made
        if step.name is Name.ENVIRONMENT:
            made = msgspec.structs.replace(made, **_wished(wishes))
        make_anew(step.makes, made)
    for path, content in step.files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if step.name in _IN_ENVIRONMENT:
        if read_mark(facts.environment.folder) is None:
            _adopt(wishes, facts)
        _note(facts.environment.folder, running=step.name.value, **_wished(wishes))
    if step.name is Name.REVISION and wishes.update:
        _note_before(facts)


def _after(step: Step, wishes: Wishes, facts: Facts) -> None:
    if step.moves is not None and step.made is not None:
        source, target = step.moves
        write_mark(source, msgspec.structs.replace(step.made, whole=True, created=now()))
        if target.is_dir():
            target.rmdir()  # an empty one, or it refuses
        source.rename(target)
        remove_made(source.parent)
    if step.name is Name.ENVIRONMENT:
        _note(facts.environment.folder, whole=True)
    elif step.name is Name.TORCH:
        _note(facts.environment.folder, running=None, torch=torch_for(wishes, facts).asked)
    elif step.name in _IN_ENVIRONMENT:
        _note(facts.environment.folder, running=None)
    elif step.name is Name.CHECK:
        if read_mark(facts.environment.folder) is None:
            _adopt(wishes, facts)
        _note(facts.environment.folder, checked=fingerprint(facts))


def _at_the_end(wishes: Wishes, facts: Facts) -> None:
    """Gone back: what was noted for it is used up."""
    made = facts.checkout.made
    if wishes.back and made is not None and made.before:
        _note(facts.checkout.folder, before=made.before[:-1])


def _note_before(facts: Facts) -> None:
    made, environment = facts.checkout.made, facts.environment
    if made is None or facts.checkout.commit is None:
        return
    asked = environment.made.torch if environment.made else None
    before = Before(commit=facts.checkout.commit, packages=dict(environment.packages), torch=asked, time=now())
    _note(facts.checkout.folder, before=[*made.before, before])


def _adopt(wishes: Wishes, facts: Facts) -> None:
    kind = "conda" if (facts.environment.folder / "conda-meta").is_dir() else "venv"
    made = Made(kind=kind, name=wishes.name, adopted=True, whole=True, created=now())
    write_mark(facts.environment.folder, made)


def _wished(wishes: Wishes) -> dict[str, object]:
    index = wishes.torch_index
    known = index if index is None or without_secrets(index) == index else None  # a password is not written down
    return {
        "wished_torch": wishes.torch,
        "wished_cuda": wishes.cuda,
        "torch_index": known,
        "extras": list(wishes.extras),
    }


def _note(folder: Path, **changes: object) -> None:
    made = read_mark(folder)
    if made is not None:
        write_mark(folder, msgspec.structs.replace(made, **changes))


def _failed(step: Step, facts: Facts, reason: str, *, full: bool = False) -> KlError:
    code = ExitCode.OUTPUT_UNAVAILABLE if full else ExitCode.ENVIRONMENT_NOT_READY
    hint = f"All that it printed: {log_of(step, facts.state)}. The same command goes on from here."
    if full:
        hint = f"Make room on the disk of {facts.environment.folder}. The same command goes on from here."
    return KlError(f"{step.says}: {reason}.", code=code, hint=hint)


def _last_words(output: str) -> str:
    """What a program said at last, without the commands that kl put into the log; git calls its errors fatal."""
    lines = [line for line in output.splitlines() if not line.startswith("$ ")]
    fatal = [line for line in lines if line.startswith("fatal:")]
    words = last_words("\n".join(fatal or lines)) or "it said nothing"
    words = words.rstrip(".")
    return words if len(words) <= _LONGEST else f"…{words[-_LONGEST:]}"
