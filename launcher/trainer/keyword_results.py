"""What comes of trying a network module with given network_args, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Failure:
    """A failure that a module would end in. `keys` are the arguments it takes, the one to blame first."""

    keys: tuple[str, ...]
    kind: str
    message: str
    number: str = ""  # "int" or "float": what `message` could not be turned into
    wanted: int | None = None
    given: int | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """What a module makes of given arguments, as far as it can be said.

    `unread` are those it does not ask for this time. `remarks` are (kind, key, detail): "off-anyway" and "on-anyway"
    for a switch that is not taken as it is spelled. `said` are warnings that it gives itself, with the key to blame.
    """

    failures: tuple[Failure, ...] = ()
    unread: tuple[str, ...] = ()
    remarks: tuple[tuple[str, str, str], ...] = ()
    said: tuple[tuple[str, str], ...] = ()


def trial_from_json(kept: Any) -> Trial:
    """A trial from what `dataclasses.asdict` makes of one. Raises TypeError, KeyError or ValueError for other data."""
    failures = tuple(
        Failure(**{**each, "keys": tuple(each["keys"]), "choices": tuple(each["choices"])}) for each in kept["failures"]
    )
    remarks = tuple((kind, key, detail) for kind, key, detail in kept["remarks"])
    return Trial(failures, tuple(kept["unread"]), remarks, tuple((text, key) for text, key in kept["said"]))
