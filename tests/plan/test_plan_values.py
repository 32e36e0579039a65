"""One value as words: what argparse would take, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from plan_bed import option, parser_of, switch

from launcher.base.settings import Value
from launcher.plan.values import BadValue, item_text, kind_of, meant_by_flag, words_of
from launcher.trainer.options import Option

INT, FLOAT, TEXT = option("x", type="int"), option("x", type="float"), option("x", type="str")
SWITCH = switch("x")
OFF = option("x", action="StoreFalseAction", nargs=0, const=False, default=True, flags=("--no_x",))
BOTH = option("x", action="BooleanOptionalAction", nargs=0, const=None, default=False, flags=("--x", "--no-x"))
MANY, SOME, TWO, ONE = (option("x", type="float", nargs=nargs) for nargs in ("*", "+", 2, 1))
CHOICE = option("x", type="str", choices=("a", "b"))
NUMBER_CHOICE = option("x", type="int", choices=(1, 2))


@pytest.mark.parametrize(
    ("entry", "value", "expected"),
    [
        (INT, 8, ("--x=8",)),
        (INT, "8", ("--x=8",)),
        (INT, -1, ("--x=-1",)),
        (FLOAT, 1, ("--x=1",)),
        (FLOAT, 1e-05, ("--x=1e-05",)),
        (FLOAT, -1e-05, ("--x=-1e-05",)),
        (FLOAT, float("inf"), ("--x=inf",)),
        (TEXT, "", ("--x=",)),
        (TEXT, "--y", ("--x=--y",)),
        (TEXT, "a b", ("--x=a b",)),
        (TEXT, 5, ("--x=5",)),
        (option("x", type="int_or_float"), 0.1, ("--x=0.1",)),
        (SWITCH, True, ("--x",)),
        (SWITCH, False, ()),
        (OFF, False, ("--no_x",)),
        (OFF, True, ()),
        (BOTH, True, ("--x",)),
        (BOTH, False, ("--no-x",)),
        (MANY, [], ("--x",)),
        (MANY, [1, 0.5], ("--x", "1", "0.5")),
        (MANY, [-1, -0.5], ("--x", "-1", "-0.5")),
        (MANY, 3, ("--x", "3")),
        (SOME, [1], ("--x", "1")),
        (TWO, [0.9, 0.99], ("--x", "0.9", "0.99")),
        (ONE, 3, ("--x", "3")),
        (option("x", nargs="?", const="c"), "v", ("--x=v",)),
        (CHOICE, "a", ("--x=a",)),
        (NUMBER_CHOICE, "2", ("--x=2",)),
        (option("x", flags=("-t", "--tee")), "1", ("--tee=1",)),
    ],
)
def test_words(entry: Option, value: Value, expected: tuple[str, ...]) -> None:
    assert words_of(entry, value) == expected
    parser_of([entry]).parse_args(list(expected))


@pytest.mark.parametrize(
    ("entry", "value", "code", "said"),
    [
        (INT, "eight", "wrong-type", "a whole number"),
        (INT, 1.5, "wrong-type", "1.5"),
        (INT, 8.0, "wrong-type", "8.0"),
        (INT, True, "wrong-type", "true"),
        (INT, None, "wrong-type", "nothing"),
        (FLOAT, "1e-", "wrong-type", "a number"),
        (TEXT, False, "wrong-type", "false"),
        (TEXT, {"a": 1}, "wrong-type", "not a table"),
        (TEXT, "a\0b", "wrong-type", "NUL"),
        (SWITCH, "yes", "wrong-type", "switch"),
        (SWITCH, 1, "wrong-type", "switch"),
        (SWITCH, None, "wrong-type", "switch"),
        (CHOICE, "c", "not-a-choice", "'c'"),
        (NUMBER_CHOICE, 3, "not-a-choice", "'3'"),
        (TEXT, ["a"], "wrong-count", "one value"),
        (TWO, [1], "wrong-count", "2 values, not 1"),
        (TWO, 1, "wrong-count", "2 values, not one"),
        (SOME, [], "wrong-count", "at least one"),
        (MANY, [1, "x"], "wrong-type", "'x'"),
        (MANY, [[1]], "wrong-type", "a list"),
        (option("x", nargs="*"), ["-x"], "wrong-type", "dash"),
        (TEXT, "--", "wrong-type", "--"),
        (switch("x", default=True), False, "wrong-type", "always on"),
    ],
)
def test_refused(entry: Option, value: Value, code: str, said: str) -> None:
    bad = words_of(entry, value)
    assert isinstance(bad, BadValue) and bad.code.name == code
    assert said in bad.message and "x" in bad.message


def test_a_refusal_says_what_to_write() -> None:
    assert isinstance(bad := words_of(INT, 8.0), BadValue) and bad.hint == "Write 8."
    assert isinstance(bad := words_of(CHOICE, "c"), BadValue) and bad.hint == "It may be a or b."
    assert isinstance(bad := words_of(TEXT, [1, 2]), BadValue) and bad.hint == 'Write "1,2".'
    assert isinstance(bad := words_of(TEXT, False), BadValue) and "run.drop" in (bad.hint or "")


def test_choices_that_could_not_be_read_are_not_held_against_a_value() -> None:
    entry = option("x", choices=("a",), unread=("choices",))
    assert words_of(entry, "b") == ("--x=b",)


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "True"), (False, "False"), (8, "8"), (0.5, "0.5"), ("a=b", "a=b"), ([8, 4], "8,4"), ([True], "True")],
)
def test_a_value_inside_key_value(value: Value, text: str) -> None:
    assert item_text(value) == text


@pytest.mark.parametrize("value", [None, {}, [], [[1]], [{}], [None]])
def test_what_cannot_stand_inside_key_value(value: Value) -> None:
    assert isinstance(item_text(value), BadValue)


def test_a_flag_written_under_its_own_word_gives_that_flag() -> None:
    assert meant_by_flag(OFF, "no_x", True) is False
    assert meant_by_flag(OFF, "no_x", False) is True
    assert meant_by_flag(OFF, "x", True) is True
    assert meant_by_flag(BOTH, "no-x", True) is False
    assert meant_by_flag(INT, "x", 5) == 5


def test_kinds_have_names() -> None:
    values: list[Any] = [True, None, "a", 1, 0.5, [], {}]
    expected = ["true", "nothing", "text", "a whole number", "a number", "a list", "a table"]
    assert [kind_of(value) for value in values] == expected
