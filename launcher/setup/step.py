"""One step of a set-up: the commands that do it, and how it is seen that it was done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from launcher.setup.made import Made


class Name(str, Enum):
    """The steps, in their order."""

    CLONE = "clone"
    FETCH = "fetch"
    REVISION = "revision"
    ENVIRONMENT = "environment"
    TORCH = "torch"
    XFORMERS = "xformers"
    REQUIREMENTS = "requirements"
    CHECK = "check"
    CONFIGURATION = "configuration"
    ACCELERATE = "accelerate"


@dataclass(frozen=True)
class Command:
    """One program with its arguments, and the folder that it runs in."""

    argv: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class Way:
    """One way to do a step: its commands, in order. `says` tells how it differs from the way before it."""

    commands: tuple[Command, ...]
    says: str = ""


@dataclass(frozen=True)
class Step:
    """What is done, as pure data.

    `says` is what is done and `why` the reason. `done` says how it is seen that nothing is left to do, None when
    something is. The `ways` are tried in order until one succeeds; without any, kl does the step itself. `makes` is a
    folder that is made anew for it, with the mark `made`; `moves` the rename at its end. `files` are written before.
    An `optional` step that fails holds nothing up.
    """

    name: Name
    says: str
    why: str = ""
    done: str | None = None
    ways: tuple[Way, ...] = ()
    makes: Path | None = None
    made: Made | None = None
    moves: tuple[Path, Path] | None = None
    files: tuple[tuple[Path, bytes], ...] = ()
    optional: bool = False
    notes: tuple[str, ...] = ()
