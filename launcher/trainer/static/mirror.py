"""The parser that a script would build, built with the real argparse: the rules are argparse's own.

They are those of the Python that runs kl. Between 3.10 and 3.13 they differ for these options in one thing: to the help
of a `BooleanOptionalAction`, which sd-scripts does not use, older versions add its default.

Values that are not known are held back from argparse and put on the action afterwards, as UNKNOWN.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from launcher.trainer.options import PRESENCE
from launcher.trainer.static import pure
from launcher.trainer.static.values import (
    UNKNOWN,
    Asked,
    Bound,
    ClassValue,
    Function,
    Given,
    Method,
    Raised,
)

if TYPE_CHECKING:
    from launcher.trainer.static.machine import Machine

_FIELDS = ("nargs", "const", "default", "type", "choices", "required", "help")
# Methods of a parser, a group or an action that are called for real: they touch nothing but the parser.
FOLLOWED = frozenset(
    {"__init__", "add_argument", "add_argument_group", "add_mutually_exclusive_group", "add_subparsers", "add_parser"}
    | {"set_defaults", "get_default", "register"}
    | {"_add_action", "_remove_action", "_handle_conflict_resolve", "_add_container_actions"}
)
# Methods that say nothing about what the parser accepts.
_WITHOUT_EFFECT = frozenset(
    {"parse_args", "parse_known_args", "parse_intermixed_args", "parse_known_intermixed_args", "error", "exit"}
    | {"print_help", "print_usage", "format_help", "format_usage", "convert_arg_line_to_args"}
)
_ARGPARSE_REFUSES = (argparse.ArgumentError, AttributeError, LookupError, TypeError, ValueError)
_MISSING = object()


def derive(machine: Machine, made: ClassValue) -> None:
    """Give a class of the checkout that derives from one of argparse's a real subclass, whose methods are only read."""
    parents = tuple(base.real if isinstance(base, ClassValue) else base for base in made.bases)
    if not any(isinstance(parent, type) and parent.__module__ in ("argparse", __name__) for parent in parents):
        return
    namespace: dict[str, Any] = {"__module__": __name__}
    for name, value in made.scope.names.items():
        if isinstance(value, Function):
            namespace[name] = _followed(machine, value, returns=name != "__init__")
    try:
        made.real = type(made.__name__, tuple(parent for parent in parents if isinstance(parent, type)), namespace)
    except TypeError:
        return
    machine.classes[made.real] = made


def construct(machine: Machine, kind: type, given: Given, where: str) -> Any:
    """A parser, group or action as its constructor makes it; UNKNOWN for anything else of argparse."""
    if issubclass(kind, argparse.FileType):
        return argparse.FileType()  # a type without a name, whatever its arguments
    if not issubclass(kind, (argparse._ActionsContainer, argparse.Action)):
        return UNKNOWN
    arguments, keywords = given.arguments, dict(given.keywords)
    if issubclass(kind, argparse.ArgumentParser):
        keywords.pop("formatter_class", None)  # how help looks
        if pure.is_unsure(keywords.get("parents")) or given.is_open:
            machine.note(where, "what this parser is made with")
        unsure = [name for name, value in keywords.items() if pure.is_unsure(value) and name != "argument_default"]
        for name in unsure:
            del keywords[name]
    made = _really(machine, kind, arguments, keywords, where)
    if isinstance(made, argparse.ArgumentParser):
        machine.parsers.append(made)
        # From Python 3.14 on argparse refuses help texts with a lone "%". The trainer's own Python may be older.
        vars(made)["_check_help"] = lambda action: None
    return made


def attribute(machine: Machine, value: Any, name: str, beyond: type | None = None) -> Any:
    """What `value.name` stands for, where `value` is a parser, a group or an action; `beyond` as for `super()`."""
    line = type(value).__mro__
    for kind in line[line.index(beyond) + 1 :] if beyond in line else line:
        made = machine.classes.get(kind)
        if made is not None and name in made.scope.names:
            found = made.scope.names[name]
            return Bound(found, (value,)) if isinstance(found, Function) else found
    if name in vars(value):
        return vars(value)[name]
    return Method(value, name, beyond) if callable(getattr(type(value), name, None)) else UNKNOWN


def set_attribute(machine: Machine, target: Any, name: str, value: Any, where: str) -> None:
    """`target.name = value`, where `target` is a parser, a group or an action."""
    before = vars(target).get(name, _MISSING)
    if machine.doubt and not pure.same(before, value):
        if name in (*_FIELDS, "dest"):
            value = UNKNOWN
        else:
            machine.note(where, f"whether `{name}` is changed here")
            return
    own = name.startswith("_") and (name.startswith("__") or name in vars(machine.strays))
    if own or name in FOLLOWED:
        machine.note(where, f"what the change of `{name}` does")
        return
    if name == "option_strings" and not (isinstance(value, list) and all(isinstance(flag, str) for flag in value)):
        machine.note(where, f"the flags of `{getattr(target, 'dest', '')}`")
        return
    setattr(target, name, value)


def call(machine: Machine, method: Method, given: Given, where: str) -> Any:
    """A method of a parser, a group or an action."""
    if machine.starting and method.name in ("parse_args", "parse_known_args"):
        raise Asked(method.receiver)
    if method.name in _WITHOUT_EFFECT:
        return UNKNOWN
    if method.name == "add_argument":
        return _add_argument(machine, method, given, where)
    if method.name == "set_defaults":
        return _set_defaults(machine, method, given, where)
    removes = method.name in ("_remove_action", "_handle_conflict_resolve")
    if method.name not in FOLLOWED or given.is_open or (removes and machine.doubt):
        machine.note(where, f"what {given.text} does to the parser")
        return UNKNOWN
    return _really(machine, _native(method), given.arguments, dict(given.keywords), where)


def _followed(machine: Machine, function: Function, *, returns: bool) -> Any:
    def method(*arguments: Any, **keywords: Any) -> Any:
        result = machine.call(function, arguments, keywords, machine.adding or function.scope.module.file)
        return result if returns else None

    return staticmethod(method) if function.kind == "staticmethod" else method


def _native(method: Method) -> Any:
    return getattr(method.receiver if method.beyond is None else super(method.beyond, method.receiver), method.name)


def _really(machine: Machine, function: Any, arguments: Any, keywords: dict[str, Any], where: str) -> Any:
    """Call argparse; what it refuses, the script would fail at."""
    try:
        result = function(*map(_real, arguments), **{name: _real(value) for name, value in keywords.items()})
    except _ARGPARSE_REFUSES as error:
        if not machine.tries:
            machine.note(where, f"argparse refuses this: {error}")
        if machine.tries or machine.doubt:
            raise Raised from error
        return UNKNOWN
    container = getattr(function, "__self__", result)
    if isinstance(container, argparse._ActionsContainer):
        for action in reversed(container._actions):
            if id(action) in machine.added:
                break
            machine.remember(action, machine.adding or where)
    return result


def _real(value: Any) -> Any:
    return value.real if isinstance(value, ClassValue) and value.real is not None else value


def _add_argument(machine: Machine, method: Method, given: Given, where: str) -> Any:
    container = method.receiver
    flags = [flag for flag in given.arguments if isinstance(flag, str)]
    keywords = dict(given.keywords)
    if not flags and not isinstance(keywords.get("dest"), str):
        machine.note(machine.adding or where, "the name of the option that is added here")
        return UNKNOWN
    unread = {"flags"} if len(flags) < len(given.arguments) else set()
    if "dest" not in keywords and given.arguments[:1] != tuple(flags[:1]):
        unread.add("name")
    later = _hold_back(keywords)
    if given.is_open:
        later |= {name: UNKNOWN for name in _FIELDS if name not in keywords}
        unread.add("action")
    if "action" in later:
        unread.add("action")
        later |= {name: UNKNOWN for name in ("nargs", "const", "default", "type") if name not in given.keywords}
    if "dest" in later:
        unread.add("name")
    later.pop("action", None)
    later.pop("dest", None)
    existing = next((container._option_string_actions[f] for f in flags if f in container._option_string_actions), None)
    if existing is not None and container is machine.strays:
        return existing
    if existing is not None and (machine.doubt or machine.added[id(existing)].doubt):
        # The other branch of something undecided added it too: what the two disagree on is not known.
        apart = argparse.ArgumentParser(add_help=False, argument_default=container.argument_default)
        apart._defaults = container._defaults
        action = _really(machine, apart.add_argument, flags, keywords, where)
        if isinstance(action, argparse.Action):
            _put_back(machine, action, later, unread)
            _merge(machine, existing, action)
        return existing
    action = _really(machine, _native(method), flags, keywords, where)
    if isinstance(action, argparse.Action):
        _put_back(machine, action, later, unread)
        if container is machine.strays:
            machine.added[id(action)].unread.add(PRESENCE)
            machine.note(where, "which parser this option is added to")
    return action


def _hold_back(keywords: dict[str, Any]) -> dict[str, Any]:
    """Take out of `keywords` what argparse cannot work with, and return it."""
    keywords.pop("metavar", None)  # how help looks
    if keywords.get("choices") is not None and pure.items_of(keywords["choices"]) is None:
        keywords["choices"] = UNKNOWN
    if not isinstance(_real(keywords.get("action")), (str, type, type(None))):
        keywords["action"] = UNKNOWN
    later = {name: value for name, value in keywords.items() if pure.is_unsure(value) and name != "type"}
    if keywords.get("type") is UNKNOWN:
        later["type"] = UNKNOWN
    if "nargs" in later and "const" in keywords:
        later["const"] = keywords["const"]
    for name in later:
        del keywords[name]
    return later


def _put_back(machine: Machine, action: argparse.Action, later: dict[str, Any], unread: set[str]) -> None:
    for name, value in later.items():
        setattr(action, name, value)
    known = machine.added.get(id(action))
    if known is not None:
        known.unread |= unread
    else:
        vars(action)["unread"] = unread


def _merge(machine: Machine, existing: argparse.Action, other: argparse.Action) -> None:
    known = machine.added[id(existing)]
    known.unread |= vars(other).get("unread", set())
    for name in _FIELDS:
        before, now = getattr(existing, name), getattr(other, name)
        if before is not now and not pure.same(before, now):
            setattr(existing, name, UNKNOWN)
    if list(existing.option_strings) != list(other.option_strings):
        known.unread.add("flags")
    if existing.dest != other.dest:
        known.unread.add("name")
    if type(existing) is not type(other):
        known.unread.add("action")
    known.doubt = min(known.doubt, machine.doubt)
    machine.trace.append(id(existing))


def _set_defaults(machine: Machine, method: Method, given: Given, where: str) -> Any:
    container = method.receiver
    if given.is_open:
        machine.note(where, "which defaults are set here")
        for action in container._actions:
            action.default = UNKNOWN
    for name, value in given.keywords.items():
        actions = [action for action in container._actions if action.dest == name]
        sure = not machine.doubt or pure.same(container._defaults.get(name, _MISSING), value)
        container._defaults[name] = value if sure else UNKNOWN
        for action in actions:
            action.default = value if not machine.doubt or pure.same(action.default, value) else UNKNOWN
    return None
