"""Expressions of a function that is followed: worked out where everything in them is known."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from launcher.trainer.following_plain import (
    FUNCTIONS,
    LONGEST,
    PLAIN,
    TEXT_METHODS,
    builtin,
    compared,
    formatted,
    guarded,
    is_known,
    literal,
    operate,
    truth,
)
from launcher.trainer.following_values import UNKNOWN, Local, Made, Member, Named, Options, Raised, Refusal

if TYPE_CHECKING:
    from launcher.trainer.following import Walker

Names = dict[str, Any]


def evaluate(walker: Walker, node: ast.expr, names: Names) -> Any:
    """What an expression stands for; UNKNOWN where that cannot be told. Raises Raised as the trainer would."""
    kind = _KINDS.get(type(node))
    return kind(walker, node, names) if kind else UNKNOWN


def _name(walker: Walker, node: ast.Name, names: Names) -> Any:
    if node.id in names:
        return names[node.id]
    if node.id in FUNCTIONS or node.id in ("isinstance", "type", "getattr", "range"):
        return Named(f"builtins.{node.id}")
    return walker.world.names(node.id)


def _attribute(walker: Walker, node: ast.Attribute, names: Names) -> Any:
    owner = walker.evaluate(node.value, names)
    if isinstance(owner, Options):
        return owner.get(node.attr)
    if isinstance(owner, Member):
        return {"value": owner.value, "name": owner.name}.get(node.attr, UNKNOWN)
    if isinstance(owner, Named):
        members = walker.world.members(owner.dotted) if node.attr.isupper() else None
        if members is not None:
            return Member(owner.dotted, node.attr, members[node.attr]) if node.attr in members else UNKNOWN
        return UNKNOWN if node.attr.startswith("__") else Named(f"{owner.dotted}.{node.attr}")
    return UNKNOWN


def _call(walker: Walker, node: ast.Call, names: Names) -> Any:
    positional = [walker.evaluate(each, names) for each in node.args if not isinstance(each, ast.Starred)]
    keywords: dict[str, Any] = {}
    unclear = len(positional) < len(node.args)
    for keyword in node.keywords:
        value = walker.evaluate(keyword.value, names)
        more = value if keyword.arg is None else {keyword.arg: value}
        if not isinstance(more, dict):
            unclear = True
            continue
        twice = next((key for key in more if key in keywords), None)
        if twice is not None and not walker.doubt:
            message = f"got multiple values for keyword argument '{twice}'"
            walker.refuse(Refusal("TypeError", message, twice))
        keywords |= more
    if isinstance(node.func, ast.Attribute):
        if node.func.attr == "__init__" and _is_super(node.func.value) and walker.world.above and not unclear:
            walker.world.above(walker, positional, keywords)
            return None
        owner = walker.evaluate(node.func.value, names)
        if isinstance(owner, PLAIN):
            return _method(walker, owner, node.func.attr, positional, keywords)
    callee = walker.evaluate(node.func, names)
    if unclear:
        return UNKNOWN
    if isinstance(callee, Local):
        return walker.call_local(callee, positional, keywords)
    if isinstance(callee, Named):
        return _made(walker, callee, positional, keywords)
    return UNKNOWN


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _made(walker: Walker, callee: Named, positional: list[Any], keywords: dict[str, Any]) -> Any:
    if callee.dotted.startswith("builtins."):
        return builtin(callee.dotted.removeprefix("builtins."), positional, keywords)
    if callee.dotted == "ast.literal_eval":
        return literal(positional[0]) if len(positional) == 1 else UNKNOWN
    if callee.dotted == "importlib.import_module":
        if len(positional) != 1 or not isinstance(positional[0], str):
            return UNKNOWN
        walker.imported(positional[0])
        return Named(positional[0])
    members = walker.world.members(callee.dotted) if len(positional) == 1 and not keywords else None
    if members is not None:
        return _member(callee, positional[0], members)
    made = Made(callee, tuple(positional), tuple(keywords.items()))
    if not walker.doubt:
        walker.walk.made.append(made)
    return made


def _member(callee: Named, value: Any, members: Mapping[str, str]) -> Any:
    if isinstance(value, Member):
        return value if value.owner == callee.dotted else UNKNOWN
    if not isinstance(value, str):
        return UNKNOWN
    name = next((name for name, text in members.items() if text == value), None)
    if name is None:
        raise Raised(Refusal("ValueError", f"{value!r} is not a valid {callee.dotted.rpartition('.')[2]}", value))
    return Member(callee.dotted, name, value)


def _method(walker: Walker, owner: Any, name: str, positional: list[Any], keywords: dict[str, Any]) -> Any:
    if isinstance(owner, dict):
        return _dict_method(walker, owner, name, positional)
    if isinstance(owner, list) and name == "append" and len(positional) == 1:
        owner.append(UNKNOWN if walker.doubt else positional[0])
        return None
    if isinstance(owner, str) and name == "format" and not keywords:
        return formatted(owner, positional)
    if isinstance(owner, str) and name in TEXT_METHODS and all(map(is_known, positional)):
        return guarded(getattr(owner, name), *positional, **keywords)
    return UNKNOWN


def _dict_method(walker: Walker, owner: dict[Any, Any], name: str, positional: list[Any]) -> Any:
    if name in ("keys", "values", "items") and not positional:
        return [*(getattr(owner, name)())]
    key = positional[0] if positional else None
    if name in ("get", "pop", "setdefault") and isinstance(key, str):
        default = positional[1] if len(positional) > 1 else None
        value = owner.get(key, default)
        if name == "pop" and not walker.doubt:
            owner.pop(key, None)
        elif name == "pop" and key in owner:
            owner[key] = UNKNOWN
        elif name == "setdefault":
            owner.setdefault(key, UNKNOWN if walker.doubt else default)
        return value
    return UNKNOWN


def _compare(walker: Walker, node: ast.Compare, names: Names) -> Any:
    left = walker.evaluate(node.left, names)
    result: Any = True
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = walker.evaluate(comparator, names)
        answer = compared(op, left, right)
        if answer is not UNKNOWN and not answer:
            return False
        result = UNKNOWN if answer is UNKNOWN else result
        left = right
    return result


def _boolean(walker: Walker, node: ast.BoolOp, names: Names) -> Any:
    stops = isinstance(node.op, ast.Or)
    unknown = False
    value: Any = UNKNOWN
    for each in node.values:
        if unknown:
            try:
                walker.doubt += 1
                value = walker.evaluate(each, names)
            except Raised:
                value = UNKNOWN
            finally:
                walker.doubt -= 1
        else:
            value = walker.evaluate(each, names)
        known = truth(value)
        if known is stops:
            return stops if unknown else value
        unknown = unknown or known is None
    return UNKNOWN if unknown else value


def _unary(walker: Walker, node: ast.UnaryOp, names: Names) -> Any:
    value = walker.evaluate(node.operand, names)
    if isinstance(node.op, ast.Not):
        known = truth(value)
        return UNKNOWN if known is None else not known
    if isinstance(value, (int, float)):
        return -value if isinstance(node.op, ast.USub) else value if isinstance(node.op, ast.UAdd) else UNKNOWN
    return UNKNOWN


def _conditional(walker: Walker, node: ast.IfExp, names: Names) -> Any:
    known = truth(walker.evaluate(node.test, names))
    if known is None:
        return UNKNOWN
    return walker.evaluate(node.body if known else node.orelse, names)


def _binary(walker: Walker, node: ast.BinOp, names: Names) -> Any:
    return operate(node.op, walker.evaluate(node.left, names), walker.evaluate(node.right, names))


def _joined(walker: Walker, node: ast.JoinedStr, names: Names) -> Any:
    text = ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
            continue
        value = walker.evaluate(part.value, names) if isinstance(part, ast.FormattedValue) else UNKNOWN
        simple = isinstance(part, ast.FormattedValue) and part.format_spec is None and part.conversion == -1
        if isinstance(value, Member):
            value = value.value
        if not simple or not is_known(value):
            return UNKNOWN
        text += str(value)[:LONGEST]
    return text


def _subscript(walker: Walker, node: ast.Subscript, names: Names) -> Any:
    owner = walker.evaluate(node.value, names)
    if isinstance(node.slice, ast.Slice):
        ends = [None if end is None else walker.evaluate(end, names) for end in (node.slice.lower, node.slice.upper)]
        if isinstance(owner, (str, list, tuple)) and all(end is None or isinstance(end, int) for end in ends):
            return owner[ends[0] : ends[1]] if node.slice.step is None else UNKNOWN
        return UNKNOWN
    key = walker.evaluate(node.slice, names)
    if isinstance(owner, Named) and isinstance(key, Member):
        table = walker.world.tables(owner.dotted)
        return Named(table[key.name]) if table and key.name in table else UNKNOWN
    if isinstance(owner, dict) and isinstance(key, str):
        return owner.get(key, UNKNOWN)
    if isinstance(owner, PLAIN) and is_known(key) and key is not None:
        return guarded(operator.getitem, owner, key) if not isinstance(owner, dict) else UNKNOWN
    return UNKNOWN


def _sequence(walker: Walker, node: ast.List | ast.Tuple, names: Names) -> Any:
    if any(isinstance(each, ast.Starred) for each in node.elts):
        return UNKNOWN
    values = [walker.evaluate(each, names) for each in node.elts]
    return tuple(values) if isinstance(node, ast.Tuple) else values


def _dict(walker: Walker, node: ast.Dict, names: Names) -> Any:
    found: dict[Any, Any] = {}
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        key = UNKNOWN if key_node is None else walker.evaluate(key_node, names)
        if not isinstance(key, (str, int)):
            return UNKNOWN
        found[key] = walker.evaluate(value_node, names)
    return found


def _comprehension(walker: Walker, node: ast.ListComp | ast.GeneratorExp, names: Names) -> Any:
    first, *others = node.generators
    items = walker.evaluate(first.iter, names)
    if others or first.ifs or not isinstance(items, (list, tuple, range)) or len(items) > 1_000:
        return UNKNOWN
    inner = dict(names)
    found = []
    for item in items:
        walker.assign(first.target, item, inner)
        found.append(walker.evaluate(node.elt, inner))
    return found


_KINDS: dict[type[ast.expr], Callable[[Walker, Any, Names], Any]] = {
    ast.Attribute: _attribute,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.Call: _call,
    ast.Compare: _compare,
    ast.Constant: lambda walker, node, names: node.value,
    ast.Dict: _dict,
    ast.GeneratorExp: _comprehension,
    ast.IfExp: _conditional,
    ast.JoinedStr: _joined,
    ast.Lambda: lambda walker, node, names: Local(node, names),
    ast.List: _sequence,
    ast.ListComp: _comprehension,
    ast.Name: _name,
    ast.Subscript: _subscript,
    ast.Tuple: _sequence,
    ast.UnaryOp: _unary,
}
