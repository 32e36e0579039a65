"""The environment of a training, environment.json: interpreter, packages, GPUs, machine, variables."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from launcher.base.programs import ask
from launcher.plan.secrets import secrets_in
from launcher.record.machine import GpuRecord, gpus_here, host, memory, processor, system
from launcher.record.packages import PackageRecord, TorchRecord, installed_packages, torch_in
from launcher.record.variables import recorded_variables
from launcher.trainer.packages import import_roots, site_packages, stands_alone

ENVIRONMENT = "environment.json"
VERSION = 1
_PATIENCE = 5.0  # seconds that an interpreter may take to say its version
_QUESTION = "import platform; print(platform.python_version(), platform.python_implementation())"


class EnvironmentFileError(ValueError):
    """The file is no record of an environment, or is damaged."""


@dataclass(frozen=True)
class PythonRecord:
    """The interpreter that trains: the command, its full version ("3.10.13") and whose it is ("CPython")."""

    executable: str = ""
    version: str | None = None
    implementation: str | None = None


@dataclass(frozen=True)
class EnvironmentRecord:
    """What a run trained in and on. `memory` in bytes, `processors` as the system counts them.

    `cuda_of_driver` is the newest CUDA that the driver knows; what torch was built for is torch's. `conda` holds
    "NAME-VERSION-BUILD" of everything conda installed, libraries too. `variables` are those of a short list.
    """

    python: PythonRecord = PythonRecord()
    packages: tuple[PackageRecord, ...] = ()
    torch: TorchRecord | None = None
    conda: tuple[str, ...] = ()
    gpus: tuple[GpuRecord, ...] = ()
    driver: str | None = None
    cuda_of_driver: str | None = None
    host: str | None = None
    system: str | None = None
    processor: str | None = None
    processors: int | None = None
    memory: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


def read_environment(python: Path, set_variables: Mapping[str, str]) -> tuple[EnvironmentRecord, tuple[str, ...]]:
    """The environment of this interpreter on this machine now, and what could not be recorded.

    `set_variables` are those that the training gets besides this process's own. Packages are read from the disk; only
    the interpreter, for its version, and nvidia-smi are started.
    """
    environ = {**os.environ, **set_variables}
    interpreter, problem = python_record(python, environ)
    site = package_folders(python, interpreter.version, environ)
    roots = import_roots(site)
    found, unread = installed_packages(site, roots)
    packages = tuple(_without_secret(each, environ) for each in found)
    secret = (
        f"where {old.name} came from: it holds a secret" for old, new in zip(found, packages, strict=True) if old != new
    )
    gpus = gpus_here()
    variables, left_out = recorded_variables(environ)
    record = EnvironmentRecord(
        python=interpreter,
        packages=packages,
        torch=torch_in(roots),
        conda=_conda(python),
        gpus=gpus.gpus,
        driver=gpus.driver,
        cuda_of_driver=gpus.cuda,
        host=host(),
        system=system(),
        processor=processor(),
        processors=os.cpu_count(),
        memory=memory(),
        variables=variables,
    )
    none = None if packages else f"packages: none were found beside {python}"
    return record, tuple(filter(None, (problem, none, *unread, *secret, gpus.problem, *left_out)))


def python_record(python: Path, environ: Mapping[str, str]) -> tuple[PythonRecord, str | None]:
    """What an interpreter says of itself, and why it says nothing. Of its packages it loads none."""
    try:
        said = ask((str(python), "-I", "-S", "-c", _QUESTION), _PATIENCE, environ)
        version, implementation = said.split()[-2:]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        said = " ".join(str(getattr(error, "stderr", None) or error).split())[-200:]
        return PythonRecord(str(python)), f"the version of {python}: {said}"
    return PythonRecord(str(python), version, implementation), None


def environment_bytes(record: EnvironmentRecord) -> bytes:
    """The record as it stands in environment.json."""
    data = {"environment_version": VERSION, **asdict(record)}
    try:
        return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # a path that is not UTF-8: escaped, it reads back as it was
        return (json.dumps(data, indent=2) + "\n").encode()


def read_environment_file(path: Path) -> EnvironmentRecord:
    """Read environment.json, or that of a run directory. What is unknown or of another type is passed over.

    Raises OSError when there is none, EnvironmentFileError when it is damaged.
    """
    file = path / ENVIRONMENT if path.is_dir() else path
    if not file.is_file():  # a pipe would be waited for
        raise FileNotFoundError(errno.ENOENT, "No such file", str(file))
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise EnvironmentFileError(f"{file} is no record of an environment: {error}") from None
    if not isinstance(data, dict) or "environment_version" not in data:
        raise EnvironmentFileError(f"{file} is no record of an environment")
    torch = data.get("torch")
    variables = data.get("variables")
    conda = data.get("conda")
    return EnvironmentRecord(
        **_values(EnvironmentRecord, data),
        python=PythonRecord(**_values(PythonRecord, data.get("python"))),
        packages=tuple(map(_package, _list(data.get("packages")))),
        torch=TorchRecord(**_values(TorchRecord, torch)) if isinstance(torch, dict) else None,
        conda=tuple(filter(_is_text, _list(conda))),
        gpus=tuple(GpuRecord(**_values(GpuRecord, each)) for each in _list(data.get("gpus"))),
        variables={name: text for name, text in variables.items() if _is_text(text)}
        if isinstance(variables, dict)
        else {},
    )


def recorded_environment(directory: Path) -> EnvironmentRecord | None:
    """The environment that a run recorded; None when there is no such record, or it is damaged."""
    try:
        return read_environment_file(directory)
    except (OSError, EnvironmentFileError):
        return None


_WHOLE_NUMBERS = ("memory", "processors")
_OTHER = ("python", "packages", "torch", "conda", "gpus", "variables", "changed")  # neither text nor a number


def _values(kind: Any, data: object) -> dict[str, Any]:
    """The texts and numbers of a record; of another type they have their defaults."""
    known: dict[str, Any] = {}
    for each in fields(kind):
        value = data.get(each.name) if isinstance(data, dict) and each.name not in _OTHER else None
        right = type(value) is int if each.name in _WHOLE_NUMBERS else isinstance(value, str)
        if right:
            known[each.name] = value
    return known


def _package(data: object) -> PackageRecord:
    changed = data.get("changed") if isinstance(data, dict) else None
    return PackageRecord(**_values(PackageRecord, data), changed=tuple(filter(_is_text, _list(changed))))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def package_folders(python: Path, version: str | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders of packages in the order in which the interpreter looks at them (site.py)."""
    named = [Path(entry) for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    own: list[Path] = []
    if version and not environ.get("PYTHONNOUSERSITE") and not stands_alone(python):
        base = environ.get("PYTHONUSERBASE") or Path("~/.local").expanduser()
        own = [Path(base, "lib", f"python{'.'.join(version.split('.')[:2])}", "site-packages")]
    return tuple(dict.fromkeys((*named, *own, *site_packages(python))))


def _without_secret(package: PackageRecord, environ: Mapping[str, str]) -> PackageRecord:
    return replace(package, source=None) if package.source and secrets_in(package.source, environ) else package


def _conda(python: Path) -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in python.parent.parent.glob("conda-meta/*.json")))
