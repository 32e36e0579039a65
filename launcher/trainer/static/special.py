"""Builtin functions that look at objects or call others, and what is said of a function that is not known at all."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from launcher.trainer.static import mirror, objects, pure
from launcher.trainer.static.values import UNKNOWN, Bound, ClassValue, Given, Instance, Method, Module, Super

if TYPE_CHECKING:
    from launcher.trainer.static.machine import Machine


def holds_parser(value: Any) -> bool:
    """Whether whoever gets `value` could add options through it."""
    if isinstance(value, (list, tuple)):
        return any(holds_parser(item) for item in value)
    if isinstance(value, dict):
        return any(holds_parser(item) for item in value.values())
    if isinstance(value, Instance):
        return any(isinstance(item, argparse._ActionsContainer) for item in value.attributes.values())
    if isinstance(value, (Method, Super)):
        return isinstance(value.receiver, (argparse._ActionsContainer, argparse.Action))
    if isinstance(value, Bound):
        return holds_parser(value.arguments)
    return isinstance(value, (argparse._ActionsContainer, argparse.Action))


def unknown(machine: Machine, given: Given, where: str) -> Any:
    """Call something unknown: whatever it may change is unknown from here on; a parser handed to it is noted."""
    values = [*given.arguments, *given.keywords.values()]
    if holds_parser(values):
        machine.note(where, f"what {given.text} does with the parser")
    for value in values:
        if isinstance(value, (list, dict, set)):
            machine.spoil(value)
    return UNKNOWN


def _isinstance(machine: Machine, given: Given, where: str) -> Any:
    if len(given.arguments) != 2:
        return UNKNOWN
    value, kinds = given.arguments
    listed = kinds if isinstance(kinds, tuple) else (kinds,)
    reals = [kind.real if isinstance(kind, ClassValue) else kind for kind in listed]
    types = tuple(real for real in reals if isinstance(real, type))
    known = pure.is_plain(value) or isinstance(value, (argparse._ActionsContainer, argparse.Action))
    return isinstance(value, types) if known and len(types) == len(reals) else UNKNOWN


def _getattr(machine: Machine, given: Given, where: str) -> Any:
    match given.arguments:
        case (value, str() as name):
            return machine.settled(objects.attribute(machine, value, name))
        case (Module() as module, str() as name, default):
            return machine.settled(objects.attribute(machine, module, name)) if name in module.scope.names else default
    return UNKNOWN


def _hasattr(machine: Machine, given: Given, where: str) -> Any:
    match given.arguments:
        case (Module() as module, str() as name):
            return name in module.scope.names
    return UNKNOWN


def _setattr(machine: Machine, given: Given, where: str) -> Any:
    match given.arguments:
        case (argparse.Action() | argparse._ActionsContainer() as target, str() as name, value):
            mirror.set_attribute(machine, target, name, value, where)
            return None
    return unknown(machine, given, where)


def _vars(machine: Machine, given: Given, where: str) -> Any:
    match given.arguments:
        case (argparse.Action() as action,):
            return dict(vars(action))
    return UNKNOWN


def _map(machine: Machine, given: Given, where: str) -> Any:
    if len(given.arguments) != 2 or (found := objects.items(machine, given.arguments[1])) is None:
        return unknown(machine, given, where)
    return [machine.settled(machine.call(given.arguments[0], (item,), {}, where)) for item in found]


def _filter(machine: Machine, given: Given, where: str) -> Any:
    if len(given.arguments) != 2 or (found := objects.items(machine, given.arguments[1])) is None:
        return unknown(machine, given, where)
    test = given.arguments[0]
    verdicts = [pure.truth(item if test is None else machine.call(test, (item,), {}, where)) for item in found]
    return UNKNOWN if None in verdicts else [item for item, wanted in zip(found, verdicts, strict=True) if wanted]


SPECIAL: Mapping[str, Callable[[Machine, Given, str], Any]] = {
    "filter": _filter,
    "getattr": _getattr,
    "hasattr": _hasattr,
    "isinstance": _isinstance,
    "map": _map,
    "print": lambda machine, given, where: None,
    "setattr": _setattr,
    "super": lambda machine, given, where: UNKNOWN,
    "vars": _vars,
}
