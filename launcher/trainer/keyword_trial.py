"""What a function would make of given keyword arguments, by following its source with them; nothing of it is run.

What depends on anything else, a model or a file, is UNKNOWN, and both ways are followed where it decides. A failure
counts only where every way leads to it.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from launcher.trainer import keyword_expressions, keyword_statements
from launcher.trainer.keyword_modules import Found, Modules, parameters
from launcher.trainer.keyword_statements import Outcome
from launcher.trainer.keyword_values import (
    UNKNOWN,
    Arguments,
    Failed,
    Frame,
    FunctionValue,
    Model,
    Text,
    Unsure,
    copied,
    guarded,
    is_known,
    merged,
)
from launcher.trainer.static.sources import Sources

_MOST_STEPS = 60_000  # expressions worked out; networks of sd-scripts need some hundred
_DEEPEST = 20


@dataclass(frozen=True)
class Call:
    """A call to be tried: what is given by position (None, numbers, `MODEL`, UNKNOWN), by name, and as text."""

    function: str
    positional: tuple[Any, ...]
    keywords: Mapping[str, Any]
    texts: Mapping[str, str]
    is_sdxl: bool | None


@dataclass
class Trier:
    """The state of one trial."""

    modules: Modules
    is_sdxl: bool | None
    steps: int = 0
    depth: int = 0
    doubt: int = 0
    loops: int = 0  # loops being followed that may have any number of rounds
    unknown_calls: int = 0
    escaped: bool = False  # the keyword arguments went where they cannot be followed
    remarks: dict[tuple[str, str, str], None] = field(default_factory=dict)
    said: dict[str, None] = field(default_factory=dict)
    values: dict[tuple[str, int], Any] = field(default_factory=dict)

    def step(self) -> None:
        """Count one expression."""
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise Unsure

    def evaluate(self, node: ast.expr, frame: Frame) -> Any:
        """What an expression gives."""
        return keyword_expressions.evaluate(self, node, frame)

    def remark(self, kind: str, key: str, detail: str) -> None:
        """Something about a value that is sure to happen."""
        if not self.doubt:
            self.remarks[kind, key, detail] = None

    def say(self, text: str) -> None:
        """A warning that the function would give."""
        if not self.doubt:
            self.said[text] = None

    def value_of(self, found: Found) -> Any:
        """What a definition or an expression at the top of a module gives."""
        if found.node is None or isinstance(found.node, ast.ClassDef):
            return found
        if isinstance(found.node, ast.FunctionDef):
            return UNKNOWN if found.node.decorator_list else FunctionValue(found.file, found.node)
        key = (found.file, id(found.node))
        if key not in self.values and isinstance(found.node, ast.expr):
            self.values[key] = UNKNOWN  # for one that needs itself
            with contextlib.suppress(Failed):
                self.values[key] = self.evaluate(found.node, Frame(found.file))
        return self.values.get(key, UNKNOWN)

    def call(
        self, callee: FunctionValue, arguments: Sequence[Any], keywords: dict[str, Any], spread: Sequence[Arguments]
    ) -> Any:
        """What a function of the source gives."""
        node = callee.node
        if isinstance(node, ast.FunctionDef) and _yields(node):
            return UNKNOWN
        doubt = self.doubt
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Unsure
        frame = Frame(callee.file, {}, callee.frame)
        self._bind(callee, frame, arguments, keywords, spread)
        try:
            if isinstance(node, ast.Lambda):
                return self.evaluate(node.body, frame)
            return self._run(node, frame)
        finally:
            self.depth -= 1
            self.doubt = doubt

    def _run(self, node: ast.FunctionDef, frame: Frame) -> Any:
        try:
            outcome = self.execute(node.body, frame)
        except Failed:
            if frame.maybe_returned:
                return UNKNOWN
            raise
        if outcome != "return":
            frame.returned.append(None)
        return merged(frame.returned)

    def _bind(
        self,
        callee: FunctionValue,
        frame: Frame,
        arguments: Sequence[Any],
        keywords: dict[str, Any],
        spread: Sequence[Arguments],
    ) -> None:
        signature = callee.node.args
        names = parameters(callee.node)
        defaults = dict(zip(reversed(names), reversed(signature.defaults), strict=False))
        only = {each.arg: default for each, default in zip(signature.kwonlyargs, signature.kw_defaults, strict=True)}
        rest = dict(keywords)
        for index, name in enumerate(names):
            if index < len(arguments) and name in rest:
                raise Failed("TypeError", f"got multiple values for argument {name!r}")
            if index < len(arguments):
                frame.names[name] = arguments[index]
        for name in (*names, *only):
            if name in rest:
                frame.names[name] = rest.pop(name)
                for each in spread:
                    each.read.add(name)
            elif name not in frame.names:
                default = defaults.get(name) or only.get(name)
                frame.names[name] = UNKNOWN if default is None else self.evaluate(default, Frame(callee.file))
        if signature.vararg:
            frame.names[signature.vararg.arg] = tuple(arguments[len(names) :])
        if signature.kwarg:
            frame.names[signature.kwarg.arg] = Arguments.of(rest, spread[0].read if spread else set())
        elif any(name in each for each in spread for name in rest):
            wrong = next(name for name in rest)
            raise Failed("TypeError", f"got an unexpected keyword argument {wrong!r}")

    def either(self, nodes: Sequence[ast.expr], frame: Frame) -> Any:
        """What one of several expressions gives, where it is not known which."""
        values: list[Any] = []
        failures: list[Failed] = []
        self.doubt += 1
        try:
            for node in nodes:
                try:
                    values.append(self.evaluate(node, frame))
                except Failed as failed:
                    failures.append(failed)
        finally:
            self.doubt -= 1
        if not values:
            raise failures[0]
        return merged(values)

    def fork(self, branches: Sequence[Callable[[], Outcome]], frame: Frame) -> Outcome:
        """Follow every branch from the same start, and keep what those agree on that do not fail."""
        start, doubt = frame.names, self.doubt
        ends: list[tuple[Outcome, dict[str, Any]]] = []
        failures: list[Failed] = []
        try:
            for branch in branches:
                frame.names, self.doubt = copied(start, {}), doubt + 1
                try:
                    ends.append((branch(), frame.names))
                except Failed as failed:
                    failures.append(failed)
        finally:
            frame.names, self.doubt = start, doubt
        if not ends:
            raise failures[0]
        names = {name for _, end in ends for name in end}
        frame.names = {name: merged([end.get(name, UNKNOWN) for _, end in ends]) for name in names}
        outcomes = {outcome for outcome, _ in ends}
        if len(outcomes) == 1:
            return outcomes.pop()
        if outcomes & {"break", "continue"} and not self.loops:
            raise Unsure
        if "return" not in outcomes:
            return None
        frame.maybe_returned = True
        self.doubt += 1  # whatever follows may never be reached
        return None

    def execute(self, body: Sequence[ast.stmt], frame: Frame) -> Outcome:
        """Follow statements, and say how they end."""
        for statement in body:
            follow = keyword_statements.KINDS.get(type(statement))
            if follow is None:
                raise Unsure
            outcome = follow(self, statement, frame)
            if outcome is not None:
                return outcome
        return None

    def assign(self, target: ast.expr, value: Any, frame: Frame) -> None:
        """Give a value to a name, an item, or several of them."""
        if isinstance(target, ast.Name):
            frame.names[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target.elts, value, frame)
        elif isinstance(target, ast.Subscript):
            holder, key = self.evaluate(target.value, frame), self.evaluate(target.slice, frame)
            if isinstance(holder, Arguments) and isinstance(value, Text) and isinstance(key, str) and key != value.key:
                self.remark("renamed", value.key, key)
            if isinstance(holder, (list, dict)):
                if not is_known(key):
                    if not isinstance(target.value, ast.Name) or target.value.id not in frame.names:
                        raise Unsure
                    frame.names[target.value.id] = UNKNOWN
                    return
                guarded(holder.__setitem__, key, value)

    def _unpack(self, targets: Sequence[ast.expr], value: Any, frame: Frame) -> None:
        if any(isinstance(target, ast.Starred) for target in targets):
            raise Unsure
        if not isinstance(value, (list, tuple)):
            items: Sequence[Any] = [UNKNOWN] * len(targets)
        elif len(value) != len(targets):
            raise Failed("ValueError", f"{len(targets)} values expected, {len(value)} given")
        else:
            items = value
        for target, item in zip(targets, items, strict=True):
            self.assign(target, item, frame)


MODEL = Model()


def follow_call(sources: Sources, file: str, call: Call) -> tuple[Trier, set[str], Failed | None, bool]:
    """Follow one call: the state it ends in, the texts that were asked for, how it fails, whether it was seen whole."""
    modules = Modules(sources)
    trier = Trier(modules, call.is_sdxl)
    read: set[str] = set()
    found = modules.find(file, call.function)
    if found is None or not isinstance(found.node, ast.FunctionDef):
        return trier, read, None, False
    texts = Arguments.of({key: Text.of(key, text) for key, text in call.texts.items()}, read)
    try:
        keywords = {**call.keywords, **texts}
        trier.call(FunctionValue(found.file, found.node), call.positional, keywords, [texts])
    except Failed as failed:
        return trier, read, failed, True
    except Exception:  # a checkout may hold anything: what cannot be followed is not judged
        return trier, read, None, False
    return trier, read, None, not trier.escaped


def _yields(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in ast.walk(function))
