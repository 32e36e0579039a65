"""A home folder with one of conda, mamba 1, mamba and micromamba in it: a stand-in that answers as they do."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STAND_IN = Path(__file__).parent / "conda_stand_in" / "stand_in.py"
KINDS = ("conda", "mamba1", "mamba", "micromamba")


@dataclass(frozen=True)
class CondaBed:
    """The home, the base environment in it, and the program."""

    kind: str
    home: Path
    root: Path
    program: Path
    calls_file: Path

    def environ(self, **more: str) -> dict[str, str]:
        """The variables of a shell that is not initialised for it."""
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.home), **more}

    def calls(self) -> list[list[str]]:
        """The arguments of every call so far."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [json.loads(line) for line in lines]

    def environment(self, name: str | Path, **parts: Any) -> Path:
        """An environment, by name below the base environment or by its folder. `parts` as in `fill`."""
        prefix = self.root / "envs" / name if isinstance(name, str) else name
        fill(prefix, **parts)
        return prefix


def conda_bed(home: Path, kind: str, *, program: Path | None = None, root: Path | None = None) -> CondaBed:
    """Put the stand-in of this kind into the home, by default where its installer would."""
    usual = home / "micromamba" if kind == "micromamba" else home / "miniforge3"
    base = root or usual
    place = program or (home / ".local" / "bin" / "micromamba" if kind == "micromamba" else base / "bin" / kind[:5])
    calls = home / "calls.txt"
    if kind != "micromamba":
        fill(base)
        (base / "condabin").mkdir()
    (base / "envs").mkdir(parents=True, exist_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    settings = f"STAND_IN_KIND={kind} STAND_IN_PROGRAM='{place}' STAND_IN_ROOT='{base}' STAND_IN_CALLS='{calls}'"
    place.write_text(f"#!/bin/sh\n{settings} exec '{sys.executable}' -I '{STAND_IN}' \"$@\"\n")
    place.chmod(0o755)
    return CondaBed(kind, home, base, place, calls)


def fill(
    prefix: Path,
    *,
    activate: Mapping[str, str] | None = None,
    deactivate: Mapping[str, str] | None = None,
    packages: Mapping[str, object] | None = None,
    own: Mapping[str, object] | None = None,
) -> None:
    """An environment with accelerate: scripts by their file names, the variables of its packages and its own."""
    for folder in ("bin", "conda-meta", "lib/python3.11/site-packages/accelerate"):
        (prefix / folder).mkdir(parents=True, exist_ok=True)
    (prefix / "conda-meta" / "history").touch()
    if not (prefix / "bin" / "python").exists():
        (prefix / "bin" / "python").symlink_to(sys.executable)
    for folder, scripts in (("activate.d", activate), ("deactivate.d", deactivate)):
        for name, text in (scripts or {}).items():
            _write(prefix / "etc" / "conda" / folder / name, text)
    if packages is not None:
        _write(prefix / "etc" / "conda" / "env_vars.d" / "package.json", json.dumps(packages))
    if own is not None:
        _write(prefix / "conda-meta" / "state", json.dumps({"env_vars": own}))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
