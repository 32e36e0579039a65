"""What a name can stand for while source is being read. Plain data is plain Python; the rest is here."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# How a block of statements ends: None (at its end), "return", "break", "continue" or "raise".
Outcome = str | None


class TooLong(Exception):  # noqa: N818 - not an error of anybody
    """The source asks for more work than any option list is worth."""


class Asked(Exception):  # noqa: N818 - where a script that is started turns from building its parser to using it
    """The script asks this parser for its arguments."""

    def __init__(self, parser: Any) -> None:
        super().__init__(parser)
        self.parser = parser


class Raised(Exception):  # noqa: N818 - the script's, not ours
    """The script would raise an exception here."""


class _Unknown:
    """A value that cannot be known without running the program."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __call__(self, *_: Any, **__: Any) -> Any:  # so that argparse takes it as a `type`
        raise TypeError("unknown")


UNKNOWN = _Unknown()


@dataclass(eq=False)
class Scope:
    """The names of one function call, class body or module, and the scope around it."""

    module: Module
    names: dict[str, Any] = field(default_factory=dict)
    outer: Scope | None = None
    is_class: bool = False
    elsewhere: dict[str, Scope] = field(default_factory=dict)  # names declared global or nonlocal
    # How this call may already have ended, in a branch that cannot be decided.
    maybe_returns: int = 0
    maybe_breaks: int = 0
    returned: list[Any] = field(default_factory=list)
    method_of: tuple[ClassValue, Any] | None = None  # what `super()` means here


@dataclass(eq=False)
class Module:
    """One source file of the checkout. `file` is relative to its root, `dotted` is how it is imported."""

    dotted: str
    file: str
    is_package: bool
    scope: Scope = field(init=False)

    def __post_init__(self) -> None:
        self.scope = Scope(self)


@dataclass(eq=False)
class Imported:
    """A name bound by an import, looked up when it is first used: `name` of module `dotted`, or the module itself."""

    dotted: str
    name: str | None = None


@dataclass(frozen=True)
class External:
    """Something of a module that does not belong to the checkout: `dotted` is its full name."""

    dotted: str

    def __call__(self, *_: Any, **__: Any) -> Any:  # so that argparse takes it as a `type`
        raise TypeError("external")


@dataclass(eq=False)
class Function:
    """A function or lambda of the checkout, with the scope it was made in."""

    node: ast.FunctionDef | ast.Lambda
    scope: Scope
    defaults: Sequence[Any]
    keyword_defaults: Mapping[str, Any]
    __name__: str
    owner: ClassValue | None = None
    kind: str = "function"  # or "staticmethod", "classmethod", "property"
    decorator: str | None = None  # one that could not be followed

    def __call__(self, *_: Any, **__: Any) -> Any:  # so that argparse takes it as a `type`
        raise TypeError("only read, never run")


@dataclass(eq=False)
class ClassValue:
    """A class of the checkout. `real` is a true subclass of argparse's own, for classes that derive from one."""

    node: ast.ClassDef
    bases: Sequence[Any]
    scope: Scope
    __name__: str
    real: type | None = None

    @property
    def is_enum(self) -> bool:
        return any(isinstance(base, External) and base.dotted.startswith("enum.") for base in self.bases) or any(
            isinstance(base, ClassValue) and base.is_enum for base in self.bases
        )

    def __call__(self, *_: Any, **__: Any) -> Any:  # so that argparse takes it as a `type`
        raise TypeError("only read, never run")


@dataclass(eq=False)
class Instance:
    """An object of a class of the checkout."""

    of: ClassValue
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Member:
    """A member of an enum of the checkout."""

    of: ClassValue
    name: str
    value: Any

    @property
    def is_data(self) -> bool:
        """Whether it is text or a number too: `class Mode(str, Enum)`."""
        return any(base in (str, int, float) for base in self.of.bases) or any(
            isinstance(base, External) and base.dotted in ("enum.StrEnum", "enum.IntEnum") for base in self.of.bases
        )


@dataclass(eq=False)
class Bound:
    """A function with arguments already given: a method of an object, or `functools.partial`."""

    function: Any
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    is_partial: bool = False  # as `functools.partial` gives, without a name

    def __call__(self, *_: Any, **__: Any) -> Any:  # so that argparse takes it as a `type`
        raise TypeError("only read, never run")


@dataclass(frozen=True, eq=False)
class Method:
    """A method of plain data (`"a".join`) or of a real argparse object (`parser.add_argument`)."""

    receiver: Any
    name: str
    beyond: type | None = None  # for `super().name`: the class whose parents are asked


@dataclass(frozen=True, eq=False)
class Super:
    """What `super()` gives inside a method."""

    of: ClassValue
    receiver: Any


@dataclass(frozen=True)
class Builtin:
    """A builtin function, by name."""

    name: str

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, *_: Any, **__: Any) -> Any:  # so that argparse takes it as a `type`
        raise TypeError("only read, never run")


@dataclass(frozen=True)
class Given:
    """The arguments of one call. `is_open`: there may be more of them, from a `*` or `**` that is not known."""

    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    is_open: bool = False
    text: str = "a function"
