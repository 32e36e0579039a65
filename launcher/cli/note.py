"""`kl note`: what somebody noted on a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.known_run import RunName

if TYPE_CHECKING:
    from launcher.run.find import FoundRun


def note_command(
    name: RunName,
    words: Annotated[
        list[str] | None,
        typer.Argument(help="What to note. Without it the notes are printed.", metavar="[TEXT]", show_default=False),
    ] = None,
) -> int:
    """Add a note to a run, or print its notes. They stay with the run, and a run with notes is never tidied away."""
    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.render import show_lines
    from launcher.cli.render_show import notes_as_text
    from launcher.cli.runs import output_roots
    from launcher.record.notes import read_notes
    from launcher.run.find import find_run

    run = find_run(name, output_roots())
    if words is not None:
        text = " ".join(words)
        if not text.strip():
            raise KlError("There is nothing to note: the text is empty.", code=ExitCode.USAGE)
        _add(run, text)
        return 0
    notes = read_notes(run.directory)
    show_lines(notes_as_text(notes) if notes else [f"{run.name} has no notes."])
    return 0


def _add(run: FoundRun, text: str) -> None:
    import os

    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.render import show_lines
    from launcher.plan.secrets import secrets_in
    from launcher.record.notes import LONGEST, NOTES, add_note

    if len(text) > LONGEST:
        message = f"The note has {len(text)} letters, and may have {LONGEST}."
        hint = "A longer text is better a file of its own in the run's directory."
        raise KlError(message, code=ExitCode.USAGE, hint=hint)
    secrets = secrets_in(text, os.environ)
    if secrets:
        message = f"The value of {secrets[0]} stands in the note, and a secret is not written down."
        raise KlError(message, code=ExitCode.USAGE)
    try:
        add_note(run.directory, text)
    except OSError as error:
        message = f"{run.directory / NOTES} cannot be written: {error.strerror}."
        raise KlError(message, code=ExitCode.OUTPUT_UNAVAILABLE) from None
    show_lines([f"Noted on {run.name}."])
