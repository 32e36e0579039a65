"""Which keyword arguments a function reads, found in its source: nothing is imported or run.

Followed are its own parameters, its `**kwargs` under every name it is given, and the functions that these are passed
on to. Where they go somewhere that cannot be followed, the reading is open: there may be more.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from launcher.trainer.keyword_modules import Found, Function, Modules, parameters
from launcher.trainer.static.sources import Sources

_READING = frozenset({"get", "pop", "setdefault", "__getitem__", "__contains__", "has_key"})
_WALKING = frozenset({"items", "keys", "values"})
# Calls that look at keyword arguments without reading any one of them.
_HARMLESS = frozenset({"bool", "id", "isinstance", "len", "print", "repr", "str", "type"})
_COPYING = frozenset({"dict", "deepcopy", "copy", "OrderedDict", "list", "tuple", "sorted", "set", "iter", "enumerate"})
_LOGGING = frozenset({"debug", "info", "warning", "warn", "error", "dumps", "print"})
_MOST_FUNCTIONS = 60


@dataclass(frozen=True)
class Keywords:
    """What a function does with its arguments.

    `positional` are the parameters that may be given by position, in order. `read` are all names of keyword arguments
    that are read, `parameters` included. `renamed` are the deprecated ones among them with the name to use instead.
    `takes_more`: the function has `**kwargs`. `is_open`: they go where they cannot be followed.
    """

    positional: tuple[str, ...]
    read: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...] = ()
    takes_more: bool = True
    is_open: bool = False


@dataclass
class _Reading:
    modules: Modules
    read: dict[str, None] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    is_open: bool = False
    seen: set[tuple[int, str]] = field(default_factory=set)


@dataclass(frozen=True)
class _Place:
    """A function being looked at: its file, the class it is a method of, the nodes around each node."""

    file: str
    function: Function
    owner: Found | None
    parents: dict[int, ast.AST]


def read_keywords(sources: Sources, file: str, function: str) -> Keywords | None:
    """Which keyword arguments the function of this name in a file reads; None where there is none to be found."""
    modules = Modules(sources)
    found = modules.find(file, function)
    if found is None or not isinstance(found.node, ast.FunctionDef):
        return None
    node = found.node
    reading = _Reading(modules)
    for name in (*parameters(node), *(each.arg for each in node.args.kwonlyargs)):
        reading.read[name] = None
    if node.args.kwarg:
        _follow(reading, found.file, node, None, node.args.kwarg.arg)
    reading.is_open = reading.is_open or bool(node.decorator_list)
    return Keywords(
        parameters(node), tuple(reading.read), tuple(reading.renamed.items()), bool(node.args.kwarg), reading.is_open
    )


def _follow(reading: _Reading, file: str, function: Function, owner: Found | None, name: str) -> None:
    """Everything a function does with the keyword arguments that it holds under `name`."""
    key = (id(function), name)
    if key in reading.seen:
        return
    reading.seen.add(key)
    if len(reading.seen) > _MOST_FUNCTIONS:
        reading.is_open = True
        return
    parents: dict[int, ast.AST] = {}
    nodes = list(_inside(function, name, parents))
    place = _Place(file, function, owner, parents)
    for node in nodes:
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            _use(reading, place, node)


def _inside(function: Function, name: str, parents: dict[int, ast.AST]) -> Iterator[ast.AST]:
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


def _use(reading: _Reading, place: _Place, node: ast.expr) -> None:  # noqa: PLR0912 - one for each kind
    """One place where the keyword arguments are used."""
    parent = place.parents.get(id(node))
    if isinstance(parent, ast.Attribute):
        _method(reading, place, parent)
    elif isinstance(parent, ast.Subscript) and parent.value is node:
        if isinstance(parent.ctx, ast.Store):
            _stored(reading, place, parent)
        else:
            _keys(reading, place, parent.slice)
    elif isinstance(parent, ast.Compare):
        if parent.comparators[0] is node and isinstance(parent.ops[0], (ast.In, ast.NotIn)):
            _keys(reading, place, parent.left)
    elif isinstance(parent, ast.keyword):
        call = place.parents.get(id(parent))
        if isinstance(call, ast.Call):
            _passed(reading, place, call, parent)
    elif isinstance(parent, ast.Call):
        _passed(reading, place, parent, node)
    elif isinstance(parent, ast.Dict):  # {**kwargs}
        _copied(reading, place, parent)
    elif isinstance(parent, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
        _named(reading, place, parent)
    elif isinstance(parent, (ast.For, ast.comprehension)):
        if parent.iter is node:
            _walked(reading, place, parent, key=parent.target)
    elif isinstance(parent, (ast.BoolOp, ast.IfExp)) and not _is_test(parent, node):
        _copied(reading, place, parent)
    elif not isinstance(parent, (ast.If, ast.IfExp, ast.While, ast.Assert, ast.UnaryOp, ast.FormattedValue, ast.Expr)):
        reading.is_open = True


def _is_test(parent: ast.BoolOp | ast.IfExp, node: ast.expr) -> bool:
    return isinstance(parent, ast.IfExp) and parent.test is node


def _method(reading: _Reading, place: _Place, attribute: ast.Attribute) -> None:
    call = place.parents.get(id(attribute))
    if not isinstance(call, ast.Call) or call.func is not attribute:
        reading.is_open = True
    elif attribute.attr in _READING:
        if call.args:
            _keys(reading, place, call.args[0])
        else:
            reading.is_open = True
    elif attribute.attr in _WALKING:
        _walk(reading, place, call, attribute.attr)
    elif attribute.attr == "copy":
        _copied(reading, place, call)
    elif attribute.attr not in ("update", "clear"):
        reading.is_open = True


def _keys(reading: _Reading, place: _Place, node: ast.expr) -> None:
    """A key that is read: a literal, or a loop's variable that runs over literals."""
    texts = _texts(reading, place, node)
    if texts is None:
        reading.is_open = True
        return
    reading.read.update(dict.fromkeys(texts))


def _texts(reading: _Reading, place: _Place, node: ast.expr) -> tuple[str, ...] | None:
    if isinstance(node, ast.Constant):
        return (node.value,) if isinstance(node.value, str) else ()
    if isinstance(node, ast.Name):
        loop = _loop_of(place, node)
        if loop is not None:
            return _looped(reading, place, loop, node.id)
        found = reading.modules.find(place.file, node.id)
        return _texts(reading, place, found.node) if found and isinstance(found.node, ast.Constant) else None
    return None


def _loop_of(place: _Place, node: ast.Name) -> ast.For | ast.comprehension | None:
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


def _looped(
    reading: _Reading, place: _Place, loop: ast.For | ast.comprehension, name: str
) -> tuple[str, ...] | None:
    """The texts that a loop's variable takes, for a loop over a literal list or dict."""
    over, index = loop.iter, 0
    if isinstance(loop.target, ast.Tuple):
        names = [each.id if isinstance(each, ast.Name) else "" for each in loop.target.elts]
        index = names.index(name) if name in names else 0
    pairs = isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute) and over.func.attr == "items"
    if isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute) and over.func.attr in _WALKING:
        over = over.func.value
    literal = _literal(reading, place, over)
    try:
        if isinstance(literal, dict):
            texts = list(literal.values()) if pairs and index == 1 else list(literal)
        elif isinstance(loop.target, ast.Tuple):
            texts = [item[index] for item in literal or ()]
        else:
            texts = list(literal or ())
    except (TypeError, LookupError):
        return None
    return tuple(texts) if texts and all(isinstance(text, str) for text in texts) else None


def _literal(reading: _Reading, place: _Place, node: ast.expr) -> dict[object, object] | list[object] | None:
    """A literal list or dict, written in place or under a name."""
    if isinstance(node, ast.Name):
        local = [
            each.value for each in ast.walk(place.function)
            if isinstance(each, ast.Assign) and any(isinstance(t, ast.Name) and t.id == node.id for t in each.targets)
        ]  # fmt: skip
        found = reading.modules.find(place.file, node.id)
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


def _stored(reading: _Reading, place: _Place, target: ast.Subscript) -> None:
    """`kwargs["new"] = kwargs["old"]`: an old name and what replaces it."""
    assign = place.parents.get(id(target))
    new = target.slice
    if not isinstance(assign, ast.Assign) or not isinstance(new, ast.Constant) or not isinstance(new.value, str):
        return
    value = assign.value
    old: ast.expr | None = None
    if isinstance(value, ast.Subscript):
        old = value.slice if _is_same(value.value, target.value) else None
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _READING:
        old = value.args[0] if value.args and _is_same(value.func.value, target.value) else None
    if isinstance(old, ast.Constant) and isinstance(old.value, str) and old.value != new.value:
        reading.renamed[old.value] = new.value


def _is_same(left: ast.expr, right: ast.expr) -> bool:
    return isinstance(left, ast.Name) and isinstance(right, ast.Name) and left.id == right.id


def _walk(reading: _Reading, place: _Place, call: ast.Call, method: str) -> None:
    """`kwargs.items()`: the loop that runs over it, whatever calls stand between."""
    current: ast.AST = call
    parent = place.parents.get(id(current))
    while isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id in _COPYING:
        current, parent = parent, place.parents.get(id(parent))
    if isinstance(parent, (ast.For, ast.comprehension)) and parent.iter is current:
        target = parent.target
        if method == "items" and isinstance(target, ast.Tuple) and target.elts:
            _walked(reading, place, parent, key=target.elts[0])
            return
        if method == "keys":
            _walked(reading, place, parent, key=target)
            return
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute) and parent.func.attr in _LOGGING:
        return
    if not isinstance(parent, (ast.FormattedValue, ast.Expr)):
        reading.is_open = True


def _walked(reading: _Reading, place: _Place, loop: ast.For | ast.comprehension, key: ast.expr) -> None:
    """A loop over all keyword arguments: which of their names its body asks for."""
    around = loop if isinstance(loop, ast.For) else place.parents.get(id(loop))
    if not isinstance(key, ast.Name) or around is None:
        reading.is_open = True
        return
    if isinstance(around, ast.DictComp) and isinstance(around.key, ast.Name) and around.key.id == key.id:
        _copied(reading, place, around)
    for node in ast.walk(around):
        if isinstance(node, ast.Name) and node.id == key.id and isinstance(node.ctx, ast.Load):
            _walked_name(reading, place, node, around)


def _walked_name(reading: _Reading, place: _Place, node: ast.Name, around: ast.AST) -> None:
    parent = place.parents.get(id(node))
    if isinstance(parent, ast.Compare) and len(parent.comparators) == 1:
        other = parent.comparators[0] if parent.left is node else parent.left
        if isinstance(other, ast.Constant):
            reading.read.update({other.value: None} if isinstance(other.value, str) else {})
            return
        literal = _literal(reading, place, other)
        if literal is None:
            reading.is_open = True
        elif isinstance(literal, dict):
            renamed = {old: new for old, new in literal.items() if isinstance(old, str) and isinstance(new, str)}
            reading.renamed.update(renamed)
        for each in literal or ():
            if isinstance(each, str):
                reading.read[each] = None
    elif isinstance(parent, ast.Subscript) and parent.slice is node:
        return  # looked up in a table, or written under its own name
    elif not isinstance(parent, ast.FormattedValue) and not (isinstance(around, ast.DictComp) and parent is around):
        reading.is_open = True


def _copied(reading: _Reading, place: _Place, node: ast.expr) -> None:
    """A copy of the keyword arguments: followed where it goes."""
    _use(reading, place, node)


def _named(reading: _Reading, place: _Place, statement: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> None:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    for target in targets:
        if isinstance(target, ast.Name):
            _follow(reading, place.file, place.function, place.owner, target.id)
        else:
            reading.is_open = True


def _passed(reading: _Reading, place: _Place, call: ast.Call, given: ast.expr | ast.keyword) -> None:
    """The keyword arguments passed on to a function: whole, or spread with `**`."""
    called = call.func
    last = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    spread = isinstance(given, ast.keyword) and given.arg is None
    target = _callee(reading, place, called)
    if target is None:
        if last in _COPYING:
            _copied(reading, place, call)
        elif last not in (_HARMLESS | _LOGGING):
            reading.is_open = True
        return
    found, function, skipped, owner = target
    names = parameters(function)[skipped:]
    if spread:
        taken = {*names[: len(call.args)], *(each.arg for each in call.keywords)}
        own = (*names, *(each.arg for each in function.args.kwonlyargs))
        reading.read.update({name: None for name in own if name not in taken})
        if function.args.kwarg:
            _follow(reading, found.file, function, owner, function.args.kwarg.arg)
        return
    if isinstance(given, ast.keyword):
        name = given.arg
    else:
        index = next((place_ for place_, each in enumerate(call.args) if each is given), len(names))
        name = names[index] if index < len(names) else None
    if name is None:
        reading.is_open = True
    else:
        _follow(reading, found.file, function, owner, name)


def _callee(
    reading: _Reading, place: _Place, called: ast.expr
) -> tuple[Found, Function, int, Found | None] | None:
    """The function that a call reaches, how many of its parameters are given by the call itself, and its class."""
    if isinstance(called, ast.Name):
        for node in ast.walk(place.function):
            if isinstance(node, ast.FunctionDef) and node.name == called.id and node is not place.function:
                return Found(place.file, node), node, 0, place.owner
    if isinstance(called, ast.Attribute) and place.owner is not None:
        holder = called.value
        if isinstance(holder, ast.Name) and holder.id in ("self", "cls"):
            return _method_of(reading, place.owner, called.attr)
        if isinstance(holder, ast.Call) and isinstance(holder.func, ast.Name) and holder.func.id == "super":
            assert isinstance(place.owner.node, ast.ClassDef)
            parents = [reading.modules.resolve(place.owner.file, base) for base in place.owner.node.bases]
            found = [method for parent in parents if parent and (method := _method_of(reading, parent, called.attr))]
            return found[0] if found else None
    found_ = reading.modules.resolve(place.file, called)
    if found_ is None:
        return None
    if isinstance(found_.node, ast.ClassDef):
        return _method_of(reading, found_, "__init__")
    return (found_, found_.node, 0, None) if isinstance(found_.node, ast.FunctionDef) else None


def _method_of(
    reading: _Reading, owner: Found, name: str
) -> tuple[Found, Function, int, Found | None] | None:
    found = reading.modules.attribute(owner, name)
    if found is None or not isinstance(found.node, ast.FunctionDef):
        return None
    static = any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in found.node.decorator_list)
    return found, found.node, 0 if static else 1, owner
