"""`kl logs`: what the trainer printed."""

from __future__ import annotations

import shutil
import sys
import time
from collections import deque
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.known_run import RunName, known_run

if TYPE_CHECKING:
    from launcher.run.find import FoundRun
    from launcher.run.log_text import LogText

INTERVAL = 0.2  # seconds between two looks at the log


def logs_command(
    name: RunName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended; Ctrl-C leaves the run alone.")
    ] = False,
    lines: Annotated[
        int | None, typer.Option("--lines", "-n", min=0, help="Only so many from the end.", show_default=False)
    ] = None,
    of_kl: Annotated[
        bool, typer.Option("--kl", help="What kl itself said instead: saves, warnings, how the run ended.")
    ] = False,
) -> int:
    """Show the log of a run's last attempt, also of a run that was removed. Of a bar its last state is left."""
    from launcher.cli.render import show_lines

    run, manifest, _ = known_run(name)
    with closing(_open(run, manifest.attempts[-1].log if manifest.attempts else "", of_kl=of_kl)) as text:
        found: Iterable[str] = text.read()
        if not follow:
            found = [*found, text.open_line] if text.open_line else found
            show_lines(found if lines is None else deque(found, maxlen=lines))
            return 0
        show_lines(found if lines is None else deque(found, maxlen=lines))
        try:
            _follow(run, text)
        except KeyboardInterrupt:
            if sys.stdout.isatty():
                print()
    return 0


def _open(run: FoundRun, log: str, *, of_kl: bool) -> LogText:
    from pathlib import Path

    from launcher.base.errors import ExitCode, KlError
    from launcher.run.directory import KL_LOG, LOG
    from launcher.run.log_text import LogText

    try:
        return LogText(run.directory / (KL_LOG if of_kl else Path(log).name or LOG))
    except FileNotFoundError:
        message = f"{run.name} has no log: its trainer was not started."
        if of_kl:
            message = f"{run.name} has no {KL_LOG}: its trainer was not started, or by an older kl."
    except OSError as error:
        message = f"The log of {run.name} cannot be read: {error.strerror}."
    raise KlError(message, code=ExitCode.USAGE)


def _follow(run: FoundRun, text: LogText) -> None:
    """Show what is added until the run has ended. On a terminal the bar is drawn where it would be."""
    from launcher.cli.render import show_lines

    live = sys.stdout.isatty()
    drawn = ""
    while True:
        running = _runs(run)  # asked first: what comes after the last reading would be missed
        lines = text.read()
        if lines and drawn:
            sys.stdout.write("\r\x1b[K")
            drawn = ""
        show_lines(lines)
        if not running:
            break
        if live and text.open_line != drawn:
            drawn = text.open_line
            safe = "".join(char if char.isprintable() else "?" for char in drawn)
            sys.stdout.write("\r\x1b[K" + safe[: shutil.get_terminal_size().columns - 1])
        sys.stdout.flush()
        time.sleep(INTERVAL)
    if drawn:
        sys.stdout.write("\r\x1b[K")
    if text.open_line:
        show_lines([text.open_line])


def _runs(run: FoundRun) -> bool:
    from launcher.record.manifest import ManifestError
    from launcher.run.afterwards import look_at
    from launcher.run.outcome import Outcome

    try:
        return look_at(run)[1] is Outcome.RUNNING
    except (OSError, ManifestError):  # removed, as a run without a model is
        return False
