"""What there is to see of a running training: its progress, and the artifacts as they appear."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from launcher.run.artifacts import Artifact, ArtifactKind, find_artifacts
from launcher.run.directory import LOG
from launcher.run.follow import LogFollower
from launcher.run.loss import Losses
from launcher.run.progress import Progress, parse_progress
from launcher.run.screen import Screen
from launcher.run.space import Space, size_in_words

SCAN_INTERVAL = 1.0


class Watch:
    """Looks at a run directory again and again; `progress` is the latest, `artifacts` those that were announced.

    `log` is the log's name, `save_bytes` what one save is expected to take. With `stop_on_nan` a loss that is not a
    finite number is a reason to stop, in `wants_stop`, which whoever supervises the training looks at.
    """

    def __init__(
        self,
        directory: Path,
        final: tuple[str, ...],
        screen: Screen,
        clock: Callable[[], float] = time.monotonic,
        log: str = LOG,
        *,
        save_bytes: int | None = None,
        stop_on_nan: bool = False,
    ) -> None:
        self.progress: Progress | None = None
        self.artifacts: tuple[Artifact, ...] = ()
        self.directory = directory
        self._final = final
        self._screen = screen
        self._clock = clock
        self._began = clock()
        self._log = LogFollower(directory / log)
        self._losses = Losses()
        self._space = Space(directory, save_bytes, clock)
        self._stop_on_nan = stop_on_nan
        self._next_scan = 0.0
        self._sizes: dict[Path, int] = {}
        self._announced: set[Path] = set()

    @property
    def seconds(self) -> float:
        """How long this has been watched."""
        return self._clock() - self._began

    @property
    def lowest_loss(self) -> float | None:
        """The lowest that the progress bar has shown."""
        return self._losses.lowest

    @property
    def wants_stop(self) -> str | None:
        """Why the training should be stopped by what was seen so far; None when it should not."""
        return self._losses.broken if self._stop_on_nan else None

    def know(self) -> None:
        """Take what is there as known: an earlier attempt has made it."""
        self._announced |= {artifact.path for artifact in find_artifacts(self.directory, self._final)}

    def look(self) -> bool:
        """Read what is new in the log, and once a second the directory; return whether artifacts were announced."""
        self._read_log()
        now = self._clock()
        if now < self._next_scan:
            return False
        self._next_scan = now + SCAN_INTERVAL
        found = find_artifacts(self.directory, self._final)
        # A file that still grows is not there yet.
        news = [artifact for artifact in found if self._sizes.get(artifact.path) == artifact.size]
        self._sizes = {artifact.path: artifact.size for artifact in found}
        announced = self._announce(news)
        self.artifacts = tuple(artifact for artifact in found if artifact.path in self._announced)
        self._say(self._space.look(found, now=announced))
        return announced

    def look_last(self) -> None:
        """The last look, when nothing grows any more."""
        self._read_log()
        self.artifacts = find_artifacts(self.directory, self._final)
        self._announce(self.artifacts)

    def _read_log(self) -> None:
        latest = None
        for line in (*self._log.read(), self._log.rest):
            seen = parse_progress(line)
            if seen is None:
                continue
            latest = seen
            if seen.loss is not None:
                self._say(self._losses.take(seen.step, seen.loss))
        if latest is not None and latest != self.progress:
            if latest.loss is None and self.progress is not None:  # a bar without its postfix
                latest = replace(latest, loss=self.progress.loss)
            self.progress = latest
            self._screen.show_progress(latest)

    def _say(self, texts: list[str]) -> None:
        for text in texts:
            self._screen.announce(text)

    def _announce(self, artifacts: tuple[Artifact, ...] | list[Artifact]) -> bool:
        new = [artifact for artifact in artifacts if artifact.path not in self._announced]
        for artifact in new:
            self._announced.add(artifact.path)
            self._screen.announce(announcement(artifact, self.directory))
        return bool(new)


def announcement(artifact: Artifact, directory: Path) -> str:
    """One line about a new artifact: "saved checkpoint fox-v1s2400-step00000500.safetensors (24.3 MB)"."""
    verb = "drew" if artifact.kind is ArtifactKind.SAMPLE else "saved"
    return f"{verb} {artifact.kind.value} {artifact.path.relative_to(directory)} ({size_in_words(artifact.size)})"
