"""Expressions of a function that is followed with given arguments."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from launcher.trainer import keyword_calls
from launcher.trainer.keyword_modules import Found, Imported
from launcher.trainer.keyword_values import (
    CONSTANTS,
    FALSE_WORDS,
    FUNCTIONS,
    TYPES,
    UNKNOWN,
    Arguments,
    Failed,
    Frame,
    FunctionValue,
    Made,
    Method,
    Model,
    Text,
    Unsure,
    binary,
    compare,
    guarded,
    has_method,
    is_known,
    truth,
)

if TYPE_CHECKING:
    from launcher.trainer.keyword_trial import Trier

_YES = frozenset({"true", "1", "yes", "on", "y", "t"})
_REPR = ord("r")
_OPEN = object()  # there may be any number of items here


def evaluate(trier: Trier, node: ast.expr, frame: Frame) -> Any:
    """What an expression gives."""
    trier.step()
    follow = _KINDS.get(type(node))
    return UNKNOWN if follow is None else follow(trier, node, frame)


def look_up(trier: Trier, name: str, frame: Frame) -> Any:
    """What a name stands for."""
    current: Frame | None = frame
    while current is not None:
        if name in current.names:
            return current.names[name]
        current = current.outer
    found = trier.modules.find(frame.file, name)
    if found is not None:
        return trier.value_of(found)
    if name in trier.modules.names(frame.file):
        return UNKNOWN
    return TYPES.get(name, FUNCTIONS.get(name, UNKNOWN))


def _attribute(trier: Trier, node: ast.Attribute, frame: Frame) -> Any:
    dotted = _external(trier, node, frame)
    if dotted in CONSTANTS or dotted in FUNCTIONS:
        return CONSTANTS.get(dotted, FUNCTIONS.get(dotted))
    holder = evaluate(trier, node.value, frame)
    if isinstance(holder, Found):
        found = trier.modules.attribute(holder, node.attr)
        return trier.value_of(found) if found else UNKNOWN
    if isinstance(holder, type) and has_method(holder(), node.attr):
        return getattr(holder, node.attr)
    if has_method(holder, node.attr):
        return Method(holder, node.attr)
    if (holder is None or isinstance(holder, (str, list, int, float))) and not hasattr(holder, node.attr):
        raise Failed("AttributeError", f"{type(holder).__name__} has no {node.attr}")
    return UNKNOWN


def _external(trier: Trier, node: ast.Attribute, frame: Frame) -> str:
    """The full name of something of the standard library: "math.pi"."""
    if not isinstance(node.value, ast.Name):
        return ""
    local = frame.names.get(node.value.id)
    bound = local if isinstance(local, Imported) else trier.modules.imported(frame.file, node.value.id)
    return f"{bound.dotted}.{node.attr}" if bound and bound.name is None else ""


def _boolean(trier: Trier, node: ast.BoolOp, frame: Frame) -> Any:
    decides = isinstance(node.op, ast.Or)
    unsure = False
    value: Any = UNKNOWN
    for operand in node.values:
        try:
            value = evaluate(trier, operand, frame)
        except Failed:
            if unsure:  # it may never come to this operand
                return UNKNOWN
            raise
        known = truth(value)
        if known is decides:
            return UNKNOWN if unsure and value is not decides else value
        unsure = unsure or known is None
    return UNKNOWN if unsure else value


def _unary(trier: Trier, node: ast.UnaryOp, frame: Frame) -> Any:
    value = evaluate(trier, node.operand, frame)
    if isinstance(node.op, ast.Not):
        known = truth(value)
        return UNKNOWN if known is None else not known
    if isinstance(node.op, ast.USub) and isinstance(value, (int, float)):
        return -value
    return UNKNOWN


def _compare(trier: Trier, node: ast.Compare, frame: Frame) -> Any:
    left = evaluate(trier, node.left, frame)
    unsure = False
    for kind, operand in zip(node.ops, node.comparators, strict=True):
        right = evaluate(trier, operand, frame)
        if isinstance(right, Arguments) and isinstance(kind, (ast.In, ast.NotIn)) and isinstance(left, str):
            right.read.add(str(left))
        _remark_on(trier, type(kind), left, right)
        result = compare(type(kind), left, right)
        if result is UNKNOWN:
            unsure = True
        elif not result:
            return False
        left = right
    return UNKNOWN if unsure else True


def _remark_on(trier: Trier, kind: type, left: Any, right: Any) -> None:
    """A switch that is compared with one spelling of true or false only."""
    if not isinstance(left, Text) or not isinstance(right, str) or isinstance(right, Text) or left == right:
        return
    if kind is ast.Eq and right.lower() == "true" and left.lower() in _YES:
        trier.remark("off-anyway", left.key, right)
    if kind is ast.NotEq and right.lower() == "false" and left.lower() in FALSE_WORDS:
        trier.remark("on-anyway", left.key, right)


def _conditional(trier: Trier, node: ast.IfExp, frame: Frame) -> Any:
    known = condition(trier, node.test, frame)
    if known is not None:
        return evaluate(trier, node.body if known else node.orelse, frame)
    return trier.either([node.body, node.orelse], frame)


def condition(trier: Trier, node: ast.expr, frame: Frame) -> bool | None:
    """Whether a condition holds; None when that is not known."""
    value = evaluate(trier, node, frame)
    if isinstance(value, Text) and isinstance(node, (ast.Name, ast.Call)) and value.lower() in FALSE_WORDS:
        trier.remark("on-anyway", value.key, "")
    return truth(value)


def _subscript(trier: Trier, node: ast.Subscript, frame: Frame) -> Any:
    holder = evaluate(trier, node.value, frame)
    if isinstance(node.slice, ast.Slice):
        ends = [None if end is None else evaluate(trier, end, frame)
                for end in (node.slice.lower, node.slice.upper, node.slice.step)]  # fmt: skip
        key: Any = UNKNOWN if not is_known(ends) else slice(*ends)
    else:
        key = evaluate(trier, node.slice, frame)
    if holder is UNKNOWN or key is UNKNOWN or isinstance(holder, (Found, FunctionValue, Made, Model, Method, type)):
        return UNKNOWN
    if isinstance(holder, Arguments) and isinstance(key, str):
        holder.read.add(str(key))
    found = guarded(lambda: holder[key])
    return Text.of(holder.key, found) if isinstance(holder, Text) else found


def _joined(trier: Trier, node: ast.JoinedStr, frame: Frame) -> Any:
    parts = []
    for value in node.values:
        if isinstance(value, ast.FormattedValue):
            found = evaluate(trier, value.value, frame)
            if not is_known(found) or value.format_spec:
                return UNKNOWN
            parts.append(repr(found) if value.conversion == _REPR else str(found))
        elif isinstance(value, ast.Constant):
            parts.append(str(value.value))
    return "".join(parts)


def _comprehension(
    trier: Trier, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, frame: Frame
) -> Any:
    inner = Frame(frame.file, {}, frame)
    made = list(_rounds(trier, node, inner, 0))
    if any(item is _OPEN for item in made):
        return UNKNOWN
    if isinstance(node, ast.DictComp):
        return dict(made) if all(is_known(key) for key, _ in made) else UNKNOWN
    return {*made} if isinstance(node, ast.SetComp) and is_known(made) else made


def _rounds(trier: Trier, node: Any, frame: Frame, depth: int) -> Iterator[Any]:
    if depth == len(node.generators):
        if isinstance(node, ast.DictComp):
            yield evaluate(trier, node.key, frame), evaluate(trier, node.value, frame)
        else:
            yield evaluate(trier, node.elt, frame)
        return
    generator = node.generators[depth]
    items = evaluate(trier, generator.iter, frame)
    if not isinstance(items, (list, tuple, dict, set, str)):
        yield _OPEN
        return
    for item in list(items):
        trier.assign(generator.target, item, frame)
        verdicts = [condition(trier, each, frame) for each in generator.ifs]
        if None in verdicts:
            yield _OPEN
        elif all(verdicts):
            yield from _rounds(trier, node, frame, depth + 1)


def _dict(trier: Trier, node: ast.Dict, frame: Frame) -> Any:
    made: dict[Any, Any] = {}
    read: set[str] | None = None
    for key, value in zip(node.keys, node.values, strict=True):
        found = evaluate(trier, value, frame)
        if key is not None:
            name = evaluate(trier, key, frame)
            if not is_known(name):
                return UNKNOWN
            guarded(made.__setitem__, name, found)
        elif isinstance(found, dict):
            made.update(found)
            read = found.read if isinstance(found, Arguments) else read
        else:
            return UNKNOWN
    return made if read is None else Arguments.of(made, read)


def _items(trier: Trier, node: ast.List | ast.Tuple | ast.Set, frame: Frame) -> Any:
    made: list[Any] = []
    for item in node.elts:
        value = evaluate(trier, item.value if isinstance(item, ast.Starred) else item, frame)
        if not isinstance(item, ast.Starred):
            made.append(value)
        elif isinstance(value, (list, tuple)):
            made.extend(value)
        else:
            return UNKNOWN
    if isinstance(node, ast.Set):
        return guarded(set, made) if is_known(made) else UNKNOWN
    return tuple(made) if isinstance(node, ast.Tuple) else made


def _binary(trier: Trier, node: ast.BinOp, frame: Frame) -> Any:
    left, right = evaluate(trier, node.left, frame), evaluate(trier, node.right, frame)
    return binary(type(node.op), left, right)


def _unsure(trier: Trier, node: ast.expr, frame: Frame) -> Any:
    raise Unsure


_KINDS: dict[type[ast.expr], Callable[[Trier, Any, Frame], Any]] = {
    ast.Attribute: _attribute,
    ast.Await: _unsure,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.Call: keyword_calls.call_expression,
    ast.Compare: _compare,
    ast.Constant: lambda trier, node, frame: node.value,
    ast.Dict: _dict,
    ast.DictComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.IfExp: _conditional,
    ast.JoinedStr: _joined,
    ast.Lambda: lambda trier, node, frame: FunctionValue(frame.file, node, frame),
    ast.List: _items,
    ast.ListComp: _comprehension,
    ast.Name: lambda trier, node, frame: look_up(trier, node.id, frame),
    ast.NamedExpr: _unsure,
    ast.Set: _items,
    ast.SetComp: _comprehension,
    ast.Subscript: _subscript,
    ast.Tuple: _items,
    ast.UnaryOp: _unary,
    ast.Yield: _unsure,
    ast.YieldFrom: _unsure,
}
