"""The options a training script accepts, as its own argparse parser holds them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Union

Scalar = str | int | float | bool | None
Data = Union[Scalar, tuple["Data", ...]]  # noqa: UP007 - `|` does not take a name that is still to come

PRESENCE = "presence"  # in `Option.unread`: whether the script adds this option at all depends on something unreadable


@dataclass(frozen=True)
class Option:
    """One option. Action, type and default are spelled as argparse spells them: `StoreTrueAction`, `int`, `None`.

    `name` is argparse's dest: the key a spec uses. `type` is the converting function's `__name__`.
    `source` is "FILE:LINE" of the `add_argument` call, relative to the checkout.
    `unread` names the fields that could not be read statically; what they hold is a guess or None.
    It holds `PRESENCE` when it is not sure that the script adds the option.
    """

    flags: tuple[str, ...]
    name: str
    action: str
    nargs: int | str | None
    const: Data
    default: Data
    type: str | None
    choices: tuple[Data, ...] | None
    required: bool
    help: str | None
    source: str
    unread: tuple[str, ...] = ()

    @property
    def takes_items(self) -> bool:
        """Whether the value is a list: any number of items, or at least one."""
        return self.nargs in ("*", "+")

    @property
    def is_flag(self) -> bool:
        """Whether the option stands alone on the command line, without a value."""
        return self.nargs == 0


@dataclass(frozen=True)
class Unread:
    """One place of a script that could not be read statically, and what there is to know about it."""

    where: str
    what: str


@dataclass(frozen=True)
class ScriptOptions:
    """All options of one script, in its parser's own order, and the places that could not be read."""

    script: str
    options: tuple[Option, ...]
    unread: tuple[Unread, ...] = ()

    def get(self, name: str) -> Option | None:
        """The option with this name (argparse's dest). Two flags may share one name: then the first."""
        return next((option for option in self.options if option.name == name), None)

    def by_flag(self, flag: str) -> Option | None:
        """The option that this flag, spelled out in full, belongs to."""
        return next((option for option in self.options if flag in option.flags), None)


def to_json(read: ScriptOptions) -> dict[str, Any]:
    """As plain data for JSON; `from_json` takes it back."""
    return asdict(read)


def from_json(data: dict[str, Any]) -> ScriptOptions:
    """The reading that `to_json` gave. Raises TypeError, KeyError or ValueError when `data` is anything else."""
    return ScriptOptions(
        script=str(data["script"]),
        options=tuple(Option(**{key: _tuples(value) for key, value in entry.items()}) for entry in data["options"]),
        unread=tuple(Unread(**entry) for entry in data["unread"]),
    )


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
