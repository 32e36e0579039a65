"""Which of a checkout's modules are imported when a training starts, by its source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_FOLDERS = ("", "library", "networks")  # what training scripts import from (sd-scripts keeps tools elsewhere)
_IMPORT = re.compile(rb"^(?:import|from)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
# Packages whose module is named otherwise.
_MODULES = {
    "opencv-python": "cv2", "opencv-python-headless": "cv2", "pillow": "PIL", "pyyaml": "yaml",
    "prodigy-plus-schedule-free": "prodigyplus", "open-clip-torch": "open_clip", "lycoris-lora": "lycoris",
    "scikit-learn": "sklearn", "protobuf": "google",
}  # fmt: skip


def imported_at_once(checkout: Path) -> frozenset[str]:
    """The modules that any file of the trainer imports at its top level."""
    found: set[str] = set()
    for file in _sources(checkout):
        try:
            found.update(name.decode() for name in _IMPORT.findall(file.read_bytes()))
        except OSError:
            continue
    return frozenset(found)


def module_of(package: str) -> str:
    """The module of a package, by the name that indexes compare."""
    return _MODULES.get(package, package.replace("-", "_"))


def _sources(checkout: Path) -> Iterator[Path]:
    for name in _FOLDERS:
        yield from sorted((checkout / name).glob("*.py"))
