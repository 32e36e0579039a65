"""TOML: the line of every key, and every text that is refused."""

from __future__ import annotations

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.spec.toml_text import parse_toml
from launcher.spec.tree import DEEPEST, MOST_VALUES, KeyPath


def _lines(text: str) -> dict[KeyPath, int]:
    return dict(parse_toml(text, "fox.toml").lines)


def _refusal(text: str) -> KlError:
    with pytest.raises(KlError) as caught:
        parse_toml(text, "fox.toml")
    assert caught.value.code is ExitCode.SPEC_REFUSED
    assert caught.value.where is not None and caught.value.where.startswith("fox.toml:")
    return caught.value


def test_lines_of_plain_keys_tables_and_dotted_keys() -> None:
    text = '# c\na = 1\n\n[t] # [x]\n"b.c" = 2\nd . e = 3\nd.f = 4\n[t.u]\ng = 5\n'
    assert _lines(text) == {
        ("a",): 2,
        ("t",): 4,
        ("t", "b.c"): 5,
        ("t", "d"): 6,
        ("t", "d", "e"): 6,
        ("t", "d", "f"): 7,
        ("t", "u"): 8,
        ("t", "u", "g"): 9,
    }


def test_lines_of_lists_of_tables_and_what_they_hold() -> None:
    text = """
[[datasets]]
resolution = 512
  [[datasets.subsets]]
  image_dir = "a"
  [[datasets.subsets]]
  image_dir = "b"
  [datasets.subsets.more]
  x = 1
[[datasets]]
  [[datasets.subsets]]
  image_dir = "c"
"""
    lines = _lines(text)
    assert lines["datasets", 0, "resolution"] == 3
    assert lines["datasets", 0, "subsets", 0, "image_dir"] == 5
    assert lines["datasets", 0, "subsets", 1, "image_dir"] == 7
    assert lines["datasets", 0, "subsets", 1, "more", "x"] == 9
    assert lines["datasets", 1] == 10
    assert lines["datasets", 1, "subsets", 0, "image_dir"] == 12


def test_lines_inside_values() -> None:
    text = """a = [ # ]
  1, # [t]
  { x = 1, y.z = [
    2 ] },
  '''
[fake]
k = 1
''', 3,
]
b = \"\"\"
b = 2
\\\"\"\"
c = 3\"\"\"\"\"
c = "a # \\" = b" # "
d = 'c:\\' # '
e = 1979-05-27
"""
    with pytest.raises(KlError, match="e is a date"):
        parse_toml(text, "fox.toml")
    lines = _lines(text.replace("1979-05-27", "1"))
    assert lines["a", 0] == 2
    assert lines["a", 1] == 3
    assert lines["a", 1, "y", "z"] == 3
    assert lines["a", 1, "y", "z", 0] == 4
    assert lines["a", 2] == 5
    assert lines["a", 3] == 8
    assert [lines[(key,)] for key in "bcde"] == [10, 14, 15, 16]
    assert ("fake",) not in lines


def test_keys_with_escapes_and_empty_keys() -> None:
    assert _lines('"\\u0061\\t" = 1\n"" = 2\n\'"\' = 3\n') == {("a\t",): 1, ("",): 2, ('"',): 3}


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a = 1\nb = bf16\n", 2, 5),
        ("a = 1\n\nb 2\n", 3, 3),
        ("a = [1,\n2\nb = 3", 3, 1),
        ('a = "open\nb = 1', 1, 10),
        ("[t\na = 1", 1, 3),
        ("a = 1 b = 2", 1, 7),
        ("a = 1\rb = 2", 1, 6),
        ("\x07 = 1", 1, 1),
    ],
)
def test_broken_toml_says_line_and_column(text: str, line: int, column: int) -> None:
    error = _refusal(text)
    assert error.message.startswith("This is not TOML: ")
    assert error.message.endswith(f" (line {line}, column {column}).")
    assert error.where == f"fox.toml:{line}"
    assert error.hint


def test_a_text_that_ends_too_early_points_at_its_end() -> None:
    error = _refusal('a = 1\nb = """x\n')
    assert error.where == "fox.toml:3"
    assert "at the end of the file (line 3, column 1)" in error.message


@pytest.mark.parametrize(
    ("text", "key", "line", "first"),
    [
        ("a = 1\nb = 2\na = 3", "a", 3, 1),
        ("[t]\na = 1\na = [\n2]\n", "t.a", 3, 2),
        ("[t]\na = 1\n[u]\n[t]\n", "t", 4, 1),
        ("t = 1\n[t]\n", "t", 2, 1),
        ("t = 1\n[[t]]\n", "t", 2, 1),
        ("[[t]]\n[[t]]\na = 1\na = 2", "t[1].a", 4, 3),
        ("a = {x = 1, x = 2}", "a.x", 1, 1),
    ],
)
def test_what_stands_twice_is_named_with_both_lines(text: str, key: str, line: int, first: int) -> None:
    error = _refusal(text)
    assert error.message == f"{key} stands twice, first in line {first}."
    assert error.where == f"fox.toml:{line}"


def test_other_clashes_say_that_a_key_can_stand_only_once() -> None:
    assert _refusal("a.b = 1\n[a]\nc = 1").hint == "A key or a table can stand only once."


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("\n[t]\na = 2024-01-01", "t.a is a date"),
        ("\n[t]\na = 2024-01-01 10:00:00", "t.a is a date"),
        ("\n[t]\na = 10:00:00", "t.a is a time"),
        ("\n\na = [1, 10:00:00]", "a[1] is a time"),
    ],
)
def test_dates_and_times_are_refused_with_the_way_to_write_them(text: str, what: str) -> None:
    error = _refusal(text)
    assert error.message.startswith(what)
    assert error.where == "fox.toml:3"
    assert error.hint is not None and error.hint.startswith('Put it in quotes: "')


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\na = 9223372036854775808", "64 bits"),
        ("\na = -9223372036854775809", "64 bits"),
        ("\na = 0x" + "f" * 5000, "64 bits"),
        ("\na = " + "9" * 5000, "more than 1000 digits"),
        ('\na = "x\\u0000"', "NUL"),
        ('\n"x\\u0000" = 1', "NUL"),
    ],
)
def test_values_that_could_never_reach_the_trainer_are_refused(text: str, why: str) -> None:
    error = _refusal(text)
    assert why in error.message
    assert error.where == "fox.toml:2"


def test_the_largest_integer_and_infinite_floats_pass() -> None:
    values = parse_toml("a = 9223372036854775807\nb = inf\nc = -inf\nd = 1e400", "fox.toml").values
    assert values == {"a": 2**63 - 1, "b": float("inf"), "c": float("-inf"), "d": float("inf")}


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 500,
        "a = " + "[" * 500 + "]" * 500,
        "a = " + "{a = " * 500,
        "a." * 500 + "a = 1",
        "[" + "a." * 500 + "a]",
        "[[" + "a." * 500 + "a]]",
        "".join(f"[{'.'.join('a' * n)}]\n" for n in range(1, 60)),
        "a = " + "[" * 20_000,
        "a." * 100_000 + "a = 1",
    ],
)
def test_deep_nesting_is_refused(text: str) -> None:
    assert _refusal(text).message == f"The nesting is deeper than {DEEPEST} levels."


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"k{i} = 1\n" for i in range(MOST_VALUES + 1)),
        "a = [" + "1," * (MOST_VALUES + 1) + "]",
        "[[a]]\n" * (MOST_VALUES + 1),
    ],
)
def test_more_values_than_any_spec_has_are_refused(text: str) -> None:
    error = _refusal(text)
    assert error.message == f"The file has more than {MOST_VALUES} values."
    assert error.hint is not None and "dataset_config" in error.hint


def test_a_few_thousand_values_are_read() -> None:
    assert len(parse_toml("".join(f"k{i} = {i}\n" for i in range(5000)), "fox.toml").values) == 5000
