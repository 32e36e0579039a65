"""A run that was launched before: found by what the user typed, and told how it ended."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from launcher.record.manifest import Manifest
    from launcher.run.find import FoundRun
    from launcher.run.outcome import Outcome

RunName = Annotated[str, typer.Argument(help="A run's name, or its folder.", metavar="NAME", show_default=False)]


def known_run(name: str) -> tuple[FoundRun, Manifest, Outcome]:
    """The run, its manifest and its outcome now; an end that nobody saw is written down.

    Raises KlError when there is no such run (wrong usage), or its manifest cannot be read.
    """
    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.runs import output_roots
    from launcher.record.manifest import ManifestError
    from launcher.run.afterwards import look_at
    from launcher.run.find import find_run

    run = find_run(name, output_roots())
    try:
        return (run, *look_at(run))
    except (OSError, ManifestError) as error:
        message = f"The manifest of {run.name} cannot be read: {getattr(error, 'strerror', None) or error}."
        raise KlError(message, code=ExitCode.OUTPUT_UNAVAILABLE) from None


def sound_run(name: str) -> tuple[FoundRun, Manifest, Outcome]:
    """The same of a run whose values can be looked for on the disk: each is of its kind, each text may be a name.

    Raises KlError when one is not, too.
    """
    from dataclasses import asdict

    from launcher.base.errors import ExitCode, KlError
    from launcher.record.manifest import ManifestError
    from launcher.run.account import sound

    try:
        run, manifest, outcome = known_run(name)
        manifest = sound(manifest)
        if _is_no_text(asdict(manifest)):
            raise ManifestError("a text in it has characters that no name can have")
    except (ManifestError, TypeError, ValueError, AttributeError) as error:  # anything may stand in a foreign run.json
        message = f"The manifest of {name} is damaged: {error}."
        raise KlError(message, code=ExitCode.OUTPUT_UNAVAILABLE) from None
    return run, manifest, outcome


def _is_no_text(value: object) -> bool:
    """Whether a text in it could be no name of a file: with a NUL, or half a letter."""
    if isinstance(value, dict):
        return any(_is_no_text(each) for pair in value.items() for each in pair)
    if isinstance(value, (list, tuple)):
        return any(_is_no_text(each) for each in value)
    try:
        return isinstance(value, str) and b"\0" in os.fsencode(value)
    except UnicodeEncodeError:
        return True


def say_ending(run: FoundRun, manifest: Manifest, *, with_failure: bool = True) -> int:
    """Say how a run ended that had this manifest before; return the exit code of a launch that ends so."""
    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.render import result_as_text, show_failure
    from launcher.record.manifest import ManifestError
    from launcher.run.afterwards import look_at, result_afterwards, where_it_is_now

    try:
        run = where_it_is_now(run, manifest)
        manifest, outcome = look_at(run)
    except (OSError, ManifestError):
        message = f"How {run.name} ended is not known: its directory is gone."
        raise KlError(message, code=ExitCode.OUTPUT_UNAVAILABLE) from None
    result = result_afterwards(run, manifest, outcome)
    if with_failure and result.failure is not None:
        show_failure(result)
    print("\n".join(result_as_text(result)))
    return result.exit_code


def became(outcome: Outcome) -> str:
    """An outcome as the end of a sentence: "it succeeded", "it was stopped", "nothing was started"."""
    from launcher.run.outcome import Outcome

    if outcome is Outcome.PLANNED:
        return "nothing was started"
    was = outcome in (Outcome.STOPPED, Outcome.LOST)
    return f"it was {outcome.value}" if was else f"it {outcome.value}"
