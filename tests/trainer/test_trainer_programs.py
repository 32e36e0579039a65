"""Random programs that build a parser: read statically, they give what running them gives."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from trainer_checkouts import as_fields, held, lay_out, read

NUMBERS, TEXTS, LISTS = ("n1", "n2", "LEVEL"), ("t1", "t2", "NAME"), ("l1", "l2", "WORDS")
HEAD = """\
import argparse
LEVEL = 2
NAME = "base"
WORDS = ["a", "b"] + [NAME]
TABLE = {"x": 1, "y": [2, 3]}

def switch(value="d", *, on=True):
    if not on:
        return value
    return value + "!"
"""


@st.composite
def numbers(draw: st.DrawFn, depth: int = 2) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from([*NUMBERS, "0", "1", "-2", "3.5", "1e-4", "True", 'TABLE["x"]']))
    left, right = draw(numbers(depth - 1)), draw(numbers(depth - 1))
    return draw(
        st.sampled_from(
            [
                f"({left} + {right})",
                f"({left} - {right})",
                f"({left} * {right})",
                f"-({left})",
                f"({left} if {right} else {right})",
                f"max({left}, {right})",
                f"len({draw(texts(0))})",
                f"len({draw(lists(0))})",
                f"int({left})",
                f"({left} or {right})",
                f"({left} and {right})",
            ]
        )
    )


@st.composite
def texts(draw: st.DrawFn, depth: int = 2) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from([*TEXTS, '""', '"word"', '"two " "parts"', "'日本 / %'", "switch()"]))
    left, right, number = draw(texts(depth - 1)), draw(texts(depth - 1)), draw(numbers(depth - 1))
    name, level = draw(st.sampled_from(TEXTS)), draw(st.sampled_from(NUMBERS))
    return draw(
        st.sampled_from(
            [
                f"({left} + {right})",
                f'f"{{{name}}} of {{{level}}}"',
                f'f"{{{name}!r:>8}}"',
                f'"{{}}-{{}}".format({left}, {number})',
                f'("%s;%s" % ({left}, {number}))',
                f"{left}.upper()",
                f"({left})[1:]",
                f'"/".join({draw(lists(depth - 1))})',
                f"str({number})",
                f"switch({left}, on={number})",
                f"({left} if {number} else {right})",
            ]
        )
    )


@st.composite
def lists(draw: st.DrawFn, depth: int = 2) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from([*LISTS, "[]", '["p", "q"]', "list(TABLE)", "sorted(TABLE.keys())"]))
    left, text = draw(lists(depth - 1)), draw(texts(depth - 1))
    return draw(
        st.sampled_from(
            [
                f"({left} + [{text}])",
                f"[each + {text} for each in {left}]",
                f'[each for each in {left} if each != "a"]',
                f"[*{left}, {text}]",
                f"list(reversed({left}))",
                f"[str(place) + each for place, each in enumerate({left})]",
                f"({left})[:2]",
            ]
        )
    )


@st.composite
def conditions(draw: st.DrawFn) -> str:
    number, other, text = draw(numbers(1)), draw(numbers(1)), draw(texts(1))
    return draw(
        st.sampled_from(
            [
                number,
                f"{number} > {other}",
                f"not {text}",
                f"{text} in {draw(lists(1))}",
                "n1 is None",
                f"0 < {number} <= {other}",
                f"{text} == NAME",
                f"{number} == {other} or {text}",
            ]
        )
    )


class Names:
    """Flags that are each used once."""

    def __init__(self) -> None:
        self.used = 0

    def fresh(self) -> str:
        self.used += 1
        return f"opt{self.used}"


@st.composite
def options(draw: st.DrawFn, names: Names, owner: str, prefix: str = "") -> str:
    name = names.fresh()
    keywords = {"help": draw(st.one_of(st.none(), texts()))}
    kind = draw(st.sampled_from(["value", "value", "value", "true", "false", "append", "optional"]))
    if kind == "true":
        keywords["action"] = '"store_true"'
    elif kind == "false":
        keywords["action"] = '"store_false"'
    elif kind == "optional":
        keywords["action"] = "argparse.BooleanOptionalAction"
    else:
        keywords["type"] = draw(st.sampled_from([None, "int", "str", "float", "lambda text: text", "switch"]))
        keywords["nargs"] = draw(st.sampled_from([None, '"*"', '"+"', "2", "None"]))
        keywords["choices"] = draw(st.one_of(st.none(), lists()))
        if kind == "append":
            keywords["action"] = '"append"'
    keywords["default"] = draw(st.one_of(st.none(), numbers(), texts(), lists()))
    keywords["required"] = draw(st.one_of(st.none(), st.just("bool(LEVEL)")))
    written = ", ".join(f"{key}={value}" for key, value in keywords.items() if value is not None)
    flags = f'"--{name}"' if not prefix else f'f"--{{{prefix}}}_{name}"'
    short = f', "-{name}"' if draw(st.booleans()) else ""
    return f"{owner}.add_argument({flags}{short}{', ' + written if written else ''})"


@st.composite
def statements(draw: st.DrawFn, names: Names, depth: int = 2, loop: str = "") -> list[str]:
    """A block of statements that add options to `parser`."""
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["option", "option", "assign", "grow", "group", "defaults", "block"]))
        if kind == "assign":
            strategy, pool = draw(st.sampled_from([(numbers(), NUMBERS), (texts(), TEXTS), (lists(), LISTS)]))
            lines.append(f"{draw(st.sampled_from(pool[:2]))} = {draw(strategy)}")
        elif kind == "grow":
            lines.append(f"l1 = list(l1)\nl1.append({draw(texts(1))})\nl2 += ['more']\nn1 += 1")
        elif kind == "group":
            lines.append(f"group = parser.add_argument_group({draw(texts(0))})")
            lines.append(draw(options(names, "group", loop)))
        elif kind == "defaults" and names.used:
            lines.append(f"parser.set_defaults(opt{draw(st.integers(1, names.used))}={draw(numbers(1))})")
        elif kind == "block" and depth:
            lines += draw(blocks(names, depth - 1, loop))
        else:
            lines.append(draw(options(names, "parser", loop)))
    return [part for line in lines for part in line.split("\n")]


@st.composite
def blocks(draw: st.DrawFn, names: Names, depth: int, loop: str) -> list[str]:
    kind = draw(st.sampled_from(["if", "for", "def", "try"] if not loop else ["if"]))
    if kind == "try":  # what a `try` does with anything that might fail is not known, so nothing in it does
        name = f"opt{names.used}" if draw(st.booleans()) else names.fresh()
        return [
            "try:",
            f"    parser.add_argument('--{name}')",
            "except argparse.ArgumentError:",
            "    parser.add_argument('--instead-of-" + names.fresh() + "')",
        ]
    body = draw(statements(names, depth, f"each{depth}" if kind == "for" else loop))
    if kind == "for":
        stop = draw(st.sampled_from([[], [f"if {draw(conditions())}: break"], [f"if each{depth} == 1: continue"]]))
        return [f"for each{depth} in range({draw(st.integers(0, 3))}):", *indented(stop + body)]
    if kind == "if":
        other = draw(statements(names, 0, loop))
        return [f"if {draw(conditions())}:", *indented(body), "else:", *indented(other)]
    name = f"add_{names.fresh()}"
    leave = draw(st.sampled_from([[], ["if not wanted:", "    return None"]]))
    values = ", ".join(f"{each}={each}" for each in (*NUMBERS[:2], *TEXTS[:2], *LISTS[:2]))
    return [
        f"def {name}(parser, wanted={draw(st.booleans())}, {values}):",
        *indented(leave + body),
        f"{name}(parser{draw(st.sampled_from(['', ', True', ', wanted=False', ', n1=7']))})",
    ]


def indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


@st.composite
def programs(draw: st.DrawFn) -> str:
    body = draw(statements(Names()))
    start = ["parser = argparse.ArgumentParser()", "n1, n2, t1, t2 = 1, -1, 'one', 'two'", "l1, l2 = ['k'], []"]
    return HEAD + "\ndef setup_parser():\n" + "\n".join(indented([*start, *body, "return parser"])) + "\n"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(programs())
def test_a_program_is_read_as_it_runs(program: str) -> None:
    names: dict[str, Any] = {}
    try:
        exec(compile(program, "train_thing.py", "exec"), names)  # noqa: S102 - the program was made here
        parser = names["setup_parser"]()
    except (argparse.ArgumentError, TypeError, ValueError, IndexError, MemoryError, OverflowError):
        assume(False)
        return
    with tempfile.TemporaryDirectory() as folder:
        found = read(lay_out(Path(folder, "checkout"), program))
    assert found.unread == ()
    assert [option.name for option in found.options if option.unread] == []
    # As text, because 1, 1.0 and True are equal and not the same.
    assert [json.dumps(as_fields(option)) for option in found.options] == [json.dumps(each) for each in held(parser)]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(), st.data())
def test_a_damaged_program_gives_notes_and_no_traceback(program: str, data: st.DataObject) -> None:
    lines = program.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(lines) - 1))
        words = ["LEVEL", "parser", "torch.x", "None", "yield", "(", "lambda: parser", "self", "*parser", "await x"]
        old = data.draw(st.sampled_from(["1", "parser", "NAME", "--", "True", ")", "=", "l1"]))
        lines[place] = lines[place].replace(old, data.draw(st.sampled_from(words)), 1)
    with tempfile.TemporaryDirectory() as folder:
        found = read(lay_out(Path(folder, "checkout"), "\n".join(lines) + "\n# ArgumentParser"))
    assert all(note.what for note in found.unread)
    assert not any("cannot be followed to its end" in note.what for note in found.unread)
