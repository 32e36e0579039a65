"""What a shell is told when Tab is pressed. The functions of `kl completion` ask: `kl _complete SHELL WORD…`.

The answer is lines: first words for the shell ("nospace", "files", "folders", or none), then values, each with a tab
and a few words about it where there are any. Whatever goes wrong, the answer is empty: nothing may disturb a prompt.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from launcher.cli.complete_table import Command, Parameter, read_table

ASKED = "_complete"
BASH = "bash"
_LONGEST = 90  # letters of what is said about a value
_MOST = 2000  # values of one answer


@dataclass(frozen=True)
class Value:
    """One way to go on, and a few words about it."""

    text: str
    said: str = ""


@dataclass(frozen=True)
class Answer:
    """Values, whether another word follows them at once, and whether files or folders will do as well."""

    values: tuple[Value, ...] = ()
    nospace: bool = False
    files: str = ""


@dataclass(frozen=True)
class Line:
    """A command line up to the cursor, taken apart. `given` are the values of options by their names, `words` those of
    arguments. `current` is the word that the cursor stands at."""

    command: str
    given: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    current: str

    def last(self, name: str) -> str | None:
        """What an option was given last."""
        return next((value for key, value in reversed(self.given) if key == name), None)


def main(asked: Sequence[str]) -> int:
    """Print the answer for a shell's name and the words after `kl`; the last is the one that the cursor stands at.

    Always returns 0.
    """
    try:
        text = "".join(f"{line}\n" for line in answer_lines(asked[1:], asked[0]))
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.flush()
    except BaseException:  # nothing may disturb a prompt, and a broken pipe must not be told of at the end either
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def answer_lines(words: Sequence[str], shell: str) -> list[str]:
    """The answer in the shell's own form."""
    cut = ""
    if shell == BASH:
        words, cut = as_bash_means(words)
    found = answer(words or [""])
    directive = " ".join(word for word in ("nospace" if found.nospace else "", found.files) if word)
    return [directive, *(_line(value, cut) for value in _shown(found.values))]


def as_bash_means(words: Sequence[str]) -> tuple[list[str], str]:
    """bash parts words at "=" and ":", and leaves quotes in them: whole words, and what it thinks stands before the
    last one."""
    import shlex

    joined: list[str] = []
    cut = ""
    for index, word in enumerate(words):
        part = index > 0 and (word in ("=", ":") or words[index - 1] in ("=", ":"))
        if part and joined and (word not in ("=", ":") or joined[-1] not in ("=", ":")):
            cut = joined[-1] + (word if word in ("=", ":") else "")
            joined[-1] += word
        else:
            cut = ""
            joined.append(word)
    plain = []
    for word in joined:
        try:
            plain.append("".join(shlex.split(word, posix=True)) if word else "")
        except ValueError:  # a quote that is still open
            plain.append(word.lstrip("\"'"))
    return plain, cut


def answer(words: Sequence[str]) -> Answer:
    """How the last of these words can go on."""
    table = read_table()
    *before, current = words
    named = next((index for index, word in enumerate(before) if not word.startswith("-")), None)
    if named is None:
        return _begun(Answer(tuple(Value(name, each.said) for name, each in table.commands.items())), current)
    command = table.commands.get(before[named])
    if command is None:
        return Answer()
    return _of_command(command, before[named], list(before[named + 1 :]), current)


def _of_command(command: Command, name: str, before: list[str], current: str) -> Answer:
    given: list[tuple[str, str]] = []
    words: list[str] = []
    waiting: Parameter | None = None
    rest = iter(before)
    for word in rest:
        if waiting:
            given.append((waiting.name, word))
            waiting = None
        elif word == "--":
            return _values("arguments", Line(name, tuple(given), (*words, *rest), current))
        elif word.startswith("-") and word != "-":
            flag, equals, attached = word.partition("=")
            option = command.option(flag)
            if option and equals:
                given.append((option.name, attached))
            elif option and option.takes_value:
                waiting = option
            elif option:
                given.append((option.name, ""))
        else:
            words.append(word)
    line = Line(name, tuple(given), tuple(words), current)
    if waiting:
        return _of_parameter(waiting, line)
    flag, equals, attached = current.partition("=")
    option = command.option(flag) if equals else None
    if option and option.takes_value:
        found = _of_parameter(option, replace(line, current=attached))
        return replace(found, values=tuple(Value(f"{flag}={each.text}", each.said) for each in found.values))
    if current.startswith("-"):
        return _begun(Answer(tuple(_flags(command, line))), current)
    argument = command.argument(len(words))
    return _of_parameter(argument, line) if argument else _begun(Answer(tuple(_flags(command, line))), current)


def _flags(command: Command, line: Line) -> Iterable[Value]:
    """The options that are not there yet, and those that may come again."""
    there = {name for name, _ in line.given}
    for option in command.options:
        if option.many or option.name not in there:
            yield from (Value(flag, option.said) for flag in option.flags if flag.startswith("--"))
    yield Value("--help", "Show how it is used.")


def _of_parameter(parameter: Parameter, line: Line) -> Answer:
    if parameter.choices:
        return _begun(Answer(tuple(Value(choice) for choice in parameter.choices)), line.current)
    return _values(parameter.kind, line)


def _values(kind: str, line: Line) -> Answer:
    if kind in ("files", "folders"):
        return Answer(files=kind)
    if not kind:
        return Answer()
    from launcher.cli.complete_values import values_of

    return _begun(values_of(kind, line), line.current)


def _begun(found: Answer, current: str) -> Answer:
    """Only what begins like the word at the cursor."""
    return replace(found, values=tuple(each for each in found.values if each.text.startswith(current)))


def _shown(values: Iterable[Value]) -> list[Value]:
    """Each once; nothing that a line cannot hold."""
    once = {each.text: each for each in values if each.text and each.text.isprintable()}
    return list(once.values())[:_MOST]


def _line(value: Value, cut: str) -> str:
    text = value.text.removeprefix(cut)
    said = " ".join(value.said.split())
    said = said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1].rstrip()}…"
    return f"{text}\t{said}" if said else text
