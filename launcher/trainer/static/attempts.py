"""`try` and `with`: code that may stop half-way without the script failing."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from launcher.trainer.static import definitions, mirror
from launcher.trainer.static.values import UNKNOWN, External, Outcome, Raised, Scope

if TYPE_CHECKING:
    from launcher.trainer.static.machine import Machine


def follow_try(machine: Machine, node: ast.Try, scope: Scope) -> Outcome:
    """What stands in the `try` when it is sure to go well or to fail; else both that and what its handlers do."""
    outcome = _tried(machine, node, scope)
    at_last = machine.execute(node.finalbody, scope)
    return outcome if at_last is None else at_last


def _tried(machine: Machine, node: ast.Try, scope: Scope) -> Outcome:
    where = machine.place(node, scope)
    handlers = [machine.branch(handler.body, scope) for handler in node.handlers]
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
                dotted = definitions.dotted_base(node, scope)
                if dotted == "argparse":
                    continue
                module = machine.module(dotted)
                if module is None or any(machine.attribute_of(module, name.name) is UNKNOWN for name in node.names):
                    return False
    return True


def follow_with(machine: Machine, node: ast.With, scope: Scope) -> Outcome:
    """What stands in the `with`; `contextlib.suppress` may cut it short."""
    swallows = False
    for item in node.items:
        context = item.context_expr
        machine.evaluate(context, scope)
        if isinstance(context, ast.Call):
            swallows = swallows or machine.evaluate(context.func, scope) == External("contextlib.suppress")
        if item.optional_vars is not None:
            machine.assign(item.optional_vars, UNKNOWN, scope)
    if swallows and not _goes_well(machine, node.body, scope):
        branches = [machine.branch(node.body, scope), machine.branch([], scope)]
        return machine.fork(branches, scope, machine.place(node, scope), "whether what stands in this `with` succeeds")
    return machine.execute(node.body, scope)
