"""Any command line as a shell script, imported, written as a spec and planned again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from option_values import value_for
from plan_bed import parser_of, plan_of

from launcher.base.settings import Value
from launcher.plan.checks.keys import SETS_ITSELF
from launcher.plan.import_arguments import Around
from launcher.plan.import_spec import Written, write_imported
from launcher.plan.paths import is_path
from launcher.plan.secrets import SECRETS
from launcher.plan.values import is_key_value, words_of
from launcher.spec.import_script import Reading, import_script
from launcher.trainer.options import Option, ScriptOptions

# Set by kl, kept out of specs, or a file that has to be there.
_LEFT_OUT = {*SETS_ITSELF, *SECRETS, "dataset_config", "sample_prompts"}
_COMMENT = st.text("abc #'\"`$(){}|&;<>\\=-", max_size=12).map(str.strip)
_PATH = st.from_regex(r"/[a-z ~'\"#]{1,8}", fullmatch=True)


def imported(text: str, options: ScriptOptions, *, without_defaults: bool = False, home: str = "/home/me") -> Written:
    """The spec of a script `train.sh` that bash runs."""
    found = import_script(text, Reading("train.sh", splits=True, home=home))
    around = Around("train.sh", options, Path("/here"), home, without_defaults=without_defaults)
    return write_imported(found, around, script="train_network.py", checkout=None)


@st.composite
def command_lines(draw: st.DrawFn, options: ScriptOptions) -> list[str]:
    """Words that the script's parser takes: any of its options, with any value."""
    usable = [entry for entry in options.options if entry.name not in _LEFT_OUT]
    chosen = draw(st.lists(st.sampled_from(usable), max_size=10, unique_by=lambda entry: entry.name))
    return [word for entry in chosen for word in _words(draw, entry)]


def _words(draw: st.DrawFn, entry: Option) -> Sequence[str]:
    value: Value = draw(st.composite(value_for)(entry))
    if is_path(entry) and not entry.is_flag:
        paths: list[Value] = [*draw(st.lists(_PATH, min_size=1, max_size=3))]
        value = paths[0] if entry.nargs in (None, "?") else paths
    if is_key_value(entry) and isinstance(value, dict):
        items = {key: item for key, item in value.items() if isinstance(item, (str, int, float))}
        return (f"--{entry.name}", *(f"{key}={item}" for key, item in items.items())) if items else ()
    words = words_of(entry, value)
    assert isinstance(words, tuple), words
    flag, equals, text = words[0].partition("=") if words else ("", "", "")
    if equals and text[:1] not in ("-", "") and draw(st.booleans()):
        return (flag, text)
    return words


@st.composite
def scripts(draw: st.DrawFn, argv: Sequence[str]) -> str:
    """A script that runs train_network.py with just these words: in whatever quotes, in one line, several, an array."""
    written = [draw(st.sampled_from([shlex.quote, _double, _escaped]))(word) for word in argv]
    shape = draw(st.sampled_from(["line", "lines", "array", "variable"]))
    if shape == "line":
        return f"python train_network.py {' '.join(written)}\n"
    if shape == "lines":
        return " \\\n  ".join(["accelerate launch --num_processes=1 train_network.py", *written]) + "\n"
    if shape == "variable":
        names = [f'V{number}={word}' for number, word in enumerate(written)]
        used = " ".join(f'"$V{number}"' for number in range(len(written)))
        return "\n".join([*names, f"python3 ./train_network.py {used}"]) + "\n"
    lines = [f"  {word}  # {draw(_COMMENT)}" if draw(st.booleans()) else f"  {word}" for word in written]
    lines = [line for each in lines for line in ([f"  # {draw(_COMMENT)}"] * draw(st.integers(0, 1)) + [each])]
    body = "\n".join(lines)
    return f'#!/bin/bash\nargs=(\n{body}\n)\nargs+=( "$@" )\npython train_network.py "${{args[@]}}" 2>&1 | tee log\n'


def _double(word: str) -> str:
    return '"' + "".join(f"\\{char}" if char in '\\$`"' else char for char in word) + '"'


def _escaped(word: str) -> str:
    return "".join(f"'{char}'" if char == "\n" else f"\\{char}" for char in word) or "''"


def both(folder: Path, argv: Sequence[str], written: Written, options: ScriptOptions) -> tuple[dict[str, Any], ...]:
    """What the trainer's parser makes of the words, and of those that the spec plans."""
    plan = plan_of(folder, written.text, options=options, name="fox")
    planned = [word for each in plan.arguments if each.name not in _LEFT_OUT for word in each.words]
    parser = parser_of(options.options)
    for action in parser._actions:
        action.required = False
    first, second = vars(parser.parse_args(list(argv))), vars(parser.parse_args(planned))
    for entry in options.options:
        if is_key_value(entry):
            for each in (first, second):
                each[entry.name] = dict(item.split("=", 1) for item in each[entry.name] or ())
    return first, second
