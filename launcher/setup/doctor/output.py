"""Where runs are written to: whether that can be done, and how much room there is."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher.plan.checks.model_file import size_text
from launcher.setup.doctor.diagnosis import Diagnosis, advice, fine, wrong
from launcher.setup.doctor.folders import WriteTrial, allow_writing, nearest_existing, try_writing

OUTPUT = "output root"
_FULL, _TIGHT = 500_000_000, 10_000_000_000  # bytes: not one LoRA of SDXL with its log; not many with their states
_NOT_FOR_RUNS = ("/boot", "/snap", "/etc", "/proc", "/sys", "/usr", "/var")


@dataclass(frozen=True)
class Room:
    """The room of a disk, in bytes and files; `files` is None where the disk does not count them."""

    free: int
    files: int | None


def look_at_output(
    root: Path | None, elsewhere: Iterable[Path] | None = None, *, configured: bool = True
) -> Iterator[Diagnosis]:
    """The output root. `elsewhere` are folders that runs could go to instead; by default what the machine has.

    `configured` is False for one that a spec or a variable names, which is stronger than the configuration.
    """
    if root is None:
        return
    there = nearest_existing(root)
    if not there.is_dir():
        yield wrong(OUTPUT, f"{there} is a file, and runs need a folder.", f"mv {_quoted(there)} {_quoted(there)}.old")
        return
    trial = try_writing(root)
    try:
        room = room_of(trial.existing)
    except OSError as error:
        yield wrong(OUTPUT, f"{root} cannot be looked at: {error.strerror}.")
        return
    yield judge_output(root, trial, room, lambda: _move(root, elsewhere, configured=configured))


def judge_output(root: Path, trial: WriteTrial, room: Room, move: Callable[[], str | None]) -> Diagnosis:
    """`move` gives the command that has runs written elsewhere."""
    free = f"{size_text(room.free)} free"
    if trial.full or room.free < _FULL or room.files == 0:
        what = "no more files can be made" if room.files == 0 and room.free >= _FULL else free
        return wrong(OUTPUT, f"{root}: its disk is full, {what}.", move() or f"du -xh -d 2 {_quoted(root)} | sort -h")
    if trial.read_only:
        return wrong(OUTPUT, f"{root}: its disk is mounted read-only.", move())
    if trial.error is not None:
        message = f"{root}: {trial.existing} cannot be written to: {trial.error.strerror}."
        return wrong(OUTPUT, message, allow_writing(trial.existing))
    if room.free < _TIGHT:
        message = f"{root}: {free}. States and checkpoints of one run may take more."
        return advice(OUTPUT, message, move() or "kl clean --yes")
    return fine(OUTPUT, f"{root}: {free}{'' if trial.existing == root else ', made when a run starts'}.")


def room_of(folder: Path) -> Room:
    """The room that the disk of a folder has for this user. Raises OSError."""
    status = os.statvfs(folder)
    return Room(status.f_bavail * status.f_frsize, status.f_favail if status.f_files else None)


def _move(root: Path, elsewhere: Iterable[Path] | None, *, configured: bool) -> str | None:
    best = roomiest(elsewhere if elsewhere is not None else _disks())
    if best is None:
        return None
    folder = _quoted(best / root.name)
    return f"kl config set run.output_root {folder}" if configured else f"export OUTPUT_DIR={folder}"


def roomiest(folders: Iterable[Path]) -> Path | None:
    """The folder with the most room, if that is enough for runs and it can be written to."""
    found = []
    for folder in folders:
        try:
            free = room_of(folder).free
        except OSError:
            continue
        if free >= _TIGHT and os.access(folder, os.W_OK | os.X_OK):
            found.append((free, folder))
    return max(found)[1] if found else None


def _disks() -> Iterator[Path]:
    """The home folder, and the roots of the disks."""
    import psutil  # noqa: PLC0415 - only where there is no room

    yield Path("~").expanduser()
    for disk in psutil.disk_partitions(all=False):
        if not disk.mountpoint.startswith(_NOT_FOR_RUNS):
            yield Path(disk.mountpoint)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
