"""Which keyword arguments a function reads, found in its source: nothing is imported or run.

Followed are its own parameters, its `**kwargs` under every name it is given, and the functions that these are passed
on to. Where they go somewhere that cannot be followed, the reading is open: there may be more.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from launcher.trainer.keyword_modules import Found, Function, Modules, parameters
from launcher.trainer.keyword_places import WALKING, Place, callee_of, literal_of, nodes_of, texts_of
from launcher.trainer.static.sources import Sources

_READING = frozenset({"get", "pop", "setdefault", "__getitem__", "__contains__", "has_key"})
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
    `is_open`: its `**kwargs` go where they cannot be followed.
    """

    positional: tuple[str, ...]
    read: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...] = ()
    is_open: bool = False


@dataclass
class _Reading:
    modules: Modules
    read: dict[str, None] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    is_open: bool = False
    seen: set[tuple[int, str]] = field(default_factory=set)


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
        try:
            _follow(reading, found.file, node, None, node.args.kwarg.arg)
        except RecursionError:
            reading.is_open = True
    reading.is_open = reading.is_open or bool(node.decorator_list)
    return Keywords(parameters(node), tuple(reading.read), tuple(reading.renamed.items()), reading.is_open)


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
    nodes = list(nodes_of(function, name, parents))
    place = Place(file, function, owner, parents)
    for node in nodes:
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            _use(reading, place, node)


def _use(reading: _Reading, place: Place, node: ast.expr) -> None:  # noqa: PLR0912 - one for each kind
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


def _method(reading: _Reading, place: Place, attribute: ast.Attribute) -> None:
    call = place.parents.get(id(attribute))
    if not isinstance(call, ast.Call) or call.func is not attribute:
        reading.is_open = True
    elif attribute.attr in _READING:
        if call.args:
            _keys(reading, place, call.args[0])
        else:
            reading.is_open = True
    elif attribute.attr in WALKING:
        _walk(reading, place, call, attribute.attr)
    elif attribute.attr == "copy":
        _copied(reading, place, call)
    elif attribute.attr not in ("update", "clear"):
        reading.is_open = True


def _keys(reading: _Reading, place: Place, node: ast.expr) -> None:
    """A key that is read: a literal, or a loop's variable that runs over literals."""
    texts = texts_of(reading.modules, place, node)
    if texts is None:
        reading.is_open = True
        return
    reading.read.update(dict.fromkeys(texts))


def _stored(reading: _Reading, place: Place, target: ast.Subscript) -> None:
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


def _walk(reading: _Reading, place: Place, call: ast.Call, method: str) -> None:
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


def _walked(reading: _Reading, place: Place, loop: ast.For | ast.comprehension, key: ast.expr) -> None:
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


def _walked_name(reading: _Reading, place: Place, node: ast.Name, around: ast.AST) -> None:
    parent = place.parents.get(id(node))
    if isinstance(parent, ast.Compare) and len(parent.comparators) == 1:
        other = parent.comparators[0] if parent.left is node else parent.left
        if isinstance(other, ast.Constant):
            reading.read.update({other.value: None} if isinstance(other.value, str) else {})
            return
        literal = literal_of(reading.modules, place, other)
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


def _copied(reading: _Reading, place: Place, node: ast.expr) -> None:
    """A copy of the keyword arguments: followed where it goes."""
    _use(reading, place, node)


def _named(reading: _Reading, place: Place, statement: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> None:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    for target in targets:
        if isinstance(target, ast.Name):
            _follow(reading, place.file, place.function, place.owner, target.id)
        else:
            reading.is_open = True


def _passed(reading: _Reading, place: Place, call: ast.Call, given: ast.expr | ast.keyword) -> None:
    """The keyword arguments passed on to a function: whole, or spread with `**`."""
    called = call.func
    last = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    spread = isinstance(given, ast.keyword) and given.arg is None
    target = callee_of(reading.modules, place, called)
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
