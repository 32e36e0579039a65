"""Everything that a run has recorded against what is there now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher.record.manifest import Manifest
from launcher.run.check_code import check_code
from launcher.run.check_data import check_dataset, check_inputs
from launcher.run.check_environment import check_environment
from launcher.run.check_files import check_artifacts, check_files, check_sources
from launcher.run.checked import Checked, Say, silent


@dataclass(frozen=True)
class Verified:
    """A run with everything that was checked of it."""

    name: str
    directory: Path
    checks: tuple[Checked, ...]

    @property
    def is_as_recorded(self) -> bool:
        """Whether nothing that was recorded is otherwise, gone or out of reach."""
        return all(each.state.is_as_recorded for each in self.checks)


def verify(name: str, directory: Path, manifest: Manifest, *, quick: bool = False, say: Say = silent) -> Verified:
    """Check a run. With `quick` models, pictures and what training made are known by their sizes alone.

    `say` is told what is read now, again and again.
    """
    return Verified(name, directory, tuple(_checks(directory, manifest, quick=quick, say=say)))


def _checks(directory: Path, manifest: Manifest, *, quick: bool, say: Say) -> Iterator[Checked]:
    yield from check_files(directory, manifest)
    yield from check_sources(directory, manifest)
    yield from check_artifacts(directory, manifest, quick=quick, say=say)
    yield from check_inputs(directory, manifest, quick=quick, say=say)
    yield from check_dataset(directory, manifest, quick=quick, say=say)
    say("code")
    yield from check_code(manifest)
    say("packages")
    yield from check_environment(directory, manifest)
