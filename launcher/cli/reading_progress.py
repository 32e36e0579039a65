"""What is being read while it takes a while: a line on a terminal that goes away again."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE = 0.5  # seconds without a line


@contextmanager
def reading_progress() -> Iterator[Callable[[str], None]]:
    """Give the function that is to be told what is read now, as often as it likes."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    line = _Line()
    try:
        yield line.show
    finally:
        line.close()


class _Line:
    def __init__(self) -> None:
        self._started = time.monotonic()
        self._update: Callable[[str], None] | None = None
        self._close: Callable[[], None] | None = None

    def show(self, text: str) -> None:
        if self._update is None:
            if time.monotonic() - self._started < _PATIENCE:
                return
            self._open()
        if self._update is not None:
            self._update(text)

    def close(self) -> None:
        if self._close is not None:
            self._close()

    def _open(self) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.status import Status

        status = Status("", console=Console(stderr=True))
        status.start()
        self._close = status.stop
        self._update = lambda text: status.update(f"Reading {escape(text)}")
