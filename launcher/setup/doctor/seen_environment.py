"""What is in a training environment, read from its files: versions, what packages ask for, what was compiled for what.

Nothing is imported; only the interpreter is started, for its version.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from launcher.record.environment import package_folders, python_record
from launcher.record.packages import TorchRecord, installed_packages, torch_in
from launcher.trainer.packages import import_roots

_ARCHITECTURES = re.compile(rb"(?:sm|compute)_\d+[a-z]?(?: (?:sm|compute)_\d+[a-z]?)*")
_TORCH_PYTHON = "torch/lib/libtorch_python.so"
_NUMPY, _NUMPY_2 = b"numpy.core._multiarray_umath", b"numpy._core"

T = TypeVar("T")


@dataclass(frozen=True)
class SeenEnvironment:
    """An environment. `version` is the interpreter's, "3.10.13", None when it does not say it: `problem` says why.

    `packages` are versions by the names that indexes compare. `torch` is what torch says of itself, and
    `architectures` are those that it was compiled for: "sm_90", "compute_90".
    """

    python: Path
    version: str | None = None
    problem: str | None = None
    roots: tuple[Path, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    torch: TorchRecord | None = None
    architectures: tuple[str, ...] = ()

    @property
    def minor(self) -> str | None:
        """The interpreter's version as folders and wheels name it: "3.10"."""
        return ".".join(self.version.split(".")[:2]) if self.version else None

    @property
    def prefix(self) -> Path:
        """The folder of the environment."""
        return self.python.parent.parent

    def requires(self, package: str) -> tuple[str, ...]:
        """What an installed package says that it needs, as its metadata writes it; () when nothing is known."""
        return _metadata(package, self.roots, "Requires-Dist")

    def requires_python(self, package: str) -> str | None:
        """The Pythons that an installed package takes."""
        return next(iter(_metadata(package, self.roots, "Requires-Python")), None)

    def file(self, path: str) -> Path | None:
        """A file below the folders that are imported from; of several the first. The name may hold wildcards."""
        for root in self.roots:
            found = next(iter(sorted(root.glob(path))), None)
            if found is not None:
                return found
        return None

    def needs_old_numpy(self, path: str) -> bool:
        """Whether a compiled module was made for numpy 1 alone. What numpy 2 compiles knows both of its names."""
        file = self.file(path)
        return file is not None and bool(_mapped(file, lambda text: text.find(_NUMPY) >= 0 > text.find(_NUMPY_2)))


def see_environment(python: Path, environ: Mapping[str, str]) -> SeenEnvironment:
    """The environment of an interpreter, which need not be there."""
    if not os.access(python, os.X_OK) or python.is_dir():
        return SeenEnvironment(python, problem=_why_not(python))
    record, problem = python_record(python, environ)
    site = package_folders(python, record.version, environ)
    roots = import_roots(site)
    packages, _ = installed_packages(site, roots)
    return SeenEnvironment(
        python,
        record.version,
        problem,
        roots,
        {package.key: package.version for package in packages},
        torch_in(roots),
        _architectures(roots),
    )


def _why_not(python: Path) -> str:
    if python.is_symlink() and not python.exists():
        return f"it is a link to {os.path.realpath(python)}, which is not there"
    return "it cannot be run" if python.exists() else "it is not there"


def _architectures(roots: Iterable[Path]) -> tuple[str, ...]:
    """What torch.cuda.get_arch_list() says: torch/csrc/cuda/Module.cpp keeps the flags of the compiler as a text."""
    for root in roots:
        file = root / _TORCH_PYTHON
        if file.is_file():
            flags = _mapped(file, _ARCHITECTURES.findall)
            longest = max(flags or (), key=len, default=b"").decode()
            return tuple(longest.split()) if " " in longest else ()
    return ()


def _mapped(file: Path, look: Callable[[mmap.mmap], T]) -> T | None:
    try:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return look(text)
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None


def _metadata(package: str, roots: Iterable[Path], header: str) -> tuple[str, ...]:
    from importlib.metadata import Distribution  # noqa: PLC0415 - 40 ms

    for found in Distribution.discover(name=package, path=[str(root) for root in roots]):
        try:
            return tuple(str(value) for value in found.metadata.get_all(header) or ())
        except (OSError, ValueError):
            continue
    return ()
