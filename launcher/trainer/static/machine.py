"""The state of one reading: modules, names, what is in doubt, what could not be read."""

from __future__ import annotations

import argparse
import ast
import builtins
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from launcher.trainer.options import Unread
from launcher.trainer.static import calls, expressions, objects, pure, statements
from launcher.trainer.static.sources import Sources, dotted_name
from launcher.trainer.static.values import (
    UNKNOWN,
    Asked,
    Builtin,
    ClassValue,
    External,
    Given,
    Imported,
    Module,
    Outcome,
    Raised,
    Scope,
    TooLong,
)

MOST_STEPS = 200_000  # expressions worked out in one reading; sd-scripts needs about 5,000
MOST_STEPS_AT_IMPORT = 20_000  # the same, for one statement at the top of a module


@dataclass(eq=False)
class Added:
    """What is known of an action of a parser beside the action itself."""

    action: argparse.Action
    source: str
    doubt: int  # how many undecided branches it was added in; 0 when it is there for sure
    unread: set[str] = field(default_factory=set)


class Machine:
    """Reads the source below one root. Nothing of it is imported or run."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.modules: dict[str, Module | None] = {}
        self.notes: dict[Unread, None] = {}
        self.steps = 0
        self.most_steps = MOST_STEPS
        self.depth = 0
        self.doubt = 0  # how many branches that cannot be decided surround what is being read
        self.tries = 0  # how many `try` blocks surround it
        self.spoiled: dict[int, Any] = {}  # lists and dicts changed in such a branch; kept alive, so ids stay theirs
        self.journals: list[dict[tuple[int, str], tuple[Scope, Any]]] = []
        self.added: dict[int, Added] = {}  # by the action's id
        self.trace: list[int] = []  # ids of actions, in the order they were added or added again
        self.starting = False  # whether a script is followed as it is when it is started
        self.adding: str | None = None  # where the outermost `add_argument` call under way stands
        self.classes: dict[type, ClassValue] = {}  # the class of the checkout behind each made subclass of argparse's
        self.parsers: list[argparse.ArgumentParser] = []
        self.strays = argparse.ArgumentParser(add_help=False)  # options given to a parser that is not known

    # Following the source: each of these is a module of its own.

    def evaluate(self, node: ast.expr, scope: Scope) -> Any:
        """What an expression stands for."""
        self.steps += 1
        if self.steps > self.most_steps:
            raise TooLong
        value = self.settled(expressions.evaluate(self, node, scope))
        return UNKNOWN if id(value) in self.spoiled else value

    def execute(self, body: Sequence[ast.stmt], scope: Scope) -> Outcome:
        """Follow statements, and say how they end."""
        return statements.execute(self, body, scope)

    def branch(self, body: Sequence[ast.stmt], scope: Scope) -> Callable[[], Outcome]:
        """A body of statements to be followed later, as one of the branches of a fork."""
        return lambda: self.execute(body, scope)

    def call(self, callee: Any, arguments: Sequence[Any], keywords: Mapping[str, Any], where: str) -> Any:
        """What a call gives."""
        return calls.call(self, callee, Given(tuple(arguments), dict(keywords)), where)

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Give a value to a name, an attribute, an item, or several of them."""
        statements.assign(self, target, value, scope)

    # What could not be read.

    def note(self, where: str, what: str) -> None:
        """Keep a place that could not be read, once."""
        self.notes[Unread(where, what)] = None

    def remember(self, action: argparse.Action, where: str) -> None:
        """Keep where a new action of a parser came from, and whether it is there for sure."""
        self.added[id(action)] = Added(action, where, self.doubt)
        self.trace.append(id(action))

    def place(self, node: ast.AST, scope: Scope) -> str:
        """Where a node stands: "FILE:LINE"."""
        return f"{scope.module.file}:{getattr(node, 'lineno', 1)}"

    # Names.

    def bind(self, scope: Scope, name: str, value: Any) -> None:
        """Give a name a value; inside an undecided branch, so that it can be taken back."""
        scope = scope.elsewhere.get(name, scope)
        if self.journals:
            self.journals[-1].setdefault((id(scope), name), (scope, scope.names.get(name, _ABSENT)))
        scope.names[name] = value

    def look_up(self, name: str, scope: Scope) -> Any:
        """What a name stands for, found as Python finds it."""
        current: Scope | None = scope.elsewhere.get(name, scope)
        while current is not None:
            if name in current.names and not (current.is_class and current is not scope):
                return current.names[name]
            current = current.outer
        if name in pure.BUILTIN_TYPES:
            return pure.BUILTIN_TYPES[name]
        return Builtin(name) if name in _BUILTINS else UNKNOWN

    def settled(self, value: Any) -> Any:
        """The thing behind an import."""
        for _ in range(20):  # a name may be imported from a module that imports it, and so on
            if not isinstance(value, Imported):
                return value
            value = self._imported(value)
        return UNKNOWN

    def _imported(self, imported: Imported) -> Any:
        if imported.dotted == "argparse":
            return argparse if imported.name is None else objects.of_argparse(imported.name)
        module = self.module(imported.dotted)
        if imported.name is None:
            return External(imported.dotted) if module is None else module
        if module is None:
            return objects.external(f"{imported.dotted}.{imported.name}")
        return self.attribute_of(module, imported.name)

    def attribute_of(self, module: Module, name: str) -> Any:
        """What `module.name` stands for: a name of the module, or a module below it."""
        if name in module.scope.names:
            return module.scope.names[name]
        below = self.module(f"{module.dotted}.{name}") if module.is_package else None
        return UNKNOWN if below is None else below

    def module(self, dotted: str) -> Module | None:
        """A module of the checkout, read when it is first needed; None when it belongs elsewhere."""
        if dotted not in self.modules:
            found = self.sources.find(dotted)
            self.modules[dotted] = None
            if found is not None:
                file, is_package = found
                self._load(Module(dotted, file or dotted.replace(".", "/"), is_package), file)
        return self.modules[dotted]

    def module_of_file(self, file: str) -> Module:
        """The module that a file is, whether or not it could be imported by name."""
        module = Module(*dotted_name(file))
        self._load(module, file)
        return module

    def start(self, file: str) -> None:
        """Follow a file as it is when it is started, to where it asks a parser for its arguments: Asked is raised."""
        self.starting = True
        module = Module(*dotted_name(file))
        module.scope.names["__name__"] = "__main__"
        self._load(module, file)

    def _load(self, module: Module, file: str | None) -> None:
        self.modules[module.dotted] = module  # before its body: modules may import one another
        module.scope.names.setdefault("__name__", module.dotted)
        if file is None:
            return
        tree = self.sources.parse(file)
        if isinstance(tree, str):
            self.note(file, tree)
            return
        module.scope.names["__doc__"] = ast.get_docstring(tree, clean=False)
        with self._apart():
            for statement in tree.body:
                self.most_steps = self.steps + MOST_STEPS_AT_IMPORT
                try:
                    self.execute([statement], module.scope)
                except Asked:
                    raise
                except Exception:  # whatever odd code does to the reading, it costs the names it would have bound
                    for name in statements.bound_names(statement):
                        module.scope.names[name] = UNKNOWN

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """A module's own body is read as it is, whatever branch first asked for it."""
        kept = self.doubt, self.tries, self.journals, self.adding
        left = self.most_steps - self.steps
        self.doubt, self.tries, self.journals, self.adding = 0, 0, [], None
        try:
            yield
        finally:
            self.doubt, self.tries, self.journals, self.adding = kept
            self.most_steps = self.steps + left  # whoever asked for the module does not pay for it

    # Branches that cannot be decided.

    def fork(self, branches: Sequence[Callable[[], Outcome]], scope: Scope, where: str, question: str) -> Outcome:
        """Follow every branch from the same start, and keep what they agree on.

        A name that ends differently becomes UNKNOWN. An option is kept whichever branch adds it, in doubt unless
        all do.
        A branch that ends in an exception is not taken: the parser would not come to be.
        """
        level = self.doubt
        returns, breaks, start = scope.maybe_returns, scope.maybe_breaks, len(self.trace)
        outcomes: list[Outcome] = []
        ends: list[dict[tuple[int, str], tuple[Scope, Any]]] = []
        sure: list[set[int]] = []
        for branch in branches:
            self.doubt = level + 1
            journal: dict[tuple[int, str], tuple[Scope, Any]] = {}
            self.journals.append(journal)
            begun = len(self.trace)
            try:
                outcome = branch()
            except Raised:
                outcome = "raise"
            finally:
                self.journals.pop()
                self.doubt = level
                end = {key: (home, home.names.get(key[1], _ABSENT)) for key, (home, _) in journal.items()}
                for (_, name), (home, before) in journal.items():
                    _put(home, name, before)
            if outcome != "raise":
                outcomes.append(outcome)
                ends.append(end)
                sure.append({item for item in self.trace[begun:] if self.added[item].doubt == level + 1})
        for item in set.intersection(*sure) if sure else set():
            self.added[item].doubt = level
        if any(self.added[item].doubt > level for item in self.trace[start:]):
            self.note(where, question)
        self._agree(ends)
        outcome = self._common(outcomes, scope)
        self.doubt = level + scope.maybe_returns - returns + scope.maybe_breaks - breaks
        return outcome

    def _agree(self, ends: Sequence[Mapping[tuple[int, str], tuple[Scope, Any]]]) -> None:
        homes = {key: home for end in ends for key, (home, _) in end.items()}
        for (key, name), home in homes.items():
            values = [end[key, name][1] if (key, name) in end else home.names.get(name, _ABSENT) for end in ends]
            value = values[0] if all(pure.same(values[0], other) for other in values[1:]) else UNKNOWN
            if value is not _ABSENT:
                self.bind(home, name, value)

    def _common(self, outcomes: Sequence[Outcome], scope: Scope) -> Outcome:
        kinds = set(outcomes)
        if not kinds:
            return "raise"
        if len(kinds) == 1:
            return outcomes[0]
        # Some branches leave, some stay: read on, with everything that follows in doubt.
        if "return" in kinds:
            scope.maybe_returns += 1
        if None in kinds:
            if kinds & {"break", "continue"}:
                scope.maybe_breaks += 1
            return None
        return "break" if "break" in kinds else "continue"

    def spoil(self, value: Any) -> None:
        """From here on it is not known what this list, dict or set holds."""
        if isinstance(value, (list, dict, set)):
            self.spoiled[id(value)] = value


_ABSENT = object()
_BUILTINS = frozenset(name for name, value in vars(builtins).items() if callable(value) and not name.startswith("_"))


def _put(scope: Scope, name: str, value: Any) -> None:
    if value is _ABSENT:
        scope.names.pop(name, None)
    else:
        scope.names[name] = value
