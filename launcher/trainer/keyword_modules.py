"""What the names at the top of a source file stand for, followed through imports; nothing is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from launcher.trainer.static.sources import Sources, dotted_name

Function = ast.FunctionDef | ast.AsyncFunctionDef
_MOST_IMPORTS = 20  # from one name to what it stands for


@dataclass(frozen=True)
class Imported:
    """A name bound by an import: `name` of the module `dotted`, or the module itself."""

    dotted: str
    name: str | None = None


@dataclass(frozen=True)
class Found:
    """What a name stands for: the file it is in, and its definition there or the expression that it is bound to.

    `node` is None for a module as a whole.
    """

    file: str
    node: Function | ast.ClassDef | ast.expr | None


Bound = Function | ast.ClassDef | ast.expr | Imported


@dataclass
class Modules:
    """The files below one root, by the names bound at their top."""

    sources: Sources
    _names: dict[str, dict[str, Bound | None]] = field(default_factory=dict)

    def names(self, file: str) -> dict[str, Bound | None]:
        """What each name at the top of a file is bound to; None where that cannot be said."""
        if file not in self._names:
            bound = self._names.setdefault(file, {})
            tree = self.sources.parse(file)
            if isinstance(tree, ast.Module):
                for statement in flat(tree.body):
                    self._bind(file, statement, bound)
        return self._names[file]

    def find(self, file: str, name: str) -> Found | None:
        """What a name of a file stands for; None when it belongs elsewhere or cannot be said."""
        for _ in range(_MOST_IMPORTS):
            bound = self.names(file).get(name)
            if bound is None:
                return None
            if not isinstance(bound, Imported):
                return Found(file, bound)
            module = self.module(bound.dotted)
            if bound.name is None or module is None or bound.name not in self.names(module):
                below = bound.dotted if bound.name is None else f"{bound.dotted}.{bound.name}"
                whole = self.module(below)
                return Found(whole, None) if whole else None
            file, name = module, bound.name
        return None

    def imported(self, file: str, name: str) -> Imported | None:
        """The import that binds a name of a file."""
        bound = self.names(file).get(name)
        return bound if isinstance(bound, Imported) else None

    def module(self, dotted: str) -> str | None:
        """The file of a module of this root."""
        found = self.sources.find(dotted) if dotted else None
        return found[0] if found else None

    def attribute(self, found: Found, name: str) -> Found | None:
        """What `module.name` or `Class.name` stands for."""
        if found.node is None:
            inside = self.find(found.file, name)
            below = self.module(f"{dotted_name(found.file)[0]}.{name}") if inside is None else None
            return inside or (Found(below, None) if below else None)
        return next((Found(each.file, bound) for each, bound in self._of_class(found, name, set())), None)

    def _of_class(self, found: Found, name: str, seen: set[int]) -> Iterator[tuple[Found, Function | ast.expr]]:
        if not isinstance(found.node, ast.ClassDef) or id(found.node) in seen:
            return
        seen.add(id(found.node))
        for statement in reversed(found.node.body):
            if isinstance(statement, Function) and statement.name == name:
                yield found, statement
            elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                    yield found, statement.value
        for base in found.node.bases:
            parent = self.resolve(found.file, base)
            if parent:
                yield from self._of_class(parent, name, seen)

    def resolve(self, file: str, node: ast.expr) -> Found | None:
        """What an expression of plain names and attributes stands for at the top of a file."""
        if isinstance(node, ast.Name):
            return self.find(file, node.id)
        if isinstance(node, ast.Attribute):
            holder = self.resolve(file, node.value)
            return self.attribute(holder, node.attr) if holder else None
        return None

    def _bind(self, file: str, statement: ast.stmt, bound: dict[str, Bound | None]) -> None:
        if isinstance(statement, (*_DEFINITIONS, ast.ClassDef)):
            bound[statement.name] = statement
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                bound.update(dict.fromkeys(_stored(target)))
                if isinstance(target, ast.Name):
                    bound[target.id] = statement.value
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            bound[statement.target.id] = statement.value
        elif isinstance(statement, ast.Import):
            for name in statement.names:
                first = name.name.partition(".")[0]
                bound[name.asname or first] = Imported(name.name if name.asname else first)
        elif isinstance(statement, ast.ImportFrom):
            self._import_from(file, statement, bound)
        else:
            bound.update(dict.fromkeys(_stored(statement)))

    def _import_from(self, file: str, statement: ast.ImportFrom, bound: dict[str, Bound | None]) -> None:
        dotted = base_of(file, statement)
        for name in statement.names:
            if name.name != "*":
                bound[name.asname or name.name] = Imported(dotted, name.name)
                continue
            module = self.module(dotted)
            for each in self.names(module) if module else ():
                if not each.startswith("_"):
                    bound[each] = Imported(dotted, each)


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def base_of(file: str, statement: ast.ImportFrom) -> str:
    """The full name of the module that a `from` in `file` names."""
    if not statement.level:
        return statement.module or ""
    dotted, _, is_package = dotted_name(file)
    parts = dotted.split(".")
    kept = parts[: len(parts) - statement.level + (1 if is_package else 0)]
    return ".".join([*kept, *([statement.module] if statement.module else [])])


def flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements with those inside `if`, `try` and `with`, without those inside functions and classes."""
    for statement in body:
        if isinstance(statement, (ast.If, ast.Try, ast.With)):
            yield from flat(statement.body)
            if isinstance(statement, ast.Try):
                for handler in statement.handlers:
                    yield from flat(handler.body)
            if isinstance(statement, (ast.If, ast.Try)):
                yield from flat(statement.orelse)
        else:
            yield statement


def parameters(function: Function | ast.Lambda) -> tuple[str, ...]:
    """The names of the parameters that may be given by position, in order."""
    return tuple(each.arg for each in (*function.args.posonlyargs, *function.args.args))


def _stored(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, (ast.Store, ast.Del)):
            yield each.id
