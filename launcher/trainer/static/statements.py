"""Statements: what following each kind of them does to the names in a scope, and how a block of them ends."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from launcher.trainer.static import attempts, definitions, mirror, objects, pure
from launcher.trainer.static.values import UNKNOWN, ClassValue, Instance, Module, Outcome, Scope

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
    branches = [machine.branch(node.body, scope), machine.branch(node.orelse, scope)]
    return machine.fork(branches, scope, machine.place(node, scope), f"whether `{ast.unparse(node.test)}` holds")


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

    returns, breaks, added = scope.maybe_returns, scope.maybe_breaks, len(machine.trace)

    def rounds() -> Outcome:
        for _ in range(_MOST_ROUNDS):
            if scope.maybe_returns > returns or scope.maybe_breaks > breaks:  # it may be over: followed far enough
                if len(machine.trace) > added:
                    machine.note(machine.place(node, scope), f"how often `while {ast.unparse(node.test)}` runs")
                return None
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

    return machine.fork([follow, machine.branch(node.orelse, scope)], scope, machine.place(node, scope), question)


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
    branches = [machine.branch(case.body, scope) for case in node.cases] + [machine.branch([], scope)]
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


_KINDS: dict[type[ast.stmt], Callable[[Machine, Any, Scope], Outcome]] = {
    ast.AnnAssign: _annotated,
    ast.Assign: _assign,
    ast.AsyncFunctionDef: definitions.define_async,
    ast.AugAssign: _augmented,
    ast.Break: lambda machine, node, scope: "break",
    ast.ClassDef: definitions.define_class,
    ast.Continue: lambda machine, node, scope: "continue",
    ast.Delete: _delete,
    ast.Expr: _expression,
    ast.For: _for,
    ast.FunctionDef: definitions.define,
    ast.Global: definitions.elsewhere,
    ast.If: _if,
    ast.Import: definitions.import_modules,
    ast.ImportFrom: definitions.import_names,
    ast.Match: _match,
    ast.Nonlocal: definitions.elsewhere,
    ast.Raise: lambda machine, node, scope: "raise",
    ast.Return: _return,
    ast.Try: attempts.follow_try,
    ast.While: _while,
    ast.With: attempts.follow_with,
}
if hasattr(ast, "TryStar"):  # Python 3.11
    _KINDS[ast.TryStar] = attempts.follow_try
