"""`kl stop`: end a run, whoever stays with it."""

from __future__ import annotations

from typing import Annotated

import typer

from launcher.cli.known_run import RunName, became, known_run, say_ending


def stop_command(
    name: RunName,
    timeout: Annotated[
        float | None,
        typer.Option(min=0, help="End it by force after so many seconds.", metavar="SECONDS", show_default=False),
    ] = None,
) -> int:
    """Stop a run and wait until it has ended: SIGINT, then SIGTERM, then SIGKILL. Ctrl-C makes it quicker."""
    from launcher.base.errors import ExitCode, KlError
    from launcher.run.outcome import Outcome
    from launcher.run.screen import PlainScreen, SafeScreen
    from launcher.run.state import is_elsewhere
    from launcher.run.stop import stop

    run, manifest, outcome = known_run(name)
    if outcome is not Outcome.RUNNING:
        raise KlError(f"{run.name} is not running: {became(outcome)}.", code=ExitCode.USAGE)
    if is_elsewhere(manifest.attempts[-1]):
        host = manifest.attempts[-1].host
        raise KlError(f"{run.name} runs on {host}: its processes cannot be ended from here.", code=ExitCode.USAGE,
                      hint=f"Give this command on {host}.")  # fmt: skip
    screen = SafeScreen(PlainScreen())
    if not stop(run.directory, manifest, screen, timeout):
        raise KlError(f"{run.name} could not be ended.", code=ExitCode.ENVIRONMENT_NOT_READY)
    say_ending(run, manifest, with_failure=False)
    return 0
