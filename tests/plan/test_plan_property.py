"""For any options and any values: what the trainer's parser makes of the plan is what the spec means."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from option_values import demo_options, value_for
from plan_bed import option, parser_of, script, setting, switch

from launcher.base.settings import Value
from launcher.plan.resolve import resolve
from launcher.plan.values import is_key_value, item_text, words_of
from launcher.trainer.options import Option, ScriptOptions


@st.composite
def _options(draw: st.DrawFn) -> ScriptOptions:
    names = draw(st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True), min_size=1, max_size=6, unique=True))
    made = []
    for number, name in enumerate(names):
        name = f"o{number}_{name}"  # noqa: PLW2901 - never a flag of argparse's own, never another's beginning
        kind = draw(st.sampled_from(["store", "on", "off", "both", "const", "items"]))
        if kind == "store":
            type_ = draw(st.sampled_from([None, "str", "int", "float"]))
            nargs = draw(st.sampled_from([None, None, "?", "*", "+", 1, 2, 3]))
            choices = None
            if draw(st.booleans()):
                base = {"int": st.integers(-5, 5), "float": st.floats(-5, 5)}.get(
                    type_ or "", st.text("abc", min_size=1)
                )
                choices = tuple(draw(st.lists(base, min_size=1, max_size=3, unique=True)))
            made.append(option(name, type=type_, nargs=nargs, choices=choices))
        elif kind == "on":
            made.append(switch(name))
        elif kind == "off":
            off = (f"--no_{name}",)
            made.append(option(name, action="StoreFalseAction", nargs=0, const=False, default=True, flags=off))
        elif kind == "both":
            flags = f"--{name}", f"--no-{name}"
            made.append(option(name, action="BooleanOptionalAction", nargs=0, default=draw(st.booleans()), flags=flags))
        elif kind == "const":
            made.append(option(name, action="StoreConstAction", nargs=0, const=True))
        else:
            made.append(option(f"{name}_args", nargs="*", type="str"))
    return script(*made)


def _meant(entry: Option, value: Value) -> Any:
    if is_key_value(entry) and isinstance(value, dict):
        return {f"{key}={item_text(item)}" for key, item in value.items()}
    if entry.action == "StoreConstAction":
        return True if value else None
    kind = {"int": int, "float": float, "int_or_float": float, "Path": Path}.get(entry.type or "", str)
    if entry.is_flag:
        return value
    return [kind(item) for item in value] if isinstance(value, list) else kind(value)


def _parsed(options: ScriptOptions, values: dict[str, Value]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the real parser gets from the plan's words, and what was meant."""
    given = []
    for number, (name, value) in enumerate(values.items()):
        if isinstance(value, dict):
            given += [
                setting(key, item, name, line=1000 * number + row) for row, (key, item) in enumerate(value.items())
            ]
        else:
            given.append(setting(name, value, "heading", line=1000 * number))
    resolved = resolve(given, options)
    assert not resolved.findings and not resolved.unknown
    argv: list[str] = []
    for chosen in resolved.chosen:
        if chosen.items:
            argv += [f"--{chosen.option.name}", *(f"{item.key}={item.text}" for item in chosen.items)]
        else:
            words = words_of(chosen.option, chosen.setting.value)
            assert isinstance(words, tuple), words
            argv += words
    parser = parser_of(options.options)
    for action in parser._actions:
        action.required = False
    meant = vars(parser.parse_args([])) | {
        entry.name: _meant(entry, values[entry.name]) for entry in options.options if entry.name in values
    }
    got = vars(parser.parse_args(argv))
    for entry in options.options:
        if is_key_value(entry) and entry.name in values:
            got[entry.name] = set(got[entry.name])
    return got, meant


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_any_options_any_values(data: st.DataObject) -> None:
    options = data.draw(_options())
    values = {
        entry.name: data.draw(st.composite(value_for)(entry)) for entry in options.options if data.draw(st.booleans())
    }
    got, meant = _parsed(options, values)
    assert got == meant


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> ScriptOptions:
    return demo_options(tmp_path_factory.mktemp("demo"))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_demos_train_network(demo: ScriptOptions, data: st.DataObject) -> None:
    usable = [entry for entry in demo.options if entry.name not in ("dataset_config", "sample_prompts")]
    chosen = data.draw(st.lists(st.sampled_from(usable), max_size=12, unique_by=lambda entry: entry.name))
    got, meant = _parsed(demo, {entry.name: data.draw(st.composite(value_for)(entry)) for entry in chosen})
    assert got == meant


def test_the_demo_has_options_of_every_kind(demo: ScriptOptions) -> None:
    """So that the test above is about something."""
    kinds = {(entry.action, entry.nargs, entry.type) for entry in demo.options}
    assert {("StoreTrueAction", 0, None), ("StoreAction", "*", "str"), ("StoreAction", None, "int")} <= kinds
    assert len(demo.options) > 100 and not demo.unread
    assert isinstance(parser_of(demo.options), argparse.ArgumentParser)
