"""Calls: what a function of the checkout, a builtin, a class or something unknown gives when it is called."""

from __future__ import annotations

import argparse
import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from launcher.trainer.static import mirror, objects, pure, special
from launcher.trainer.static.values import (
    UNKNOWN,
    Bound,
    Builtin,
    ClassValue,
    External,
    Function,
    Given,
    Instance,
    Method,
    Raised,
    Scope,
    Super,
)

if TYPE_CHECKING:
    from launcher.trainer.static.machine import Machine

DEEPEST = 25  # calls within calls; sd-scripts needs 3
_ENDS = frozenset({"sys.exit", "os._exit", "os.abort"})


def call_expression(machine: Machine, node: ast.Call, scope: Scope) -> Any:
    """What the call in `node` gives."""
    callee = machine.evaluate(node.func, scope)
    where = machine.place(node, scope)
    if callee == Builtin("super") and not node.args:
        return _super(scope)
    given = _given(machine, node, scope)
    name = callee.name if isinstance(callee, Method) else getattr(getattr(callee, "function", None), "__name__", "")
    if name != "add_argument" or machine.adding is not None:
        return call(machine, callee, given, where)
    machine.adding = where
    try:
        return call(machine, callee, given, where)
    finally:
        machine.adding = None


def call(machine: Machine, callee: Any, given: Given, where: str) -> Any:  # noqa: PLR0911 - one for each kind
    """What calling `callee` gives, or UNKNOWN; a parser that is handed to something unknown is noted."""
    if isinstance(callee, Function):
        return _run(machine, callee, given, where)
    if isinstance(callee, Bound):
        keywords = {**callee.keywords, **given.keywords}
        more = replace(given, arguments=(*callee.arguments, *given.arguments), keywords=keywords)
        return call(machine, callee.function, more, where)
    if isinstance(callee, ClassValue) and callee.real is not None:
        return mirror.construct(machine, callee.real, given, where)
    if isinstance(callee, ClassValue):
        return _instance(machine, callee, given, where)
    if isinstance(callee, type) and callee.__name__ not in pure.BUILTIN_TYPES:
        return mirror.construct(machine, callee, given, where)
    if isinstance(callee, type):
        callee = Builtin(callee.__name__)
    if isinstance(callee, Builtin) and not given.is_open and callee.name in special.SPECIAL:
        return special.SPECIAL[callee.name](machine, given, where)
    if isinstance(callee, Builtin) and not given.is_open and callee.name in pure.BUILTIN_FUNCTIONS:
        return pure.call_builtin(callee.name, given.arguments, given.keywords)
    if isinstance(callee, Method):
        return _method(machine, callee, given, where)
    if isinstance(callee, External):
        return _external(machine, callee, given, where)
    return special.unknown(machine, given, where)


def function_of(machine: Machine, node: ast.FunctionDef | ast.Lambda, scope: Scope, name: str) -> Function:
    """The function that a `def` or `lambda` makes, with its defaults as they are where it stands."""
    return Function(
        node,
        scope,
        [machine.evaluate(default, scope) for default in node.args.defaults],
        {
            argument.arg: machine.evaluate(default, scope)
            for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            if default is not None
        },
        name,
    )


def _given(machine: Machine, node: ast.Call, scope: Scope) -> Given:
    arguments: list[Any] = []
    keywords: dict[str, Any] = {}
    is_open = False
    for argument in node.args:
        if not isinstance(argument, ast.Starred):
            arguments.append(_argument(machine, argument, scope))
        elif (spread := objects.items(machine, machine.evaluate(argument.value, scope))) is not None:
            arguments += spread
        else:
            is_open = True
    for keyword in node.keywords:
        value = _argument(machine, keyword.value, scope)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
        elif isinstance(value, dict) and all(isinstance(key, str) for key in value):
            keywords |= value
        else:
            is_open = True
    return Given(tuple(arguments), keywords, is_open, _text(node.func))


def _argument(machine: Machine, node: ast.expr, scope: Scope) -> Any:
    depth = machine.depth
    try:
        return machine.evaluate(node, scope)
    except RecursionError:
        machine.depth = depth
        return UNKNOWN  # one argument nested beyond reason does not cost the whole option


def _text(node: ast.expr) -> str:
    return f"`{ast.unparse(node)}`" if isinstance(node, (ast.Name, ast.Attribute)) else "a function"


def _super(scope: Scope) -> Any:
    current: Scope | None = scope
    while current is not None:
        if current.method_of is not None:
            return Super(*current.method_of)
        current = current.outer
    return UNKNOWN


def _run(machine: Machine, function: Function, given: Given, where: str) -> Any:
    node = function.node
    watched = special.holds_parser([*given.arguments, *given.keywords.values()])
    if function.decorator is not None and watched:
        machine.note(where, f"what the decorator {function.decorator} makes of `{function.__name__}`")
    if machine.depth >= DEEPEST or _is_generator(node):
        if watched:
            why = "is a generator" if _is_generator(node) else "calls itself too many times over"
            machine.note(where, f"what `{function.__name__}` does with the parser: it {why}")
        return UNKNOWN
    scope = Scope(function.scope.module, outer=function.scope)
    if function.owner is not None and given.arguments:
        scope.method_of = (function.owner, given.arguments[0])
    scope.names.update(_parameters(function, given))
    doubt, tries = machine.doubt, machine.tries
    machine.depth += 1
    try:
        if isinstance(node, ast.Lambda):
            return machine.evaluate(node.body, scope)
        outcome = machine.execute(node.body, scope)
    finally:
        machine.depth -= 1
        machine.doubt, machine.tries = doubt, tries
    results = scope.returned + ([None] if outcome is None else [])
    if not results:
        if doubt or tries:
            raise Raised
        if watched:
            machine.note(where, f"`{function.__name__}` would end in an exception")
        return UNKNOWN
    return results[0] if all(pure.same(results[0], other) for other in results[1:]) else UNKNOWN


def _parameters(function: Function, given: Given) -> dict[str, Any]:
    declared = function.node.args
    positional = [argument.arg for argument in (*declared.posonlyargs, *declared.args)]
    # What comes after an unknown `*` could be anywhere, and an unknown `**` can set anything.
    values: dict[str, Any] = dict.fromkeys([*positional, *(argument.arg for argument in declared.kwonlyargs)], UNKNOWN)
    if not given.is_open:
        values |= dict(zip(positional[len(positional) - len(function.defaults) :], function.defaults, strict=True))
        values |= function.keyword_defaults
    values |= dict(zip(positional, given.arguments, strict=False))
    if declared.vararg:
        values[declared.vararg.arg] = UNKNOWN if given.is_open else given.arguments[len(positional) :]
    others = {name: value for name, value in given.keywords.items() if name not in values}
    values |= {name: value for name, value in given.keywords.items() if name in values}
    if declared.kwarg:
        values[declared.kwarg.arg] = UNKNOWN if given.is_open else others
    return values


def _is_generator(node: ast.FunctionDef | ast.Lambda) -> bool:
    todo: list[ast.AST] = list(node.body) if isinstance(node, ast.FunctionDef) else [node.body]
    while todo:
        each = todo.pop()
        if isinstance(each, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Call)):
            todo += ast.iter_child_nodes(each)
    return False


def _instance(machine: Machine, owner: ClassValue, given: Given, where: str) -> Any:
    if owner.is_enum:
        members = objects.items(machine, owner) or []
        return next((each for each in members if pure.same(each.value, *given.arguments[:1])), UNKNOWN)
    made_by_decorator = owner.node.decorator_list and (given.arguments or given.keywords or given.is_open)
    if made_by_decorator or not all(isinstance(base, ClassValue) or base is object for base in owner.bases):
        return special.unknown(machine, given, where)
    instance = Instance(owner)
    start = objects.attribute(machine, instance, "__init__")
    if isinstance(start, Bound):
        call(machine, start, given, where)
    return instance


def _method(machine: Machine, method: Method, given: Given, where: str) -> Any:
    if isinstance(method.receiver, (argparse._ActionsContainer, argparse.Action)):
        return mirror.call(machine, method, given, where)
    unsettled = machine.doubt or given.is_open or UNKNOWN in given.arguments[:-1]
    if unsettled and pure.changes(method.receiver, method.name):
        machine.spoil(method.receiver)
        return UNKNOWN
    if given.is_open:
        return UNKNOWN
    return pure.call_method(method.receiver, method.name, given.arguments, given.keywords)


def _external(  # noqa: PLR0911 - one for each function known
    machine: Machine, callee: External, given: Given, where: str
) -> Any:
    if callee.dotted in _ENDS:
        if machine.doubt or machine.tries:
            raise Raised
        return UNKNOWN
    if callee.dotted == "typing.cast" and len(given.arguments) == 2:
        return given.arguments[1]
    if callee.dotted == "functools.partial" and given.arguments and not given.is_open:
        return Bound(given.arguments[0], given.arguments[1:], given.keywords, is_partial=True)
    if callee.dotted == "functools.wraps" and given.arguments:
        first, *rest = given.arguments
        if not rest:
            return Bound(callee, (first,))
        if isinstance(rest[0], Function) and isinstance(first, Function):
            return replace(rest[0], __name__=first.__name__)
    if callee.dotted in ("functools.lru_cache", "functools.cache"):
        return given.arguments[0] if given.arguments and isinstance(given.arguments[0], Function) else callee
    result = pure.call_library(callee.dotted, given.arguments, given.keywords)
    return special.unknown(machine, given, where) if result is UNKNOWN else result
