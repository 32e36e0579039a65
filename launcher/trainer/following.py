"""Follows one function of the trainer for given options: which way it goes, what it makes, what it refuses.

Nothing is run: the statements are read one by one. Where a condition cannot be told, everything behind it is in
doubt, and what is in doubt is neither refused nor believed.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from launcher.trainer import following_expressions as expressions
from launcher.trainer.following_plain import operate, put, truth
from launcher.trainer.following_values import UNKNOWN, Local, Named, Options, Raised, Refusal, Walk, World

MOST_STEPS = 20_000  # statements and expressions; get_optimizer needs some 300
_MOST_ROUNDS = 1_000


class _Return(Exception):  # noqa: N818 - the way of a statement, not an error
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class _Leave(Exception):  # noqa: N818 - `break` and `continue`
    def __init__(self, word: str) -> None:
        super().__init__()
        self.word = word


class TooLong(Exception):  # noqa: N818 - nobody's error
    """More work than any such function is worth."""


def follow(function: ast.FunctionDef, given: Mapping[str, Any], world: World) -> Walk:
    """Follow `function`, called with `given` by its parameters' names. Parameters left out are unknown."""
    walker = Walker(world)
    try:
        walker.walk.returned = walker.call_local(Local(function, {}), (), dict(given))
        walker.walk.finished = not walker.unsure
    except Raised as raised:
        walker.walk.refusals.append(raised.refusal)
    except (TooLong, RecursionError):
        walker.walk.refusals.clear()
    return walker.walk


class Walker:
    """The state of one walk."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.walk = Walk()
        self.doubt = 0
        self.unsure = False  # whether the function followed may have ended elsewhere
        self.depth = 0
        self.loops = 0
        self.steps = 0

    def evaluate(self, node: ast.expr, names: dict[str, Any]) -> Any:
        """What an expression stands for."""
        self.count()
        return expressions.evaluate(self, node, names)

    def count(self) -> None:
        """One step further. Raises TooLong."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TooLong

    def call_local(self, callee: Local, positional: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        """Follow a call of a function of the same file."""
        if self.depth >= 12:
            return UNKNOWN
        names = {**callee.names, **_bound(self, callee, positional, keywords)}
        if isinstance(callee.node, ast.Lambda):
            return self.evaluate(callee.node.body, names)
        doubt, self.depth = self.doubt, self.depth + 1
        try:
            self.execute(callee.node.body, names)
            return UNKNOWN if self.doubt > doubt else None
        except _Return as returned:
            return UNKNOWN if self.doubt > doubt else returned.value
        except Raised:
            if self.doubt > doubt:
                return UNKNOWN  # it may have returned before
            raise
        finally:
            self.unsure = self.doubt > doubt
            self.doubt, self.depth = doubt, self.depth - 1

    def execute(self, body: Sequence[ast.stmt], names: dict[str, Any]) -> None:
        """Follow statements in order."""
        for statement in body:
            self.count()
            self._statement(statement, names)

    def _statement(self, node: ast.stmt, names: dict[str, Any]) -> None:  # noqa: PLR0912 - one case for each kind
        match node:
            case ast.If():
                self._if(node, names)
            case ast.Assign():
                value = self.evaluate(node.value, names)
                for target in node.targets:
                    self.assign(target, value, names)
            case ast.AnnAssign(value=ast.expr() as written):
                self.assign(node.target, self.evaluate(written, names), names)
            case ast.AugAssign():
                left = self.evaluate(_loaded(node.target), names)
                right = self.evaluate(node.value, names)
                self.assign(node.target, operate(node.op, left, right), names)
            case ast.Expr():
                self.evaluate(node.value, names)
            case ast.Return():
                value = None if node.value is None else self.evaluate(node.value, names)
                raise _Return(value)
            case ast.Raise():
                raise Raised(_refusal(self, node.exc, names))
            case ast.Assert():
                if truth(self.evaluate(node.test, names)) is False:
                    message = self.evaluate(node.msg, names) if node.msg else None
                    said = message if isinstance(message, str) else f"`{ast.unparse(node.test)}` does not hold"
                    raise Raised(Refusal("AssertionError", said))
            case ast.Import() | ast.ImportFrom():
                self._import(node, names)
            case ast.Try():
                self._try(node, names)
            case ast.For():
                self._for(node, names)
            case ast.FunctionDef():
                names[node.name] = Local(node, names)
            case ast.ClassDef():
                names[node.name] = Named(node.name)
            case ast.Break() | ast.Continue():
                raise _Leave("break" if isinstance(node, ast.Break) else "continue")
            case ast.While() | ast.With() | ast.Match() | ast.AsyncFor() | ast.AsyncWith():
                self._maybe([node.body] if hasattr(node, "body") else [], names)
                self.doubt += 1
            case _:
                pass

    def assign(self, target: ast.expr, value: Any, names: dict[str, Any]) -> None:
        """Give a value to what stands left of a `=`; in doubt, nobody knows which."""
        known = UNKNOWN if self.doubt else value
        match target:
            case ast.Name():
                names[target.id] = known
            case ast.Tuple() | ast.List():
                self._unpack(target.elts, known, names)
            case ast.Attribute():
                owner = self.evaluate(target.value, names)
                if isinstance(owner, Options):
                    owner.changed[target.attr] = known
            case ast.Subscript():
                owner = self.evaluate(target.value, names)
                key = self.evaluate(target.slice, names)
                if isinstance(owner, (dict, list)):
                    put(owner, key, known)
            case _:
                pass

    def _unpack(self, targets: Sequence[ast.expr], value: Any, names: dict[str, Any]) -> None:
        if not isinstance(value, (list, tuple)) or any(isinstance(each, ast.Starred) for each in targets):
            values: Sequence[Any] = [UNKNOWN] * len(targets)
        elif len(value) != len(targets):
            said = "too many" if len(value) > len(targets) else "not enough"
            raise Raised(Refusal("ValueError", f"{said} values to unpack (expected {len(targets)})"))
        else:
            values = value
        for target, each in zip(targets, values, strict=True):
            self.assign(target, each, names)

    def _if(self, node: ast.If, names: dict[str, Any]) -> None:
        known = truth(self.evaluate(node.test, names))
        if known is None:
            self._maybe([node.body, node.orelse], names)
        else:
            self.execute(node.body if known else node.orelse, names)

    def _maybe(self, bodies: Sequence[Sequence[ast.stmt]], names: dict[str, Any]) -> None:
        """Follow bodies that may or may not count: they make unknown what they set.

        Where one may return, everything that follows stays in doubt. One that raises is not where the run goes on.
        """
        leaves = False
        for body in bodies:
            self.doubt += 1
            try:
                self.execute(body, names)
            except (_Return, _Leave):
                leaves = True
            except Raised:
                pass
            finally:
                self.doubt -= 1
        if leaves:
            self.doubt += 1

    def _import(self, node: ast.Import | ast.ImportFrom, names: dict[str, Any]) -> None:
        for alias in node.names:
            module = alias.name if isinstance(node, ast.Import) else node.module or ""
            self.imported(module)
            if isinstance(node, ast.ImportFrom):
                names[alias.asname or alias.name] = Named(f"{module}.{alias.name}")
            else:
                names[alias.asname or module.partition(".")[0]] = Named(
                    module if alias.asname else module.partition(".")[0]
                )

    def imported(self, module: str) -> None:
        """A module is imported on the way."""
        if not self.doubt:
            self.walk.imports.append(module)

    def _try(self, node: ast.Try, names: dict[str, Any]) -> None:
        before = len(self.walk.imports)
        try:
            self.execute(node.body, names)
        except Raised as raised:
            handler = next((each for each in node.handlers if _catches(each, raised.refusal.exception)), None)
            if handler is None:
                raise
            self.execute(handler.body, names)
        else:
            self.execute(node.orelse, names)
        if any(not _ends_in_raise(each) for each in node.handlers):
            del self.walk.imports[before:]  # may be missing without harm
        self.execute(node.finalbody, names)

    def _for(self, node: ast.For, names: dict[str, Any]) -> None:
        items = self.evaluate(node.iter, names)
        if not isinstance(items, (list, tuple, range)) or len(items) > _MOST_ROUNDS:
            self._maybe([[ast.Assign([node.target], ast.Constant(None)), *node.body]], names)
            return
        for item in items:
            self.assign(node.target, item, names)
            self.loops += 1
            try:
                self.execute(node.body, names)
            except _Leave as left:
                if left.word == "break":
                    break
            except Raised as raised:
                if self.loops > 1:
                    raise
                # The other items are worth reading too: each has its own mistake.
                refusal = raised.refusal
                self.refuse(Refusal(refusal.exception, refusal.message, item))
            finally:
                self.loops -= 1

    def refuse(self, refusal: Refusal) -> None:
        """Keep what the trainer would raise, and read on."""
        if not self.doubt:
            self.walk.refusals.append(refusal)


def _bound(walker: Walker, callee: Local, positional: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    arguments = callee.node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    names: dict[str, Any] = {each.arg: UNKNOWN for each in (*plain, *arguments.kwonlyargs)}
    for each, default in zip(reversed(plain), reversed(arguments.defaults), strict=False):
        names[each.arg] = walker.evaluate(default, dict(callee.names))
    for each, written in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        names[each.arg] = UNKNOWN if written is None else walker.evaluate(written, dict(callee.names))
    names |= {each.arg: value for each, value in zip(plain, positional, strict=False)}
    if arguments.kwarg:
        names[arguments.kwarg.arg] = {key: value for key, value in keywords.items() if key not in names}
    if arguments.vararg:
        names[arguments.vararg.arg] = UNKNOWN
    return names | {key: value for key, value in keywords.items() if key in names}


def _refusal(walker: Walker, node: ast.expr | None, names: dict[str, Any]) -> Refusal:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        message = walker.evaluate(node.args[0], names) if node.args else None
        return Refusal(node.func.id, message if isinstance(message, str) else None)
    return Refusal(node.id if isinstance(node, ast.Name) else "Exception", None)


def _catches(handler: ast.ExceptHandler, exception: str) -> bool:
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(each).rpartition(".")[2] in (exception, "Exception", "BaseException") for each in types)


def _ends_in_raise(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.body[-1], ast.Raise)


def _loaded(target: ast.expr) -> ast.expr:
    return ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target
