"""Calls in a function that is followed with given arguments."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from launcher.trainer.keyword_modules import Found
from launcher.trainer.keyword_values import (
    FALSE_WORDS,
    FUNCTIONS,
    UNKNOWN,
    Arguments,
    Failed,
    Frame,
    FunctionValue,
    Made,
    Method,
    Model,
    Text,
    guarded,
    is_known,
    method,
)

if TYPE_CHECKING:
    from launcher.trainer.keyword_trial import Trier

SDXL = "SdxlUNet2DConditionModel"  # library/sdxl_original_unet.py: how networks know SDXL
_LOGGED = frozenset({"debug", "info", "warning", "warn", "error", "critical", "exception"})


def call_expression(trier: Trier, node: ast.Call, frame: Frame) -> Any:
    """What a call gives."""
    if isinstance(node.func, ast.Name) and node.func.id in ("type", "map", "filter"):
        if node.func.id == "type" and len(node.args) == 1:
            return _type(trier, node, frame)
        if node.func.id == "map" and len(node.args) == 2:
            function, items = (trier.evaluate(each, frame) for each in node.args)
            if isinstance(items, (list, tuple)):
                return [_called(trier, function, [item], {}, [], True) for item in items]
        return UNKNOWN
    return _call(trier, node, frame)


def _call(trier: Trier, node: ast.Call, frame: Frame) -> Any:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name == "issubclass" or (name == "isinstance" and len(node.args) == 2):
        return _of_class(trier, node, frame)
    callee = trier.evaluate(node.func, frame)
    arguments: list[Any] = []
    keywords: dict[str, Any] = {}
    whole = True
    for argument in node.args:
        value = trier.evaluate(argument.value if isinstance(argument, ast.Starred) else argument, frame)
        if isinstance(argument, ast.Starred):
            whole = whole and isinstance(value, (list, tuple))
            arguments.extend(value if isinstance(value, (list, tuple)) else ())
        else:
            arguments.append(value)
    spread: list[Arguments] = []
    for keyword in node.keywords:
        value = trier.evaluate(keyword.value, frame)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
        elif isinstance(value, dict):
            twice = next((key for key in value if key in keywords), None)
            if twice is not None:
                raise Failed("TypeError", f"got multiple values for keyword argument {twice!r}")
            keywords.update(value)
            spread += [value] if isinstance(value, Arguments) else []
        else:
            whole = False
    if isinstance(node.func, ast.Attribute) and _logs(trier, node.func, arguments, callee):
        return None
    return _called(trier, callee, arguments, keywords, spread, whole)


def _called(  # noqa: PLR0911 - one for each kind
    trier: Trier, callee: Any, arguments: list[Any], keywords: dict[str, Any], spread: list[Arguments], whole: bool
) -> Any:
    if isinstance(callee, FunctionValue) and whole:
        return trier.call(callee, arguments, keywords, spread)
    if isinstance(callee, Method) and whole:
        return _method_call(trier, callee, arguments, keywords)
    if callee in (str, bool) and len(arguments) == 1 and isinstance(arguments[0], Text):
        if callee is bool and arguments[0].lower() in FALSE_WORDS:
            trier.remark("on-anyway", arguments[0].key, "")
        return arguments[0] if callee is str else bool(arguments[0])
    if callee is FUNCTIONS["len"] and len(arguments) == 1 and isinstance(arguments[0], (list, tuple, dict, str)):
        return len(arguments[0])
    if callee is dict and len(arguments) == 1 and isinstance(arguments[0], Arguments) and not keywords:
        return Arguments.of(arguments[0], arguments[0].read)
    if callee in (list, dict, tuple) and len(arguments) == 1 and isinstance(arguments[0], (list, tuple, dict)):
        return callee(arguments[0])
    if callable(callee) and whole and is_known(arguments) and is_known(keywords):
        return guarded(callee, *arguments, **keywords)
    if isinstance(callee, Found) and isinstance(callee.node, ast.ClassDef):
        return Made(callee.node.name, keywords) if whole else UNKNOWN
    trier.unknown_calls += 1
    if spread or any(isinstance(value, Arguments) for value in (*arguments, *keywords.values())):
        trier.escaped = True
    return UNKNOWN


def _method_call(trier: Trier, callee: Method, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    receiver = callee.receiver
    if arguments and arguments[0] is UNKNOWN and isinstance(receiver, (dict, str)):
        if isinstance(receiver, Arguments):
            trier.escaped = True
        return UNKNOWN
    if isinstance(receiver, Arguments) and callee.name in ("get", "pop", "setdefault") and arguments:
        receiver.read.add(str(arguments[0]))
    elif isinstance(receiver, Arguments):
        trier.escaped = trier.escaped or callee.name != "copy"
    return method(receiver, callee.name, tuple(arguments), keywords)


def _logs(trier: Trier, node: ast.Attribute, arguments: list[Any], callee: Any) -> bool:
    """A call of a logger: what it would say about the arguments given."""
    named = node.value.id if isinstance(node.value, ast.Name) else ""
    if callee is not UNKNOWN or "log" not in named.lower() or node.attr not in _LOGGED:
        return False
    if node.attr in ("warning", "warn", "error") and arguments and isinstance(arguments[0], str):
        trier.say(arguments[0])
    return True


def _of_class(trier: Trier, node: ast.Call, frame: Frame) -> Any:
    asked = node.args[0].value if isinstance(node.args[0], ast.Attribute) else node.args[0]
    value = trier.evaluate(asked, frame)
    wanted = node.args[1]
    if isinstance(value, Model):
        last = wanted.id if isinstance(wanted, ast.Name) else wanted.attr if isinstance(wanted, ast.Attribute) else ""
        return UNKNOWN if last != SDXL or trier.is_sdxl is None else trier.is_sdxl
    kind = trier.evaluate(wanted, frame)
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if asked is not node.args[0] or value is UNKNOWN or not all(isinstance(each, type) for each in kinds):
        return UNKNOWN
    return isinstance(value, kinds)


def _type(trier: Trier, node: ast.Call, frame: Frame) -> Any:
    value = trier.evaluate(node.args[0], frame)
    if isinstance(value, Text):
        return str
    return type(value) if is_known(value) and not isinstance(value, (Arguments, Found)) else UNKNOWN
