"""What a person sees while a training runs. It all goes to stderr: results go to stdout."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TextIO

from launcher.run.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from launcher.run.kl_log import KlLog

PLAIN_INTERVAL = 60.0  # seconds between two progress lines where there is no terminal


class Screen(Protocol):
    """Where progress and announcements go."""

    def show_progress(self, progress: Progress) -> None:
        """Show how far the training is."""

    def announce(self, text: str) -> None:
        """Say something that stays on the screen."""

    def close(self) -> None:
        """Leave the screen as it was, announcements kept."""


class NullScreen:
    """No screen: the terminal is gone, or nobody wants to see anything."""

    def show_progress(self, progress: Progress) -> None:
        pass

    def announce(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class PlainScreen:
    """Plain lines, for logs and pipes: announcements at once, progress about once a minute."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._next = 0.0
        self._waiting: Progress | None = None

    def show_progress(self, progress: Progress) -> None:
        now = self._clock()
        self._waiting = progress
        if now >= self._next:
            self._next = now + PLAIN_INTERVAL
            self._print_waiting()

    def announce(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def close(self) -> None:
        self._print_waiting()  # the last step is worth a line

    def _print_waiting(self) -> None:
        if self._waiting is not None:
            self.announce(progress_line(self._waiting))
            self._waiting = None


class LiveScreen:
    """One live line at the bottom of a terminal, announcements above it. `aside` gives what stands at its end."""

    def __init__(self, console: Console | None = None, aside: Callable[[], str] = str) -> None:
        self._console = console
        self._aside = aside
        self._live: Live | None = None

    def show_progress(self, progress: Progress) -> None:
        from rich.text import Text  # noqa: PLC0415 - rich loads when there is something to show, not before

        self._started().update(Text(_bar(progress, self._aside()), no_wrap=True, overflow="ellipsis"), refresh=True)

    def announce(self, text: str) -> None:
        self._started().console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def _started(self) -> Live:
        if self._live is None:
            from rich.console import Console  # noqa: PLC0415
            from rich.live import Live  # noqa: PLC0415

            console = Console(stderr=True) if self._console is None else self._console
            # Drawn when there is news: no thread of its own, which would write to a terminal that may be gone.
            self._live = Live(
                console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            self._live.start()
        return self._live


def open_screen(*, plain: bool, aside: Callable[[], str] = str) -> Screen:
    """A live line on a terminal that can draw one and unless `plain` is wanted, else plain lines."""
    live = not plain and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return LiveScreen(aside=aside) if live else PlainScreen()


class SafeScreen:
    """Another screen that goes silent when its terminal or pipe is gone: no training stops for that.

    Once a run has a log for it, what is announced is kept there, whatever becomes of the screen.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._log: KlLog | None = None

    def keep_in(self, log: KlLog) -> None:
        """Keep what is announced from now on."""
        self._log = log

    def note(self, text: str) -> None:
        """Keep a text that is not for the screen."""
        if self._log is not None:
            self._log.write(text)

    def show_progress(self, progress: Progress) -> None:
        self._do(lambda: self._screen.show_progress(progress))

    def announce(self, text: str) -> None:
        self.note(text)
        self._do(lambda: self._screen.announce(text))

    def close(self) -> None:
        self._do(self._screen.close)

    def go_silent(self) -> None:
        """Write nothing from now on."""
        self._screen = NullScreen()

    def _do(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (OSError, ValueError):  # EIO, EPIPE, or a closed file
            self.go_silent()


def progress_line(progress: Progress) -> str:
    """A reading of the progress bar in words: "step 120/2400, loss 0.0931, 1.4 s/step, 53:12 left"."""
    parts = [f"step {progress.step}/{progress.total}"]
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.4g}")
    if progress.speed:
        slow = progress.speed < 1
        parts.append(f"{1 / progress.speed:.3g} s/step" if slow else f"{progress.speed:.3g} steps/s")
    if progress.left is not None:
        parts.append(f"{duration(progress.left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """A length of time as a clock shows it: "0:07", "53:12", "2:03:40"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bar(progress: Progress, aside: str, width: int = 20) -> str:
    share = min(1.0, progress.step / progress.total) if progress.total else 0.0
    filled = int(share * width)
    bar = f"{'━' * filled}{'╌' * (width - filled)} {share:4.0%}  {progress_line(progress)}"
    return f"{bar}, {aside}" if aside else bar
