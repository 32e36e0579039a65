"""What a class or function takes, read from its source: nothing is imported."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from launcher.trainer.lookup import Absence, Definition, Found, Kind, find_definition, name_in_module
from launcher.trainer.packages import Packages

_DEEPEST = 8  # base classes above one another
_PLAIN_BASES = {"object", "ABC", "Generic", "Protocol"}


@dataclass(frozen=True)
class Parameter:
    """One parameter. `default` is its source text, None for a parameter that must be given."""

    name: str
    default: str | None
    by_position: bool
    by_keyword: bool = True


@dataclass(frozen=True)
class Signature:
    """What a call may give; `self` is left out. `open`: more keywords may be taken than could be followed.
    `swallows`: any other keyword is taken, and never read."""

    parameters: tuple[Parameter, ...]
    open: bool
    swallows: bool = False

    def get(self, name: str) -> Parameter | None:
        """The parameter of this name that can be given as a keyword."""
        return next((each for each in self.parameters if each.name == name and each.by_keyword), None)

    @property
    def keywords(self) -> tuple[str, ...]:
        """The names that can be given as keywords."""
        return tuple(each.name for each in self.parameters if each.by_keyword)


OPEN = Signature((), open=True)


def signature_of(packages: Packages, dotted: str) -> Signature | Absence:
    """What a call of `dotted` takes; says why when there is nothing to read."""
    found = find_definition(packages, dotted)
    return found if isinstance(found, Absence) else signature_of_definition(packages, found)


@lru_cache(maxsize=256)
def signature_of_definition(packages: Packages, found: Definition, depth: int = 0) -> Signature:
    """What a call of this class or function takes."""
    if depth > _DEEPEST or found.kind not in (Kind.CLASS, Kind.FUNCTION):
        return OPEN
    if found.kind is Kind.FUNCTION:
        node = parsed_function(found.text)
        if node is None or node.decorator_list:
            return OPEN
        return _handed_on(packages, found, node, _from_arguments(node.args, skip=0), depth)
    owner = find_method(packages, found, "__init__")
    if owner is None:
        return OPEN
    where, node = owner
    signature = _from_arguments(node.args, skip=1)
    return _handed_on(packages, where, node, signature, depth)


@lru_cache(maxsize=256)
def find_method(
    packages: Packages, found: Definition, name: str, depth: int = 0, *, decorated: bool = False
) -> tuple[Definition, ast.FunctionDef] | None:
    """A method and the class that defines it: the class itself or the first of its bases; None when it is unclear.

    `decorated`: decorators do not matter to the caller.
    """
    head = class_head(found.text)
    if head is None or depth > _DEEPEST or not _is_usual(head):
        return None
    if name == "__init__" and method_text(found.text, "__new__"):
        return None
    text = method_text(found.text, name)
    if text is not None:
        node = parsed_function(text)
        return None if node is None or (node.decorator_list and not decorated) else (found, node)
    for base in head.bases:
        written = ast.unparse(base.value if isinstance(base, ast.Subscript) else base)
        if written.rpartition(".")[2] in _PLAIN_BASES:
            continue
        above = base_of(packages, found, written)
        if not isinstance(above, Definition):
            return None
        return find_method(packages, above, name, depth + 1, decorated=decorated)
    return None


def needed_by_method(packages: Packages, found: Definition, name: str) -> tuple[str, ...]:
    """The parameters without a default of a class's method, without `self`."""
    owner = find_method(packages, found, name, decorated=True) if found.kind is Kind.CLASS else None
    if owner is None:
        return ()
    arguments = owner[1].args
    return tuple(each.arg for each in arguments.args[1 : len(arguments.args) - len(arguments.defaults)])


def bases_of(packages: Packages, found: Definition) -> Iterator[Found]:
    """The base classes of a class, in order."""
    head = class_head(found.text)
    for base in head.bases if head else ():
        yield base_of(packages, found, ast.unparse(base))


def base_of(packages: Packages, found: Definition, written: str) -> Found:
    """What a name that a class's header uses stands for in its module."""
    first, *rest = written.split(".")
    if not first.isidentifier():
        return Absence.OPEN
    start = name_in_module(packages, found.module, first)
    if not rest or isinstance(start, Absence):
        return start
    return find_definition(packages, ".".join((start.module, *rest))) if start.kind is Kind.MODULE else Absence.OPEN


def class_head(text: str) -> ast.ClassDef | None:
    """A class without its body."""
    end = re.search(r"^class [^\n:]*?(?:\((?:[^()]|\([^()]*\))*\))?\s*:", text, re.MULTILINE)
    if not end:
        return None
    node = _parse(f"{text[: end.end()]} pass")
    return node if isinstance(node, ast.ClassDef) else None


def method_text(text: str, name: str) -> str | None:
    """The source of a method of a class, without indentation; None when the class itself has none."""
    start = re.search(rf"^([ \t]+)(?:async +)?def +{name}\b", text, re.MULTILINE)
    if not start:
        return None
    body = re.search(r"^([ \t]+)\S", text[text.find(":\n") + 1 :], re.MULTILINE)
    if body and len(body[1].expandtabs()) < len(start[1].expandtabs()):
        return None  # of a class or function inside this one
    end = re.compile(rf"^(?!{start[1]}[ \t])[ \t]*[^\s)#]", re.MULTILINE).search(text, start.end())
    decorators = re.search(rf"(?:^{start[1]}@[^\n]*\n)+\Z", text[: start.start()], re.MULTILINE)
    begin = start.start() - (len(decorators[0]) if decorators else 0)
    return textwrap.dedent(text[begin : end.start() if end else len(text)])


@lru_cache(maxsize=64)
def parsed_function(text: str) -> ast.FunctionDef | None:
    """A function's tree; None when the text is none for this Python. Nobody changes a tree."""
    node = _parse(text)
    return node if isinstance(node, ast.FunctionDef) else None


def _parse(text: str) -> ast.stmt | None:
    import warnings  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return body[0] if len(body) == 1 else None


def _is_usual(head: ast.ClassDef) -> bool:
    """Whether instances are made as usual: no decorator and no metaclass of its own."""
    metaclasses = [ast.unparse(keyword.value).rpartition(".")[2] for keyword in head.keywords]
    return not head.decorator_list and all(name == "ABCMeta" for name in metaclasses)


def _from_arguments(arguments: ast.arguments, skip: int) -> Signature:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [*[None] * (len(positional) - len(arguments.defaults)), *arguments.defaults]
    only = len(arguments.posonlyargs)
    found = [
        Parameter(each.arg, _source(default), by_position=True, by_keyword=index >= only)
        for index, (each, default) in enumerate(zip(positional, defaults, strict=True))
    ][skip:]
    found += [
        Parameter(each.arg, _source(default), by_position=False)
        for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return Signature(tuple(found), open=arguments.kwarg is not None)


def _source(node: ast.expr | None) -> str | None:
    return None if node is None else ast.unparse(node)


def _handed_on(packages: Packages, found: Definition, node: ast.FunctionDef, own: Signature, depth: int) -> Signature:
    """The signature with what `**kwargs` may hold: the keywords of the one call that they are handed on to."""
    if not own.open or node.args.kwarg is None:
        return own
    name = node.args.kwarg.arg
    uses = [each for each in ast.walk(node) if isinstance(each, ast.Name) and each.id == name]
    calls = [call for call in ast.walk(node) if isinstance(call, ast.Call) and _spreads(call, name)]
    if not uses:
        return replace(own, open=False, swallows=True)
    if len(uses) != 1 or len(calls) != 1:
        return own
    (call,) = calls
    beyond = _called(packages, found, call, depth)
    if beyond is None or any(isinstance(each, ast.Starred) for each in call.args):
        return own
    taken = {each.arg for each in call.keywords if each.arg} | {each.name for each in own.parameters}
    positional = [each.name for each in beyond.parameters if each.by_position]
    taken |= set(positional[: len(call.args)])
    more = (replace(each, by_position=False) for each in beyond.parameters if each.name not in taken)
    return replace(own, parameters=(*own.parameters, *more), open=beyond.open, swallows=beyond.swallows)


def _spreads(call: ast.Call, name: str) -> bool:
    spread = (each.value for each in call.keywords if each.arg is None)
    return any(isinstance(value, ast.Name) and value.id == name for value in spread)


def _called(packages: Packages, found: Definition, call: ast.Call, depth: int) -> Signature | None:
    """What the callee of a call in a function or method takes."""
    callee = call.func
    if isinstance(callee, ast.Name):
        target = name_in_module(packages, found.module, callee.id)
        return signature_of_definition(packages, target, depth + 1) if isinstance(target, Definition) else None
    is_super = isinstance(callee, ast.Attribute) and callee.attr == "__init__" and _is_super(callee.value)
    if not is_super or found.kind is not Kind.CLASS:
        return None
    above = next(bases_of(packages, found), None)
    return signature_of_definition(packages, above, depth + 1) if isinstance(above, Definition) else None


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


@lru_cache(maxsize=64)
def enum_members(packages: Packages, dotted: str) -> Mapping[str, str] | None:
    """The members of an enumeration of texts, by name; None when `dotted` is none, or cannot be read."""
    found = find_definition(packages, dotted)
    if isinstance(found, Absence) or found.kind is not Kind.CLASS:
        return None
    head = class_head(found.text)
    if head is None or not any("Enum" in ast.unparse(base) for base in head.bases):
        return None
    node = _parse(found.text)
    body = node.body if isinstance(node, ast.ClassDef) else []
    return {
        target.id: each.value.value
        for each in body
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant) and isinstance(each.value.value, str)
        for target in each.targets
        if isinstance(target, ast.Name)
    }


@lru_cache(maxsize=64)
def functions_by_member(packages: Packages, dotted: str) -> Mapping[str, str] | None:
    """A table of functions by members of an enumeration: member's name to the function's dotted name."""
    found = find_definition(packages, dotted)
    if isinstance(found, Absence) or found.kind is not Kind.VALUE:
        return None
    try:
        node = ast.parse(found.text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(node, ast.Dict):
        return None
    return {
        key.attr: f"{found.module}.{value.id}"
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Attribute) and isinstance(value, ast.Name)
    }
