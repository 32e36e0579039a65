"""conda, mamba and micromamba: which of them is there, what it knows, and the command lines that make environments.

A launch starts none of them: conda_environments.py finds environments by the folders alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.base.errors import ExitCode, KlError
from launcher.setup.activation import BASE
from launcher.setup.conda_environments import CondaEnvironment, homes

_NAMES = ("conda", "mamba", "micromamba")
_FOLDERS = ("bin", "condabin")
_LONE_FOLDERS = (".local/bin", "bin")  # of the home folder: micromamba is one file, put anywhere
_SYSTEM_FOLDERS = ("/usr/local/bin", "/opt/micromamba/bin", "/usr/bin")
_PATIENCE = 60.0  # seconds for one question; conda's first answer after an installation takes long
# What makes a folder an environment for all three of them: conda_environments.py looks for its folder.
HISTORY = Path("conda-meta") / "history"


@dataclass(frozen=True)
class CondaProgram:
    """One of the three. `kind` is "conda", "mamba" or "micromamba"; `root` the base environment, if the place tells."""

    path: Path
    kind: str
    root: Path | None = None


def conda_program(environ: Mapping[str, str] = os.environ, home: Path | None = None) -> CondaProgram | None:
    """The program that is there, whether or not the shell is initialised for it: the one that the shell was
    initialised for, else on the PATH, else in the usual homes. Nothing is started.
    """
    folder = Path.home() if home is None else home
    for path in _candidates(environ, folder):
        if os.access(path, os.X_OK) and os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for some
            kind = _kind(path)
            return CondaProgram(path, kind, _root(path, kind, environ, folder))
    return None


def program_in(place: Path, environ: Mapping[str, str] = os.environ) -> CondaProgram | None:
    """The program that a person means with a place: itself, or the folder that conda is installed in."""
    inside = (place / folder / name for folder in _FOLDERS for name in _NAMES)
    for path in (place, *inside, *(place / name for name in _NAMES)):
        if os.access(path, os.X_OK) and os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for some
            kind = _kind(path)
            return CondaProgram(path, kind, _root(path, kind, environ, Path.home()))
    return None


def install(
    program: CondaProgram, prefix: Path, packages: Sequence[str], *, channel: str | None = None
) -> tuple[str, ...]:
    """The command that puts packages into an environment that is there: one with the file HISTORY.

    A new one is made so too, with an empty HISTORY: `create` would take away what is in the folder, such as a mark, or
    refuse it. Channels are the user's own; `channel` comes before them (micromamba below 2.0 has none of its own).
    """
    return (str(program.path), "install", "--yes", "--prefix", str(prefix), *_channel(channel), *packages)


def environments(
    program: CondaProgram, environ: Mapping[str, str] = os.environ, *, patience: float = _PATIENCE
) -> tuple[CondaEnvironment, ...]:
    """Every environment that the program knows, the base environment too. It is started once or twice.

    Raises KlError (environment not ready) when it does not answer, or with something else than it is documented to.
    """
    answer = _asked(program, ("env", "list", "--json"), environ, patience)
    prefixes = [Path(each) for each in _texts(answer.get("envs"))]
    details = answer.get("envs_details")
    if isinstance(details, dict):  # conda since 25.11 names them itself, "" for those outside its folders
        named = {Path(key): value.get("name") for key, value in details.items() if isinstance(value, dict)}
        return tuple(CondaEnvironment(each, str(named.get(each) or "") or None) for each in prefixes)
    root, folders = _root_and_folders(_asked(program, ("info", "--json"), environ, patience))
    return tuple(CondaEnvironment(each, _name(each, root or program.root, folders)) for each in prefixes)


def _candidates(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    for variable in ("CONDA_EXE", "MAMBA_EXE"):  # set by what initialises a shell
        if environ.get(variable):
            yield Path(environ[variable])
    for name in _NAMES:
        found = shutil.which(name, path=environ.get("PATH", ""))
        if found:
            yield Path(found).absolute()
    for root in homes(environ, home):
        yield from (root / folder / name for folder in _FOLDERS for name in _NAMES)
    for lone in (*(home / each for each in _LONE_FOLDERS), *map(Path, _SYSTEM_FOLDERS)):
        yield from (lone / name for name in _NAMES)


def _kind(path: Path) -> str:
    name = path.name.lower()
    return "micromamba" if name.startswith("micromamba") else "mamba" if name.startswith("mamba") else "conda"


def _root(path: Path, kind: str, environ: Mapping[str, str], home: Path) -> Path | None:
    """The base environment: two folders above a program that is installed in one; else micromamba's own rule, which
    takes the variable, then the place of version 1, then that of version 2 (libmamba, configuration.cpp).
    """
    if kind != "conda" and environ.get("MAMBA_ROOT_PREFIX"):
        return Path(environ["MAMBA_ROOT_PREFIX"])
    for each in (path, Path(os.path.realpath(path))):
        if (each.parent.parent / "conda-meta").is_dir():
            return each.parent.parent
    if kind == "conda":
        return None
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return next((each for each in (home / "micromamba", data / "mamba") if each.is_dir()), None)


def _channel(channel: str | None) -> tuple[str, ...]:
    return () if channel is None else ("--channel", channel)


def _asked(program: CondaProgram, words: Sequence[str], environ: Mapping[str, str], patience: float) -> dict[str, Any]:
    """The JSON that the program answers with; what it says besides goes."""
    argv = (str(program.path), *words)
    said = f"{program.path} {' '.join(words)}"
    try:
        done = subprocess.run(
            argv, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        raise _no_answer(f"{said} did not answer within {patience:.0f} s.") from None
    except OSError as error:
        raise _no_answer(f"{program.path} cannot be started: {error.strerror}.") from None
    text = done.stdout.decode("utf-8", "replace")
    try:
        answer = json.loads(text[max(text.find("{"), 0) :])  # an old mamba prints words before it
    except (ValueError, RecursionError):
        answer = None
    if done.returncode != 0 or not isinstance(answer, dict):
        why = _message(answer) or "".join(done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:])
        if not why:
            why = f"exit status {done.returncode}" if done.returncode else "it answered with something else than JSON"
        raise _no_answer(f"{said} failed: {why}")
    return answer


def _message(answer: object) -> str:
    """What an answer in JSON says of a failure: conda has one message, mamba and micromamba their last log line."""
    if not isinstance(answer, dict):
        return ""
    history = answer.get("log_history")
    last = history[-1] if isinstance(history, list) and history else None
    message = last.get("message") if isinstance(last, dict) else answer.get("message")
    return message.strip() if isinstance(message, str) else ""


def _root_and_folders(info: Mapping[str, Any]) -> tuple[Path | None, list[Path]]:
    """The base environment and the folders of named environments: conda's keys, and those of mamba 2 and micromamba."""
    root = info.get("root_prefix") or info.get("base environment")
    folders = info.get("envs_dirs") or info.get("envs directories")
    return (Path(root) if isinstance(root, str) else None), [Path(each) for each in _texts(folders)]


def _name(prefix: Path, root: Path | None, folders: Sequence[Path]) -> str | None:
    if root is not None and prefix == root:
        return BASE
    return prefix.name if prefix.parent in folders else None


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str) and each] if isinstance(value, list) else []


def _no_answer(message: str) -> KlError:
    return KlError(message, code=ExitCode.ENVIRONMENT_NOT_READY, hint="Run it by itself: what does it say?")
