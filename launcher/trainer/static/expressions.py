"""Expressions: what each kind of syntax stands for. Whatever is not listed is UNKNOWN."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from launcher.trainer.static import calls, objects, pure
from launcher.trainer.static.values import UNKNOWN, ClassValue, Scope

if TYPE_CHECKING:
    from launcher.trainer.static.machine import Machine


def evaluate(machine: Machine, node: ast.expr, scope: Scope) -> Any:
    """What `node` stands for in `scope`, or UNKNOWN."""
    follow = _KINDS.get(type(node))
    return UNKNOWN if follow is None else follow(machine, node, scope)


def _name(machine: Machine, node: ast.Name, scope: Scope) -> Any:
    return machine.look_up(node.id, scope)


def _attribute(machine: Machine, node: ast.Attribute, scope: Scope) -> Any:
    return objects.attribute(machine, machine.evaluate(node.value, scope), node.attr)


def _unary(machine: Machine, node: ast.UnaryOp, scope: Scope) -> Any:
    value = machine.evaluate(node.operand, scope)
    if isinstance(node.op, ast.Not):
        known = pure.truth(value)
        return UNKNOWN if known is None else not known
    if isinstance(value, (int, float, complex)):
        if isinstance(node.op, ast.USub):
            return -value
        if isinstance(node.op, ast.UAdd):
            return +value
        if isinstance(node.op, ast.Invert) and isinstance(value, int):
            return ~int(value)
    return UNKNOWN


def _binary(machine: Machine, node: ast.BinOp, scope: Scope) -> Any:
    # A long chain of `+` leans to the left: walked along, not down.
    chain = [node]
    while isinstance(chain[-1].left, ast.BinOp):
        chain.append(chain[-1].left)
    value = machine.evaluate(chain[-1].left, scope)
    for link in reversed(chain):
        right = machine.evaluate(link.right, scope)
        value = UNKNOWN if value is UNKNOWN or right is UNKNOWN else pure.binary(type(link.op), value, right)
    return value


def _boolean(machine: Machine, node: ast.BoolOp, scope: Scope) -> Any:
    decides = isinstance(node.op, ast.Or)
    unsure = False
    value: Any = UNKNOWN
    for operand in node.values:
        if unsure:
            found: list[Any] = []
            _in_doubt(machine, [(operand, found), (None, found)], scope, node)
            value = found[0] if found else UNKNOWN
        else:
            value = machine.evaluate(operand, scope)
        known = pure.truth(value)
        if known is decides:
            # `unknown or True` is true either way, though which of the two it gives is not known.
            return value if not unsure or value is decides else UNKNOWN
        unsure = unsure or known is None
    return UNKNOWN if unsure else value


def _compare(machine: Machine, node: ast.Compare, scope: Scope) -> Any:
    left = machine.evaluate(node.left, scope)
    unsure = False
    for operator, operand in zip(node.ops, node.comparators, strict=True):
        right = machine.evaluate(operand, scope)
        result = pure.compare(type(operator), left, right)
        if result is UNKNOWN:
            unsure = True
        elif not result:
            return False
        left = right
    return UNKNOWN if unsure else True


def _conditional(machine: Machine, node: ast.IfExp, scope: Scope) -> Any:
    known = pure.truth(machine.evaluate(node.test, scope))
    if known is not None:
        return machine.evaluate(node.body if known else node.orelse, scope)
    values: list[Any] = []
    _in_doubt(machine, [(node.body, values), (node.orelse, values)], scope, node.test)
    return values[0] if len(values) == 2 and pure.same(values[0], values[1]) else UNKNOWN


def _in_doubt(
    machine: Machine, branches: Sequence[tuple[ast.expr | None, list[Any]]], scope: Scope, test: ast.expr
) -> None:
    def branch(node: ast.expr | None, into: list[Any]) -> Callable[[], None]:
        def follow() -> None:
            if node is not None:
                into.append(machine.evaluate(node, scope))

        return follow

    followed = [branch(node, into) for node, into in branches]
    machine.fork(followed, scope, machine.place(test, scope), f"whether `{ast.unparse(test)}` holds")


def _joined(machine: Machine, node: ast.JoinedStr, scope: Scope) -> Any:
    text = ""
    for part in node.values:
        piece = machine.evaluate(part, scope)
        if not isinstance(piece, str):
            return UNKNOWN
        text += piece
    return text


def _formatted(machine: Machine, node: ast.FormattedValue, scope: Scope) -> Any:
    spec = machine.evaluate(node.format_spec, scope) if node.format_spec is not None else ""
    value = machine.evaluate(node.value, scope)
    return pure.formatted(value, node.conversion, spec) if isinstance(spec, str) else UNKNOWN


def _elements(machine: Machine, nodes: Sequence[ast.expr], scope: Scope) -> list[Any] | None:
    values: list[Any] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            spread = objects.items(machine, machine.evaluate(node.value, scope))
            if spread is None:
                return None
            values += spread
        else:
            values.append(machine.evaluate(node, scope))
    return values


def _list(machine: Machine, node: ast.List, scope: Scope) -> Any:
    values = _elements(machine, node.elts, scope)
    return UNKNOWN if values is None else values


def _tuple(machine: Machine, node: ast.Tuple, scope: Scope) -> Any:
    values = _elements(machine, node.elts, scope)
    return UNKNOWN if values is None else tuple(values)


def _set(machine: Machine, node: ast.Set, scope: Scope) -> Any:
    values = _elements(machine, node.elts, scope)
    return set(values) if values is not None and all(map(pure.is_plain, values)) and _hashable(values) else UNKNOWN


def _dict(machine: Machine, node: ast.Dict, scope: Scope) -> Any:
    result: dict[Any, Any] = {}
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        value = machine.evaluate(value_node, scope)
        if key_node is None:
            if not isinstance(value, dict):
                return UNKNOWN
            result |= value
            continue
        key = machine.evaluate(key_node, scope)
        if pure.is_unsure(key) or not _hashable([key]):
            return UNKNOWN
        result[key] = value
    return result


def _hashable(values: Sequence[Any]) -> bool:
    try:
        return hash(tuple(values)) is not None
    except TypeError:
        return False


def _subscript(machine: Machine, node: ast.Subscript, scope: Scope) -> Any:
    value = machine.evaluate(node.value, scope)
    if isinstance(value, ClassValue) and value.is_enum:
        key = machine.evaluate(node.slice, scope)
        return objects.attribute(machine, value, key) if isinstance(key, str) else UNKNOWN
    if not isinstance(value, (str, bytes, list, tuple, dict, range)):
        return UNKNOWN
    return pure.subscript(value, machine.evaluate(node.slice, scope))


def _slice(machine: Machine, node: ast.Slice, scope: Scope) -> Any:
    ends = [None if end is None else machine.evaluate(end, scope) for end in (node.lower, node.upper, node.step)]
    return UNKNOWN if any(end is UNKNOWN for end in ends) else slice(*ends)


def _named(machine: Machine, node: ast.NamedExpr, scope: Scope) -> Any:
    value = machine.evaluate(node.value, scope)
    machine.bind(scope, node.target.id, value)
    return value


def _lambda(machine: Machine, node: ast.Lambda, scope: Scope) -> Any:
    return calls.function_of(machine, node, scope, "<lambda>")


def _comprehension(
    machine: Machine, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, scope: Scope
) -> Any:
    inner = Scope(scope.module, outer=scope)
    if isinstance(node, ast.DictComp):
        pairs = [
            (machine.evaluate(node.key, inner), machine.evaluate(node.value, inner)) if sure else None
            for sure in _rounds(machine, node.generators, inner)
        ]
        if any(pair is None or pure.is_unsure(pair[0]) or not _hashable([pair[0]]) for pair in pairs):
            return UNKNOWN
        return dict(pair for pair in pairs if pair is not None)
    values = []
    for sure in _rounds(machine, node.generators, inner):
        if not sure:
            return UNKNOWN
        values.append(machine.evaluate(node.elt, inner))
    if isinstance(node, ast.SetComp):
        return set(values) if all(map(pure.is_plain, values)) and _hashable(values) else UNKNOWN
    return values


def _rounds(machine: Machine, generators: Sequence[ast.comprehension], scope: Scope) -> Iterator[bool]:
    """Bind the names of each round in turn; False for a round that cannot be known, and the last."""
    if not generators:
        yield True
        return
    first, *others = generators
    found = objects.items(machine, machine.evaluate(first.iter, scope))
    if found is None:
        yield False
        return
    for item in found:
        machine.assign(first.target, item, scope)
        verdicts = [pure.truth(machine.evaluate(test, scope)) for test in first.ifs]
        if None in verdicts and False not in verdicts:
            yield False
            return
        if all(verdicts):
            yield from _rounds(machine, others, scope)


_KINDS: dict[type[ast.expr], Callable[[Machine, Any, Scope], Any]] = {
    ast.Attribute: _attribute,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.Call: calls.call_expression,
    ast.Compare: _compare,
    ast.Constant: lambda machine, node, scope: node.value,
    ast.Dict: _dict,
    ast.DictComp: _comprehension,
    ast.FormattedValue: _formatted,
    ast.GeneratorExp: _comprehension,
    ast.IfExp: _conditional,
    ast.JoinedStr: _joined,
    ast.Lambda: _lambda,
    ast.List: _list,
    ast.ListComp: _comprehension,
    ast.Name: _name,
    ast.NamedExpr: _named,
    ast.Set: _set,
    ast.SetComp: _comprehension,
    ast.Slice: _slice,
    ast.Subscript: _subscript,
    ast.Tuple: _tuple,
    ast.UnaryOp: _unary,
}
