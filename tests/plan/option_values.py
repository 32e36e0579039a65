"""Any value that an option can be given, for hypothesis; and the options of the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from launcher.base.settings import Value
from launcher.demo.layout import lay_out
from launcher.plan.values import is_key_value
from launcher.trainer.checkout import open_checkout
from launcher.trainer.options import Option, ScriptOptions
from launcher.trainer.reader import read_options

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["", "-1", "--x", "a=b", "a b", " ", "-", "---", "'", "$HOME", "\n"]
)
_SAYABLE = _TEXT.filter(lambda text: text != "--")  # argparse takes this one away
_ITEM_KEY = st.text("abcdef_0123", min_size=1, max_size=5)
_ITEM: st.SearchStrategy[Any] = st.one_of(
    _TEXT, st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.lists(st.integers(0, 9), min_size=1)
)
_BY_TYPE: dict[str | None, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**40), 2**40),
    "float": st.floats(allow_nan=False) | st.integers(-99, 99),
    "int_or_float": st.floats(-9, 9, allow_nan=False) | st.integers(-99, 99),
}


def value_for(draw: st.DrawFn, entry: Option) -> Value:
    """A value that the option's own parser takes."""
    if entry.is_flag:
        return draw(st.booleans())
    if is_key_value(entry):
        items: dict[str, Value] = draw(st.dictionaries(_ITEM_KEY, _ITEM, min_size=1, max_size=4))
        return items
    # Where several words follow a flag, argparse takes one that begins with a dash for another flag.
    plain = _BY_TYPE.get(
        entry.type, _SAYABLE if entry.nargs in (None, "?") else _TEXT.filter(lambda text: text[:1] != "-")
    )
    if entry.choices is not None:
        plain = st.sampled_from([choice for choice in entry.choices if choice is not None])
    if entry.nargs not in (None, "?") and entry.type in ("float", "int_or_float"):
        plain = plain.filter(lambda number: "e" not in str(number) and "inf" not in str(number))
    if entry.nargs in (None, "?"):
        value: Value = draw(plain)
        return value
    fewest, most = (entry.nargs, entry.nargs) if isinstance(entry.nargs, int) else (int(entry.nargs == "+"), 4)
    values: list[Value] = draw(st.lists(plain, min_size=fewest, max_size=most))
    return values


def demo_options(folder: Path) -> ScriptOptions:
    """What the demo's train_network.py accepts; its checkout is laid out in `folder`."""
    checkout = open_checkout(lay_out(folder).checkout)
    return read_options(checkout, "train_network.py", cache=folder / "cache")
