"""Plain data of a function that is followed: Python's own operations, where everything in them is known."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable
from typing import Any

from launcher.trainer.following_values import UNKNOWN, Local, Made, Member, Named, Options, Raised, Refusal

LONGEST = 2_000  # characters of a text that is read as a literal
PLAIN = (str, int, float, bool, type(None), list, tuple, dict, set, range)
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda one, other: one in other, ast.NotIn: lambda one, other: one not in other,
    ast.Is: lambda one, other: one is other, ast.IsNot: lambda one, other: one is not other,
}  # fmt: skip
TEXT_METHODS = {
    "lower", "upper", "strip", "lstrip", "rstrip", "startswith", "endswith", "split", "rsplit", "partition",
    "rpartition", "removeprefix", "removesuffix", "title", "capitalize", "isdigit", "count", "find", "join",
}  # fmt: skip
_TYPES: dict[str, type] = {
    "str": str, "int": int, "float": float, "bool": bool, "list": list, "tuple": tuple, "dict": dict, "set": set,
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **_TYPES, "len": len, "abs": abs, "min": min, "max": max, "all": all, "any": any, "sorted": sorted,
}  # fmt: skip


def truth(value: Any) -> bool | None:
    """Whether a value counts as true; None where that cannot be told."""
    if isinstance(value, (Made, Member, Local)) or value is UNKNOWN:
        return None if value is UNKNOWN or isinstance(value, Made) else True
    if isinstance(value, list) and value and all(each is UNKNOWN for each in value):
        return None  # what is appended in doubt may not be there
    return None if isinstance(value, (Named, Options)) else bool(value)


def is_known(value: Any) -> bool:
    """Whether a value is plain data all through."""
    if isinstance(value, (list, tuple, set)):
        return all(is_known(each) for each in value)
    if isinstance(value, dict):
        return all(is_known(each) for pair in value.items() for each in pair)
    return isinstance(value, PLAIN)


def put(owner: Any, key: Any, value: Any) -> None:
    """Set an item of a dict or list, where the key is known."""
    within = isinstance(owner, list) and isinstance(key, int) and -len(owner) <= key < len(owner)
    if within or (isinstance(owner, dict) and isinstance(key, (str, int))):
        owner[key] = value


def operate(op: ast.operator, left: Any, right: Any) -> Any:
    """An arithmetic operation on numbers, or the joining of texts and lists."""
    if not (is_known(left) and is_known(right)):
        return UNKNOWN
    numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
    perform: dict[type[ast.operator], Callable[[Any, Any], Any]] = {ast.Add: operator.add}
    if numbers and max(abs(left), abs(right)) < 1e100:
        perform |= {
            ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv,
            ast.Mod: operator.mod,
        }  # fmt: skip
    if type(op) not in perform:
        return UNKNOWN
    return guarded(perform[type(op)], left, right)


def guarded(function: Callable[..., Any], *positional: Any, **keywords: Any) -> Any:
    """Python's own answer for plain data, and its own exceptions as the trainer's."""
    try:
        return function(*positional, **keywords)
    except (TypeError, ValueError, IndexError, KeyError, ZeroDivisionError, OverflowError) as error:
        raise Raised(Refusal(type(error).__name__, str(error))) from None


def literal(value: Any) -> Any:
    """`ast.literal_eval`, the way sd-scripts reads the values of key=value items."""
    if not isinstance(value, str) or len(value) > LONGEST:
        return UNKNOWN
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise Raised(Refusal(type(error).__name__, str(error))) from None


def builtin(name: str, positional: list[Any], keywords: dict[str, Any]) -> Any:  # noqa: PLR0911
    if name == "type" and len(positional) == 1:
        return _type_of(positional[0])
    if name == "isinstance" and len(positional) == 2:
        return _is_instance(*positional)
    if name == "getattr" and len(positional) >= 2:
        owner, attribute = positional[:2]
        known = isinstance(owner, Named) and isinstance(attribute, str)
        return Named(f"{owner.dotted}.{attribute}") if known else UNKNOWN
    if name == "range" and all(isinstance(each, int) and abs(each) < 10_000 for each in positional):
        return guarded(range, *positional)
    if name not in FUNCTIONS or not all(map(is_known, (*positional, *keywords.values()))):
        return UNKNOWN
    if name in ("int", "str") and any(isinstance(each, str) and len(each) > 1_000 for each in positional):
        return UNKNOWN
    return guarded(FUNCTIONS[name], *positional, **keywords)


def _type_of(value: Any) -> Any:
    if isinstance(value, Made):
        return value.of
    return Named(f"builtins.{type(value).__name__}") if isinstance(value, PLAIN) else UNKNOWN


def _is_instance(value: Any, kinds: Any) -> Any:
    if not is_known(value):
        return UNKNOWN
    asked = kinds if isinstance(kinds, tuple) else (kinds,)
    answers: list[Any] = []
    for kind in asked:
        dotted = kind.dotted if isinstance(kind, Named) else ""
        builtin = _TYPES.get(dotted.removeprefix("builtins.")) if dotted.startswith("builtins.") else None
        never = dotted.startswith("torch.")  # plain data is no tensor
        answers.append(isinstance(value, builtin) if builtin else False if never else UNKNOWN)
    return True if True in answers else UNKNOWN if UNKNOWN in answers else False


def formatted(text: str, values: list[Any]) -> Any:
    """`"… {} …".format(value)`: how many optimizers word their complaints."""
    parts = text.split("{}")
    if len(parts) != len(values) + 1 or any("{" in part for part in parts) or not all(map(is_known, values)):
        return UNKNOWN
    words = [str(value)[:LONGEST] for value in values]
    return "".join(part + word for part, word in zip(parts, [*words, ""], strict=True))


def compared(op: ast.cmpop, left: Any, right: Any) -> Any:
    if isinstance(op, (ast.In, ast.NotIn)) and isinstance(right, dict) and isinstance(left, str):
        return _COMPARED[type(op)](left, right)
    if is_known(left) and is_known(right):
        return guarded(_COMPARED[type(op)], left, right)
    if isinstance(op, (ast.Eq, ast.Is, ast.NotEq, ast.IsNot)):
        same = _same(left, right)
        return same if same is UNKNOWN or isinstance(op, (ast.Eq, ast.Is)) else not same
    return UNKNOWN


def _same(left: Any, right: Any) -> Any:
    """Whether two things of the trainer are one; a class may be known under several names of its package."""
    if isinstance(left, Member) and isinstance(right, Member):
        return (left.name, left.value) == (right.name, right.value) if left.owner == right.owner else UNKNOWN
    if isinstance(left, Named) and isinstance(right, Named):
        if left == right:
            return True
        return False if left.dotted.partition(".")[0] != right.dotted.partition(".")[0] else UNKNOWN
    things = [isinstance(each, (Named, Made)) for each in (left, right)]
    plain = [is_known(each) for each in (left, right)]
    # A member is left open: some enumerations compare with their values.
    return False if any(things) and any(plain) else UNKNOWN
