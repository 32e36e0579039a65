"""The options of a script as JSON Schema: what may stand in a spec as their values, as `values.py` takes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

from launcher.plan.checks.keys import SETS_ITSELF
from launcher.plan.secrets import SECRETS
from launcher.plan.values import BadValue, is_key_value, meant_by_flag, words_of
from launcher.trainer.options import Option, ScriptOptions

Schema = dict[str, Any]
Describe = Callable[[str], str]

# What `int` and `float` take for a number, written as text.
_DIGITS = "[0-9](_?[0-9])*"
_NUMBERS = {
    "int": rf"^\s*[+-]?{_DIGITS}\s*$",
    "float": rf"^\s*[+-]?(({_DIGITS}\.?|({_DIGITS})?\.{_DIGITS})([eE][+-]?{_DIGITS})?"
    r"|[iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN])\s*$",
}
_ITEM = {"$ref": "#/$defs/item"}
# A heading may be called like an option: then it is a table, and holds options.
_OR_HEADING: Schema = {"if": {"type": "object"}, "then": {"$ref": "#/$defs/heading"}}
ITEM: Schema = {
    "description": "One item: a text, a number, true or false, or a list of them.",
    "type": ["string", "number", "boolean", "array"],
    "minItems": 1,
    "items": {"type": ["string", "number", "boolean"]},
}


def keys_of(options: ScriptOptions) -> dict[str, Option]:
    """What may be written in a spec: each option's name, and its long flags without the dashes. What kl sets itself and
    what holds a secret is left out."""
    found: dict[str, Option] = {}
    for option in options.options:
        found.setdefault(option.name, option)
    for option in options.options:
        for flag in option.flags:
            if flag.startswith("--") and len(flag) > 2:
                found.setdefault(flag[2:], option)
    return {key: option for key, option in found.items() if key not in SETS_ITSELF and not _is_secret(key)}


def option_schema(key: str, option: Option, options: ScriptOptions, describe: Describe) -> Schema:
    """What may be the value of `key`: the option's name, or the word of a flag. `describe` shortens help texts."""
    schema: Schema = {}
    said = _said(option, describe)
    if said:
        schema["description"] = said
    default = _plain(option.default)
    if default is not None and "default" not in option.unread and not is_key_value(option):
        schema["default"] = default
    if is_key_value(option):
        return {**schema, **_items()}
    value = _switch(key, option, options) if option.is_flag else _value(option)
    return {**schema, **value, **_OR_HEADING}


def scalar(option: Option) -> Schema:
    """One value of an option, alone or in a list: of its type, a number also as text."""
    if option.choices is not None and "choices" not in option.unread:
        return {"enum": list(_choices(option))}
    if option.type == "int":
        return {"type": ["integer", "string"], "pattern": _NUMBERS["int"]}
    if option.type == "float":
        return {"type": ["number", "string"], "pattern": _NUMBERS["float"]}
    return {"type": ["string", "number"]}


def _value(option: Option) -> Schema:
    one = scalar(option)
    listed: Schema = {"items": one}
    if option.nargs == "+":
        listed["minItems"] = 1
    elif isinstance(option.nargs, int):
        listed |= {"minItems": option.nargs, "maxItems": option.nargs}
    types = [] if isinstance(option.nargs, int) and option.nargs != 1 else list(one.get("type", []))
    if option.nargs not in (None, "?"):
        types.append("array")
    if "enum" not in one:
        return {**one, **(listed if "array" in types else {}), "type": [*types, "object"]}
    ways: list[Schema] = [one, {"type": "object"}]
    return {"anyOf": [*ways, {"type": "array", **listed}] if "array" in types else ways}


def _choices(option: Option) -> Iterable[Any]:
    """The words themselves; a number among them also as text, and a text that reads as a number also as that."""
    found: dict[tuple[type, Any], Any] = {}
    for choice in option.choices or ():
        for each in (choice, _other_way(choice)):
            plain = _plain(each)
            if plain is not None:
                found[type(plain), plain] = plain
    return found.values()


def _other_way(choice: Any) -> Any:
    if isinstance(choice, (int, float)) and not isinstance(choice, bool):
        return str(choice)
    return int(choice) if isinstance(choice, str) and re.fullmatch(r"[1-9][0-9]{0,8}|0", choice) else None


def _switch(key: str, option: Option, options: ScriptOptions) -> Schema:
    """True and false, as far as a flag can say it."""
    same = [other for other in options.options if other.name == option.name and other.is_flag]
    taken = [
        value
        for value in (True, False)
        if any(not isinstance(words_of(each, meant_by_flag(option, key, value)), BadValue) for each in same)
    ]
    if len(taken) == 2:
        return {"type": ["boolean", "object"]}
    return {"anyOf": [{"enum": taken}, {"type": "object"}]}


def _items() -> Schema:
    """A table of key=value items, or a list of such texts as sd-scripts' own configuration files have it."""
    return {
        "type": ["object", "array", "string"],
        "propertyNames": {"pattern": "^[^-=][^=]*$"},
        "additionalProperties": _ITEM,
        "minItems": 1,
        "items": {"type": "string", "pattern": "^[^=]+="},
        "pattern": "^[^=]+=",
    }


def _said(option: Option, describe: Describe) -> str:
    parts = [describe(option.help)] if option.help else []
    if option.required:
        parts.append("Required.")
    return "\n".join(part for part in parts if part)


def _plain(value: Any) -> Any:
    """The value as JSON can hold it; None for what it cannot."""
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, str) and value == "==SUPPRESS==":
        return None
    if isinstance(value, (tuple, list)):
        plain = [_plain(each) for each in value]
        return None if None in plain else plain
    return value if isinstance(value, (str, int, float, bool)) else None


def _is_secret(key: str) -> bool:
    return key.lower().replace("-", "_") in SECRETS


def alternatives(names: Iterable[str]) -> str:
    """A pattern that takes these words whole."""
    return f"^({'|'.join(_escaped(name) for name in sorted(set(names)))})$"


def _escaped(name: str) -> str:
    """For ECMA's regular expressions, which escape less than Python's."""
    return re.sub(r"([\\^$.*+?()\[\]{}|/])", r"\\\1", name)


def items_of(names: Sequence[str]) -> Schema:
    """Only items of these names: in a table, in a list of texts, or as one text."""
    begins = f"^({'|'.join(_escaped(name) for name in names)})=" if names else "^$"
    return {"propertyNames": {"enum": sorted(names)}, "items": {"pattern": begins}, "pattern": begins}
