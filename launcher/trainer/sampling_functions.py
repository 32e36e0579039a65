"""The functions by which a training script draws samples, followed from its call through the modules of a checkout."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from launcher.trainer.static.sources import Sources

ENTRY = "sample_images"
_FOLLOWED = re.compile(r"sample_image|prompt|scheduler")


@dataclass(frozen=True)
class Module:
    """A source file: its functions, the modules it knows by a name, and the names it has from other modules.

    `modules` maps a name to a file, `names` a name to a file and the name there.
    """

    file: str
    functions: dict[str, ast.FunctionDef]
    modules: dict[str, str]
    names: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Function:
    """A function, and the module that it stands in."""

    module: Module
    node: ast.FunctionDef


def sampling_functions(sources: Sources, script: str) -> list[Function]:
    """The function that the script calls to draw samples, and those for prompts and samples that this calls in turn.

    Empty for a script that draws none, or in a way that cannot be followed.
    """
    walk = _Walk(sources)
    start = walk.start(script)
    module = walk.module(script)
    if start is None and module:
        # A method of the same name may be inherited from another script.
        others = [file for file in module.modules.values() if "/" not in file]
        start = next((found for other in others if (found := walk.start(other))), None)
    if start:
        walk.follow(*start)
    return walk.found


class _Walk:
    """One walk: which modules were read, which functions were found."""

    def __init__(self, sources: Sources) -> None:
        self.found: list[Function] = []
        self._sources = sources
        self._modules: dict[str, Module | None] = {}
        self._seen: set[tuple[str, str]] = set()

    def module(self, file: str) -> Module | None:
        if file not in self._modules:
            tree = self._sources.parse(file)
            self._modules[file] = None if isinstance(tree, str) else self._indexed(file, tree)
        return self._modules[file]

    def start(self, script: str) -> tuple[str, str] | None:
        """The file and the name of the function that a script calls to draw samples."""
        tree, module = self._sources.parse(script), self.module(script)
        if isinstance(tree, str) or module is None:
            return None
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == ENTRY)
        return next((found for call in calls if (found := self.resolve(module, call.func))), None)

    def resolve(self, module: Module, called: ast.expr) -> tuple[str, str] | None:
        """The file and the name of the function that is called, where it is of the checkout."""
        if isinstance(called, ast.Name):
            if called.id in module.functions:
                return module.file, called.id
            return module.names.get(called.id)
        if isinstance(called, ast.Attribute):
            file = module.modules.get(ast.unparse(called.value))
            return (file, called.attr) if file else None
        return None

    def follow(self, file: str, name: str) -> None:
        pending = [(file, name)]
        while pending:
            place = pending.pop(0)
            module = self.module(place[0]) if place not in self._seen else None
            self._seen.add(place)
            node = module.functions.get(place[1]) if module else None
            if module is None or node is None:
                continue
            self.found.append(Function(module, node))
            self._note_imports(module, node.body)
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and _FOLLOWED.search(_called(call)):
                    target = self.resolve(module, call.func)
                    if target:
                        pending.append(target)

    def _indexed(self, file: str, tree: ast.Module) -> Module:
        module = Module(file, {}, {}, {})
        statements = list(_statements(tree))
        for statement in statements:
            if isinstance(statement, ast.FunctionDef):
                module.functions[statement.name] = statement
        self._note_imports(module, statements)
        return module

    def _note_imports(self, module: Module, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            if isinstance(statement, ast.Import):
                for alias in statement.names:
                    self._note_module(module, alias.asname or alias.name, alias.name)
            elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                for alias in statement.names:
                    self._note_module(module, alias.asname or alias.name, f"{statement.module}.{alias.name}")
                    found = self._sources.find(statement.module)
                    if found and found[0]:
                        module.names[alias.asname or alias.name] = (found[0], alias.name)

    def _note_module(self, module: Module, name: str, dotted: str) -> None:
        found = self._sources.find(dotted)
        if found and found[0]:
            module.modules[name] = found[0]


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    for statement in tree.body:
        yield statement
        if isinstance(statement, (ast.Try, ast.If)):
            yield from statement.body


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
