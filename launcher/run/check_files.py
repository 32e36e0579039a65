"""The files of a run directory against their record: what kl wrote, what it copied, what training made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from launcher.plan.resume import FOLDER
from launcher.record.hashes import HashError, file_hash, files_below, folder_hash
from launcher.record.manifest import Manifest
from launcher.record.side import place_now
from launcher.run.checked import Checked, Say, State, silent

FILES, ARTIFACTS = "files", "artifacts"
_SPEC = ("spec.", "template-")  # what the options were made of: the trainer reads none of it


def check_files(directory: Path, manifest: Manifest) -> Iterator[Checked]:
    """Every file that kl wrote into the run directory."""
    for record in manifest.files:
        if record.sha256:
            state, said = _check_own(directory, record.name, record.size, record.sha256, quick=False)
            yield Checked(FILES, record.name, state, "is not as it was written" if state is State.DIFFERS else said)


def check_sources(directory: Path, manifest: Manifest) -> Iterator[Checked]:
    """The files that kl copied, where they are otherwise now. The run has its copy, so nothing is lost."""
    for record in manifest.files:
        counts_on = record.name.startswith(f"{FOLDER}/")  # a copy with another content by intention
        if record.source is None or not record.sha256 or counts_on:
            continue
        path = place_now(record.source, manifest, directory)
        state, _ = check_content(path, None, record.sha256, quick=False)
        if state is State.GONE:
            yield Checked(FILES, str(path), State.NOTED, f"is gone; the run has its copy {record.name}")
        elif state is State.DIFFERS and record.name.startswith(_SPEC):
            yield Checked(FILES, f"the text of {path}", State.NOTED, "was changed")
        elif state is State.DIFFERS:
            yield Checked(FILES, str(path), State.NOTED, f"was changed; the run has its copy {record.name}")


def check_artifacts(directory: Path, manifest: Manifest, *, quick: bool, say: Say = silent) -> Iterator[Checked]:
    """Everything that training made; with `quick` its size alone."""
    for record in manifest.artifacts:
        say(record.path)
        state, said = _check_own(directory, record.path, record.size, record.sha256, quick=quick)
        yield Checked(ARTIFACTS, record.path, state, said)


def check_content(path: Path, size: int | None, sha256: str | None, *, quick: bool) -> tuple[State, str]:
    """A file or folder against its recorded size and hash; with `quick`, or where no hash is recorded, by its size."""
    if not is_there(path):
        return State.GONE, ""
    try:
        if sha256 and not quick:
            found = folder_hash(path) if path.is_dir() else file_hash(path)
            return (State.OK, "") if found.sha256 == sha256 else (State.DIFFERS, "has another content")
        now = sum(file.status.st_size for file in files_below(path)) if path.is_dir() else path.stat().st_size
    except (OSError, ValueError, HashError) as error:
        return State.UNCHECKED, getattr(error, "strerror", None) or str(error)
    if size is not None and now != size:
        return State.DIFFERS, f"has {now} bytes, and had {size}"
    return (State.OK, "") if sha256 and size is not None else (State.NOT_RECORDED, "has no recorded hash")


def _check_own(directory: Path, name: str, size: int, sha256: str | None, *, quick: bool) -> tuple[State, str]:
    """The same of what a manifest says to be in the run directory: anybody may have written it."""
    if name in ("", ".") or ".." in Path(name).parts or Path(name).is_absolute():
        return State.UNCHECKED, "is no name in the run directory"
    return check_content(directory / name, size, sha256, quick=quick)


def is_there(path: Path) -> bool:
    """Whether there is something of that name; a name that cannot be one is nowhere."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False

