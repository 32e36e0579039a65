"""A name that is taken: what stands there, and the command that goes on from it."""

from __future__ import annotations

import fnmatch
from pathlib import Path

from launcher.record.manifest import MANIFEST, Manifest, read_manifest
from launcher.record.notes import NOTES
from launcher.run.artifacts import find_artifacts
from launcher.run.cleanup import PARTIAL
from launcher.run.outcome import Outcome
from launcher.run.state import current_outcome
from launcher.run.states import find_states

_ANOTHER = "Give the run another version (v2 instead of v1 in its name)"
_ENDED = {Outcome.FAILED: "It failed", Outcome.STOPPED: "It was stopped", Outcome.LOST: "It was lost"}


def what_to_do(directory: Path) -> str:
    """What to do about a run directory that exists already. It is only looked at, and may be anything."""
    try:
        return _by_what_stands_there(directory)
    except (OSError, TypeError, ValueError, AttributeError):  # anything may stand in a foreign run.json
        return f"{_ANOTHER}, or look at what is there and remove it."


def _by_what_stands_there(directory: Path) -> str:
    name = directory.name
    if not (directory / MANIFEST).is_file():
        if all(fnmatch.fnmatchcase(path.name, PARTIAL) for path in directory.iterdir()):
            return f"It is empty: kl clean {name} --yes removes it."
        return f"{_ANOTHER}, or look at what is there and remove it: it is no run, it has no {MANIFEST}."
    manifest = read_manifest(directory)
    outcome = current_outcome(directory, manifest)
    if outcome is Outcome.RUNNING:
        return f"It is running: kl attach {name} shows it, kl stop {name} ends it."
    if outcome is Outcome.PLANNED:
        return f"Nothing was started in it. If no other launch is just about to, kl clean {name} --yes removes it."
    if outcome is Outcome.SUCCEEDED or any(each.outcome == Outcome.SUCCEEDED.value for each in manifest.attempts):
        return f"It succeeded. {_ANOTHER}."
    return _by_what_it_left(directory, manifest, _ENDED[outcome])


def _by_what_it_left(directory: Path, manifest: Manifest, ended: str) -> str:
    name = directory.name
    states = find_states(directory, name).whole
    if states:
        return f"{ended} and has a state of step {states[0].step}: kl resume {name} goes on from it."
    if find_artifacts(directory, manifest.final):
        return f"{ended} and left no state to go on from. {_ANOTHER}, or move away what it left."
    if (directory / NOTES).exists():
        return f"{ended} and has a note. {_ANOTHER}, or move the directory away."
    return f"{ended} and left nothing: kl clean {name} --yes removes it."
