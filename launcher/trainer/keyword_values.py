"""Values while a function is followed with given arguments: plain Python where they are known, UNKNOWN where not."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

FALSE_WORDS = frozenset({"false", "0", "no", "off", "n", "f", "none"})
_LONGEST_NUMBER = 5_000  # bits
LARGEST = 20_000  # items of a list, characters of a text that a calculation may make


class Unsure(Exception):  # noqa: N818 - not an error of anybody
    """Here it can no longer be said what the function would do."""


class Failed(Exception):  # noqa: N818 - the function's, not ours
    """The function would raise an exception here. `kind` is its class's name.

    `wanted` and `given` are the two counts of an assertion about a length, `choices` what a text may be by an
    assertion, `number` the type that the text `message` could not be turned into. `names` are those that an assertion
    looks at.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        wanted: int | None = None,
        given: int | None = None,
        choices: tuple[str, ...] = (),
        number: str = "",
        names: tuple[str, ...] = (),
    ) -> None:
        super().__init__(kind, message)
        self.kind, self.message = kind, message
        self.wanted, self.given, self.choices, self.number, self.names = wanted, given, choices, number, names


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Any = _Unknown()


class Text(str):
    """The value of the keyword argument `key`, as text."""

    key: str

    @staticmethod
    def of(key: str, value: str) -> Text:
        made = Text(value)
        made.key = key
        return made


class Arguments(dict[str, Any]):
    """Keyword arguments on their way; `read` are those that were asked for, by whoever they were passed on to."""

    read: set[str]

    @staticmethod
    def of(values: Mapping[str, Any], read: set[str]) -> Arguments:
        made = Arguments(values)
        made.read = read
        return made


@dataclass(eq=False)
class Frame:
    """The names of one function call, and of the function around it."""

    file: str
    names: dict[str, Any] = field(default_factory=dict)
    outer: Frame | None = None
    maybe_returned: bool = False
    returned: list[Any] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class FunctionValue:
    """A function with the call that it was made in."""

    file: str
    node: ast.FunctionDef | ast.Lambda
    frame: Frame | None = None


@dataclass(frozen=True, eq=False)
class Method:
    """A method of plain data."""

    receiver: Any
    name: str


@dataclass(frozen=True, eq=False)
class Made:
    """An object of a class, with the keyword arguments it was made with."""

    name: str
    keywords: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Model:
    """The network to be trained, of which only the family is known."""


_METHODS: dict[type, frozenset[str]] = {
    str: frozenset({
        "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "lower", "upper", "title", "capitalize",
        "casefold", "startswith", "endswith", "join", "replace", "partition", "rpartition", "isdigit", "isdecimal",
        "isnumeric", "isalpha", "find", "rfind", "index", "count", "removeprefix", "removesuffix",
    }),
    list: frozenset({"append", "extend", "copy", "index", "count", "insert", "pop", "remove", "reverse"}),
    dict: frozenset({"get", "pop", "items", "keys", "values", "update", "copy", "setdefault"}),
    set: frozenset({"add", "update", "copy", "discard", "union"}),
    tuple: frozenset({"index", "count"}),
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs, "all": all, "any": any, "bool": bool, "dict": dict, "float": float, "int": int, "len": len,
    "list": list, "max": max, "min": min, "round": round, "set": set, "sorted": sorted, "str": str, "sum": sum,
    "tuple": tuple, "ast.literal_eval": ast.literal_eval,
    "enumerate": lambda *given: list(enumerate(*given)),
    "range": lambda *given: _range(range(*given)),
    "reversed": lambda given: list(reversed(given)),
    "zip": lambda *given: list(zip(*given, strict=False)),
    **{f"math.{name}": getattr(math, name) for name in ("sin", "cos", "sqrt", "ceil", "floor", "log", "exp", "pow")},
}  # fmt: skip
TYPES: dict[str, type] = {"bool": bool, "dict": dict, "float": float, "int": int, "list": list, "set": set, "str": str,
                          "tuple": tuple}  # fmt: skip
CONSTANTS = {"math.pi": math.pi, "math.e": math.e, "math.inf": math.inf}
_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.BitOr: operator.or_, ast.BitAnd: operator.and_,
}  # fmt: skip
_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_FAILURES = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, SyntaxError)


def is_known(value: Any) -> bool:
    """Whether nothing in a value is UNKNOWN. Unsure where it holds too much to look at."""
    left = [value]
    for _ in range(LARGEST * 5):
        if not left:
            return True
        each = left.pop()
        if each is UNKNOWN or isinstance(each, (FunctionValue, Method, Made, Model)):
            return False
        if isinstance(each, dict):
            left.extend((*each.keys(), *each.values()))
        elif isinstance(each, (list, tuple, set)):
            left.extend(each)
    raise Unsure


def truth(value: Any) -> bool | None:
    """Whether a value counts as true; None when that is not known."""
    if value is UNKNOWN:
        return None
    return True if isinstance(value, (FunctionValue, Method, Made, Model, type)) else bool(value)


def has_method(value: Any, name: str) -> bool:
    """Whether a value has a method of this name that is safe to use for real."""
    return any(isinstance(value, kind) and name in names for kind, names in _METHODS.items())


def guarded(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """What a call for real gives; Failed where it raises."""
    try:
        return function(*arguments, **keywords)
    except _FAILURES as error:
        if function in (int, float) and arguments and isinstance(arguments[0], str):
            raise Failed(type(error).__name__, str(arguments[0]), number=function.__name__) from None
        raise Failed(type(error).__name__, str(error)) from None
    except (MemoryError, RecursionError):
        raise Unsure from None


def method(receiver: Any, name: str, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """What `receiver.name(...)` gives."""
    if isinstance(receiver, str) and not (is_known(list(arguments)) and is_known(dict(keywords))):
        return UNKNOWN
    if name in ("join", "replace") and sum(len(str(each)) for each in arguments) + len(receiver) > LARGEST:
        raise Unsure
    if isinstance(receiver, (list, set, dict)):
        given = arguments[0] if arguments and isinstance(arguments[0], (list, tuple, set, dict)) else ()
        if len(receiver) + len(given) > LARGEST:
            raise Unsure
    made = guarded(getattr(receiver, name), *arguments, **keywords)
    if isinstance(receiver, Text) and isinstance(made, str):
        return Text.of(receiver.key, made)
    if isinstance(receiver, Arguments) and name == "copy":
        return Arguments.of(made, receiver.read)
    return list(made) if isinstance(receiver, dict) and name in ("items", "keys", "values") else made


def binary(kind: type, left: Any, right: Any) -> Any:
    """What an operator gives."""
    function = _BINARY.get(kind)
    if function is None or not (is_known(left) and is_known(right)):
        return UNKNOWN if function is None or not _joins(kind, left, right) else left + right
    if any(isinstance(each, int) and each.bit_length() > _LONGEST_NUMBER for each in (left, right)):
        raise Unsure
    if kind is ast.Mult and any(isinstance(each, (str, list, tuple)) for each in (left, right)):
        count, items = (left, right) if isinstance(left, int) else (right, left)
        if not isinstance(count, int) or count * len(items) > LARGEST:
            raise Unsure
    if kind is ast.Mod and isinstance(left, str) and re.search(r"[0-9]{5}|\*", left):
        raise Unsure
    if isinstance(left, (str, list)) and isinstance(right, (str, list)) and len(left) + len(right) > LARGEST:
        raise Unsure
    return guarded(function, left, right)


def compare(kind: type, left: Any, right: Any) -> Any:
    """What a comparison gives."""
    if kind in (ast.Is, ast.IsNot):
        if left is UNKNOWN or right is UNKNOWN:
            return UNKNOWN
        same = left is right if left is None or right is None else left == right
        return same if kind is ast.Is else not same
    if kind in (ast.In, ast.NotIn) and isinstance(right, dict) and is_known(left):
        return guarded(_COMPARISONS[kind], left, list(right))
    return guarded(_COMPARISONS[kind], left, right) if is_known(left) and is_known(right) else UNKNOWN


def copied(value: Any, memo: dict[int, Any]) -> Any:
    """A copy that changes to lists and dicts do not show in; one copy of each, however many names it has."""
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, list):
        made: Any = memo.setdefault(id(value), [])
        made.extend(copied(item, memo) for item in value)
    elif isinstance(value, dict):
        made = Arguments.of({}, value.read) if isinstance(value, Arguments) else {}
        memo[id(value)] = made
        made.update({key: copied(item, memo) for key, item in value.items()})
    else:
        made = set(value) if isinstance(value, set) else value
    return made


def merged(values: Iterable[Any]) -> Any:
    """What several possible values agree on."""
    first, *others = values
    for other in others:
        if isinstance(first, Arguments) and isinstance(other, Arguments):
            keys = {**first, **other}
            first = Arguments.of({key: merged([first.get(key, UNKNOWN), other.get(key, UNKNOWN)]) for key in keys},
                                 first.read)  # fmt: skip
        elif first is other or (is_known(first) and is_known(other) and type(first) is type(other) and first == other):
            continue
        else:
            return UNKNOWN
    return first


def _joins(kind: type, left: Any, right: Any) -> bool:
    return kind is ast.Add and isinstance(left, list) and isinstance(right, list)


def _range(made: range) -> list[int]:
    if len(made) > LARGEST:
        raise Unsure
    return list(made)
