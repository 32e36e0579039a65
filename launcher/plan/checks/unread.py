"""What could not be read of the training script: said, never passed over."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.base.findings import Finding
from launcher.plan.codes import UNREAD
from launcher.plan.resolve import Resolved
from launcher.trainer.options import ScriptOptions


def check_unread(options: ScriptOptions, resolved: Resolved) -> Iterator[Finding]:
    """Places of the script that kl could not read, and used options it knows only in part."""
    for note in options.unread:
        message = f"kl could not read part of {options.script}: {note.what}"
        hint = "An option that may be added there is passed on unchecked."
        yield UNREAD.at(note.where, message.rstrip(".") + ".", hint)
    for chosen in resolved.chosen:
        if chosen.option.unread:
            fields = ", ".join(chosen.option.unread)
            message = f"kl could not read all of {chosen.option.name} ({fields}): it is not checked in full."
            yield UNREAD.at(chosen.option.source, message)
