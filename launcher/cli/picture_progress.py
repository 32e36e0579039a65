"""A progress bar for looking at many pictures: only on a terminal, and only when it takes a while."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE = 1.0  # seconds without a bar


@contextmanager
def picture_progress() -> Iterator[Callable[[int, int], None]]:
    """Give the function that is to be told how many pictures of how many were looked at."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    bar = _Bar()
    try:
        yield bar.show
    finally:
        bar.close()


class _Bar:
    def __init__(self) -> None:
        self._started = time.monotonic()
        self._close: Callable[[], None] | None = None
        self._update: Callable[[int, int], None] | None = None

    def show(self, done: int, total: int) -> None:
        if self._update is None:
            if time.monotonic() - self._started < _PATIENCE:
                return
            self._open(total)
        if self._update is not None:
            self._update(done, total)

    def close(self) -> None:
        if self._close is not None:
            self._close()

    def _open(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import Progress

        progress = Progress(console=Console(stderr=True), transient=True)
        task = progress.add_task("Looking at pictures", total=total)
        progress.start()
        self._close = progress.stop
        self._update = lambda done, total: progress.update(task, completed=done, total=total)
