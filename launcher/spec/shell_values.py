"""What the words of a shell script stand for, as far as the script itself says it; nothing is run or looked up."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace

from launcher.base.errors import KlError
from launcher.spec.shell_commands import Assignment, Command, read_commands
from launcher.spec.shell_texts import changed, worked_out
from launcher.spec.shell_tokens import Expansion, Text, Word
from launcher.spec.shell_words import parts_of, read_words
from launcher.spec.tree import refused

_DEEPEST = 16
_LONGEST = 65_536  # letters of one word: what is longer was made by variables that hold each other
_MOST = 4_096  # words of one array
_MOST_LETTERS = 16 * 1024 * 1024  # of all words together
_NAME = r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*]"
_VARIABLE = re.compile(rf"(?:\(@\))?(?P<name>{_NAME})(?:\[(?P<index>[^\]]*)\])?(?P<rest>.*)", re.DOTALL)
_OPERATOR = re.compile(r"(?P<sign>:?[-=+?])(?P<word>.*)", re.DOTALL)

@dataclass(frozen=True)
class Field:
    """One word as a program is given it. `why` says why it is not known whole; then `text` holds what was written."""

    text: str
    line: int
    why: str | None = None


Known = Field | tuple[Field, ...]


@dataclass
class Scope:
    """What is known where a command stands. `splits`: as in bash, blanks in an unquoted variable part words."""

    label: str
    splits: bool
    script: str | None = None  # the whole path of the script's file
    folder: str | None = None  # the one that the script changed to
    home: str | None = None
    variables: dict[str, Known] = field(default_factory=dict)
    positional: tuple[Field, ...] | None = None  # None: those that the script itself is given
    _letters: int = 0

    def count(self, fields: list[Field], line: int) -> None:
        """Raise KlError (spec refused) when variables that hold each other make more text than any script has."""
        self._letters += sum(len(each.text) + 1 for each in fields)
        if self._letters > _MOST_LETTERS:
            raise refused("The variables of the script grow beyond any use.", self.label, line)

    def fields(self, word: Word) -> tuple[Field, ...]:
        """The words that a word stands for: several for an array, none for an empty variable."""
        return tuple(_fields(word, self, 0))

    def text(self, word: Word) -> Field:
        """A word's value where it stays one, as in an assignment."""
        return _joined(_fields(Word(tuple(_as_quoted(part) for part in _with_home(word, self)), word.line), self, 0))

    def assign(self, found: Assignment, decided_by: str | None = None) -> None:
        """Set a variable. What `decided_by` may keep from running leaves it not known."""
        before = self.variables.get(found.name)
        why = f"{decided_by} decides about it" if decided_by else None
        if isinstance(found.value, tuple):
            items = tuple(each for word in found.value for each in self.fields(word))
            if why and not found.appends:
                why = f"{decided_by} decides what {found.name} holds"
            items = tuple(replace(item, why=item.why or why) for item in items)
            kept = (before if isinstance(before, tuple) else (before,) if before else ()) if found.appends else ()
            self.variables[found.name] = (*kept, *items)[:_MOST]
            return
        value = self.text(found.value)
        if why:
            value = replace(value, why=f"{decided_by} decides what {found.name} holds")
        elif found.appends and isinstance(before, tuple):
            self.variables[found.name] = (*before, value)[:_MOST]
            return
        elif found.appends and isinstance(before, Field):
            value = Field(before.text + value.text, value.line, before.why or value.why)
        self.variables[found.name] = value if len(value.text) <= _LONGEST else Field("", value.line, "it is too long")


def _as_quoted(part: Text | Expansion) -> Text | Expansion:
    return replace(part, quoted=True)


def _with_home(word: Word, scope: Scope) -> tuple[Text | Expansion, ...]:
    """The parts, with a ~ at the beginning as the home folder."""
    first = word.parts[0] if word.parts else None
    if isinstance(first, Text) and not first.quoted and re.match(r"~(?=/|$)", first.text) and scope.home:
        return (Text(scope.home + first.text[1:], True), *word.parts[1:])
    return word.parts


def _joined(fields: list[Field]) -> Field:
    why = next((each.why for each in fields if each.why), None)
    return Field(" ".join(each.text for each in fields), fields[0].line if fields else 0, why)


@dataclass
class _Words:
    """The words that one word of the script becomes, the last of them being written."""

    line: int
    done: list[Field] = field(default_factory=list)
    text: str = ""
    why: str | None = None
    begun: bool = False

    def put(self, text: str, *, why: str | None = None) -> None:
        self.text = (self.text + text)[:_LONGEST]
        self.why, self.begun = self.why or why, True

    def end(self) -> None:
        if self.begun:
            self.done.append(Field(self.text, self.line, self.why))
        self.text, self.why, self.begun = "", None, False


def _fields(word: Word, scope: Scope, depth: int) -> list[Field]:
    words = _Words(word.line)
    for part in _with_home(word, scope):
        if isinstance(part, Text):
            words.put(part.text)
            continue
        value = _value(part, scope, depth)
        if isinstance(value, tuple):
            _splat(words, value)
        elif value.why:
            words.put(value.text or part.source, why=value.why)
        elif part.quoted or not scope.splits:
            if part.quoted or value.text:
                words.put(value.text)
        else:
            _split(words, value.text)
    words.end()
    scope.count(words.done, word.line)
    return words.done[:_MOST]


def _splat(words: _Words, fields: tuple[Field, ...]) -> None:
    """Array elements keep the lines in which they were written."""
    for index, each in enumerate(fields):
        if index:
            words.end()
        words.put(each.text, why=each.why)
        if each.line:
            words.line = each.line


def _split(words: _Words, text: str) -> None:
    pieces = text.split()
    if text[:1].isspace():
        words.end()
    for index, piece in enumerate(pieces):
        if index:
            words.end()
        words.put(piece)
    if text[-1:].isspace():
        words.end()


def _value(part: Expansion, scope: Scope, depth: int) -> Known:
    if depth > _DEEPEST:
        return Field("", 0, "it is nested too deep")
    if part.kind == "command":
        return _of_command(part.inside, scope, depth)
    if part.kind == "arithmetic":
        number = worked_out(part.inside, {name: each.text for name, each in _scalars(scope)})
        return Field(str(number), 0) if number is not None else Field("", 0, "it is worked out by the shell")
    if part.kind == "variable":
        return _of_variable(part, scope, depth)
    return Field("", 0, "it stands for a value of yours" if part.kind == "placeholder" else "the shell looks for files")


def _scalars(scope: Scope) -> list[tuple[str, Field]]:
    return [(name, each) for name, each in scope.variables.items() if isinstance(each, Field) and not each.why]


def _of_variable(part: Expansion, scope: Scope, depth: int) -> Known:
    if part.inside in ("(%):-%x", "(%):-%N") and scope.script:
        return Field(scope.script, 0)
    match = _VARIABLE.fullmatch(part.inside)
    if match is None:
        return Field("", 0, f"{part.source} is not followed")
    value = _looked_up(match["name"], match["index"], part, scope)
    rest = match["rest"]
    chosen = _OPERATOR.fullmatch(rest)
    if chosen:
        return _with_default(chosen["sign"], chosen["word"], value, match["name"], part, scope, depth)
    if value is None:
        return _not_set(match["name"])
    if not rest or isinstance(value, tuple) or value.why:
        return value
    text = changed(value.text, rest)
    return replace(value, text=text) if text is not None else Field("", 0, f"{part.source} is not followed")


def _not_set(name: str) -> Field:
    if name.isdecimal():
        return Field("", 0, f"${name} is what the script is given")
    return Field("", 0, f"{name} is not set in it")


def _looked_up(name: str, index: str | None, part: Expansion, scope: Scope) -> Known | None:
    """The value of a variable; None when nobody set it."""
    if name in ("@", "*"):
        return scope.positional or ()
    if name == "0" or (name == "BASH_SOURCE" and index in (None, "0")):
        return Field(scope.script, 0) if scope.script else None
    if name.isdecimal():
        given = scope.positional
        if given is None:
            return None
        return given[int(name) - 1] if int(name) <= len(given) else Field("", 0)
    if name == "PWD":
        return Field(scope.folder, 0) if scope.folder else Field("", 0, "it is not known where the script is started")
    value = scope.variables.get(name)
    return _of_array(value, index, part, scope) if isinstance(value, tuple) else value


def _of_array(value: tuple[Field, ...], index: str | None, part: Expansion, scope: Scope) -> Known:
    if index in ("@", "*"):
        return value
    if index is not None:
        return Field("", 0, f"{part.source} is not followed")
    if scope.splits:  # bash: the first element
        return value[0] if value else Field("", 0)
    return (_joined(list(value)),) if part.quoted and not part.inside.startswith("(@)") else value


def _with_default(
    sign: str, word: str, value: Known | None, name: str, part: Expansion, scope: Scope, depth: int
) -> Known:
    if isinstance(value, Field) and value.why:
        return value
    is_set = value is not None and not (sign.startswith(":") and (value == () or getattr(value, "text", "-") == ""))
    if sign.endswith("?"):
        return value if is_set and value is not None else _not_set(name)
    if sign.endswith("+") is not is_set:
        return value if is_set and value is not None else Field("", 0)
    parts = parts_of(word, scope.label, quoted=part.quoted)
    fields = _fields(Word(parts, 0), scope, depth + 1)
    if sign.endswith("+") and len(fields) > 1:
        return tuple(fields)
    given = _joined(fields)
    if sign.endswith("=") and not given.why:
        scope.variables[name] = given
    return given


_NOT_KNOWN = Field("", 0, "it is the output of a command")


def _of_command(inside: str, scope: Scope, depth: int) -> Field:
    """The output of the few commands that only take paths apart."""
    try:
        commands = read_commands(read_words(inside, scope.label)).main
    except KlError:
        return _NOT_KNOWN
    if any(command.assignments or command.decided_by for command in commands) or not commands:
        return _NOT_KNOWN
    folder = scope.folder
    *before, last = [_fields_of(command, scope, depth) for command in commands]
    for each in before:
        if len(each) != 2 or each[0].text != "cd" or each[1].why or not each[1].text.startswith("/"):
            return _NOT_KNOWN
        folder = os.path.normpath(each[1].text)
    texts = [each.text for each in last if each.text not in ("--", "-f", "-P", "-L", "-e")]
    if any(each.why for each in last):
        return _NOT_KNOWN
    output = _output(texts, folder)
    return _NOT_KNOWN if output is None else Field(output, 0)


def _output(texts: list[str], folder: str | None) -> str | None:
    if texts == ["pwd"]:
        return folder
    program, argument = texts if len(texts) == 2 else ("", "")
    if program in ("realpath", "readlink") and argument.startswith("/"):
        return os.path.normpath(argument)
    path = argument.rstrip("/")
    simple = {"dirname": os.path.dirname(path) or ".", "basename": os.path.basename(path), "echo": argument}  # noqa: PTH119, PTH120
    return simple.get(program)


def _fields_of(command: Command, scope: Scope, depth: int) -> list[Field]:
    return [each for word in command.words for each in _fields(word, scope, depth + 1)]
