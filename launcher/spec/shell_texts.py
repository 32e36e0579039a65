"""What a shell makes of a text: an end cut off, a part of a path, a number worked out."""

from __future__ import annotations

import ast
import operator
import os
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

_LONGEST = 1024  # letters of what is cut or worked out
_CUT = re.compile(r"(?P<sign>##?|%%?)(?P<pattern>.{0,64})", re.DOTALL)
_OF_A_PATH: Mapping[str, Callable[[str], str]] = {
    "h": os.path.dirname, "t": os.path.basename, "A": str, "a": str, "P": str,
    "r": lambda path: os.path.splitext(path)[0],  # noqa: PTH122 - text, not a file
}  # fmt: skip
_NUMBERS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Div: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip


def changed(text: str, how: str) -> str | None:
    """What ${NAME%.py}, ${NAME##*/} or zsh's ${NAME:h} makes of a value; None where `how` is none of these."""
    if re.fullmatch(r"(:[htrAaP])+", how):
        for letter in how[1:].split(":"):
            text = _OF_A_PATH[letter](text)
        return text
    cut = _CUT.fullmatch(how)
    if cut is None or len(text) > _LONGEST or re.search(r"[$`\\]", cut["pattern"]):
        return None
    return _without(text, cut["sign"], cut["pattern"].strip("\"'"))


def _without(text: str, sign: str, pattern: str) -> str:
    lengths = range(len(text) + 1)
    for length in lengths if len(sign) == 1 else reversed(lengths):
        part = text[:length] if sign[0] == "#" else text[len(text) - length :]
        if fnmatchcase(part, pattern):
            return text[length:] if sign[0] == "#" else text[: len(text) - length]
    return text


def worked_out(inside: str, variables: Mapping[str, str]) -> int | None:
    """The number that $(( … )) gives, of positive whole numbers, variables that hold one, + - * / % and brackets."""

    def number(name: re.Match[str]) -> str:
        value = variables.get(name[1], "")
        return str(int(value)) if value.isdecimal() and len(value) < 10 else "?"

    text = re.sub(r"\$?\{?([A-Za-z_][A-Za-z0-9_]*)\}?", number, inside).strip()
    if len(text) > _LONGEST or not re.fullmatch(r"[0-9+\-*/%() ]+", text) or "**" in text or "//" in text:
        return None
    try:
        result = _of(ast.parse(text, mode="eval").body)
    except (ValueError, SyntaxError, ZeroDivisionError, RecursionError, MemoryError):
        return None
    return result if 0 <= result < 2**63 else None


def _of(node: ast.expr) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and abs(node.value) < 2**63:
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _NUMBERS:
        left, right = _of(node.left), _of(node.right)
        if min(left, right) >= 0:  # a shell cuts towards zero, Python downwards
            return _NUMBERS[type(node.op)](left, right)
    raise ValueError
