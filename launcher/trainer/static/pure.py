"""Operations on plain data that are safe to do for real: no effect outside, no surprise in size."""

from __future__ import annotations

import ast
import inspect
import logging
import math
import operator
import os.path
import re
import string
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from launcher.trainer.static.values import UNKNOWN, External, Imported

LARGEST = 20_000  # the longest text or list that is worked out, and the most bits of a number
_SCALARS = (str, int, float, bool, type(None), bytes, complex, type(Ellipsis))

BUILTIN_TYPES: Mapping[str, type[Any]] = {
    kind.__name__: kind
    for kind in (str, int, float, bool, list, tuple, dict, set, frozenset, bytes, complex, object, type)
}
# Functions that need nothing but plain data.
_PURE: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for functions in (
        (abs, all, any, ascii, bin, chr, divmod, format, hex, max, min, oct, ord, pow, repr, round, sorted, sum),
        (str, int, float, bool, complex, frozenset, set),
    )
    for function in functions
}
# Functions that only regroup what they are given, whatever that is.
_STRUCTURAL: Mapping[str, Callable[..., Any]] = {
    "dict": dict,
    "enumerate": lambda *given, **named: list(enumerate(*given, **named)),
    "len": len,
    "list": list,
    "range": range,
    "reversed": lambda items: list(reversed(items)),
    "tuple": tuple,
    "zip": lambda *given, **_: list(zip(*given, strict=False)),
}
BUILTIN_FUNCTIONS = frozenset(_PURE) | frozenset(_STRUCTURAL)
# Functions of the standard library that need nothing but plain data.
_LIBRARY: Mapping[str, Callable[..., Any]] = {
    "inspect.cleandoc": inspect.cleandoc,
    "os.path.basename": os.path.basename,
    "os.path.dirname": os.path.dirname,
    "os.path.join": os.path.join,
    "os.path.splitext": os.path.splitext,
    "textwrap.dedent": textwrap.dedent,
}
_CONSTANTS = {"math": math, "string": string, "logging": logging}
_CHANGING = frozenset(
    {"append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"}
    | {"update", "setdefault", "popitem", "add", "discard"}
)
_STRUCTURAL_METHODS = _CHANGING | {"keys", "values", "items", "get", "copy", "index", "count"}
_OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
_COMPARISONS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
}
_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, MemoryError, RecursionError)


def is_plain(value: Any) -> bool:
    """Whether `value` is data through and through, so that Python's own operations on it mean what the script means."""
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(is_plain(item) for item in value)
    return isinstance(value, (*_SCALARS, range, slice))


def is_unsure(value: Any) -> bool:
    """Whether something in `value` is not known."""
    if isinstance(value, dict):
        return any(is_unsure(key) or is_unsure(item) for key, item in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(is_unsure(item) for item in value)
    return value is UNKNOWN or isinstance(value, External)


def same(left: Any, right: Any) -> bool:
    """Whether two values are one to everybody who looks: 1, 1.0 and True are three."""
    if left is right:
        return True
    if isinstance(left, Imported) and isinstance(right, Imported):
        return (left.dotted, left.name) == (right.dotted, right.name)
    return is_plain(left) and is_plain(right) and type(left) is type(right) and repr(left) == repr(right)


def truth(value: Any) -> bool | None:
    """Whether an `if` would take `value` for true; None when that is not known."""
    if value is UNKNOWN or isinstance(value, External):
        return None
    if isinstance(value, (*_SCALARS, range, list, tuple, dict, set, frozenset)):
        return bool(value)
    return True


def items_of(value: Any) -> list[Any] | None:
    """What a loop over `value` would see; None when that is not known. Sets have no order: theirs is alphabetical."""
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if isinstance(value, (str, list, tuple, dict, range, bytes)):
        return list(value) if len(value) <= LARGEST else None
    return None


def binary(kind: type[ast.AST], left: Any, right: Any) -> Any:  # noqa: PLR0911 - one for each danger
    """`left` and `right` joined by an arithmetic operator, or UNKNOWN."""
    if kind is ast.Add and isinstance(left, (list, tuple)) and type(left) is type(right):
        return (
            UNKNOWN if len(left) + len(right) > LARGEST else _guarded(operator.add, left, right)
        )  # whatever they hold
    if kind not in _OPERATORS or not (is_plain(left) and is_plain(right)):
        return UNKNOWN
    if kind is ast.Add and isinstance(left, str) and isinstance(right, str) and len(left) + len(right) > LARGEST:
        return UNKNOWN
    if any(isinstance(side, int) and side.bit_length() > LARGEST // 2 for side in (left, right)):
        return UNKNOWN
    if kind is ast.Mult and not _modest_product(left, right):
        return UNKNOWN
    if kind is ast.Pow and not (_is_modest(left, 10_000) and _is_modest(right, 256)):
        return UNKNOWN
    if kind is ast.Mod and isinstance(left, (str, bytes)) and not _modest_format(str(left)):
        return UNKNOWN
    return _guarded(_OPERATORS[kind], left, right)


def compare(kind: type[ast.AST], left: Any, right: Any) -> Any:
    """The outcome of one comparison, or UNKNOWN."""
    if kind in (ast.Is, ast.IsNot):
        same = _identical(left, right)
        return same if same is UNKNOWN else same is (kind is ast.Is)
    if is_unsure(left) or is_unsure(right):
        return UNKNOWN
    return _guarded(_COMPARISONS[kind], left, right) if kind in _COMPARISONS else UNKNOWN


def call_builtin(name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """A builtin function called for real, where it is safe to; else UNKNOWN."""
    if any(argument is UNKNOWN or isinstance(argument, External) for argument in arguments):
        return UNKNOWN
    arguments = [items_of(a) if isinstance(a, (set, frozenset)) and name != "len" else a for a in arguments]
    if name in _STRUCTURAL:
        if name == "range" and not all(_is_modest(argument, LARGEST) for argument in arguments):
            return UNKNOWN
        return _guarded(_STRUCTURAL[name], *arguments, **keywords)
    if name not in _PURE or not all(map(is_plain, arguments)) or not all(map(is_plain, keywords.values())):
        return UNKNOWN
    if name == "pow" or (name == "format" and not _modest_format(str(arguments[-1]))):
        return UNKNOWN
    return _guarded(_PURE[name], *arguments, **keywords)


def call_method(  # noqa: PLR0911 - one for each danger
    receiver: Any, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> Any:
    """A method of plain data called for real, where it is safe to; else UNKNOWN."""
    if name.startswith("_"):
        return UNKNOWN
    if isinstance(receiver, (list, dict, set)) and name in _STRUCTURAL_METHODS:
        if name not in ("append", "extend", "insert", "update", "values", "items", "keys", "copy") and is_unsure(
            [receiver, arguments[:1]]
        ):
            return UNKNOWN
        result = _guarded(getattr(receiver, name), *arguments, **keywords)
        return list(result) if name in ("keys", "values", "items") and result is not UNKNOWN else result
    if not (is_plain(receiver) and is_plain(list(arguments)) and is_plain(dict(keywords))):
        return UNKNOWN
    if name in ("center", "ljust", "rjust", "zfill", "expandtabs") and not _is_modest(arguments[:1], LARGEST):
        return UNKNOWN
    if name in ("join", "replace") and any(len(part) > 10_000 for part in (receiver, *arguments[:2])):
        return UNKNOWN
    if name in ("format", "format_map") and not _modest_format(receiver):
        return UNKNOWN
    return _guarded(getattr(receiver, name, None), *arguments, **keywords)


def changes(receiver: Any, name: str) -> bool:
    """Whether a method changes the list, dict or set that it belongs to."""
    return isinstance(receiver, (list, dict, set)) and name in _CHANGING


def call_library(dotted: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """A function of the standard library called for real, where it is safe to; else UNKNOWN."""
    if dotted not in _LIBRARY or not (is_plain(list(arguments)) and is_plain(dict(keywords))):
        return UNKNOWN
    return _guarded(_LIBRARY[dotted], *arguments, **keywords)


def library_constant(dotted: str) -> Any:
    """A number or text that the standard library holds under this name, or UNKNOWN."""
    if dotted == "typing.TYPE_CHECKING":
        return False
    module, _, name = dotted.rpartition(".")
    value = getattr(_CONSTANTS.get(module), name, UNKNOWN)
    return value if isinstance(value, (int, float, str)) and not name.startswith("_") else UNKNOWN


def formatted(value: Any, conversion: int, spec: str) -> Any:
    """One `{value!conversion:spec}` of an f-string, or UNKNOWN."""
    if not is_plain(value) or isinstance(value, (set, frozenset)) or not _modest_format(spec):
        return UNKNOWN
    convert: Any = {ord("s"): str, ord("r"): repr, ord("a"): ascii}.get(conversion)
    return _guarded(format, value if convert is None else convert(value), spec)


def subscript(value: Any, key: Any) -> Any:
    """`value[key]`, or UNKNOWN."""
    return UNKNOWN if is_unsure(key) else _guarded(operator.getitem, value, key)


def _guarded(function: Any, *arguments: Any, **keywords: Any) -> Any:
    if function is None:
        return UNKNOWN
    try:
        return function(*arguments, **keywords)
    except _FAILURES:
        return UNKNOWN  # the script would fail here too


def _identical(left: Any, right: Any) -> Any:
    if left is UNKNOWN or right is UNKNOWN or isinstance(left, External) or isinstance(right, External):
        return UNKNOWN
    if isinstance(left, (str, int, float)) and not isinstance(left, bool) and type(left) is type(right):
        return left == right or left is right
    return left is right


def _is_modest(value: Any, limit: int) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_modest(item, limit) for item in value)
    return not isinstance(value, (int, float)) or abs(value) <= limit


def _modest_product(left: Any, right: Any) -> bool:
    for count, items in ((left, right), (right, left)):
        if isinstance(count, int) and isinstance(items, (str, bytes, list, tuple)):
            return count * len(items) <= LARGEST
    return True


def _modest_format(spec: Any) -> bool:
    """No width or precision of more than four digits."""
    text = str(spec)
    return re.search(r"[0-9]{5}", text) is None
