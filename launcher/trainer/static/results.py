"""The options that a parser holds, as frozen data."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from launcher.trainer.options import PRESENCE, Data, Option
from launcher.trainer.static import pure
from launcher.trainer.static.values import UNKNOWN, Bound, External, Function, Member, Method

if TYPE_CHECKING:
    from launcher.trainer.static.machine import Machine


def options_of(machine: Machine, parser: argparse.ArgumentParser, where: str) -> tuple[Option, ...]:
    """The options that a parser holds, without argparse's own `--help`."""
    if id(parser._actions) in machine.spoiled:
        machine.note(where, "which options are removed again")
    found = []
    for action in parser._actions:
        if not isinstance(action, argparse.Action):
            machine.note(where, "what else is put among the parser's actions")
        elif not isinstance(action, argparse._HelpAction):
            if id(action) not in machine.added:  # put there by hand
                machine.remember(action, where)
            found.append(_option(machine, action))
    names = {option.name for option in found}
    strays = (_option(machine, each) for each in machine.strays._actions if parser is not machine.strays)
    return (*found, *(option for option in strays if option.name not in names))


def _option(machine: Machine, action: argparse.Action) -> Option:
    known = machine.added[id(action)]
    unread = set(known.unread)
    if known.doubt:
        unread.add(PRESENCE)
    # An action holds the script's own lists, so what became of them later counts.
    held = {name: UNKNOWN if id(value) in machine.spoiled else value for name, value in vars(action).items()}
    values: dict[str, Any] = {name: _data(held[name], name, unread) for name in ("nargs", "const", "default")}
    choices = held["choices"]
    if choices is not None and choices is not UNKNOWN:
        choices = pure.items_of(choices) or (None if not choices else UNKNOWN)
    listed = _data(choices, "choices", unread)
    return Option(
        flags=tuple(action.option_strings),
        name=_text(action.dest, "name", unread) or "",
        action=type(action).__name__.strip("_"),
        type=_type_name(action.type, unread),
        choices=listed if isinstance(listed, tuple) else None,
        required=_data(action.required, "required", unread) is True,
        help=_text(action.help, "help", unread),
        source=known.source,
        unread=tuple(sorted(unread)),
        **values,
    )


def _data(value: Any, name: str, unread: set[str]) -> Data:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Member) and value.is_data:
        return _data(value.value, name, unread)
    if isinstance(value, (list, tuple)):
        return tuple(_data(item, name, unread) for item in value)
    unread.add(name)
    return None


def _text(value: Any, name: str, unread: set[str]) -> str | None:
    if value is not None and not isinstance(value, str):
        unread.add(name)
        return None
    return value


def _type_name(value: Any, unread: set[str]) -> str | None:
    if value is UNKNOWN:
        unread.add("type")
        return None
    if isinstance(value, External):
        if value.dotted.partition(".")[0] not in sys.stdlib_module_names:
            unread.add("type")  # most likely its last name, but that is for whoever wrote it to say
        return value.dotted.rpartition(".")[2]
    if isinstance(value, Method):
        return value.name
    if isinstance(value, Bound):
        return None if value.is_partial else _type_name(value.function, unread)
    if isinstance(value, Function) and value.decorator is not None:
        unread.add("type")
    return getattr(value, "__name__", None)
