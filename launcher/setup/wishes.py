"""What somebody wants set up: the answers of the command line, checked by themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.setup.made import Made
from launcher.trainer.checkout import SD_SCRIPTS

# The newest release whose options, network modules and dataset config this kl was tested with: tests/real.
RELEASE = "v0.10.1"
NAME = "sd-scripts"
KINDS = ("venv", "conda")
A_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_BUILD = re.compile(r"auto|cpu|cu\d{2,3}|rocm\d+(\.\d+){1,2}")
_VERSION = re.compile(r"\d+(\.\d+){0,2}([a-z0-9.+]*)")
_PACKAGE = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w,.-]+\])?([=<>!~]=?=?[\w.*+!-]+(,[=<>!~]=?[\w.*+!-]+)*)?", re.ASCII)


@dataclass(frozen=True)
class Wishes:
    """What is to be set up. None is for what nobody said: the first time kl decides, later what it decided then.

    `source` is the URL or the folder that is cloned. `cuda` is "auto", "cpu", or a build as torch names it: "cu126",
    "rocm6.3". `extras` are packages that go into the environment too.
    """

    name: str = NAME
    source: str | None = None
    revision: str | None = None
    kind: str | None = None
    python: str | None = None
    torch: str | None = None
    cuda: str | None = None
    torch_index: str | None = None
    extras: tuple[str, ...] = ()
    checkout_folder: Path | None = None
    environment_folder: Path | None = None
    adopt: bool = False
    update: bool = False
    back: bool = False
    accelerate_config: bool = False


def checked(wishes: Wishes) -> Wishes:
    """The wishes, when each of them can be one. Raises KlError (usage)."""
    _match("--name", wishes.name, A_NAME, "A name has letters, digits, dots, _ and -.")
    _match("--torch", wishes.torch, _VERSION, "Write a version: --torch 2.7.1")
    version = wishes.cuda is not None and re.fullmatch(r"\d{2}\.\d", wishes.cuda)
    builds = f"cu{wishes.cuda}".replace(".", "") if version else "cu126, cu128"
    _match("--cuda", wishes.cuda, _BUILD, f"Write auto, cpu, or a build as torch names it: {builds}.")
    for package in wishes.extras:
        _match("--with", package, _PACKAGE, "Write a package's name, or name==version.")
    for flag, value in (("--sd-scripts", wishes.source), ("--rev", wishes.revision), ("--python", wishes.python)):
        if value is not None and (not value or value.startswith("-") or not value.isprintable()):
            raise _usage(f"{flag} cannot be {value!r}.", f"{flag} takes a value.")
    if wishes.kind not in (None, *KINDS):
        raise _usage(f"--env {wishes.kind} is not known.", "Write venv or conda.")
    if wishes.update and wishes.back:
        raise _usage("--update and --back are opposites.", "Keep one of them.")
    if wishes.back and wishes.revision:
        raise _usage("--back goes to what was there before, not to a revision.", "Write --update --rev REVISION.")
    return wishes


def remembered(wishes: Wishes, checkout: Made | None, environment: Made | None) -> Wishes:
    """The wishes, with what was wished when kl made checkout and environment in the place of what is not said now."""
    if checkout is not None:
        wishes = replace(wishes, source=wishes.source or checkout.source)
    if environment is not None:
        fresh = [each for each in environment.extras if each not in wishes.extras]
        wishes = replace(
            wishes,
            torch=wishes.torch or environment.wished_torch,
            cuda=wishes.cuda or environment.wished_cuda,
            torch_index=wishes.torch_index or environment.torch_index,
            extras=(*fresh, *wishes.extras),
        )
    return wishes


def is_official(wishes: Wishes) -> bool:
    """Whether sd-scripts' own repository is cloned, where releases have tags."""
    return wishes.source is None or wishes.source.removesuffix(".git").rstrip("/") == SD_SCRIPTS


def source_folder(wishes: Wishes) -> Path | None:
    """The folder that is cloned from; None for a URL."""
    text = wishes.source
    if text is None or "://" in text or re.match(r"[^/~.][^/]*:", text):
        return None
    return Path(text).expanduser().absolute()


def _match(flag: str, value: str | None, pattern: re.Pattern[str], hint: str) -> None:
    if value is not None and not pattern.fullmatch(value):
        raise _usage(f"{flag} cannot be {value!r}.", hint)


def _usage(message: str, hint: str) -> KlError:
    return KlError(message, code=ExitCode.USAGE, hint=hint)
