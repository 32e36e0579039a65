"""What a word of YAML means: the core schema of YAML 1.2.

`1e-4` is a number; `no`, `2024-01-01` and `1_000` are text.
"""

from __future__ import annotations

import re

from launcher.base.settings import Scalar

STANDARD = "tag:yaml.org,2002:"
LONGEST_NUMBER = 1000  # Python takes very long to read a decimal number of many thousand digits, or refuses to

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def scalar(text: str, *, tag: str | None, plain: bool) -> Scalar | None:
    """The value of one scalar: of its form when it stood plain, of its tag when it has one, else its text.

    Raises ValueError with the reason when the tag is none of the standard ones, or says what the text is not.
    """
    if tag is None:
        return _plain(text) if plain else text
    kind = tag.removeprefix(STANDARD)
    if tag == "!" or kind == "str":
        return text
    value = _plain(text)
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "float" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if (kind == "bool" and isinstance(value, bool)) or (kind == "null" and value is None):
        return value
    if kind in ("int", "float", "bool", "null"):
        raise ValueError(f"The tag !!{kind} does not fit {text[:40]!r}.")
    raise ValueError(f"The tag {shown_tag(tag)} means nothing in a spec.")


def shown_tag(tag: str) -> str:
    """A tag as it is written."""
    return "!!" + tag.removeprefix(STANDARD) if tag.startswith(STANDARD) else tag


def _plain(text: str) -> Scalar | None:
    if _NULL.fullmatch(text):
        return None
    if _BOOLEAN.fullmatch(text):
        return text[0] in "tT"
    if _INTEGER.fullmatch(text):
        if len(text) > LONGEST_NUMBER:
            raise ValueError(f"The number has more than {LONGEST_NUMBER} digits.")
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text, base)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text
