"""The mark on folders that kl set up: only what carries it is ever changed, made anew or removed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from launcher import __version__
from launcher.base.errors import ExitCode, KlError
from launcher.base.files import write_whole
from launcher.base.times import now

MARK = "kl-made.json"


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What was there before an update: the commit, the packages with their versions, torch as it was asked for."""

    commit: str
    packages: dict[str, str] = {}
    torch: str | None = None
    time: str = ""


class Made(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What kl notes in a folder that it set up.

    `kind` is "checkout", "venv" or "conda". `whole` is False from the moment that the folder is made until it is
    cloned, or has its interpreter. `running` is the step that was begun and has not ended. `adopted` says that kl did
    not make the folder: it is never removed then. `torch` is what was asked for when torch was installed last, and
    `checked` what was there when all of it was seen to work.
    """

    kind: str
    name: str
    kl_version: str = __version__
    created: str = ""
    adopted: bool = False
    whole: bool = False
    running: str | None = None
    source: str | None = None
    commit: str | None = None
    wished_torch: str | None = None
    wished_cuda: str | None = None
    torch_index: str | None = None
    extras: list[str] = []
    torch: str | None = None
    checked: str | None = None
    before: list[Before] = []


def read_mark(folder: Path) -> Made | None:
    """What kl noted in a folder; None where it is not kl's, or the note cannot be read."""
    for place in (folder / ".git" / MARK, folder / MARK):
        try:
            return msgspec.json.decode(place.read_bytes(), type=Made)
        except (OSError, ValueError, RecursionError):
            continue
    return None


def is_taken(folder: Path) -> bool:
    """Whether something is there already: anything but an empty folder. A link leads to a place of somebody else's."""
    return os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir() or any(folder.iterdir()))


def write_mark(folder: Path, made: Made) -> None:
    """Note it: of a checkout inside `.git`, where it changes no work tree. Raises OSError."""
    place = folder / ".git" if made.kind == "checkout" and (folder / ".git").is_dir() else folder
    write_whole(place / MARK, msgspec.json.format(msgspec.json.encode(made)) + b"\n")


def make_anew(folder: Path, made: Made) -> None:
    """An empty folder with the mark. What kl left there before goes; nothing else does.

    Raises KlError (output unavailable) when the folder holds anything else, or cannot be made.
    """
    try:
        remove_made(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_mark(folder, msgspec.structs.replace(made, created=now()))
    except OSError as error:
        raise _unavailable(
            f"{folder} cannot be made: {error.strerror or error}.", "Free it, or name another."
        ) from None


def remove_made(folder: Path) -> None:
    """Take away a folder that kl made. One that is empty or not there is fine.

    Raises KlError (output unavailable) for any other, and OSError.
    """
    if not os.path.lexists(folder):
        return
    made = None if folder.is_symlink() else read_mark(folder)
    if made is not None and not made.adopted:
        shutil.rmtree(folder)
    elif is_taken(folder):
        raise _unavailable(
            f"{folder} is there already, and kl did not make it.", "Move it away, or name another folder."
        )


def _unavailable(message: str, hint: str) -> KlError:
    return KlError(message, code=ExitCode.OUTPUT_UNAVAILABLE, hint=hint)
