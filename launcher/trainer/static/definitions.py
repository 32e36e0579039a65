"""Statements that give names a meaning: `def`, `class`, `import`, `global`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from launcher.trainer.static import calls, mirror
from launcher.trainer.static.values import UNKNOWN, ClassValue, Function, Imported, Outcome, Scope

if TYPE_CHECKING:
    from launcher.trainer.static.machine import Machine


def define(machine: Machine, node: ast.FunctionDef, scope: Scope) -> Outcome:
    """The function that a `def` makes, as its decorators leave it."""
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


def define_class(machine: Machine, node: ast.ClassDef, scope: Scope) -> Outcome:
    """A class, with what its body binds."""
    bases = [machine.evaluate(base, scope) for base in node.bases]
    made = ClassValue(node, bases, Scope(scope.module, outer=scope, is_class=True), node.name)
    machine.execute(node.body, made.scope)
    for value in made.scope.names.values():
        if isinstance(value, Function) and value.scope is made.scope:
            value.owner = made
    mirror.derive(machine, made)
    machine.bind(scope, node.name, made)
    return None


def import_modules(machine: Machine, node: ast.Import, scope: Scope) -> Outcome:
    """`import a.b`: looked up when it is first used."""
    for name in node.names:
        if name.asname:
            machine.bind(scope, name.asname, Imported(name.name))
        else:
            first = name.name.partition(".")[0]
            machine.bind(scope, first, Imported(first))
    return None


def import_names(machine: Machine, node: ast.ImportFrom, scope: Scope) -> Outcome:
    """`from a import b`: looked up when it is first used; with `*`, now."""
    dotted = dotted_base(node, scope)
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


def dotted_base(node: ast.ImportFrom, scope: Scope) -> str:
    """The full name of the module that a `from` names."""
    if not node.level:
        return node.module or ""
    parts = scope.module.dotted.split(".")
    kept = parts[: len(parts) - node.level + (1 if scope.module.is_package else 0)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def elsewhere(machine: Machine, node: ast.Global | ast.Nonlocal, scope: Scope) -> Outcome:
    """`global` and `nonlocal`: these names live in another scope."""
    for name in node.names:
        home: Scope | None = scope.module.scope
        if isinstance(node, ast.Nonlocal):
            home = scope.outer
            while home is not None and name not in home.names:
                home = home.outer
        if home is not None and home is not scope:
            scope.elsewhere[name] = home
    return None


def define_async(machine: Machine, node: ast.AsyncFunctionDef, scope: Scope) -> Outcome:
    """An `async def` is never followed."""
    machine.bind(scope, node.name, UNKNOWN)
    return None
