"""`kl attach`: the live line of a run that another kl stays with, or nobody."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.known_run import RunName, known_run, say_ending

if TYPE_CHECKING:
    from launcher.record.manifest import Manifest
    from launcher.run.find import FoundRun

INTERVAL = 0.2  # seconds between two looks at the run
TIDYING = 10.0  # seconds that the kl which stays with a run has to tidy up after it


def attach_command(
    name: RunName,
    plain: Annotated[bool, typer.Option("--plain", help="No live line: plain lines, as without a terminal.")] = False,
) -> int:
    """Watch a run until it ends; the exit code is then that of the run. Ctrl-C leaves the run alone."""
    from launcher.base.errors import ExitCode, KlError
    from launcher.run.outcome import Outcome

    run, manifest, outcome = known_run(name)
    if outcome is Outcome.PLANNED:
        raise KlError(f"{run.name} is not running: nothing was started.", code=ExitCode.USAGE)
    if outcome is Outcome.RUNNING:
        try:
            _watch(run, manifest, plain=plain)
        except KeyboardInterrupt:
            print(
                f"{run.name} goes on. kl attach {run.name} shows it again, kl stop {run.name} ends it.",
                file=sys.stderr,
            )
            return 0
    return say_ending(run, manifest)


def _watch(run: FoundRun, manifest: Manifest, *, plain: bool) -> None:
    from launcher.record.manifest import ManifestError
    from launcher.run.afterwards import look_at
    from launcher.run.gpu import GpuLine, gpus_of_run
    from launcher.run.outcome import Outcome
    from launcher.run.screen import SafeScreen, open_screen
    from launcher.run.state import is_elsewhere, is_let_go, log_name, supervisor
    from launcher.run.watch import Watch

    screen = SafeScreen(open_screen(plain=plain, aside=GpuLine(gpus_of_run(manifest))))
    last = manifest.attempts[-1]
    if supervisor(last) is None and not is_elsewhere(last):
        screen.announce(f"the kl that launched it is gone; kl logs {run.name} --kl shows what it said")
    watch = Watch(run.directory, manifest.final, screen, log=log_name(manifest))
    try:
        while look_at(run)[1] is Outcome.RUNNING:
            watch.look()
            time.sleep(INTERVAL)
        watch.look_last()
        tidied = time.monotonic() + TIDYING
        while not is_let_go(run.directory, manifest.attempts[-1]) and time.monotonic() < tidied:
            time.sleep(INTERVAL)
    except (OSError, ManifestError):  # removed, as a run without a model is
        pass
    finally:
        screen.close()
