"""Showing what the trainer prints, as `tee` would: its log is copied to the terminal while it grows."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

from launcher.run.progress import Progress

_EVERY = 0.1  # seconds
_CHUNK = 1 << 16


class EchoScreen:
    """A screen that shows a log from `begin` to `close`, byte for byte, on stdout; announcements go to stderr.

    Its thread ends quietly where nobody reads stdout any more.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._position = 0
        self._in_line = False  # the last thing shown has no end of line: a progress bar
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="echo", daemon=True)

    def begin(self) -> None:
        """Show the log from its beginning: it is this run's by now."""
        with suppress(RuntimeError):  # no thread to be had
            self._thread.start()

    def show_progress(self, progress: Progress) -> None:
        """The trainer's own bar is shown."""

    def announce(self, text: str) -> None:
        with self._lock:
            before = "\n" if self._in_line else ""
            self._in_line = False
            print(f"{before}{text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._thread.is_alive():
            self._stop.set()
            self._thread.join()

    def _work(self) -> None:
        with suppress(OSError):
            while not self._stop.wait(_EVERY):
                self._show()
            self._show()
            if self._in_line:
                _write(b"\n")

    def _show(self) -> None:
        try:
            with self._log.open("rb") as file:
                file.seek(self._position)
                added = file.read(_CHUNK)
                while added:
                    self._position += len(added)
                    with self._lock:
                        _write(added)
                        self._in_line = not added.endswith(b"\n")
                    added = file.read(_CHUNK)
        except FileNotFoundError:
            pass  # removed, as a run without a model is


def _write(content: bytes) -> None:
    while content:
        content = content[os.write(1, content) :]
