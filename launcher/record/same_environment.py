"""A virtual environment with the packages that a run recorded, made by uv or pip with the user's own settings."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from launcher.base.files import sha256_of, write_whole
from launcher.base.places import cache_folder
from launcher.base.words import counted, some_of
from launcher.record.editable import link_editable
from launcher.record.environment import EnvironmentRecord, python_record
from launcher.record.environment_differences import NOT_TRAINING, differences_of
from launcher.record.installers import CannotMakeEnvironment, install, make_venv, uninstall
from launcher.record.packages import installed_packages, torch_in
from launcher.record.requirements import Wanted, wanted_of
from launcher.trainer.packages import normal_name, site_packages

_MADE = "kl-environment.json"  # in an environment that is whole: what it was made for, and the packages it had then
_FORMAT = 1
Say = Callable[[str], None]


def environment_folder(record: EnvironmentRecord) -> Path:
    """Where kl keeps the environment of a record: the same one for all runs that recorded the same packages."""
    return cache_folder() / "environments" / _key(record)[:24]


def make_environment(record: EnvironmentRecord, folder: Path, say: Say) -> Path:
    """Make the recorded environment in `folder`, or use the one that is there, and return its interpreter.

    Python has the recorded version, the packages exactly the recorded ones; whatever cannot be as it was is said.
    The environment is made whole or not at all. Nothing is written into the folders of editable packages.
    Raises CannotMakeEnvironment when no such Python or package can be had, or `folder` holds something else.
    """
    folder = folder.absolute()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            said = _made_before(record, folder)
            if said is None:
                said = _make(record, folder, say)
    except OSError as error:
        raise CannotMakeEnvironment(f"{folder} cannot be made: {error.strerror or error}") from None
    for line in said:
        say(line)
    return folder / "bin" / "python"


def _make(record: EnvironmentRecord, folder: Path, say: Say) -> tuple[str, ...]:
    """Make it, and say what is not as it was recorded."""
    try:
        wanted = wanted_of(record)
    except ValueError as error:
        raise CannotMakeEnvironment(f"The record of the environment cannot be used: {error}.") from None
    if not record.packages or not record.python.version:
        raise CannotMakeEnvironment("The run has not recorded its Python and packages.")
    making = folder.parent / f".{folder.name}.making"  # there until it is whole: then it may be taken away
    _clear(folder, making)
    making.touch()
    try:
        number = len(wanted.lines) + len(wanted.folders) + len(wanted.editable)
        say(f"Making an environment with Python {record.python.version} and {counted(number, 'package')} in {folder}.")
        make_venv(record.python, folder)
        _install(record, wanted, folder, say)
        now = _state(folder)
        said = (*wanted.otherwise, *_not_as_recorded(record, wanted, now))
        write_whole(folder / _MADE, _mark(record, said, now))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        making.unlink(missing_ok=True)
        raise
    making.unlink(missing_ok=True)
    return said


def _install(record: EnvironmentRecord, wanted: Wanted, folder: Path, say: Say) -> None:
    """Put the packages in place: a folder is copied first, for building one writes into it."""
    with tempfile.TemporaryDirectory(prefix="kl-packages-") as copies:
        lines = list(wanted.lines)
        for number, (package, source) in enumerate(wanted.folders):
            copy = Path(copies, str(number), source.name)
            shutil.copytree(source, copy, symlinks=True)
            _, hash_mark, inside = package.source_url.partition("#")
            lines.append(f"{package.name} @ {copy.as_uri()}{hash_mark}{inside}")
        if lines:
            install(folder, lines, record.packages, say)
    site = next(site_packages(folder / "bin" / "python"))
    for package, source in wanted.editable:
        link_editable(site, package, source)
    known = {package.key for package in record.packages} | NOT_TRAINING
    uninstall(folder, [package.name for package in installed_packages([site])[0] if package.key not in known])


def _not_as_recorded(record: EnvironmentRecord, wanted: Wanted, now: EnvironmentRecord) -> tuple[str, ...]:
    """What else came out otherwise, in words. Raises CannotMakeEnvironment for a package of another version."""
    old, new = _versions(record), _versions(now)
    wrong = [
        f"{key} {new.get(key, 'is not there')} instead of {old.get(key, 'none')}"
        for key in sorted({*old, *new} - wanted.told)
        if old.get(key) != new.get(key)
    ]
    if wrong:
        raise CannotMakeEnvironment(f"The packages came out otherwise than they were recorded: {some_of(wrong)}.")
    found = differences_of(replace(record, conda=()), now)
    return tuple(
        str(each) for each in found if each.kind in ("python", "packages") and normal_name(each.name) not in wanted.told
    )


def _versions(record: EnvironmentRecord) -> dict[str, str]:
    return {package.key: package.version for package in record.packages if package.key not in NOT_TRAINING}


def _state(folder: Path) -> EnvironmentRecord:
    """What an environment of kl's consists of now."""
    python = folder / "bin" / "python"
    interpreter, problem = python_record(python, os.environ)
    if problem:
        raise CannotMakeEnvironment(f"The interpreter of {folder} does not run: {problem}.")
    site = tuple(site_packages(python))
    # Of editable packages there is a record in the environment itself: their folders are not looked through.
    return EnvironmentRecord(python=interpreter, packages=installed_packages(site)[0], torch=torch_in(site))


def _made_before(record: EnvironmentRecord, folder: Path) -> tuple[str, ...] | None:
    """What was said when the environment was made for this record; None when none was made.

    Raises CannotMakeEnvironment for one that was changed since, or made for another record: something may run in it.
    """
    try:
        mark = json.loads((folder / _MADE).read_text(encoding="utf-8"))
        key, parts, said = mark["key"], set(mark["parts"]), tuple(map(str, mark["said"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CannotMakeEnvironment(f"{folder / _MADE} cannot be read: {error}.") from None
    if key != _key(record):
        raise CannotMakeEnvironment(f"{folder} holds the environment of another record.")
    other = sorted(parts ^ set(_parts(_state(folder))))
    if other:
        raise CannotMakeEnvironment(
            f"{folder} is not as kl made it: {some_of(other)}. Remove the folder, and it is made anew."
        )
    return said


def _mark(record: EnvironmentRecord, said: tuple[str, ...], now: EnvironmentRecord) -> bytes:
    mark = {"key": _key(record), "parts": _parts(now), "said": said}
    return (json.dumps(mark, indent=2) + "\n").encode()


def _key(record: EnvironmentRecord) -> str:
    """Two records with the same key are of the same Python and packages, for the same kind of machine."""
    parts = (_FORMAT, platform.system(), platform.machine(), record.torch, *_parts(record))
    return sha256_of(repr(parts).encode("utf-8", "surrogateescape"))


def _parts(record: EnvironmentRecord) -> list[str]:
    """What an environment consists of, in words that no two different ones have in common."""
    packages = [each for each in record.packages if each.key not in NOT_TRAINING]
    return [
        f"Python {record.python.version} {record.python.implementation}",
        *(
            " ".join(filter(None, (each.name, each.version, each.source, each.sha256, *each.changed)))
            for each in packages
        ),
    ]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the environment: another kl that makes the same waits until this one is through."""
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _clear(folder: Path, making: Path) -> None:
    """Take away what kl left half made. Raises CannotMakeEnvironment for anything else."""
    if not os.path.lexists(folder):
        return
    if making.exists():
        shutil.rmtree(folder)
    elif folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    else:
        raise CannotMakeEnvironment(f"{folder} is there already, and is no environment that kl made.")
