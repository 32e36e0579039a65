"""The environment that trains: conda, venv or a plain interpreter, found without starting it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.findings import Finding
from launcher.base.nearest import nearest
from launcher.base.words import some_of
from launcher.plan.codes import NAMED_TWICE
from launcher.plan.plan import TrainingEnvironment
from launcher.plan.tables import OwnTables, written_path
from launcher.setup.conda import conda_program, environments
from launcher.setup.conda_environments import conda_at, conda_environments
from launcher.setup.user_config import NamedEnvironment
from launcher.trainer.packages import site_packages

_BESIDE = ("venv", ".venv")  # where people make the environment of a checkout, in it
_CONDA_ANSWERS = 10.0  # seconds
_MOST = 12  # names in one message


@dataclass(frozen=True)
class Known:
    """What environments are looked for among: those of the user's configuration, and the checkout's folder.

    `patience` is what scripts of their activation have, in seconds; None for as long as a launch gives them.
    """

    configured: Mapping[str, NamedEnvironment]
    checkout: Path | None = None
    patience: float | None = None


NOTHING_KNOWN = Known({})


def find_environment(
    tables: OwnTables,
    environ: Mapping[str, str] = os.environ,
    known: Known = NOTHING_KNOWN,
    *,
    as_it_is: bool = False,
) -> TrainingEnvironment:
    """The environment `[env]` names; without it the only one configured, else the active one that has accelerate, then
    kl's own. A name is that of a configured one, else of one of conda's.

    Raises KlError (environment not ready) when it is not there or has no accelerate; `as_it_is` takes it all the same,
    and the active one before others.
    """
    env = tables.env
    where = tables.where("env.kind") or tables.where("env.path") or tables.where("env.name")
    if env.kind is None and env.name is None and env.path is None:
        if len(known.configured) != 1:
            return _active(environ, known, as_it_is=as_it_is)
        ((name, only),) = known.configured.items()
        found = replace(_configured(name, only, environ, known), chosen="the only one that is configured")
        where = only.where
    elif env.path is not None:
        found = _at(env.kind, written_path(tables.origins["env.path"]), environ, known)
    elif env.name is None:
        needs = "a name or a path" if env.kind == "conda" else "a path"
        raise _not_ready(f'[env] kind = "{env.kind}" needs {needs}.', where, 'path = "…"')
    elif _means_configured(env.name, env.kind, known):
        found, where = _configured(env.name, known.configured[env.name], environ, known), tables.where("env.name")
    else:
        found = _conda(env.name, environ, known, tables.where("env.name"), only_conda=env.kind == "conda")
    if as_it_is:
        return found
    if not os.access(found.python, os.X_OK) or os.path.isdir(found.python):  # noqa: PTH112
        hint = " ".join(["Correct it, or make it: kl setup.", *_there(_conda_names(environ), known)])
        raise _not_ready(f"{found.python} is not there or cannot be run.", where, hint)
    if accelerate_folder(found.python) is None:
        raise _no_accelerate(found, where)
    return found


def names_of_two(tables: OwnTables, environ: Mapping[str, str], known: Known) -> Iterator[Finding]:
    """What to say when `[env]` names a configured environment, and conda has another one of that name."""
    name, kind = tables.env.name, tables.env.kind
    if name is None or not _means_configured(name, kind, known):
        return
    configured = known.configured[name]
    if configured.path is None or name not in (others := _conda_names(environ)):
        return
    path, other = written_path(configured.path), others[name]
    if os.path.realpath(path) != os.path.realpath(other):
        message = f"{name} is {path}, the environment of that name in {configured.where}, and not conda's {other}."
        yield NAMED_TWICE.at(tables.where("env.name"), message, f'For conda\'s write path = "{other}".')


def accelerate_folder(python: Path) -> Path | None:
    """The folder `accelerate` among the packages of this interpreter, or None. Nothing is started or imported."""
    return next((site / "accelerate" for site in site_packages(python) if (site / "accelerate").is_dir()), None)


def is_trained_in(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether an active environment has accelerate."""
    return any(_trains(prefix / "bin" / "python") for prefix, _ in _active_ones(environ))


def _means_configured(name: str, kind: str | None, known: Known) -> bool:
    return name in known.configured and (kind is None or known.configured[name].kind in (None, kind))


def _active(environ: Mapping[str, str], known: Known, *, as_it_is: bool) -> TrainingEnvironment:
    active = _active_ones(environ)
    for prefix, kind in active:
        if _trains(prefix / "bin" / "python"):
            return replace(_at(kind, prefix, environ, known), chosen="active")
    own = _interpreter(Path(sys.executable), environ)
    if _trains(own.python):
        return replace(own, chosen="where kl itself is")
    if as_it_is and active:
        return _at(active[0][1], active[0][0], environ, known)
    names = 'Name yours: [env] kind = "venv", path = "…", or kind = "conda", name = "…". Or make one: kl setup.'
    what = "the active one has no accelerate" if active else "none is active"
    message = f"No training environment is named, and {what}."
    raise _not_ready(message, None, " ".join([names, *_there(_conda_names(environ), known)]))


def _active_ones(environ: Mapping[str, str]) -> list[tuple[Path, str]]:
    variables = (("VIRTUAL_ENV", "venv"), ("CONDA_PREFIX", "conda"))
    return [(Path(environ[variable]), kind) for variable, kind in variables if environ.get(variable)]


def _trains(python: Path) -> bool:
    return os.access(python, os.X_OK) and accelerate_folder(python) is not None


def _configured(
    name: str, configured: NamedEnvironment, environ: Mapping[str, str], known: Known
) -> TrainingEnvironment:
    if configured.path is not None:
        return _at(configured.kind, written_path(configured.path), environ, known)
    wanted = configured.conda or name
    return _conda(wanted, environ, known, configured.where, only_conda=True)


def _conda(
    name: str, environ: Mapping[str, str], known: Known, where: str | None, *, only_conda: bool
) -> TrainingEnvironment:
    names = _conda_names(environ)
    if name not in names and known.patience is None:
        names = {**_conda_lists(environ), **names}
    if name in names:
        return conda_at(names[name], name, environ, patience=known.patience)
    near = nearest(name, names if only_conda else {**known.configured, **names})
    there = [*_there(names, known)] or ["No environments were found."]
    hint = " ".join([f"Did you mean {near}?", *there] if near else there)
    what = "conda environment" if only_conda else "environment"
    raise _not_ready(f"There is no {what} {name}.", where, hint)


def _conda_names(environ: Mapping[str, str]) -> dict[str, Path]:
    return {each.name: each.prefix for each in reversed(conda_environments(environ)) if each.name}


def _conda_lists(environ: Mapping[str, str]) -> dict[str, Path]:
    """What conda itself lists: its .condarc may name folders that only it knows. Asked for a name that is in none."""
    program = conda_program(environ)
    if program is None:
        return {}
    try:
        found = environments(program, environ, patience=_CONDA_ANSWERS)
    except KlError:  # that there is no such environment is said then
        return {}
    return {each.name or each.prefix.name: each.prefix for each in reversed(found)}


def _there(conda: Iterable[str], known: Known) -> Iterator[str]:
    """The environments that could have been meant, in one sentence."""
    names = [f"{name} (configured)" for name in sorted(known.configured)]
    names += [f"{name} (conda)" for name in sorted(conda) if name not in known.configured]
    if known.checkout is not None:
        beside = [known.checkout / name for name in _BESIDE]
        names += [str(path) for path in beside if os.access(path / "bin" / "python", os.X_OK)]
    if names:
        yield f"There are: {some_of(names, _MOST)}."


def _at(kind: str | None, path: Path, environ: Mapping[str, str], known: Known) -> TrainingEnvironment:
    """The environment at a path: without a kind an interpreter, a conda environment, or else a venv, by its looks."""
    if kind is None:
        is_file = os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises for what cannot be looked at
        is_conda = os.path.isdir(path / "conda-meta")  # noqa: PTH112
        kind = "python" if is_file else "conda" if is_conda else "venv"
    if kind == "conda":
        return conda_at(path, environ=environ, patience=known.patience)
    return _interpreter(path, environ) if kind == "python" else _venv(path, environ)


def _venv(path: Path, environ: Mapping[str, str]) -> TrainingEnvironment:
    folder = path / "bin"
    variables = {"VIRTUAL_ENV": str(path), "PATH": _path_with(folder, environ)}
    # Its own activation takes it away too: with it Python would look for its library elsewhere.
    unset = ("PYTHONHOME",) if "PYTHONHOME" in environ else ()
    return TrainingEnvironment("venv", str(path), folder / "python", variables, unset)


def _interpreter(path: Path, environ: Mapping[str, str]) -> TrainingEnvironment:
    # os.path.isdir: Path.is_dir raises for what cannot be looked at.
    python = path / "bin" / "python" if os.path.isdir(path) else path  # noqa: PTH112
    return TrainingEnvironment("python", str(python), python, {"PATH": _path_with(python.parent, environ)})


def _path_with(folder: Path, environ: Mapping[str, str]) -> str:
    """PATH with the environment's programs before all others, those of a venv that is active left out."""
    active = environ.get("VIRTUAL_ENV")
    gone = {str(folder), *([str(Path(active) / "bin")] if active else [])}
    path = [each for each in environ.get("PATH", os.defpath).split(os.pathsep) if each and each not in gone]
    return os.pathsep.join([str(folder), *path])


def _no_accelerate(environment: TrainingEnvironment, where: str | None) -> KlError:
    return _not_ready(
        f"The {environment.kind} environment {environment.label} has no accelerate.",
        where,
        f"{environment.python} -m pip install accelerate",
    )


def _not_ready(message: str, where: str | None, hint: str) -> KlError:
    return KlError(message, code=ExitCode.ENVIRONMENT_NOT_READY, where=where, hint=hint)
