"""One side of a comparison: a run as it was recorded, or what a spec would train now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.record.dataset import DatasetListing
from launcher.record.environment import EnvironmentRecord
from launcher.record.manifest import InputRecord, Manifest

COPY = "the run's copy"  # of what an option names a file of the run directory
DATASET_PATHS = ("train_data_dir", "reg_data_dir", "in_json")  # options that name pictures, and nothing else


@dataclass(frozen=True)
class Side:
    """What is compared. `files` holds what the trainer read from the run directory, by name.

    `directory` is where the run lies now, which may be another place than the one it was trained in. `outcome` and
    `seconds` are None for a run that is only planned.
    """

    name: str
    directory: Path
    manifest: Manifest
    files: Mapping[str, bytes]
    dataset: DatasetListing | None = None
    environment: EnvironmentRecord | None = None
    outcome: str | None = None
    seconds: float | None = None
    planned: bool = False

    @property
    def before(self) -> str | None:
        """The run directory by the name that the trainer had for it."""
        return trained_in(self.manifest)


def trained_in(manifest: Manifest) -> str | None:
    """The run directory in which a run was trained, as its command names it; it may have been moved since."""
    found = next((each.value for each in manifest.options if each.name == "output_dir"), None)
    return found.rstrip("/") if isinstance(found, str) and found.startswith("/") else None


def place_now(path: str, manifest: Manifest, directory: Path) -> Path:
    """Where a recorded path is now: what lay in the run directory has moved with it."""
    inside = _inside(path, trained_in(manifest))
    return Path(path) if inside is None else directory / inside


def place_free(text: str, side: Side) -> Any:
    """A text without what says only where something lies: a path in the run directory is told from there."""
    for folder in (side.before, str(side.directory)):
        inside = _inside(text, folder)
        if inside is not None:
            return COPY if inside in {file.name for file in side.manifest.files} else f"RUN/{inside}"
    return text


def known_inputs(side: Side) -> dict[str, InputRecord]:
    """The inputs of which the content is known, by the path or name that the options have for them."""
    return {each.path: each for each in side.manifest.inputs if each.sha256 or each.revision}


def _inside(path: str, folder: str | None) -> str | None:
    if not folder or not path.startswith(folder):
        return None
    rest = path[len(folder) :]
    return rest.lstrip("/") if rest == "" or rest.startswith("/") else None
