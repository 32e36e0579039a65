"""One value of a spec as the words of a command line, checked as the option's own parser would check them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from launcher.base.findings import Code
from launcher.base.settings import Value
from launcher.base.words import listed
from launcher.plan.codes import NOT_A_CHOICE, WRONG_COUNT, WRONG_TYPE
from launcher.trainer.options import Option

# What argparse takes for a number rather than an option (argparse.ArgumentParser: _negative_number_matcher).
NEGATIVE_NUMBER = re.compile(r"-\d+$|-\d*\.\d+$")


@dataclass(frozen=True)
class BadValue:
    """Why a value cannot be given to its option, and what to write instead."""

    code: Code
    message: str
    hint: str | None = None


def is_key_value(option: Option) -> bool:
    """Whether the option takes key=value items: network_args, optimizer_args, lr_scheduler_args.

    sd-scripts splits each item at "=" (train_network.py: net_kwargs; library/train_util.py: get_optimizer).
    """
    return option.takes_items and option.type in (None, "str") and option.name.endswith("_args")


def words_of(option: Option, value: Value) -> tuple[str, ...] | BadValue:
    """The words that give `value` to `option`; none for a flag that stays away.

    A value means what the trainer's own `args.NAME` will hold: `true` for a store_false option gives no flag.
    """
    if option.is_flag:
        return _flag_words(option, value)
    if isinstance(value, dict):
        return BadValue(WRONG_TYPE, f"{option.name} takes a value, not a table.")
    if isinstance(value, list):
        return _list_words(option, value)
    if option.nargs not in (None, "?", "*", "+", 1):
        return BadValue(WRONG_COUNT, f"{option.name} takes {_count(option)} values, not one.", "Write a list.")
    text = text_of(option, value)
    return text if isinstance(text, BadValue) else _join(option, [text])


def text_of(option: Option, value: Value) -> str | BadValue:
    """One value as text, checked against the option's type and choices as argparse does."""
    text = _converted(option, value)
    if isinstance(text, BadValue) or option.choices is None or "choices" in option.unread:
        return text
    choices = [str(choice) for choice in option.choices]
    if _same_type(option, text) in option.choices:
        return text
    return BadValue(NOT_A_CHOICE, f"{option.name} cannot be {text!r}.", f"It may be {listed(choices, 'or')}.")


def as_parsed(option: Option, value: Value) -> Any:
    """What the option's own parser makes of a value; None for one that it would refuse."""
    words = words_of(option, value)
    if isinstance(words, BadValue):
        return None
    if option.is_flag:
        return value
    items = [_same_type(option, text_of_item) for text_of_item in _texts(option, value)]
    return items if option.takes_items or isinstance(option.nargs, int) else items[0]


def _texts(option: Option, value: Value) -> list[str]:
    texts = [text_of(option, item) for item in (value if isinstance(value, list) else [value])]
    return [text for text in texts if isinstance(text, str)]


def item_text(value: Value) -> str | BadValue:
    """One value inside key=value: booleans as Python spells them, lists with commas. As `args` modules read them."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, list):
        parts = [item_text(item) for item in value]
        if any(isinstance(item, (list, dict)) for item in value) or value == []:
            return BadValue(WRONG_TYPE, "a list inside key=value holds plain values, at least one")
        bad = next((part for part in parts if isinstance(part, BadValue)), None)
        return bad or ",".join(str(part) for part in parts)
    if value is None or isinstance(value, dict):
        return BadValue(WRONG_TYPE, "there is no value" if value is None else "a table cannot stand here")
    return str(value)


def stored_by(option: Option) -> bool:
    """What the trainer's `args.NAME` holds once the switch is given."""
    return option.const if isinstance(option.const, bool) else True


def meant_by_flag(option: Option, key: str, value: Value) -> Value:
    """The value that a key means for its option.

    A key is argparse's dest, or else a flag's own word: then `true` gives that flag, whatever it stores.
    """
    if not option.is_flag or key == option.name or not isinstance(value, bool):
        return value
    stored = not key.startswith("no-") if option.action == "BooleanOptionalAction" else stored_by(option)
    return stored if value else not stored


def kind_of(value: Value) -> str:
    """What a person calls this value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    names = {str: "text", int: "a whole number", float: "a number", list: "a list", dict: "a table"}
    return names[type(value)]


def _flag_words(option: Option, value: Value) -> tuple[str, ...] | BadValue:
    if not isinstance(value, bool):
        return BadValue(WRONG_TYPE, f"{option.name} is a switch: it is true or false, not {value!r}.")
    if option.action == "BooleanOptionalAction":
        wanted = [flag for flag in option.flags if flag.startswith("--no-") is not value]
        return (wanted[0],) if wanted else ()
    if value is stored_by(option):
        return (_flag(option),)
    if isinstance(option.default, bool) and option.default is not value and "default" not in option.unread:
        said = "on" if option.default else "off"
        return BadValue(WRONG_TYPE, f"{option.name} is always {said} in this script: no flag changes it.")
    return ()


def _list_words(option: Option, value: Sequence[Value]) -> tuple[str, ...] | BadValue:
    if option.nargs in (None, "?"):
        joined = ",".join(str(item) for item in value)
        hint = f'Write "{joined}".' if option.type in (None, "str") and value else "Write one value."
        return BadValue(WRONG_COUNT, f"{option.name} takes one value, not a list.", hint)
    if isinstance(option.nargs, int) and len(value) != option.nargs:
        return BadValue(WRONG_COUNT, f"{option.name} takes {_count(option)} values, not {len(value)}.")
    if option.nargs == "+" and not value:
        return BadValue(WRONG_COUNT, f"{option.name} takes at least one value.")
    texts: list[str] = []
    for item in value:
        text = text_of(option, item)
        if isinstance(text, BadValue):
            return text
        texts.append(text)
    return _join(option, texts)


def _join(option: Option, texts: Sequence[str]) -> tuple[str, ...] | BadValue:
    if option.nargs in (None, "?"):
        if texts[0] == "--":  # argparse takes it away, even behind "=" (before Python 3.13)
            return BadValue(WRONG_TYPE, f"{option.name}: the trainer cannot be given the value --.")
        return (f"{_flag(option)}={texts[0]}",)
    if any(text.startswith("-") and not NEGATIVE_NUMBER.match(text) for text in texts):
        return BadValue(WRONG_TYPE, f"{option.name}: the trainer takes no value that begins with a dash.")
    return (_flag(option), *texts)


def _converted(option: Option, value: Value) -> str | BadValue:
    wanted = {"int": "a whole number", "float": "a number"}.get(option.type or "str", "text")
    if value is None or isinstance(value, (bool, list, dict)):
        said = f" ({kind_of(value)})" if not isinstance(value, bool) else f" ({value})".lower()
        hint = "To leave out what a template sets, name it in run.drop." if value is False or value is None else None
        return BadValue(WRONG_TYPE, f"{option.name} takes {wanted}, and this is none{said}.", hint)
    text = value if isinstance(value, str) else str(value)
    if option.type == "int":
        return text if _parses(int, text) else _bad_number(option, value, wanted)
    if option.type == "float":
        return text if _parses(float, text) else _bad_number(option, value, wanted)
    if "\0" in text:
        return BadValue(WRONG_TYPE, f"{option.name} holds a NUL character.")
    return text


def _bad_number(option: Option, value: Value, wanted: str) -> BadValue:
    whole = isinstance(value, float) and value.is_integer()
    hint = f"Write {int(value)}." if whole and isinstance(value, float) else None
    return BadValue(WRONG_TYPE, f"{option.name} takes {wanted}, and {value!r} is none.", hint)


def _same_type(option: Option, text: str) -> str | int | float:
    if option.type == "int":
        return int(text)
    if option.type == "int_or_float" and _parses(float, text):  # library/train_util.py: lr_warmup_steps and others
        return int(text) if _parses(int, text) else float(text)
    return float(text) if option.type == "float" else text


def _parses(kind: type[int] | type[float], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _count(option: Option) -> str:
    return "at least one" if option.nargs == "+" else str(option.nargs)


def _flag(option: Option) -> str:
    named = f"--{option.name}"
    return named if named in option.flags else option.flags[-1]
