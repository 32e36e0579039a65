"""The environment that trains: conda, venv or a plain interpreter, found without starting it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.nearest import nearest
from launcher.base.settings import Setting
from launcher.plan.plan import TrainingEnvironment
from launcher.plan.tables import EnvTable, OwnTables, base_folder
from launcher.setup.conda_environments import conda_at, conda_environments
from launcher.spec.paths import expand
from launcher.trainer.packages import site_packages


def find_environment(
    tables: OwnTables, environ: Mapping[str, str] = os.environ, *, as_it_is: bool = False
) -> TrainingEnvironment:
    """The environment `[env]` names; without it the active one that has accelerate, then kl's own.

    Raises KlError (environment not ready) when it is not there or has no accelerate; `as_it_is` takes it all the same,
    and the active one before others.
    """
    env = tables.env
    if env.kind is None and env.name is None and env.path is None:
        return _unnamed(environ, as_it_is=as_it_is)
    where = tables.where("env.kind") or tables.where("env.path") or tables.where("env.name")
    kind = env.kind or _kind_by_look(env, tables)
    if kind == "conda":
        found = _conda(env, tables, environ, where)
    else:
        if env.path is None:
            raise _not_ready(f'[env] kind = "{kind}" needs a path.', where, 'path = "…"')
        path = _path(env.path, tables.origins.get("env.path"))
        found = _interpreter(path) if kind == "python" else _venv(path)
    if as_it_is:
        return found
    if not os.access(found.python, os.X_OK) or os.path.isdir(found.python):  # noqa: PTH112
        raise _not_ready(f"{found.python} is not there or cannot be run.", where, "Correct [env], or make it.")
    if accelerate_folder(found.python) is None:
        raise _no_accelerate(found, where)
    return found


def accelerate_folder(python: Path) -> Path | None:
    """The folder `accelerate` among the packages of this interpreter, or None. Nothing is started or imported."""
    return next((site / "accelerate" for site in site_packages(python) if (site / "accelerate").is_dir()), None)


def _unnamed(environ: Mapping[str, str], *, as_it_is: bool) -> TrainingEnvironment:
    candidates = []
    if environ.get("VIRTUAL_ENV"):
        candidates.append(_venv(Path(environ["VIRTUAL_ENV"])))
    if environ.get("CONDA_PREFIX"):
        candidates.append(conda_at(Path(environ["CONDA_PREFIX"]), environ=environ))
    candidates.append(_interpreter(Path(sys.executable)))
    for candidate in candidates:
        if os.access(candidate.python, os.X_OK) and accelerate_folder(candidate.python):
            return candidate
    if as_it_is and len(candidates) > 1:
        return candidates[0]
    raise _not_ready(
        "No training environment is named, and the active one has no accelerate.",
        None,
        'Name yours: [env] kind = "venv", path = "…", or kind = "conda", name = "…".',
    )


def _kind_by_look(env: EnvTable, tables: OwnTables) -> str:
    """What a path is when `[env]` does not say: an interpreter, a conda environment, else a venv."""
    if env.path is None:
        return "conda"
    path = _path(env.path, tables.origins.get("env.path"))
    if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for what cannot be looked at
        return "python"
    return "conda" if os.path.isdir(path / "conda-meta") else "venv"  # noqa: PTH112


def _venv(path: Path) -> TrainingEnvironment:
    folder = path / "bin"
    variables = {"VIRTUAL_ENV": str(path), "PATH": _path_with(folder)}
    return TrainingEnvironment("venv", str(path), folder / "python", variables)


def _interpreter(path: Path) -> TrainingEnvironment:
    # os.path.isdir: Path.is_dir raises for what cannot be looked at.
    python = path / "bin" / "python" if os.path.isdir(path) else path  # noqa: PTH112
    return TrainingEnvironment("python", str(python), python, {"PATH": _path_with(python.parent)})


def _conda(env: EnvTable, tables: OwnTables, environ: Mapping[str, str], where: str | None) -> TrainingEnvironment:
    if env.path:
        return conda_at(_path(env.path, tables.origins.get("env.path")), environ=environ)
    if env.name is None:
        raise _not_ready('[env] kind = "conda" needs a name or a path.', where, 'name = "…"')
    known = {each.name: each.prefix for each in reversed(conda_environments(environ)) if each.name}
    if env.name in known:
        return conda_at(known[env.name], env.name, environ)
    near = nearest(env.name, known)
    there = f"There are: {', '.join(sorted(known))}." if known else "No conda environments were found."
    hint = f"Did you mean {near}? {there}" if near else there
    raise _not_ready(f"There is no conda environment {env.name}.", where, hint)


def _path(text: str, setting: Setting | None) -> Path:
    return Path(expand(text, base_folder(setting), origin=setting.origin if setting else None))


def _path_with(folder: Path) -> str:
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PATH")])])


def _no_accelerate(environment: TrainingEnvironment, where: str | None) -> KlError:
    return _not_ready(
        f"The {environment.kind} environment {environment.label} has no accelerate.",
        where,
        f"{environment.python} -m pip install accelerate",
    )


def _not_ready(message: str, where: str | None, hint: str) -> KlError:
    return KlError(message, code=ExitCode.ENVIRONMENT_NOT_READY, where=where, hint=hint)
