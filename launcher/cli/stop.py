"""`kl stop`: end a run, whoever stays with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.known_run import RunName, became, known_run, say_ending

if TYPE_CHECKING:
    from launcher.record.manifest import Manifest
    from launcher.run.find import FoundRun


def stop_command(
    name: RunName,
    timeout: Annotated[
        float | None,
        typer.Option(min=0, help="End it by force after so many seconds.", metavar="SECONDS", show_default=False),
    ] = None,
) -> int:
    """Stop a run and wait until it has ended: SIGINT, then SIGTERM, then SIGKILL. Ctrl-C makes it quicker.

    What it leaves is treated as a launch would: a run without a model, state or sample is removed.
    """
    from launcher.base.errors import ExitCode, KlError
    from launcher.run.outcome import Outcome
    from launcher.run.screen import PlainScreen, SafeScreen
    from launcher.run.state import is_elsewhere, supervisor
    from launcher.run.stop import stop

    run, manifest, outcome = known_run(name)
    if outcome is not Outcome.RUNNING:
        raise KlError(f"{run.name} is not running: {became(outcome)}.", code=ExitCode.USAGE)
    if is_elsewhere(manifest.attempts[-1]):
        host = manifest.attempts[-1].host
        raise KlError(f"{run.name} runs on {host}: its processes cannot be ended from here.", code=ExitCode.USAGE,
                      hint=f"Give this command on {host}.")  # fmt: skip
    alone = supervisor(manifest.attempts[-1]) is None  # else the kl that stays with it tidies up
    screen = SafeScreen(PlainScreen())
    if not stop(run.directory, manifest, screen, timeout):
        raise KlError(f"{run.name} could not be ended.", code=ExitCode.ENVIRONMENT_NOT_READY)
    if alone:
        _tidy(run, manifest)
    say_ending(run, manifest, with_failure=False)
    return 0


def _tidy(run: FoundRun, manifest: Manifest) -> None:
    """Remove what the kl that launched the run would have removed; where it is not known what that was, nothing."""
    from launcher.cli.runs import keeps_everything, output_roots
    from launcher.run.clean import clean

    if manifest.no_clean is False and not keeps_everything():
        clean(run, output_roots())
