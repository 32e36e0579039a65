"""Expressions of a function that is followed: worked out where everything in them is known."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from launcher.trainer.following_values import UNKNOWN, Local, Made, Member, Named, Options, Raised, Refusal

if TYPE_CHECKING:
    from launcher.trainer.following import Walker

Names = dict[str, Any]

_LONGEST = 2_000  # characters of a text that is read as a literal
_PLAIN = (str, int, float, bool, type(None), list, tuple, dict, set, range)
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda one, other: one in other, ast.NotIn: lambda one, other: one not in other,
    ast.Is: lambda one, other: one is other, ast.IsNot: lambda one, other: one is not other,
}  # fmt: skip
_TEXT_METHODS = {
    "lower", "upper", "strip", "lstrip", "rstrip", "startswith", "endswith", "split", "rsplit", "partition",
    "rpartition", "removeprefix", "removesuffix", "title", "capitalize", "isdigit", "count", "find", "join",
}  # fmt: skip
_TYPES: dict[str, type] = {
    "str": str, "int": int, "float": float, "bool": bool, "list": list, "tuple": tuple, "dict": dict, "set": set,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **_TYPES, "len": len, "abs": abs, "min": min, "max": max, "all": all, "any": any, "sorted": sorted,
}  # fmt: skip


def evaluate(walker: Walker, node: ast.expr, names: Names) -> Any:
    """What an expression stands for; UNKNOWN where that cannot be told. Raises Raised as the trainer would."""
    kind = _KINDS.get(type(node))
    return kind(walker, node, names) if kind else UNKNOWN


def truth(value: Any) -> bool | None:
    """Whether a value counts as true; None where that cannot be told."""
    if isinstance(value, (Made, Member, Local)) or value is UNKNOWN:
        return None if value is UNKNOWN or isinstance(value, Made) else True
    return None if isinstance(value, (Named, Options)) else bool(value)


def is_known(value: Any) -> bool:
    """Whether a value is plain data all through."""
    if isinstance(value, (list, tuple, set)):
        return all(is_known(each) for each in value)
    if isinstance(value, dict):
        return all(is_known(each) for pair in value.items() for each in pair)
    return isinstance(value, _PLAIN)


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
    return _guarded(perform[type(op)], left, right)


def _guarded(function: Callable[..., Any], *positional: Any, **keywords: Any) -> Any:
    """Python's own answer for plain data, and its own exceptions as the trainer's."""
    try:
        return function(*positional, **keywords)
    except (TypeError, ValueError, IndexError, KeyError, ZeroDivisionError, OverflowError) as error:
        raise Raised(Refusal(type(error).__name__, str(error))) from None


def _name(walker: Walker, node: ast.Name, names: Names) -> Any:
    if node.id in names:
        return names[node.id]
    if node.id in _FUNCTIONS or node.id in ("isinstance", "type", "getattr", "range"):
        return Named(f"builtins.{node.id}")
    return walker.world.names(node.id)


def _attribute(walker: Walker, node: ast.Attribute, names: Names) -> Any:
    owner = walker.evaluate(node.value, names)
    if isinstance(owner, Options):
        return owner.get(node.attr)
    if isinstance(owner, Member):
        return {"value": owner.value, "name": owner.name}.get(node.attr, UNKNOWN)
    if isinstance(owner, Named):
        members = walker.world.members(owner.dotted) if node.attr.isupper() else None
        if members is not None:
            return Member(owner.dotted, node.attr, members[node.attr]) if node.attr in members else UNKNOWN
        return UNKNOWN if node.attr.startswith("__") else Named(f"{owner.dotted}.{node.attr}")
    return UNKNOWN


def _call(walker: Walker, node: ast.Call, names: Names) -> Any:
    positional = [walker.evaluate(each, names) for each in node.args if not isinstance(each, ast.Starred)]
    keywords: dict[str, Any] = {}
    unclear = len(positional) < len(node.args)
    for keyword in node.keywords:
        value = walker.evaluate(keyword.value, names)
        more = value if keyword.arg is None else {keyword.arg: value}
        if not isinstance(more, dict):
            unclear = True
            continue
        twice = next((key for key in more if key in keywords), None)
        if twice is not None and not walker.doubt:
            message = f"got multiple values for keyword argument '{twice}'"
            walker.refuse(Refusal("TypeError", message, twice))
        keywords |= more
    if isinstance(node.func, ast.Attribute):
        if node.func.attr == "__init__" and _is_super(node.func.value) and walker.world.above and not unclear:
            walker.world.above(walker, positional, keywords)
            return None
        owner = walker.evaluate(node.func.value, names)
        if isinstance(owner, _PLAIN):
            return _method(walker, owner, node.func.attr, positional, keywords)
    callee = walker.evaluate(node.func, names)
    if unclear:
        return UNKNOWN
    if isinstance(callee, Local):
        return walker.call_local(callee, positional, keywords)
    if isinstance(callee, Named):
        return _made(walker, callee, positional, keywords)
    return UNKNOWN


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _made(walker: Walker, callee: Named, positional: list[Any], keywords: dict[str, Any]) -> Any:
    if callee.dotted.startswith("builtins."):
        return _builtin(callee.dotted.removeprefix("builtins."), positional, keywords)
    if callee.dotted == "ast.literal_eval":
        return _literal(positional[0]) if len(positional) == 1 else UNKNOWN
    if callee.dotted == "importlib.import_module":
        if len(positional) != 1 or not isinstance(positional[0], str):
            return UNKNOWN
        walker.imported(positional[0])
        return Named(positional[0])
    members = walker.world.members(callee.dotted) if len(positional) == 1 and not keywords else None
    if members is not None:
        return _member(callee, positional[0], members)
    made = Made(callee, tuple(positional), tuple(keywords.items()))
    if not walker.doubt:
        walker.walk.made.append(made)
    return made


def _member(callee: Named, value: Any, members: Mapping[str, str]) -> Any:
    if isinstance(value, Member):
        return value if value.owner == callee.dotted else UNKNOWN
    if not isinstance(value, str):
        return UNKNOWN
    name = next((name for name, text in members.items() if text == value), None)
    if name is None:
        raise Raised(Refusal("ValueError", f"{value!r} is not a valid {callee.dotted.rpartition('.')[2]}", value))
    return Member(callee.dotted, name, value)


def _literal(value: Any) -> Any:
    """`ast.literal_eval`, the way sd-scripts reads the values of key=value items."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return UNKNOWN
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise Raised(Refusal(type(error).__name__, str(error))) from None


def _builtin(name: str, positional: list[Any], keywords: dict[str, Any]) -> Any:  # noqa: PLR0911
    if name == "type" and len(positional) == 1:
        return _type_of(positional[0])
    if name == "isinstance" and len(positional) == 2:
        return _is_instance(*positional)
    if name == "getattr" and len(positional) >= 2:
        owner, attribute = positional[:2]
        known = isinstance(owner, Named) and isinstance(attribute, str)
        return Named(f"{owner.dotted}.{attribute}") if known else UNKNOWN
    if name == "range" and all(isinstance(each, int) and abs(each) < 10_000 for each in positional):
        return _guarded(range, *positional)
    if name not in _FUNCTIONS or not all(map(is_known, (*positional, *keywords.values()))):
        return UNKNOWN
    if name in ("int", "str") and any(isinstance(each, str) and len(each) > 1_000 for each in positional):
        return UNKNOWN
    return _guarded(_FUNCTIONS[name], *positional, **keywords)


def _type_of(value: Any) -> Any:
    if isinstance(value, Made):
        return value.of
    return Named(f"builtins.{type(value).__name__}") if isinstance(value, _PLAIN) else UNKNOWN


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


def _method(walker: Walker, owner: Any, name: str, positional: list[Any], keywords: dict[str, Any]) -> Any:
    if isinstance(owner, dict):
        return _dict_method(walker, owner, name, positional)
    if isinstance(owner, list) and name == "append" and len(positional) == 1:
        owner.append(UNKNOWN if walker.doubt else positional[0])
        return None
    if isinstance(owner, str) and name == "format" and not keywords:
        return _formatted(owner, positional)
    if isinstance(owner, str) and name in _TEXT_METHODS and all(map(is_known, positional)):
        return _guarded(getattr(owner, name), *positional, **keywords)
    return UNKNOWN


def _formatted(text: str, values: list[Any]) -> Any:
    """`"… {} …".format(value)`: how many optimizers word their complaints."""
    parts = text.split("{}")
    if len(parts) != len(values) + 1 or any("{" in part for part in parts) or not all(map(is_known, values)):
        return UNKNOWN
    words = [str(value)[:_LONGEST] for value in values]
    return "".join(part + word for part, word in zip(parts, [*words, ""], strict=True))


def _dict_method(walker: Walker, owner: dict[Any, Any], name: str, positional: list[Any]) -> Any:
    if name in ("keys", "values", "items") and not positional:
        return [*(getattr(owner, name)())]
    key = positional[0] if positional else None
    if name in ("get", "pop", "setdefault") and isinstance(key, str):
        default = positional[1] if len(positional) > 1 else None
        value = owner.get(key, default)
        if name == "pop" and not walker.doubt:
            owner.pop(key, None)
        elif name == "pop" and key in owner:
            owner[key] = UNKNOWN
        elif name == "setdefault":
            owner.setdefault(key, UNKNOWN if walker.doubt else default)
        return value
    return UNKNOWN


def _compare(walker: Walker, node: ast.Compare, names: Names) -> Any:
    left = walker.evaluate(node.left, names)
    result: Any = True
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = walker.evaluate(comparator, names)
        answer = _compared(op, left, right)
        if answer is not UNKNOWN and not answer:
            return False
        result = UNKNOWN if answer is UNKNOWN else result
        left = right
    return result


def _compared(op: ast.cmpop, left: Any, right: Any) -> Any:
    if isinstance(op, (ast.In, ast.NotIn)) and isinstance(right, dict) and isinstance(left, str):
        return _COMPARED[type(op)](left, right)
    if is_known(left) and is_known(right):
        return _guarded(_COMPARED[type(op)], left, right)
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


def _boolean(walker: Walker, node: ast.BoolOp, names: Names) -> Any:
    stops = isinstance(node.op, ast.Or)
    unknown = False
    value: Any = UNKNOWN
    for each in node.values:
        if unknown:
            try:
                walker.doubt += 1
                value = walker.evaluate(each, names)
            except Raised:
                value = UNKNOWN
            finally:
                walker.doubt -= 1
        else:
            value = walker.evaluate(each, names)
        known = truth(value)
        if known is stops:
            return stops if unknown else value
        unknown = unknown or known is None
    return UNKNOWN if unknown else value


def _unary(walker: Walker, node: ast.UnaryOp, names: Names) -> Any:
    value = walker.evaluate(node.operand, names)
    if isinstance(node.op, ast.Not):
        known = truth(value)
        return UNKNOWN if known is None else not known
    if isinstance(value, (int, float)):
        return -value if isinstance(node.op, ast.USub) else value if isinstance(node.op, ast.UAdd) else UNKNOWN
    return UNKNOWN


def _conditional(walker: Walker, node: ast.IfExp, names: Names) -> Any:
    known = truth(walker.evaluate(node.test, names))
    if known is None:
        return UNKNOWN
    return walker.evaluate(node.body if known else node.orelse, names)


def _binary(walker: Walker, node: ast.BinOp, names: Names) -> Any:
    return operate(node.op, walker.evaluate(node.left, names), walker.evaluate(node.right, names))


def _joined(walker: Walker, node: ast.JoinedStr, names: Names) -> Any:
    text = ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
            continue
        value = walker.evaluate(part.value, names) if isinstance(part, ast.FormattedValue) else UNKNOWN
        simple = isinstance(part, ast.FormattedValue) and part.format_spec is None and part.conversion == -1
        if isinstance(value, Member):
            value = value.value
        if not simple or not is_known(value):
            return UNKNOWN
        text += str(value)[:_LONGEST]
    return text


def _subscript(walker: Walker, node: ast.Subscript, names: Names) -> Any:
    owner = walker.evaluate(node.value, names)
    if isinstance(node.slice, ast.Slice):
        ends = [None if end is None else walker.evaluate(end, names) for end in (node.slice.lower, node.slice.upper)]
        if isinstance(owner, (str, list, tuple)) and all(end is None or isinstance(end, int) for end in ends):
            return owner[ends[0] : ends[1]] if node.slice.step is None else UNKNOWN
        return UNKNOWN
    key = walker.evaluate(node.slice, names)
    if isinstance(owner, Named) and isinstance(key, Member):
        table = walker.world.tables(owner.dotted)
        return Named(table[key.name]) if table and key.name in table else UNKNOWN
    if isinstance(owner, dict) and isinstance(key, str):
        return owner.get(key, UNKNOWN)
    if isinstance(owner, _PLAIN) and is_known(key) and key is not None:
        return _guarded(operator.getitem, owner, key) if not isinstance(owner, dict) else UNKNOWN
    return UNKNOWN


def _sequence(walker: Walker, node: ast.List | ast.Tuple, names: Names) -> Any:
    if any(isinstance(each, ast.Starred) for each in node.elts):
        return UNKNOWN
    values = [walker.evaluate(each, names) for each in node.elts]
    return tuple(values) if isinstance(node, ast.Tuple) else values


def _dict(walker: Walker, node: ast.Dict, names: Names) -> Any:
    found: dict[Any, Any] = {}
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        key = UNKNOWN if key_node is None else walker.evaluate(key_node, names)
        if not isinstance(key, (str, int)):
            return UNKNOWN
        found[key] = walker.evaluate(value_node, names)
    return found


def _comprehension(walker: Walker, node: ast.ListComp | ast.GeneratorExp, names: Names) -> Any:
    first, *others = node.generators
    items = walker.evaluate(first.iter, names)
    if others or first.ifs or not isinstance(items, (list, tuple, range)) or len(items) > 1_000:
        return UNKNOWN
    inner = dict(names)
    found = []
    for item in items:
        walker.assign(first.target, item, inner)
        found.append(walker.evaluate(node.elt, inner))
    return found


_KINDS: dict[type[ast.expr], Callable[[Walker, Any, Names], Any]] = {
    ast.Attribute: _attribute,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.Call: _call,
    ast.Compare: _compare,
    ast.Constant: lambda walker, node, names: node.value,
    ast.Dict: _dict,
    ast.GeneratorExp: _comprehension,
    ast.IfExp: _conditional,
    ast.JoinedStr: _joined,
    ast.Lambda: lambda walker, node, names: Local(node, names),
    ast.List: _sequence,
    ast.ListComp: _comprehension,
    ast.Name: _name,
    ast.Subscript: _subscript,
    ast.Tuple: _sequence,
    ast.UnaryOp: _unary,
}
