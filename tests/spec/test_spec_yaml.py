"""YAML 1.2: what words mean, the line of every key, and every text that is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.spec.tree import DEEPEST, MOST_VALUES
from launcher.spec.yaml_text import parse_yaml


def _values(text: str) -> dict[str, Any]:
    return parse_yaml(text, "fox.yaml").values


def _refusal(text: str) -> KlError:
    with pytest.raises(KlError) as caught:
        parse_yaml(text, "fox.yaml")
    assert caught.value.code is ExitCode.SPEC_REFUSED
    assert caught.value.where is not None
    return caught.value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-4", 1e-4),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-2.5e+3", -2500.0),
        ("8", 8),
        ("+8", 8),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("yes", "yes"),
        ("off", "off"),
        ("y", "y"),
        ("tRUE", "tRUE"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01 10:00:00", "2024-01-01 10:00:00"),
        ("10:30", "10:30"),
        ("1024,1024", "1024,1024"),
        ("0b11", "0b11"),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        ("=", "="),
        ("'8'", "8"),
        ('"true"', "true"),
        ("''", ""),
        ("", None),
        ("~", None),
        ("null", None),
        ("! 8", "8"),
        ("!!str 8", "8"),
        ("!!int '8'", 8),
        ("!!float 8", 8.0),
        ("!!bool true", True),
        ("!!null ''", None),
        ("!!str", ""),
        ("[1, a, [2]]", [1, "a", [2]]),
        ("!!seq [1]", [1]),
        ("{}", {}),
        ("!!map {b: 1}", {"b": 1}),
        ("|\n  x\n  y\n", "x\ny\n"),
        (">-\n  x\n  y\n", "x y"),
        ("'写真 🦊'", "写真 🦊"),
    ],
)
def test_what_a_value_means(written: str, value: Any) -> None:
    found = _values(f"a: {written}")["a"]
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_a_float() -> None:
    assert math.isnan(_values("a: .nan")["a"])


@pytest.mark.parametrize("text", ["", "\n", "# only this\n", "---\n", "---\n...\n", "~", "%YAML 1.2\n---\n"])
def test_nothing_in_the_file_is_no_values(text: str) -> None:
    assert _values(text) == {}


def test_lines() -> None:
    text = """\
# comment
network:
  network_dim: 8
  text: |
    fake: 1
    more: 2
  other: {x: 1,
    y: [1,
      2]}
datasets:
  - resolution: 512
    subsets:
    - image_dir: a
    -
      image_dir: b
? long
: 1
"last\u2028\u0085": 1
end: 1
"""
    lines = parse_yaml(text, "fox.yaml").lines
    assert lines["network",] == 2
    assert lines["network", "network_dim"] == 3
    assert lines["network", "text"] == 4
    assert lines["network", "other", "x"] == 7
    assert lines["network", "other", "y"] == 8
    assert lines["network", "other", "y", 1] == 9
    assert lines["datasets", 0] == 11
    assert lines["datasets", 0, "subsets", 0, "image_dir"] == 13
    assert lines["datasets", 0, "subsets", 1, "image_dir"] == 15
    assert lines["long",] == 16
    assert lines["end",] == 19  # a line separator inside a text is no new line to an editor


def test_an_empty_item_stands_on_the_line_of_its_dash() -> None:
    lines = parse_yaml("a:\n-\n- 1", "fox.yaml").lines
    assert (lines["a", 0], lines["a", 1]) == (2, 3)


def test_anchors_aliases_and_merge_keys() -> None:
    text = """\
base: &base
  a: 1
  b: 2
other: &other {b: 3, c: 4}
one: {<<: *base, b: 9}
two:
  <<: [*base, *other]
  d: &d [x]
  e: *d
quoted: {"<<": 1}
"""
    tree = parse_yaml(text, "fox.yaml")
    assert tree.values["one"] == {"a": 1, "b": 9}
    assert tree.values["two"] == {"a": 1, "b": 2, "c": 4, "d": ["x"], "e": ["x"]}
    assert tree.values["quoted"] == {"<<": 1}
    assert tree.lines["one", "a"] == 2
    assert tree.lines["one", "b"] == 5
    assert tree.lines["two", "c"] == 4


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\nb: [1, 2\n", 3, 1),
        ("a: 1\n\tb: 2\n", 2, 1),
        ("a: 1\n b: 2\n", 2, 3),
        ("a: b: c", 1, 5),
        ("a: 'open\n", 2, 1),
        ("a: @x", 1, 4),
        ("a: %x", 1, 4),
        ("a: 1\nb: \x07", 2, 4),
        ('a: "\\q"', 1, 6),
    ],
)
def test_broken_yaml_says_line_and_column(text: str, line: int, column: int) -> None:
    error = _refusal(text)
    assert error.message.startswith("This is not YAML: ")
    assert error.message.endswith(f" (line {line}, column {column}).")
    assert error.where == f"fox.yaml:{line}"
    assert error.hint


def test_tabs_and_control_characters_have_hints_of_their_own() -> None:
    assert _refusal("a:\n\tb: 2\n").hint == "YAML indents with spaces, not with tabs."
    assert "U+0007" in (_refusal("a: \x07").hint or "")


@pytest.mark.parametrize(
    ("text", "line", "why", "hint"),
    [
        ("a: 1\nb: 2\na: 3", 3, "'a' stands twice", "line 1"),
        ("a:\n  x: 1\n  'x': 2", 3, "'x' stands twice", "line 2"),
        ("b: &b {x: 1}\na:\n  <<: *b\n  <<: *b", 4, "'<<' stands twice", "with a list"),
        ("a: 1\n1: x", 2, "A key is '1', which is not text", "quotes"),
        ("null: x", 1, "A key is 'null', which is not text", "quotes"),
        ("true: x", 1, "A key is 'true', which is not text", "quotes"),
        ("? [a, b]\n: x", 1, "A key is a list", "quotes"),
        ("? {a: b}\n: x", 1, "A key is a list or a mapping", "quotes"),
        ("{a: 1}: x", 1, "A key is a list or a mapping", "quotes"),
        ("- a\n- b", 1, "not a mapping", "key: value"),
        ("\njust text", 2, "not a mapping", "key: value"),
        ("a:1", 1, "not a mapping", "space after the colon"),
        ("a: 1\n---\nb: 2", 2, "more than one YAML document", "`---`"),
        ("%YAML 1.1\n---\na: no", 2, "asks for YAML 1.1", "%YAML"),
        ("a: 1\nb: !!python/object:os.system x", 2, "!!python/object:os.system means nothing", "quotes"),
        ("b: !mine x", 1, "The tag !mine means nothing", "quotes"),
        ("b: !!binary aGk=", 1, "!!binary means nothing", "quotes"),
        ("b: !!timestamp 2024-01-01", 1, "!!timestamp means nothing", "quotes"),
        ("b: !!set {x}", 1, "!!set means nothing", "Remove the tag"),
        ("b: !!omap [x: 1]", 1, "!!omap means nothing", "Remove the tag"),
        ("b: !!map [1]", 1, "!!map means nothing", "Remove the tag"),
        ("b: !!int x", 1, "!!int does not fit 'x'", "quotes"),
        ("b: !!bool 'no'", 1, "!!bool does not fit 'no'", "quotes"),
        ("b: !!int true", 1, "!!int does not fit", "quotes"),
        ("b: !!int 1.5", 1, "!!int does not fit", "quotes"),
        ("a: 1\nb: *nowhere", 2, "no anchor for the alias *nowhere", "&nowhere"),
        ("a: &a [1, *a]", 1, "inside its own anchor", "Write it out"),
        ("a: &a\n  <<: *a", 2, "inside its own anchor", "Write it out"),
        ("a: {<<: 1}", 1, "<< merges mappings", "<<: *base"),
        ("a: {<<: [{x: 1}, 2]}", 1, "<< merges mappings", "<<: *base"),
        ("a: 9223372036854775808", 1, "64 bits", "quotes"),
        ("a: " + "9" * 5000, 1, "more than 1000 digits", "quotes"),
        ('a: "\\0"', 1, "NUL", "quotes"),
        ('"\\0": 1', 1, "NUL", "quotes"),
        ('a: "\\ud800"', 1, "surrogate", "quotes"),
    ],
)
def test_what_is_refused(text: str, line: int, why: str, hint: str) -> None:
    error = _refusal(text)
    assert why in error.message
    assert error.where == f"fox.yaml:{line}"
    assert error.hint is not None and hint in error.hint


@pytest.mark.parametrize(
    "text",
    [
        "[" * 500,
        "a: " + "[" * 500 + "]" * 500,
        "{a: " * 500,
        "- " * 500,
        "".join(" " * i + "a:\n" for i in range(500)),
        "a0: &a0 [1]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}]\n" for i in range(100)),
        # Merged into the top before the list is read, so the whole chain is followed at once.
        "l:\n- &a0 {x: 1}\n" + "".join(f"- &a{i + 1} {{<<: *a{i}}}\n" for i in range(100)) + "<<: *a100",
    ],
)
def test_deep_nesting_is_refused_also_through_aliases(text: str) -> None:
    assert _refusal(text).message == f"The nesting is deeper than {DEEPEST} levels."


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"k{i}: 1\n" for i in range(MOST_VALUES + 1)),
        "a: [" + "1," * (2 * MOST_VALUES + 1) + "]",
        "a: &a [1,1,1,1,1,1,1,1,1]\n"
        + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(20)),
        # What is broken after the last value that counts is not reached.
        "a: [" + "1,\n" * (2 * MOST_VALUES + 1) + "]\n@",
        "a: &a {" + ",".join(f"k{i}: 1" for i in range(100)) + "}\nb: {<<: [" + "*a, " * 200 + "*a]}",
        "a: &a {" + ",".join(f"k{i}: 1" for i in range(500)) + "}\nl:\n" + "- {<<: *a}\n" * 500,
    ],
)
def test_more_values_than_any_spec_has_are_refused_also_when_aliases_make_them(text: str) -> None:
    assert _refusal(text).message == f"The file has more than {MOST_VALUES} values."


def test_many_merges_of_one_mapping_do_not_multiply() -> None:
    text = "a0: &a0 {k: 1}\n" + "".join(f"a{i + 1}: &a{i + 1} {{<<: [*a{i}, *a{i}]}}\n" for i in range(25))
    assert _values(text)["a25"] == {"k": 1}
