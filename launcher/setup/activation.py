"""What activating a conda environment sets, without conda: as in a new shell, whatever is active in this one.

conda/activate.py and libmamba/src/core/activation.cpp agree on it: the folders and names of the environment, the
variables of its packages (etc/conda/env_vars.d) and of its own (conda-meta/state), then what its scripts do.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.setup.activation_memory import NEEDED, Changes, named_in, remembered

_UNSET = "***unset***"  # the value of a variable that `conda env config vars unset` took away
_RESERVED = "PATH"  # not a variable that an environment may set itself
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BASE = "base"  # the name of the environment that conda itself is in


@dataclass(frozen=True)
class Activation:
    """What the trainer gets over its surroundings, what it must not get, and what went wrong."""

    variables: Mapping[str, str]
    unset: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def activation(
    prefix: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    cache: Path | None = None,
    patience: float | None = None,
) -> Activation:
    """What activation would make of `environ`. Where this environment is active already, its variables stay as they
    are now: somebody may have changed one since.

    A shell is started only when there are scripts, and once for scripts, packages and variables that stay the same.
    All of them together have `patience` seconds, None for as many as a launch has.
    """
    active = active_prefixes(environ)
    again = bool(active) and _same(active[0], prefix)
    own = _own(prefix, environ, active)
    package, problems = environment_variables(prefix)
    left = {} if again else _left_behind(environ, active)
    leaving = () if again else tuple(each for one in active for each in reversed(scripts_in(one, "deactivate.d")))
    done = _scripts_run(prefix, environ, leaving, {**own, **package}, left, patience, again=again, cache=cache)
    problems = (*problems, *done.problems)
    if again:
        live = {name: environ.get(name, value) for name, value in {**package, **done.changed}.items()}
        return Activation({**live, **own}, (), problems)
    variables = {**own, **package, **done.changed}
    return Activation(variables, tuple(sorted(set(done.gone) - variables.keys())), problems)


def _scripts_run(
    prefix: Path,
    environ: Mapping[str, str],
    leaving: Sequence[Path],
    given: Mapping[str, str],
    left: Mapping[str, str | None],
    patience: float | None,
    *,
    again: bool,
    cache: Path | None,
) -> Changes:
    """What becomes of `environ` when what is active is left and the environment's scripts run with `given`.

    `again`: they ran before. What they set has to stand out then, so they start without whatever they name.
    """
    entering = scripts_in(prefix, "activate.d")
    if not (leaving or entering):
        back = {name: value for name, value in left.items() if value is not None}
        return Changes(back, tuple(left.keys() - back.keys()))
    from launcher.setup.activation_scripts import PATIENCE, Ran, run_scripts, shell  # noqa: PLC0415 - few have scripts

    programs = _programs(prefix, environ)

    def run() -> Changes:
        most = PATIENCE if patience is None else patience
        ends = time.monotonic() + most
        first = run_scripts(leaving, environ, prefix, most, ends) if leaving else Ran(environ)
        start = {**_without(first.environ, left), **given}
        if again:
            start = {name: value for name, value in start.items() if name not in named_in(entering) - NEEDED}
        last = run_scripts(entering, {**programs, **start, **given}, prefix, most, ends)
        before = start if again else environ
        changed = {name: value for name, value in last.environ.items() if {**programs, **before}.get(name) != value}
        gone = tuple(name for name in environ if name not in last.environ)
        return Changes(changed, gone, (*first.problems, *last.problems), first.whole and last.whole)

    scripts = (*leaving, *entering)
    names = named_in(scripts) | left.keys()
    return remembered(
        prefix, run, scripts=scripts, given=given, names=names, environ=environ, shell=shell(environ), cache=cache
    )


def default_name(prefix: Path) -> str:
    """How activation calls an environment: by its name, and by its folder where that is not among named ones."""
    if _is_base(prefix):
        return BASE
    return prefix.name if prefix.parent.name == "envs" else str(prefix)


def active_prefixes(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The environments that are active, the innermost first: several when they are stacked."""
    level = environ.get("CONDA_SHLVL", "").strip()
    if not environ.get("CONDA_PREFIX") or not (level.isdecimal() and int(level) > 0):
        return ()
    found, number = [Path(environ["CONDA_PREFIX"])], min(int(level), 99)
    while f"CONDA_STACKED_{number}" in environ and environ.get(f"CONDA_PREFIX_{number - 1}"):
        number -= 1
        found.append(Path(environ[f"CONDA_PREFIX_{number}"]))
    return tuple(found)


def environment_variables(prefix: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables that the environment's packages and its user gave it, and what cannot be read of them.

    Later files win, the user's own come last. Names are in capitals, as conda and mamba export them.
    """
    try:
        files = sorted((prefix / "etc" / "conda" / "env_vars.d").iterdir())
    except OSError:
        files = []
    state = prefix / "conda-meta" / "state"
    found: dict[str, str] = {}
    problems = []
    for file in (*files, state):
        try:
            data = json.loads(file.read_bytes())
            data = data.get("env_vars", {}) if file is state else data
            items = [(str(name).upper(), value) for name, value in data.items()]
        except FileNotFoundError:
            continue
        except (OSError, ValueError, AttributeError, RecursionError):
            problems.append(f"{file} cannot be read: the variables in it are not set")
            continue
        found |= {name: str(value) for name, value in items if _can_be_set(name, value)}
    return {name: value for name, value in found.items() if value != _UNSET and name != _RESERVED}, tuple(problems)


def _can_be_set(name: str, value: object) -> bool:
    return bool(_NAME.fullmatch(name)) and isinstance(value, str | int | float) and "\0" not in str(value)


def scripts_in(prefix: Path, folder: str) -> tuple[Path, ...]:
    """The scripts for a POSIX shell in PREFIX/etc/conda/FOLDER, in the order in which activation runs them."""
    try:
        return tuple(sorted(each for each in (prefix / "etc" / "conda" / folder).iterdir() if each.suffix == ".sh"))
    except OSError:
        return ()


def _own(prefix: Path, environ: Mapping[str, str], active: Sequence[Path]) -> dict[str, str]:
    name = default_name(prefix)
    gone = {str(each / "bin") for each in (*active, prefix)}
    path = [each for each in environ.get("PATH", os.defpath).split(os.pathsep) if each and each not in gone]
    condabin = _root(prefix, environ) / "condabin"
    if not any(each.endswith("condabin") for each in path) and condabin.is_dir():
        path.insert(0, str(condabin))
    return {
        "PATH": os.pathsep.join([str(prefix / "bin"), *path]),
        "CONDA_PREFIX": str(prefix),
        "CONDA_SHLVL": "1",
        "CONDA_DEFAULT_ENV": name,
        "CONDA_PROMPT_MODIFIER": f"({name}) ",
    }


def _left_behind(environ: Mapping[str, str], active: Sequence[Path]) -> dict[str, str | None]:
    """The variables of what is active, each with what it was before, None for not there."""
    left: dict[str, str | None] = {}
    for number, prefix in enumerate(active):
        level = int(environ["CONDA_SHLVL"]) - 1 - number
        for name in environment_variables(prefix)[0]:
            if name in environ:
                left[name] = environ.get(f"__CONDA_SHLVL_{level}_{name}")
    own = re.compile(r"(CONDA_(PREFIX|STACKED)_|__CONDA_SHLVL_)\d+.*")
    return {**left, **{name: None for name in environ if own.fullmatch(name)}}


def _without(environ: Mapping[str, str], left: Mapping[str, str | None]) -> dict[str, str]:
    every = {**environ, **left}
    return {name: value for name, value in every.items() if value is not None}


def _programs(prefix: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What a shell that conda initialised has besides: scripts may call conda by it."""
    root = _root(prefix, environ)
    exe = root / "bin" / "conda"
    if "CONDA_EXE" in environ or not exe.exists():
        return {}
    return {"CONDA_EXE": str(exe), "CONDA_PYTHON_EXE": str(root / "bin" / "python"), "_CE_M": "", "_CE_CONDA": ""}


def _root(prefix: Path, environ: Mapping[str, str]) -> Path:
    if prefix.parent.name == "envs" and (prefix.parent.parent / "conda-meta").is_dir():
        return prefix.parent.parent
    return Path(environ["CONDA_EXE"]).parent.parent if environ.get("CONDA_EXE") else prefix


def _is_base(prefix: Path) -> bool:
    """conda and mamba have a folder condabin there; micromamba's has named environments and downloads in it."""
    return (prefix / "condabin").is_dir() or ((prefix / "envs").is_dir() and (prefix / "pkgs").is_dir())


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
