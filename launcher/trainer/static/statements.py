"""Statements: what following each kind of them does to the names in a scope, and how a block of them ends."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from launcher.trainer.static import calls, mirror, objects, pure
from launcher.trainer.static.values import (
    UNKNOWN,
    ClassValue,
    External,
    Function,
    Imported,
    Instance,
    Module,
    Outcome,
    Raised,
    Scope,
)

if TYPE_CHECKING:
    from launcher.trainer.static.machine import Machine

_MOST_ROUNDS = 10_000  # of one loop


def execute(machine: Machine, body: Sequence[ast.stmt], scope: Scope) -> Outcome:
    """Follow the statements of `body` in order, and say how they end."""
    for statement in body:
        follow = _KINDS.get(type(statement))
        outcome = None if follow is None else follow(machine, statement, scope)
        if outcome is not None:
            return outcome
    return None


def assign(machine: Machine, target: ast.expr, value: Any, scope: Scope) -> None:
    """Give `value` to a target of an assignment or a loop."""
    if isinstance(target, ast.Name):
        machine.bind(scope, target.id, value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(machine, target.elts, value, scope)
    elif isinstance(target, ast.Starred):
        assign(machine, target.value, value, scope)
    elif isinstance(target, ast.Attribute):
        _assign_attribute(machine, target, value, scope)
    elif isinstance(target, ast.Subscript):
        holder, key = machine.evaluate(target.value, scope), machine.evaluate(target.slice, scope)
        if machine.doubt or pure.is_unsure(key):
            machine.spoil(holder)
        elif isinstance(holder, (list, dict)):
            try:
                holder[key] = value
            except (TypeError, LookupError, ValueError):
                machine.spoil(holder)


def bound_names(statement: ast.stmt) -> set[str]:
    """The names that a statement could give a value."""
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
    return names


def _unpack(machine: Machine, targets: Sequence[ast.expr], value: Any, scope: Scope) -> None:
    found = objects.items(machine, value)
    starred = next((place for place, target in enumerate(targets) if isinstance(target, ast.Starred)), None)
    if found is not None and starred is not None and len(found) >= len(targets) - 1:
        after = len(targets) - starred - 1
        end = len(found) - after
        found = [*found[:starred], found[starred:end], *found[end:]]
    if found is None or len(found) != len(targets):
        found = [UNKNOWN] * len(targets)
    for target, item in zip(targets, found, strict=True):
        assign(machine, target, item, scope)


def _assign_attribute(machine: Machine, target: ast.Attribute, value: Any, scope: Scope) -> None:
    holder = machine.evaluate(target.value, scope)
    if isinstance(holder, (argparse._ActionsContainer, argparse.Action)):
        mirror.set_attribute(machine, holder, target.attr, value, machine.place(target, scope))
    elif isinstance(holder, (Module, ClassValue)):
        machine.bind(holder.scope, target.attr, value)
    elif isinstance(holder, Instance):
        settled = not machine.doubt or pure.same(holder.attributes.get(target.attr, UNKNOWN), value)
        holder.attributes[target.attr] = value if settled else UNKNOWN


def _expression(machine: Machine, node: ast.Expr, scope: Scope) -> Outcome:
    machine.evaluate(node.value, scope)
    return None


def _assign(machine: Machine, node: ast.Assign, scope: Scope) -> Outcome:
    value = machine.evaluate(node.value, scope)
    for target in node.targets:
        assign(machine, target, value, scope)
    return None


def _annotated(machine: Machine, node: ast.AnnAssign, scope: Scope) -> Outcome:
    if node.value is not None:
        assign(machine, node.target, machine.evaluate(node.value, scope), scope)
    return None


def _augmented(machine: Machine, node: ast.AugAssign, scope: Scope) -> Outcome:
    before, value = machine.evaluate(node.target, scope), machine.evaluate(node.value, scope)
    if isinstance(before, list) and isinstance(node.op, ast.Add):  # the list itself grows, under all its names
        more = objects.items(machine, value)
        if more is None or machine.doubt or len(before) > pure.LARGEST:
            machine.spoil(before)
        else:
            before += more
        return None
    unsure = before is UNKNOWN or value is UNKNOWN
    assign(machine, node.target, UNKNOWN if unsure else pure.binary(type(node.op), before, value), scope)
    return None


def _if(machine: Machine, node: ast.If, scope: Scope) -> Outcome:
    known = pure.truth(machine.evaluate(node.test, scope))
    if known is not None:
        return machine.execute(node.body if known else node.orelse, scope)
    branches = [_branch(machine, node.body, scope), _branch(machine, node.orelse, scope)]
    return machine.fork(branches, scope, machine.place(node, scope), f"whether `{ast.unparse(node.test)}` holds")


def _branch(machine: Machine, body: Sequence[ast.stmt], scope: Scope) -> Callable[[], Outcome]:
    return lambda: machine.execute(body, scope)


def _for(machine: Machine, node: ast.For, scope: Scope) -> Outcome:
    found = objects.items(machine, machine.evaluate(node.iter, scope))
    if found is None:

        def once() -> Outcome:
            assign(machine, node.target, UNKNOWN, scope)
            return machine.execute(node.body, scope)

        return _loop_in_doubt(machine, node, scope, once, f"what the loop over `{ast.unparse(node.iter)}` runs over")

    def rounds() -> Outcome:
        for item in found:
            assign(machine, node.target, item, scope)
            outcome = machine.execute(node.body, scope)
            if outcome not in (None, "continue"):
                return outcome
        return None

    return _loop(machine, node, scope, rounds)


def _while(machine: Machine, node: ast.While, scope: Scope) -> Outcome:
    if pure.truth(machine.evaluate(node.test, scope)) is None:
        question = f"how often `while {ast.unparse(node.test)}` runs"
        return _loop_in_doubt(machine, node, scope, lambda: machine.execute(node.body, scope), question)

    def rounds() -> Outcome:
        for _ in range(_MOST_ROUNDS):
            known = pure.truth(machine.evaluate(node.test, scope))
            if not known:
                return None
            outcome = machine.execute(node.body, scope)
            if outcome not in (None, "continue"):
                return outcome
        return None

    return _loop(machine, node, scope, rounds)


def _loop(
    machine: Machine, node: ast.For | ast.While, scope: Scope, rounds: Callable[[], Outcome], *, in_doubt: bool = False
) -> Outcome:
    doubt, returns, breaks = machine.doubt, scope.maybe_returns, scope.maybe_breaks
    outcome = rounds()
    machine.doubt = doubt + scope.maybe_returns - returns  # a maybe-break ends with its loop
    scope.maybe_breaks = breaks
    if outcome is None:
        return machine.execute(node.orelse, scope)
    return None if outcome == "break" else outcome


def _loop_in_doubt(
    machine: Machine, node: ast.For | ast.While, scope: Scope, once: Callable[[], Outcome], question: str
) -> Outcome:
    def follow() -> Outcome:
        outcome = _loop(machine, node, scope, once)
        return None if outcome == "continue" else outcome

    return machine.fork([follow, _branch(machine, node.orelse, scope)], scope, machine.place(node, scope), question)


def _try(machine: Machine, node: ast.Try, scope: Scope) -> Outcome:
    outcome = _tried(machine, node, scope)
    at_last = machine.execute(node.finalbody, scope)
    return outcome if at_last is None else at_last


def _tried(machine: Machine, node: ast.Try, scope: Scope) -> Outcome:
    where = machine.place(node, scope)
    handlers = [_branch(machine, handler.body, scope) for handler in node.handlers]
    for handler in node.handlers:
        if handler.name:
            machine.bind(scope, handler.name, UNKNOWN)

    def whole() -> Outcome:
        outcome = machine.execute(node.body, scope)
        return machine.execute(node.orelse, scope) if outcome is None else outcome

    if not handlers:
        return whole()
    if not _goes_well(machine, node.body, scope):
        return machine.fork([whole, *handlers], scope, where, "whether what stands in this `try` succeeds")
    machine.tries += 1
    try:
        outcome = machine.execute(node.body, scope)
    except Raised:
        outcome = "raise"
    finally:
        machine.tries -= 1
    if outcome == "raise":
        if len(handlers) == 1:
            return handlers[0]()
        return machine.fork(handlers, scope, where, "which of the exceptions this `try` meets")
    return machine.execute(node.orelse, scope) if outcome is None else outcome


def _goes_well(machine: Machine, body: Sequence[ast.stmt], scope: Scope) -> bool:
    """Whether what stands in a `try` either succeeds for sure, or fails in a way that is seen while it is followed."""
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                called = node.func
                if not (isinstance(called, ast.Attribute) and called.attr in mirror.FOLLOWED):
                    return False
            elif isinstance(node, (ast.Subscript, ast.While, ast.With)):
                return False
            elif isinstance(node, ast.Import):
                if any(name.name != "argparse" and machine.module(name.name) is None for name in node.names):
                    return False
            elif isinstance(node, ast.ImportFrom):
                dotted = _dotted(node, scope)
                if dotted == "argparse":
                    continue
                module = machine.module(dotted)
                if module is None or any(machine.attribute_of(module, name.name) is UNKNOWN for name in node.names):
                    return False
    return True


def _with(machine: Machine, node: ast.With, scope: Scope) -> Outcome:
    swallows = False
    for item in node.items:
        context = item.context_expr
        machine.evaluate(context, scope)
        if isinstance(context, ast.Call):
            swallows = swallows or machine.evaluate(context.func, scope) == External("contextlib.suppress")
        if item.optional_vars is not None:
            assign(machine, item.optional_vars, UNKNOWN, scope)
    if swallows and not _goes_well(machine, node.body, scope):
        branches = [_branch(machine, node.body, scope), _branch(machine, [], scope)]
        return machine.fork(branches, scope, machine.place(node, scope), "whether what stands in this `with` succeeds")
    return machine.execute(node.body, scope)


def _match(machine: Machine, node: ast.Match, scope: Scope) -> Outcome:
    subject = machine.evaluate(node.subject, scope)
    for case in node.cases:
        verdict = _fits(machine, case, subject, scope)
        if verdict is None:
            break
        if verdict:
            return machine.execute(case.body, scope)
    else:
        return None
    for name in bound_names(node):
        machine.bind(scope, name, UNKNOWN)
    branches = [_branch(machine, case.body, scope) for case in node.cases] + [_branch(machine, [], scope)]
    return machine.fork(branches, scope, machine.place(node, scope), f"what `{ast.unparse(node.subject)}` is")


def _fits(machine: Machine, case: ast.match_case, subject: Any, scope: Scope) -> bool | None:
    patterns = case.pattern.patterns if isinstance(case.pattern, ast.MatchOr) else [case.pattern]
    if case.guard is not None or pure.is_unsure(subject):
        return None
    for pattern in patterns:
        if isinstance(pattern, ast.MatchAs) and pattern.pattern is None and pattern.name is None:
            return True
        if isinstance(pattern, ast.MatchSingleton):
            equal = subject is pattern.value
        elif isinstance(pattern, ast.MatchValue):
            equal = pure.compare(ast.Eq, subject, machine.evaluate(pattern.value, scope))
        else:
            return None
        if equal is not False:
            return True if equal is True else None
    return False


def _define(machine: Machine, node: ast.FunctionDef, scope: Scope) -> Outcome:
    value: Any = calls.function_of(machine, node, scope, node.name)
    for decorator in reversed(node.decorator_list):
        value = _decorated(machine, value, decorator, scope)
    machine.bind(scope, node.name, value)
    return None


def _decorated(machine: Machine, value: Any, decorator: ast.expr, scope: Scope) -> Any:
    if isinstance(decorator, ast.Name) and decorator.id in ("staticmethod", "classmethod", "property"):
        if decorator.id == "property" or not isinstance(value, Function):
            return UNKNOWN
        value.kind = decorator.id
        return value
    made = machine.call(machine.evaluate(decorator, scope), [value], {}, machine.place(decorator, scope))
    made = machine.settled(made)
    if made is UNKNOWN and isinstance(value, Function):
        value.decorator = f"`{ast.unparse(decorator)}`"  # read on as if it changed nothing, and say so
        return value
    return made


def _class(machine: Machine, node: ast.ClassDef, scope: Scope) -> Outcome:
    bases = [machine.evaluate(base, scope) for base in node.bases]
    made = ClassValue(node, bases, Scope(scope.module, outer=scope, is_class=True), node.name)
    machine.execute(node.body, made.scope)
    for value in made.scope.names.values():
        if isinstance(value, Function) and value.scope is made.scope:
            value.owner = made
    mirror.derive(machine, made)
    machine.bind(scope, node.name, made)
    return None


def _import(machine: Machine, node: ast.Import, scope: Scope) -> Outcome:
    for name in node.names:
        if name.asname:
            machine.bind(scope, name.asname, Imported(name.name))
        else:
            first = name.name.partition(".")[0]
            machine.bind(scope, first, Imported(first))
    return None


def _import_from(machine: Machine, node: ast.ImportFrom, scope: Scope) -> Outcome:
    dotted = _dotted(node, scope)
    for name in node.names:
        if name.name != "*":
            machine.bind(scope, name.asname or name.name, Imported(dotted, name.name))
        elif (module := machine.module(dotted)) is not None:
            names = module.scope.names
            public = names.get("__all__", [each for each in names if not each.startswith("_")])
            for each in public if isinstance(public, (list, tuple)) else ():
                if each in module.scope.names:
                    machine.bind(scope, each, module.scope.names[each])
    return None


def _dotted(node: ast.ImportFrom, scope: Scope) -> str:
    if not node.level:
        return node.module or ""
    parts = scope.module.dotted.split(".")
    kept = parts[: len(parts) - node.level + (1 if scope.module.is_package else 0)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _elsewhere(machine: Machine, node: ast.Global | ast.Nonlocal, scope: Scope) -> Outcome:
    for name in node.names:
        home: Scope | None = scope.module.scope
        if isinstance(node, ast.Nonlocal):
            home = scope.outer
            while home is not None and name not in home.names:
                home = home.outer
        if home is not None and home is not scope:
            scope.elsewhere[name] = home
    return None


def _delete(machine: Machine, node: ast.Delete, scope: Scope) -> Outcome:
    for target in node.targets:
        if isinstance(target, ast.Subscript):
            machine.spoil(machine.evaluate(target.value, scope))
        else:
            assign(machine, target, UNKNOWN, scope)
    return None


def _return(machine: Machine, node: ast.Return, scope: Scope) -> Outcome:
    scope.returned.append(None if node.value is None else machine.evaluate(node.value, scope))
    return "return"


def _async(machine: Machine, node: ast.AsyncFunctionDef, scope: Scope) -> Outcome:
    machine.bind(scope, node.name, UNKNOWN)
    return None


_KINDS: dict[type[ast.stmt], Callable[[Machine, Any, Scope], Outcome]] = {
    ast.AnnAssign: _annotated,
    ast.Assign: _assign,
    ast.AsyncFunctionDef: _async,
    ast.AugAssign: _augmented,
    ast.Break: lambda machine, node, scope: "break",
    ast.ClassDef: _class,
    ast.Continue: lambda machine, node, scope: "continue",
    ast.Delete: _delete,
    ast.Expr: _expression,
    ast.For: _for,
    ast.FunctionDef: _define,
    ast.Global: _elsewhere,
    ast.If: _if,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Match: _match,
    ast.Nonlocal: _elsewhere,
    ast.Raise: lambda machine, node, scope: "raise",
    ast.Return: _return,
    ast.Try: _try,
    ast.While: _while,
    ast.With: _with,
}
if hasattr(ast, "TryStar"):  # Python 3.11
    _KINDS[ast.TryStar] = _try
