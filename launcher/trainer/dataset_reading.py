"""Reads ConfigSanitizer and the classes of parameters out of the syntax tree of library/config_util.py.

What stands there otherwise than in any release known so far makes the whole reading `unread`: half a schema would
refuse what the trainer takes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from launcher.trainer.dataset_schema import (
    CONFIG_UTIL,
    Branch,
    Choice,
    DatasetSchema,
    Key,
    Part,
    Wanted,
    unread_schema,
)
from launcher.trainer.static.sources import Sources

_TABLES = {"general", "datasets"}
_RENAMED = "ARGPARSE_OPTNAME_TO_CONFIG_OPTNAME"
_TYPES = ("bool", "int", "float", "str", "dict")


class _UnknownError(Exception):
    """Something that this reader does not know, in words."""


def read_sanitizer(sources: Sources) -> DatasetSchema:
    """The schema, or one that says why it is unread."""
    tree = sources.parse(CONFIG_UTIL)
    if isinstance(tree, str):
        return unread_schema(f"{CONFIG_UTIL}: {tree}")
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    sanitizer = classes.get("ConfigSanitizer")
    if sanitizer is None:
        return unread_schema(None)
    try:
        return _schema(sanitizer, classes)
    except _UnknownError as unknown:
        return unread_schema(f"{CONFIG_UTIL}, ConfigSanitizer: {unknown}")


def _schema(sanitizer: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> DatasetSchema:
    attributes = {name: value for node in sanitizer.body for name, value in _assigned(node)}
    groups = {
        name: _keys(value)
        for name, value in attributes.items()
        if name.endswith("_SCHEMA") and isinstance(value, ast.Dict)
    }
    made = next((n for n in sanitizer.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    if made is None:
        raise _UnknownError("no __init__")
    supports = tuple(argument.arg for argument in made.args.args[1:])
    merged, subsets = _merges(made, groups, supports)
    _check_tables(made)
    branches = tuple(_branches(made, supports))
    used = {choice.dataset for branch in branches for choice in branch.choices}
    if not branches or not used <= set(subsets) or "general_schema" not in merged:
        raise _UnknownError("the schemas are not made as expected")
    return DatasetSchema(supports, groups, merged, subsets, branches, _params(classes), _renames(attributes))


def _assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        yield _name(node.targets[0]), node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield _name(node.target), node.value


def _name(node: ast.expr) -> str:
    """`name`, or `name` of `self.name`; "" for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _keys(node: ast.Dict) -> dict[str, Key]:
    keys: dict[str, Key] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        name, required = _text(key), False
        if isinstance(key, ast.Call) and _name(key.func) in ("Required", "Optional") and len(key.args) == 1:
            name, required = _text(key.args[0]), _name(key.func) == "Required"
        if name is None:
            raise _UnknownError(f"a key that is no plain text, line {node.lineno}")
        keys[name] = Key(_wanted(value), required)
    return keys


def _wanted(node: ast.expr) -> Wanted:
    if isinstance(node, ast.Name) and node.id in _TYPES:
        return Wanted(node.id)
    if isinstance(node, ast.Constant) and node.value is None:
        return Wanted("none")
    if isinstance(node, ast.Call) and not node.keywords:
        if _name(node.func) == "Any":
            return Wanted("any", tuple(_wanted(part) for part in node.args))
        if _name(node.func) == "partial" and len(node.args) == 2:
            validator = ast.unparse(node.args[0])
            if "scalar_or_twodim" in validator:
                return Wanted("one-or-pair", (_wanted(node.args[1]),))
            if "twodim" in validator:
                return Wanted("pair", (_wanted(node.args[1]),))
    return Wanted("unread")


def _merges(
    made: ast.FunctionDef, groups: dict[str, dict[str, Key]], supports: tuple[str, ...]
) -> tuple[dict[str, tuple[Part, ...]], dict[str, str]]:
    """The schemas that __init__ merges, and the schema of the subsets of each."""
    merged: dict[str, tuple[Part, ...]] = {}
    subsets: dict[str, str] = {}
    for node in made.body:
        for name, value in _assigned(node):
            if not (isinstance(value, ast.Call) and _name(value.func).endswith("merge_dict")):
                continue
            if name == "argparse_schema":
                continue
            parts: list[Part] = []
            for argument in value.args:
                inner = _subsets_of(argument)
                if inner:
                    groups[f"{name}.subsets"] = {"subsets": Key(Wanted("unread"))}
                    subsets[name] = inner
                    parts.append(Part(f"{name}.subsets"))
                else:
                    parts.append(_part(argument, supports))
            if not all(part.name in groups or part.name in merged for part in parts):
                raise _UnknownError(f"what {name} is made of")
            merged[name] = tuple(parts)
    if not all(inner in merged for inner in subsets.values()):
        raise _UnknownError("the subsets' schemas")
    return merged, subsets


def _subsets_of(node: ast.expr) -> str:
    """The schema's name in `{"subsets": [self.NAME]}`."""
    if not isinstance(node, ast.Dict) or [_text(key) for key in node.keys] != ["subsets"]:
        return ""
    value = node.values[0]
    return _name(value.elts[0]) if isinstance(value, ast.List) and len(value.elts) == 1 else ""


def _part(node: ast.expr, supports: tuple[str, ...]) -> Part:
    """`self.NAME`, or `self.NAME if support_x else {}`."""
    when = ""
    if isinstance(node, ast.IfExp) and isinstance(node.orelse, ast.Dict) and not node.orelse.keys:
        when = _name(node.test)
        if when not in supports:
            raise _UnknownError(f"a condition, line {node.lineno}")
        node = node.body
    if not isinstance(node, ast.Attribute):
        raise _UnknownError(f"a part of a schema, line {node.lineno}")
    return Part(node.attr, when)


def _check_tables(made: ast.FunctionDef) -> None:
    """The whole config must be what it always was: [general] and [[datasets]]."""
    for node in made.body:
        for name, value in _assigned(node):
            if name == "user_config_validator" and isinstance(value, ast.Call) and len(value.args) == 1:
                tables = value.args[0]
                if isinstance(tables, ast.Dict) and {_text(key) for key in tables.keys} == _TABLES:
                    return
    raise _UnknownError("the tables of a config")


def _branches(made: ast.FunctionDef, supports: tuple[str, ...]) -> Iterator[Branch]:
    for node in made.body:
        if isinstance(node, ast.If) and any(
            name == "dataset_schema" for inner in ast.walk(node) if isinstance(inner, ast.stmt)
            for name, _ in _assigned(inner)
        ):  # fmt: skip
            yield from _flat((node,), (), supports)


def _flat(body: tuple[ast.stmt, ...], when: tuple[str, ...], supports: tuple[str, ...]) -> Iterator[Branch]:
    """An if/elif tree as a list in which the first fitting branch wins."""
    functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
    for node in body:
        if isinstance(node, ast.If):
            yield from _flat(tuple(node.body), (*when, *_flags(node.test, supports)), supports)
            yield from _flat(tuple(node.orelse), when, supports)
        for name, value in _assigned(node):
            if name == "dataset_schema" and isinstance(value, ast.Name) and value.id in functions:
                yield Branch(when, tuple(_choices(functions[value.id].body, supports)))
            elif name == "dataset_schema" and isinstance(value, ast.Attribute):
                yield Branch(when, (Choice(value.attr),))
            elif name == "dataset_schema":
                raise _UnknownError("a dataset's schema")


def _flags(test: ast.expr, supports: tuple[str, ...]) -> tuple[str, ...]:
    parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    names = tuple(part.id for part in parts if isinstance(part, ast.Name) and part.id in supports)
    if len(names) != len(parts):
        raise _UnknownError(f"a condition, line {test.lineno}")
    return names


def _choices(body: list[ast.stmt], supports: tuple[str, ...]) -> Iterator[Choice]:
    for node in body:
        if isinstance(node, ast.If):
            if len(node.body) != 1:
                raise _UnknownError(f"how the kind of a dataset is told, line {node.lineno}")
            yield _choice(node.test, node.body[0], supports)
            yield from _choices(node.orelse, supports)
        elif not isinstance(node, (ast.Assign, ast.Raise, ast.Expr)):
            raise _UnknownError(f"how the kind of a dataset is told, line {node.lineno}")


def _choice(test: ast.expr, result: ast.stmt, supports: tuple[str, ...]) -> Choice:
    """`support_x and all(["KEY" in subset for subset in subsets])`, then `return Schema(self.NAME)(config)`."""
    *flags, asked = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    names = tuple(_name(flag) for flag in flags)
    inner = asked.args[0] if isinstance(asked, ast.Call) and _name(asked.func) == "all" and asked.args else None
    compared = inner.elt if isinstance(inner, (ast.ListComp, ast.GeneratorExp)) else None
    called = result.value if isinstance(result, ast.Return) else None
    schema = called.func if isinstance(called, ast.Call) else None
    if (
        not set(names) <= set(supports)
        or not isinstance(compared, ast.Compare)
        or not isinstance(compared.ops[0], (ast.In, ast.NotIn))
        or not isinstance(schema, ast.Call)
        or len(schema.args) != 1
    ):
        raise _UnknownError(f"how the kind of a dataset is told, line {test.lineno}")
    return Choice(_name(schema.args[0]), _text(compared.left) or "", isinstance(compared.ops[0], ast.In), names)


def _params(classes: dict[str, ast.ClassDef]) -> dict[str, dict[str, Any]]:
    """The fields and defaults of the classes of parameters, those of their bases first, as in a dataclass."""
    return {name: _fields(node, classes) for name, node in classes.items() if name.endswith("Params")}


def _fields(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for base in node.bases:
        above = classes.get(_name(base))
        if above is not None and above is not node:
            fields.update(_fields(above, classes))
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign):
            fields[_name(statement.target)] = _default(_literal(statement.value))
    return fields


def _default(value: Any) -> Any:
    """A plain value, or a tuple of them; None for anything else, which no release has as a default."""
    if isinstance(value, tuple):
        return tuple(_default(item) for item in value)
    return value if isinstance(value, (bool, int, float, str)) else None


def _literal(node: ast.expr | None) -> Any:
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _renames(attributes: dict[str, ast.expr]) -> dict[str, str]:
    renamed = _literal(attributes.get(_RENAMED))
    return {str(name): str(key) for name, key in renamed.items()} if isinstance(renamed, dict) else {}
