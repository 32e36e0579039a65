"""What the checkout's own get_optimizer would do with given options, and what an optimizer's constructor would say.

sd-scripts: library/train_util.py, get_optimizer. Its branches are followed as they stand in the checkout at hand.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from launcher.trainer import signatures
from launcher.trainer.following import Walker, follow
from launcher.trainer.following_values import UNKNOWN, Local, Made, Named, Options, Raised, Refusal, Walk, World
from launcher.trainer.lookup import Absence, Definition, Kind, block, find_definition, imported, name_in_module
from launcher.trainer.packages import Packages
from launcher.trainer.source_text import SourceText

TRAIN_UTIL = "library/train_util.py"
_MODULE = "library.train_util"
_DEEPEST = 6  # constructors of base classes above one another


@dataclass(frozen=True)
class TrainerFile:
    """One file of the checkout whose functions are followed."""

    source: SourceText
    packages: Packages
    file: str = TRAIN_UTIL

    def function(self, name: str) -> ast.FunctionDef | None:
        """A function of the file; None when it has none of this name, or one that cannot be parsed."""
        text = block(self.source.text(self.file), name)
        return signatures.parsed_function(text) if text else None

    def world(self) -> World:
        """What the functions of the file can see."""
        members: dict[str, Mapping[str, str] | None] = {}
        tables: dict[str, Mapping[str, str] | None] = {}

        def of_enumeration(dotted: str) -> Mapping[str, str] | None:
            if not dotted.endswith("Type"):
                return None
            if dotted not in members:
                members[dotted] = signatures.enum_members(self.packages, dotted)
            return members[dotted]

        def of_table(dotted: str) -> Mapping[str, str] | None:
            if dotted not in tables:
                tables[dotted] = signatures.functions_by_member(self.packages, dotted)
            return tables[dotted]

        return World(self._name, of_enumeration, of_table)

    def _name(self, name: str) -> Any:
        function = self.function(name)
        if function is not None:
            return Local(function, {})
        found = next(imported(self.source.text(self.file), name, _MODULE, is_package=False), None)
        if found is None:
            return UNKNOWN
        module, original = found
        return Named(module if original is None else f"{module}.{original}")


@dataclass(frozen=True)
class OptimizerReading:
    """What get_optimizer would do. `made` is the optimizer, None where it cannot be told or does not come to be.

    `options` are the trainer's `args` afterwards: it changes some of them.
    """

    walk: Walk
    made: Made | None
    options: Options


def follow_optimizer(trainer: TrainerFile, ask: Callable[[str], Any]) -> OptimizerReading | None:
    """Follow get_optimizer; `ask` gives the values of `args`. None where the checkout has no such function."""
    function = trainer.function("get_optimizer")
    if function is None or not function.args.args:
        return None
    options = Options(ask)
    walk = follow(function, {function.args.args[0].arg: options}, trainer.world())
    returned = walk.returned
    made = returned[2] if isinstance(returned, tuple) and len(returned) == 3 else None
    return OptimizerReading(walk, made if isinstance(made, Made) else None, options)


def built_in_names(trainer: TrainerFile) -> tuple[str, ...]:
    """The names that get_optimizer compares optimizer_type with, in its own spelling."""
    function = trainer.function("get_optimizer")
    found: dict[str, None] = {}
    for node in ast.walk(function) if function else ():
        if not isinstance(node, ast.Compare) or not _is_type(node.left):
            continue
        for each in (part for comparator in node.comparators for part in ast.walk(comparator)):
            if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value:
                found[each.value] = None
    return tuple(found)


def _is_type(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "optimizer_type"


def class_of(packages: Packages, made: Made) -> Definition | Absence:
    """Where the thing that is made is defined."""
    return find_definition(packages, made.of.dotted)


def refused_by_constructor(packages: Packages, made: Made) -> Refusal | None:
    """The exception that the constructor of the thing would raise for what it is given; None where none is sure."""
    found = class_of(packages, made)
    if isinstance(found, Absence):
        return None
    try:
        _construct(packages, found, list(made.positional), made.given, depth=0)
    except Raised as raised:
        return raised.refusal
    return None


def _owner(packages: Packages, found: Definition) -> tuple[Definition, ast.FunctionDef] | None:
    if found.kind is Kind.FUNCTION:
        node = signatures.parsed_function(found.text)
        return (found, node) if node and not node.decorator_list else None
    return signatures.find_method(packages, found, "__init__") if found.kind is Kind.CLASS else None


def _construct(
    packages: Packages, found: Definition, positional: list[Any], keywords: dict[str, Any], depth: int
) -> None:
    """Follow a function, or a constructor and those of its base classes. Raises Raised."""
    owner = _owner(packages, found) if depth < _DEEPEST else None
    if owner is None:
        return
    where, node = owner
    skip = 1 if where.kind is Kind.CLASS else 0

    def above(walker: Walker, more: list[Any], given: dict[str, Any]) -> None:
        base = next(signatures.bases_of(packages, where), None)
        if isinstance(base, Definition) and base.name != "Optimizer" and not walker.doubt:
            _construct(packages, base, more, given, depth + 1)

    def name(word: str) -> Any:
        seen = name_in_module(packages, where.module, word)
        if isinstance(seen, Absence):
            return UNKNOWN
        if seen.kind is Kind.FUNCTION and seen.module == where.module:
            function = signatures.parsed_function(seen.text)
            return Local(function, {}) if function and not function.decorator_list else UNKNOWN
        return Named(seen.module if seen.kind is Kind.MODULE else f"{seen.module}.{seen.name}")

    names = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
    given = {**dict(zip(names[skip:], positional, strict=False)), **keywords}
    walk = follow(node, given, World(name, above=above))
    if walk.refusals:
        raise Raised(walk.refusals[0])
