"""A checkout of a trainer and its environment in miniature: our own code, in the shape of sd-scripts and its packages.

It is only read and never run. It holds what the checks look at, and no more.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from mini_library import LIBRARY
from mini_packages import PACKAGES
from mini_scripts import SCRIPTS


def lay_out_miniature(root: Path) -> tuple[Path, Path]:
    """Write both below `root`: the checkout's folder and the environment's."""
    checkout, environment = root / "sd-scripts", root / "environment"
    _write(checkout, {**LIBRARY, **SCRIPTS})
    python = environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (environment / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\n", encoding="utf-8")
    _write(environment / "lib" / "python3.10" / "site-packages", PACKAGES)
    return checkout, environment


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for file, content in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
