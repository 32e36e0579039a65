"""What hangs on a value: its attributes, the methods of its class, the items a loop over it sees."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from launcher.trainer.static import mirror, pure
from launcher.trainer.static.values import (
    UNKNOWN,
    Bound,
    ClassValue,
    External,
    Function,
    Instance,
    Member,
    Method,
    Module,
    Super,
)

if TYPE_CHECKING:
    from launcher.trainer.static.machine import Machine


def of_argparse(name: str) -> Any:
    """A class or a constant of the real argparse; its functions and modules stay out of reach."""
    value = getattr(argparse, name, UNKNOWN)
    return value if isinstance(value, (type, str)) else UNKNOWN


def attribute(machine: Machine, value: Any, name: str) -> Any:  # noqa: PLR0911 - one for each kind
    """What `value.name` stands for, or UNKNOWN."""
    if isinstance(value, Module):
        return machine.attribute_of(value, name)
    if isinstance(value, External):
        return external(f"{value.dotted}.{name}")
    if value is argparse:
        return of_argparse(name)
    if isinstance(value, Instance) and name in value.attributes:
        return value.attributes[name]
    if isinstance(value, (Instance, ClassValue)):
        return _of_class(value.of if isinstance(value, Instance) else value, name, value)
    if isinstance(value, Member):
        return {"name": value.name, "value": value.value}.get(name, UNKNOWN)
    if isinstance(value, Super):
        return of_parents(machine, value, name)
    if isinstance(value, (argparse._ActionsContainer, argparse.Action)):
        return mirror.attribute(machine, value, name)
    if name == "__name__":
        return getattr(value, "__name__", UNKNOWN)
    if isinstance(value, type):
        return External(f"builtins.{value.__name__}.{name}")
    if value is UNKNOWN and name == "add_argument":
        return Method(machine.strays, name)  # the option is kept, even if its parser is not known
    return Method(value, name) if pure.is_plain(value) or isinstance(value, (list, dict, set, tuple)) else UNKNOWN


def external(dotted: str) -> Any:
    """Something of a module that is not the checkout's: its value where that is fixed, else just its name."""
    constant = pure.library_constant(dotted)
    return External(dotted) if constant is UNKNOWN else constant


def bound(function: Any, receiver: Any) -> Any:
    """A class's function as it is seen from one of its objects, or from the class itself."""
    if isinstance(function, Function) and function.kind == "property":
        return UNKNOWN
    if not isinstance(function, Function) or function.kind == "staticmethod":
        return function
    if function.kind == "classmethod":
        return Bound(function, (receiver.of if isinstance(receiver, Instance) else receiver,))
    return function if isinstance(receiver, ClassValue) else Bound(function, (receiver,))


def _of_class(owner: ClassValue, name: str, receiver: Any) -> Any:
    for each in line_of(owner):
        if name in each.scope.names:
            value = each.scope.names[name]
            if owner.is_enum and isinstance(receiver, ClassValue) and not isinstance(value, Function):
                return Member(owner, name, value)
            return bound(value, receiver)
    return owner.__name__ if name == "__name__" and isinstance(receiver, ClassValue) else UNKNOWN


def items(machine: Machine, value: Any) -> list[Any] | None:
    """What a loop over `value` sees, in order; None when that is not known."""
    if isinstance(value, ClassValue) and value.is_enum:
        members: dict[str, Member] = {}
        for name, item in value.scope.names.items():
            if not name.startswith("_") and not isinstance(item, (Function, ClassValue)):
                # A second name for a value is no member of its own.
                members.setdefault(name if item is UNKNOWN else repr(item), Member(value, name, item))
        return list(members.values())
    return None if id(value) in machine.spoiled else pure.items_of(value)


def line_of(owner: ClassValue) -> list[ClassValue]:
    """A class of the checkout and its parents there, in the order they are asked for a name."""
    line = [owner]
    for base in owner.bases:
        if isinstance(base, ClassValue):
            line += [each for each in line_of(base) if each not in line]
    return line


def of_parents(machine: Machine, asked: Super, name: str) -> Any:
    """What `super().name` stands for."""
    if asked.of.real is not None:
        return mirror.attribute(machine, asked.receiver, name, beyond=asked.of.real)
    for each in line_of(asked.of)[1:]:
        if name in each.scope.names:
            return bound(each.scope.names[name], asked.receiver)
    return UNKNOWN
