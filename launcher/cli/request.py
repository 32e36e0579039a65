"""From the words of a command line to what is to be planned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launcher.cli.prepare import Request


def request_of(
    target: str | None,
    arguments: Sequence[str] | None,
    sets: Sequence[str] | None,
    name: str | None,
    allow: Sequence[str] | None,
    script: str | None = None,
    caller: str | None = None,
    repositories: Sequence[str] | None = None,
) -> Request:
    """What `kl launch`, `check` and `plan` were asked for. Raises KlError (wrong usage) when they were asked nothing.

    With `script` there is no NAME|FILE: the first word is an argument of the script then, or the run's name.
    """
    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.prepare import Request

    words = list(arguments or ())
    if script is None:
        if caller is not None or repositories:
            message = "--caller and --repository belong to --script."
            raise KlError(message, code=ExitCode.USAGE, hint="A spec names repositories in [run]: repositories = […].")
        if target is None:
            hint = "Give a run's name or a spec file; or --name NAME --script PATH -- ARGUMENTS."
            raise KlError("Nothing says what to train.", code=ExitCode.USAGE, hint=hint)
        return Request(target, sets or (), words, name, allow or ())
    if target is not None and not target.startswith("-"):
        if name is not None and name != target:
            message = f"With --script there is no spec, and the run is named {name}: {target} means nothing."
            raise KlError(message, code=ExitCode.USAGE, hint="Arguments of the script stand after --.")
        name = target
    elif target is not None:
        words.insert(0, target)
    return Request(name or "", sets or (), words, name, allow or (), script, caller, repositories or ())
