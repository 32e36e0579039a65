"""What a name can stand for while one function of the trainer is followed. Plain data is plain Python."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


class _Unknown:
    """A value that cannot be known without running the trainer."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


@dataclass(frozen=True)
class Named:
    """Something of another module, under its dotted name: a module, a class, a function."""

    dotted: str


@dataclass(frozen=True)
class Member:
    """A member of an enumeration; `owner` is the enumeration's dotted name."""

    owner: str
    name: str
    value: str


@dataclass(frozen=True)
class Made:
    """What calling `of` gives, with everything it was given."""

    of: Named
    positional: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()

    @property
    def given(self) -> dict[str, Any]:
        """The keywords, by name."""
        return dict(self.keywords)


@dataclass(frozen=True, eq=False)
class Local:
    """A function of the file that is followed, with the names around it."""

    node: ast.FunctionDef | ast.Lambda
    names: Mapping[str, Any]


@dataclass(frozen=True)
class Refusal:
    """An exception that the trainer would raise: its type and message, as far as they are known.

    `item` is what the innermost loop was at: one of the texts of an option such as optimizer_args.
    """

    exception: str
    message: str | None
    item: Any = None


class Raised(Exception):  # noqa: N818 - the trainer's, not ours
    """The trainer would raise an exception here."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class Options:
    """The trainer's `args`: each value is asked for when the trainer reads it; what it sets anew is kept."""

    def __init__(self, ask: Callable[[str], Any]) -> None:
        self._ask = ask
        self.changed: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        """The value of `args.NAME`; UNKNOWN where it cannot be told."""
        return self.changed[name] if name in self.changed else self._ask(name)


@dataclass(frozen=True)
class World:
    """What lies outside the function that is followed.

    `names` gives what a name of its module stands for, `members` the members of an enumeration of texts, `tables`
    what a table of another module holds for a member; None where these cannot be told. `above` follows the
    constructor of the base class, where a constructor is followed.
    """

    names: Callable[[str], Any]
    members: Callable[[str], Mapping[str, str] | None] = lambda _: None
    tables: Callable[[str], Mapping[str, str] | None] = lambda _: None
    above: Callable[[Any, list[Any], dict[str, Any]], None] | None = None


@dataclass
class Walk:
    """How it went: what was returned and refused, which modules were imported. Only what is sure."""

    returned: Any = UNKNOWN
    refusals: list[Refusal] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)
    finished: bool = False
