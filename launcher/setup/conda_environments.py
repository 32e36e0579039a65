"""conda's environments at a launch: found by their folders alone, without starting conda."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.plan.plan import TrainingEnvironment
from launcher.plan.secrets import names_a_secret, secrets_in
from launcher.setup.activation import BASE, activation

# Where installers put a base environment when nobody says otherwise, in the home folder and outside of it.
HOMES = ("miniforge3", "mambaforge", "miniconda3", "anaconda3", "micromamba", ".local/share/mamba")
_SYSTEM_HOMES = ("/opt/conda", "/opt/miniforge3", "/opt/mambaforge", "/opt/miniconda3", "/opt/anaconda3")


@dataclass(frozen=True)
class CondaEnvironment:
    """An environment. `name` is what `--name` takes, None for one outside the folders of named environments."""

    prefix: Path
    name: str | None = None


def conda_at(
    prefix: Path,
    name: str | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    patience: float | None = None,
) -> TrainingEnvironment:
    """The environment in this folder, with what its activation sets. Whether it is there is not looked at.

    `patience` is that of `activation`.
    """
    found = activation(prefix, environ, patience=patience)
    every = {**environ, **found.variables}
    secrets = {key: value for key, value in found.variables.items() if names_a_secret(key) or secrets_in(value, every)}
    return TrainingEnvironment(
        "conda",
        name or prefix.name,
        prefix / "bin" / "python",
        {key: value for key, value in found.variables.items() if key not in secrets},
        found.unset,
        secrets,
        found.problems,
    )


def activated_again(
    environment: TrainingEnvironment, recorded: Mapping[str, str], environ: Mapping[str, str] = os.environ
) -> TrainingEnvironment:
    """The environment of a recorded run, whose variables are on record, with what is not: what its activation takes
    away, and its secrets. The same where it was not conda's.
    """
    prefix = recorded.get("CONDA_PREFIX")
    if not prefix or Path(prefix) / "bin" != environment.python.parent:
        return environment
    now = conda_at(Path(prefix), environ=environ)
    unset = tuple(name for name in now.unset if name not in recorded)
    return replace(environment, unset=unset, secrets=now.secrets, problems=now.problems)


def conda_environments(
    environ: Mapping[str, str] = os.environ, home: Path | None = None
) -> tuple[CondaEnvironment, ...]:
    """Every environment with a Python that conda, mamba or micromamba would list: those below their base
    environments and in the folders that variables name, and those that they noted. Each once; of two with the same
    name the first one is meant by it.
    """
    folder = Path.home() if home is None else home
    every: dict[Path, CondaEnvironment] = {}
    for found in _by_folders(environ, folder):
        every.setdefault(found.prefix, found)
    for prefix in _noted(folder):
        every.setdefault(prefix, CondaEnvironment(prefix, prefix.name))
    return tuple(every.values())


def homes(environ: Mapping[str, str], home: Path) -> list[Path]:
    """The folders in which a base environment may be, whether they are there or not."""
    roots = [Path(environ[name]) for name in ("MAMBA_ROOT_PREFIX", "CONDA_ROOT") if environ.get(name)]
    roots += [Path(environ[name]).parent.parent for name in ("CONDA_EXE", "MAMBA_EXE") if environ.get(name)]
    roots += [Path(each).parent for each in environ.get("PATH", "").split(os.pathsep) if each.endswith("/condabin")]
    if environ.get("CONDA_PREFIX"):
        active = Path(environ["CONDA_PREFIX"])
        roots.append(active.parent.parent if active.parent.name == "envs" else active)
    if environ.get("XDG_DATA_HOME"):
        roots.append(Path(environ["XDG_DATA_HOME"]) / "mamba")
    roots += [home / name for name in HOMES] + [Path(each) for each in _SYSTEM_HOMES]
    return list(dict.fromkeys(roots))


def _by_folders(environ: Mapping[str, str], home: Path) -> Iterator[CondaEnvironment]:
    roots = homes(environ, home)
    named = [root / "envs" for root in roots]
    for variable in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"):
        named += [Path(each) for each in environ.get(variable, "").split(os.pathsep) if each]
    named.append(home / ".conda" / "envs")
    for folder in dict.fromkeys(named):
        try:
            prefixes = sorted(folder.iterdir())
        except OSError:  # not there, as most of them
            continue
        yield from (CondaEnvironment(prefix, prefix.name) for prefix in prefixes if _has_python(prefix))
    for root in roots:
        if _has_python(root) and os.path.isdir(root / "conda-meta"):  # noqa: PTH112 - Path.is_dir may raise
            yield CondaEnvironment(root, BASE)


def _noted(home: Path) -> Iterator[Path]:
    try:
        lines = (home / ".conda" / "environments.txt").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        if line.strip() and _has_python(Path(line.strip())):
            yield Path(line.strip())


def _has_python(prefix: Path) -> bool:
    return os.path.exists(prefix / "bin" / "python")  # noqa: PTH110 - Path.exists raises for what cannot be looked at
