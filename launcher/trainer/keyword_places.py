"""Where keyword arguments stand in a function: the nodes around them, the texts they are asked for, whom they reach."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from launcher.trainer.keyword_modules import Found, Function, Modules, parameters

WALKING = frozenset({"items", "keys", "values"})


@dataclass(frozen=True)
class Place:
    """A function being looked at: its file, the class it is a method of, the nodes around each node."""

    file: str
    function: Function
    owner: Found | None
    parents: dict[int, ast.AST]


def nodes_of(function: Function, name: str, parents: dict[int, ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a function, without those of inner functions that give `name` a meaning of their own."""
    stack: list[ast.AST] = list(function.body)
    for node in stack:
        parents[id(node)] = function
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, (ast.FunctionDef, ast.Lambda)) and name in _all_parameters(node):
            continue
        for child in ast.iter_child_nodes(node):
            parents[id(child)] = node
            stack.append(child)


def _all_parameters(function: ast.FunctionDef | ast.Lambda) -> set[str]:
    extra = [each.arg for each in (function.args.kwarg, function.args.vararg) if each]
    return {*parameters(function), *(each.arg for each in function.args.kwonlyargs), *extra}


def texts_of(modules: Modules, place: Place, node: ast.expr) -> tuple[str, ...] | None:
    if isinstance(node, ast.Constant):
        return (node.value,) if isinstance(node.value, str) else ()
    if isinstance(node, ast.Name):
        loop = _loop_of(place, node)
        if loop is not None:
            return _looped(modules, place, loop, node.id)
        found = modules.find(place.file, node.id)
        return texts_of(modules, place, found.node) if found and isinstance(found.node, ast.Constant) else None
    return None


def _loop_of(place: Place, node: ast.Name) -> ast.For | ast.comprehension | None:
    """The loop that gives a name its value."""
    current: ast.AST | None = node
    while current is not None and current is not place.function:
        loops: list[ast.For | ast.comprehension] = []
        if isinstance(current, ast.For):
            loops = [current]
        elif isinstance(current, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            loops = list(current.generators)
        for loop in loops:
            if any(isinstance(each, ast.Name) and each.id == node.id for each in ast.walk(loop.target)):
                return loop
        current = place.parents.get(id(current))
    return None


def _looped(modules: Modules, place: Place, loop: ast.For | ast.comprehension, name: str) -> tuple[str, ...] | None:
    """The texts that a loop's variable takes, for a loop over a literal list or dict."""
    over, index = loop.iter, 0
    if isinstance(loop.target, ast.Tuple):
        names = [each.id if isinstance(each, ast.Name) else "" for each in loop.target.elts]
        index = names.index(name) if name in names else 0
    pairs = isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute) and over.func.attr == "items"
    if isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute) and over.func.attr in WALKING:
        over = over.func.value
    literal = literal_of(modules, place, over)
    try:
        if isinstance(literal, dict):
            texts = list(literal.values()) if pairs and index == 1 else list(literal)
        elif isinstance(loop.target, ast.Tuple):
            texts = [item[index] for item in literal or () if isinstance(item, (list, tuple))]
        else:
            texts = list(literal or ())
    except LookupError:
        return None
    found = tuple(text for text in texts if isinstance(text, str))
    return found if found and len(found) == len(texts) else None


def literal_of(modules: Modules, place: Place, node: ast.expr) -> dict[object, object] | list[object] | None:
    """A literal list or dict, written in place or under a name."""
    if isinstance(node, ast.Name):
        local = [
            each.value for each in ast.walk(place.function)
            if isinstance(each, ast.Assign) and any(isinstance(t, ast.Name) and t.id == node.id for t in each.targets)
        ]  # fmt: skip
        found = modules.find(place.file, node.id)
        if len(local) > 1 or not (local or found):
            return None
        value = local[0] if local else found.node if found else None
    else:
        value = node
    try:
        read = ast.literal_eval(value) if isinstance(value, ast.expr) else None
    except (ValueError, TypeError, MemoryError, RecursionError):
        return None
    return read if isinstance(read, dict) else list(read) if isinstance(read, (list, tuple, set)) else None


def callee_of(modules: Modules, place: Place, called: ast.expr) -> tuple[Found, Function, int, Found | None] | None:
    """The function that a call reaches, how many of its parameters are given by the call itself, and its class."""
    if isinstance(called, ast.Name):
        for node in ast.walk(place.function):
            if isinstance(node, ast.FunctionDef) and node.name == called.id and node is not place.function:
                return Found(place.file, node), node, 0, place.owner
    if isinstance(called, ast.Attribute) and place.owner is not None:
        holder = called.value
        if isinstance(holder, ast.Name) and holder.id in ("self", "cls"):
            return _method_of(modules, place.owner, called.attr)
        if isinstance(holder, ast.Call) and isinstance(holder.func, ast.Name) and holder.func.id == "super":
            bases = place.owner.node.bases if isinstance(place.owner.node, ast.ClassDef) else ()
            parents = [modules.resolve(place.owner.file, base) for base in bases]
            found = [method for parent in parents if parent and (method := _method_of(modules, parent, called.attr))]
            return found[0] if found else None
    found_ = modules.resolve(place.file, called)
    if found_ is None:
        return None
    if isinstance(found_.node, ast.ClassDef):
        return _method_of(modules, found_, "__init__")
    return (found_, found_.node, 0, None) if isinstance(found_.node, ast.FunctionDef) else None


def _method_of(modules: Modules, owner: Found, name: str) -> tuple[Found, Function, int, Found | None] | None:
    found = modules.attribute(owner, name)
    if found is None or not isinstance(found.node, ast.FunctionDef):
        return None
    static = any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in found.node.decorator_list)
    return found, found.node, 0 if static else 1, owner
