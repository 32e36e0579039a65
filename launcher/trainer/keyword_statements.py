"""Statements of a function that is followed with given arguments, and how each ends."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from launcher.trainer.keyword_expressions import condition
from launcher.trainer.keyword_modules import Imported, base_of
from launcher.trainer.keyword_values import UNKNOWN, Failed, Frame, FunctionValue, Unsure, binary, copied, is_known

if TYPE_CHECKING:
    from launcher.trainer.keyword_trial import Trier

Outcome = str | None  # how statements end: None (at their end), "return", "break", "continue"


def _assert(trier: Trier, node: ast.Assert, frame: Frame) -> Outcome:
    if condition(trier, node.test, frame) is not False:
        return None
    said = trier.evaluate(node.msg, frame) if node.msg is not None else ""
    message = said if isinstance(said, str) else ""
    wanted = given = None
    choices: tuple[str, ...] = ()
    if isinstance(node.test, ast.Compare) and len(node.test.ops) == 1:
        left = trier.evaluate(node.test.left, frame)
        right = trier.evaluate(node.test.comparators[0], frame)
        counted = isinstance(node.test.left, ast.Call) and getattr(node.test.left.func, "id", "") == "len"
        if isinstance(node.test.ops[0], ast.Eq) and counted and isinstance(left, int) and isinstance(right, int):
            wanted, given = right, left
        if isinstance(node.test.ops[0], ast.In) and isinstance(right, (list, tuple)) and is_known(right):
            choices = tuple(each for each in right if isinstance(each, str))
    names = tuple(dict.fromkeys(each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)))
    raise Failed("AssertionError", message, wanted=wanted, given=given, choices=choices, names=names)


def _raise(trier: Trier, node: ast.Raise, frame: Frame) -> Outcome:
    kind, message = "Exception", ""
    raised = node.exc
    if isinstance(raised, ast.Call):
        said = trier.evaluate(raised.args[0], frame) if raised.args else ""
        message = said if isinstance(said, str) else ""
        raised = raised.func
    if isinstance(raised, ast.Name):
        kind = raised.id
    raise Failed(kind, message)


def _if(trier: Trier, node: ast.If, frame: Frame) -> Outcome:
    known = condition(trier, node.test, frame)
    if known is not None:
        return trier.execute(node.body if known else node.orelse, frame)
    return trier.fork([lambda: trier.execute(node.body, frame), lambda: trier.execute(node.orelse, frame)], frame)


def _for(trier: Trier, node: ast.For, frame: Frame) -> Outcome:
    items = trier.evaluate(node.iter, frame)
    if not isinstance(items, (list, tuple, dict, set, str)):

        def once() -> Outcome:
            trier.assign(node.target, UNKNOWN, frame)
            trier.loops += 1
            try:
                outcome = trier.execute(node.body, frame)
            finally:
                trier.loops -= 1
            return None if outcome in ("break", "continue") else outcome

        return trier.fork([once, lambda: None], frame)
    for item in list(items):
        trier.assign(node.target, item, frame)
        loops, trier.loops = trier.loops, 0
        try:
            outcome = trier.execute(node.body, frame)
        finally:
            trier.loops = loops
        if outcome == "break":
            return None
        if outcome == "return":
            return outcome
    return trier.execute(node.orelse, frame)


def _try(trier: Trier, node: ast.Try, frame: Frame) -> Outcome:
    calls, start = trier.unknown_calls, copied(frame.names, {})
    try:
        outcome = trier.execute(node.body, frame)
    except Failed as failed:
        handler = next((each for each in node.handlers if _catches(each, failed.kind)), None)
        if handler is None:
            raise
        if handler.name:
            frame.names[handler.name] = UNKNOWN
        outcome = trier.execute(handler.body, frame)
    else:
        if trier.unknown_calls > calls and node.handlers:  # it may also have failed
            ended, end = outcome, frame.names
            frame.names = start

            def as_followed() -> Outcome:
                frame.names = end
                return ended

            handlers = [lambda body=each.body: trier.execute(body, frame) for each in node.handlers]
            outcome = trier.fork([as_followed, *handlers], frame)
        elif outcome is None:
            outcome = trier.execute(node.orelse, frame)
    at_last = trier.execute(node.finalbody, frame)
    return outcome if at_last is None else at_last


def _catches(handler: ast.ExceptHandler, kind: str) -> bool:
    raised = getattr(builtins, kind, Exception)
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = [each.id for each in types if isinstance(each, ast.Name)]
    caught = [each for name in names if isinstance(each := getattr(builtins, name, None), type)]
    return isinstance(raised, type) and any(issubclass(raised, each) for each in caught)


def _with(trier: Trier, node: ast.With, frame: Frame) -> Outcome:
    for item in node.items:
        if "suppress" in ast.unparse(item.context_expr):
            raise Unsure
        trier.evaluate(item.context_expr, frame)
        if item.optional_vars is not None:
            trier.assign(item.optional_vars, UNKNOWN, frame)
    return trier.execute(node.body, frame)


def _assign(trier: Trier, node: ast.Assign, frame: Frame) -> Outcome:
    value = trier.evaluate(node.value, frame)
    for target in node.targets:
        trier.assign(target, value, frame)
    return None


def _annotated(trier: Trier, node: ast.AnnAssign, frame: Frame) -> Outcome:
    if node.value is not None:
        trier.assign(node.target, trier.evaluate(node.value, frame), frame)
    return None


def _augmented(trier: Trier, node: ast.AugAssign, frame: Frame) -> Outcome:
    if isinstance(node.target, ast.Name):
        before = trier.evaluate(ast.Name(node.target.id, ast.Load()), frame)
        trier.assign(node.target, binary(type(node.op), before, trier.evaluate(node.value, frame)), frame)
        return None
    raise Unsure


def _expression(trier: Trier, node: ast.Expr, frame: Frame) -> Outcome:
    trier.evaluate(node.value, frame)
    return None


def _return(trier: Trier, node: ast.Return, frame: Frame) -> Outcome:
    frame.returned.append(None if node.value is None else trier.evaluate(node.value, frame))
    return "return"


def _define(trier: Trier, node: ast.FunctionDef, frame: Frame) -> Outcome:
    frame.names[node.name] = UNKNOWN if node.decorator_list else FunctionValue(frame.file, node, frame)
    return None


def _import(trier: Trier, node: ast.Import, frame: Frame) -> Outcome:
    for name in node.names:
        first = name.name.partition(".")[0]
        frame.names[name.asname or first] = Imported(name.name if name.asname else first)
    return None


def _import_from(trier: Trier, node: ast.ImportFrom, frame: Frame) -> Outcome:
    module = trier.modules.module(base_of(frame.file, node))
    for name in node.names:
        found = trier.modules.find(module, name.name) if module else None
        frame.names[name.asname or name.name] = trier.value_of(found) if found else UNKNOWN
    return None


def _delete(trier: Trier, node: ast.Delete, frame: Frame) -> Outcome:
    for target in node.targets:
        if not isinstance(target, ast.Name):
            raise Unsure
        frame.names.pop(target.id, None)
    return None


KINDS: dict[type[ast.stmt], Callable[[Trier, Any, Frame], Outcome]] = {
    ast.AnnAssign: _annotated,
    ast.Assert: _assert,
    ast.Assign: _assign,
    ast.AugAssign: _augmented,
    ast.Break: lambda trier, node, frame: "break",
    ast.ClassDef: lambda trier, node, frame: frame.names.update({node.name: UNKNOWN}),
    ast.Continue: lambda trier, node, frame: "continue",
    ast.Delete: _delete,
    ast.Expr: _expression,
    ast.For: _for,
    ast.FunctionDef: _define,
    ast.If: _if,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Pass: lambda trier, node, frame: None,
    ast.Raise: _raise,
    ast.Return: _return,
    ast.Try: _try,
    ast.With: _with,
}
