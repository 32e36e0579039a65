"""What is being read while it takes a while: a line on a terminal that goes away again."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.status import Status

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
    """Comes up by itself: reading one large file says nothing more until it is done."""

    def __init__(self) -> None:
        self._text = ""
        self._status: Status | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(_PATIENCE, self._open)
        self._timer.daemon = True
        self._timer.start()

    def show(self, text: str) -> None:
        with self._lock:
            self._text = text
            if self._status is not None:
                self._status.update(_said(text))

    def close(self) -> None:
        self._timer.cancel()
        self._timer.join()
        if self._status is not None:
            self._status.stop()

    def _open(self) -> None:
        from rich.console import Console
        from rich.status import Status

        with self._lock:
            self._status = Status(_said(self._text), console=Console(stderr=True))
            self._status.start()


def _said(text: str) -> str:
    from rich.markup import escape

    return escape(f"Reading {text if text.isprintable() else repr(text)}")
