"""Whether the next save still fits on the disk: said before the trainer finds out in the middle of writing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from launcher.run.artifacts import Artifact, ArtifactKind

INTERVAL = 30.0  # seconds between two looks at the disk
_ENOUGH = 1.1  # logs, samples and the trainer's partial files come on top
_RECOVERED = 1.3  # of what is needed: room that comes and goes around the limit is said once


class Space:
    """Looks at the room that a run directory's disk has left. `estimate` is what one save was planned to take."""

    def __init__(
        self,
        directory: Path,
        estimate: int | None,
        clock: Callable[[], float] = time.monotonic,
        free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self._directory = directory
        self._estimate = estimate
        self._clock = clock
        self._free = free
        self._next = clock()
        self._said = False
        self._earlier: set[Path] | None = None  # final models of attempts before this one

    def look(self, artifacts: Sequence[Artifact], *, now: bool = False) -> list[str]:
        """What is to be said with these artifacts there. Looks every INTERVAL seconds; `now`, when a save appeared."""
        finals = {artifact.path for artifact in artifacts if artifact.kind is ArtifactKind.MODEL}
        if self._earlier is None:
            self._earlier = finals
        at = self._clock()
        if finals - self._earlier or (at < self._next and not now):  # after the final model comes nothing
            return []
        self._next = at + INTERVAL
        needed = next_save(artifacts, self._estimate)
        if needed is None:
            return []
        try:
            free = self._free(self._directory)
        except OSError:
            return []
        if free >= needed * _RECOVERED:
            self._said = False
        if self._said or free >= needed * _ENOUGH:
            return []
        self._said = True
        return [
            f"the disk is nearly full: the next save needs some {size_in_words(needed)}, and "
            f"{size_in_words(free)} are free where {self._directory} lies. Make room before it is written"
        ]


def next_save(artifacts: Iterable[Artifact], estimate: int | None) -> int | None:
    """The bytes that the next save takes: as many as the largest so far with the largest state, else as estimated.

    None where neither is known. That an old save goes does not help: it goes after the new one was written
    (library/train_util.py, save_and_remove_state_stepwise; train_network.py, remove_model).
    """
    largest: dict[ArtifactKind, int] = {}
    for artifact in artifacts:
        largest[artifact.kind] = max(largest.get(artifact.kind, 0), artifact.size)
    model = max(largest.get(ArtifactKind.CHECKPOINT, 0), largest.get(ArtifactKind.MODEL, 0))
    return model + largest.get(ArtifactKind.STATE, 0) if model else estimate


def size_in_words(number: int) -> str:
    """Bytes as people read them, in steps of a thousand: "24.3 MB"."""
    size = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
