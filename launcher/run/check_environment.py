"""The environment of a run against its record: interpreter, packages, machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from launcher.base.words import counted
from launcher.record.compare_environment import ENVIRONMENT, PACKAGES
from launcher.record.environment import ENVIRONMENT as ENVIRONMENT_FILE
from launcher.record.environment import read_environment, recorded_environment
from launcher.record.environment_differences import differences_of
from launcher.record.manifest import Manifest
from launcher.run.check_files import is_there
from launcher.run.checked import Checked, State

_INTERPRETERS = ("python", "pypy")
_MUST_BE_SAME = ("python", "packages")  # kinds of differences; machine and variables are only noted


def check_environment(directory: Path, manifest: Manifest) -> Iterator[Checked]:
    """The interpreter and its packages, and what is otherwise of machine and variables, which is no fault."""
    recorded = recorded_environment(directory)
    if recorded is None:
        state = State.UNCHECKED if was_written(manifest) else State.NOT_RECORDED
        said = f"{ENVIRONMENT_FILE} cannot be read" if was_written(manifest) else ""
        yield Checked(ENVIRONMENT, "packages, Python and machine", state, said)
        return
    python = Path(manifest.python)
    if not is_there(python):
        yield Checked(ENVIRONMENT, str(python), State.GONE, "and its packages cannot be checked")
        return
    if not _may_be_asked(python, directory):
        yield Checked(ENVIRONMENT, str(python), State.UNCHECKED, "is no interpreter, and was not asked")
        return
    now, problems = read_environment(python, dict(manifest.variables or {}))
    differences = differences_of(recorded, now)
    kinds = {each.kind for each in differences}
    if "packages" not in kinds and recorded.packages and now.packages:
        yield Checked(PACKAGES, counted(len(recorded.packages), "package"))
    for each in sorted(differences, key=lambda each: each.kind != "packages"):  # a section in one piece
        state = State.DIFFERS if each.kind in _MUST_BE_SAME else State.NOTED
        section = PACKAGES if each.kind == "packages" else ENVIRONMENT
        yield Checked(section, each.name, state, f"{each.before or 'not there'} → {each.after or 'not there'}")
    if "python" not in kinds and recorded.python.version and now.python.version:
        yield Checked(ENVIRONMENT, f"Python {recorded.python.version}")
    for problem in problems:
        yield Checked(ENVIRONMENT, problem, State.NOTED)


def was_written(manifest: Manifest) -> bool:
    """Whether the environment was recorded, also when its file is gone or damaged now."""
    return any(record.name == ENVIRONMENT_FILE for record in manifest.files)


def _may_be_asked(python: Path, directory: Path) -> bool:
    """Whether this is an interpreter of this machine: a run directory may come from anybody, and brings no programs."""
    return python.is_absolute() and python.name.startswith(_INTERPRETERS) and not python.is_relative_to(directory)
