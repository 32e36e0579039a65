"""`kl setup`: checkout and environment, from a bare machine to one that trains."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from launcher.setup.facts import Facts, Machine
    from launcher.setup.step import Step
    from launcher.setup.wishes import Wishes


def setup_command(
    sd_scripts: Annotated[
        str | None,
        typer.Option(
            "--sd-scripts",
            help="Clone this; without it sd-scripts' own repository.",
            metavar="URL|FOLDER",
            show_default=False,
        ),
    ] = None,
    rev: Annotated[
        str | None, typer.Option("--rev", help="Tag, branch or commit.", metavar="REVISION", show_default=False)
    ] = None,
    env: Annotated[
        str | None,
        typer.Option("--env", help="The kind of environment; venv at first.", metavar="venv|conda", show_default=False),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Of checkout and environment.")] = "sd-scripts",
    python: Annotated[
        str | None,
        typer.Option("--python", help="Version or interpreter.", metavar="VERSION|FILE", show_default=False),
    ] = None,
    torch: Annotated[
        str | None, typer.Option("--torch", help="Another torch.", metavar="VERSION", show_default=False)
    ] = None,
    cuda: Annotated[
        str | None,
        typer.Option("--cuda", help="The build: auto, cpu, cu126, …", metavar="BUILD", show_default=False),
    ] = None,
    torch_index: Annotated[
        str | None,
        typer.Option("--torch-index", help="The package index for torch.", metavar="URL", show_default=False),
    ] = None,
    extras: Annotated[
        list[str] | None,
        typer.Option("--with", help="Another package; may be repeated.", metavar="PACKAGE", show_default=False),
    ] = None,
    checkout_folder: Annotated[
        Path | None, typer.Option("--checkout-folder", help="Without it ~/NAME.", show_default=False)
    ] = None,
    environment_folder: Annotated[
        Path | None,
        typer.Option("--environment-folder", help="Without it one of kl's own.", show_default=False),
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="To the newest release, or to --rev.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Undo the last --update.")] = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Also use and change what kl did not make.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    accelerate_config: Annotated[
        bool, typer.Option("--accelerate-config", help="Also write accelerate's default configuration.")
    ] = False,
) -> int:
    """Make what trains: sd-scripts, an environment with torch for this machine, and kl's configuration for them.

    May be repeated: what is done is seen, and a set-up that was interrupted goes on. What kl did not make is left
    alone without --adopt.
    """
    from launcher.cli.render import show_lines
    from launcher.cli.render_setup import steps_as_text
    from launcher.setup.look import look, look_at_machine, remembered_wishes
    from launcher.setup.steps import plan_setup
    from launcher.setup.wishes import Wishes, checked

    wishes = remembered_wishes(
        checked(
            Wishes(
                name, sd_scripts, rev, env, python, torch, cuda, torch_index, tuple(extras or ()), checkout_folder,
                environment_folder, adopt, update, back, accelerate_config,
            )
        )
    )  # fmt: skip
    machine = look_at_machine(wishes)
    facts = look(wishes, machine)
    steps = plan_setup(wishes, facts)
    show_lines(steps_as_text(steps, facts))
    if dry_run or all(step.done is not None for step in steps):
        return 0
    if not yes:
        _ask()
    return _set_up(wishes, machine)


def _ask() -> None:
    """One question; no answer to it is none. Raises KlError (usage) where nobody can be asked."""
    from launcher.base.errors import ExitCode, KlError

    if not sys.stdin.isatty():
        raise KlError(
            "kl setup asks before it does this, and nobody is there to answer.",
            code=ExitCode.USAGE,
            hint="Add --yes to do it, --dry-run to see it only.",
        )
    try:
        answer = input("Do this? [Y/n] ").strip().lower()
    except EOFError:
        answer = "n"
    if answer not in ("", "y", "yes"):
        raise KlError("Nothing was done.", code=ExitCode.USAGE)


def _set_up(wishes: Wishes, machine: Machine) -> int:
    from launcher.cli.render import show_lines
    from launcher.cli.render_setup import result_as_text
    from launcher.setup.look import setup_state
    from launcher.setup.perform import perform
    from launcher.setup.run_command import Stopped, alone, end_leftovers, stopping

    state = setup_state(wishes)
    with alone(state), stopping() as stop:
        end_leftovers(state)
        try:
            facts = perform(wishes, machine, _Lines(), stop)
        except Stopped as stopped:
            print("\nStopped. The same command goes on from here.", file=sys.stderr)
            return 128 + stopped.signal_number
    show_lines(result_as_text(wishes, facts))
    return _examined(facts)


def _examined(facts: Facts) -> int:
    """What the doctor says of what was made. Returns kl's exit code."""
    from launcher.base.errors import ExitCode
    from launcher.cli.render import show_lines
    from launcher.cli.render_setup import checks_as_text
    from launcher.run.roots import DEFAULT_OUTPUT_ROOT
    from launcher.setup.doctor.checkout import CHECKOUT
    from launcher.setup.doctor.diagnose import ENVIRONMENT, LIMITS, diagnose, is_ready
    from launcher.setup.doctor.installation import Installation

    output = Path(DEFAULT_OUTPUT_ROOT).expanduser()
    here = Installation(checkout=facts.checkout.folder, python=facts.environment.python, output_root=output)
    found = diagnose(here, patience=None, subjects=(CHECKOUT, ENVIRONMENT, LIMITS))
    show_lines(checks_as_text(found))
    return 0 if is_ready(found) else int(ExitCode.ENVIRONMENT_NOT_READY)


class _Lines:
    """One line for each step."""

    def begins(self, step: Step, log: Path) -> None:
        from launcher.cli.render import short

        print(f"{step.name.value:<13}  {step.says} … ({short(log)})", flush=True)

    def ended(self, step: Step, seconds: float) -> None:
        from launcher.cli.render import duration

        print(f"{'':<13}  done in {duration(seconds)}", flush=True)

    def says(self, text: str) -> None:
        print(f"{'':<13}  {text}", flush=True)
