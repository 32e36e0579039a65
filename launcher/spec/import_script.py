"""A shell script to the training command in it: script, arguments with their comments, environment, variables.

The script is read, never run. What only a running shell would know stays as it was written, with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from launcher.base.words import listed, some_of
from launcher.spec.imported import Imported, Line, Note, header_of, with_comments
from launcher.spec.shell_commands import Assignment, Command, Commands, assignment_of, read_commands
from launcher.spec.shell_tokens import Word
from launcher.spec.shell_values import Field, Scope
from launcher.spec.shell_words import read_words
from launcher.spec.training_command import env_words, environment_of, known_end, of_accelerate, script_at
from launcher.spec.tree import refused

_DECLARING = ("export", "declare", "typeset", "local", "readonly", "integer", "float")
_CONDAS = ("conda", "mamba", "micromamba")
_ENVIRONMENT = "setup_conda_env"
_DEEPEST_CALL = 8
_MOST_COMMANDS = 20_000  # functions that call each other could go on for ever


@dataclass(frozen=True)
class Reading:
    """How a script is read. `splits` as in bash; `training_vars` gives what setup_training_vars NAME would set."""

    label: str
    splits: bool
    path: str | None = None
    home: str | None = None
    script: str | None = None
    line: int | None = None
    training_vars: Callable[[str], Mapping[str, str]] = field(default=lambda _: {})


def import_script(text: str, how: Reading) -> Imported:
    """Find the one training command of a script.

    Raises KlError (spec refused) for a quote that is not closed, for no training command, and for several.
    """
    script = read_words(text, how.label)
    commands = read_commands(script)
    follower = _Follower(how, commands, Scope(how.label, how.splits, how.path, home=how.home))
    if how.home:
        follower.scope.variables["HOME"] = Field(how.home, 0)
    follower.follow(commands.main, None, 0)
    follower.say_lines()
    found = _chosen(follower, how)
    words = with_comments(found.words, script.comments, follower.arrays)
    first = min((token.line for token in script.tokens if isinstance(token, Word)), default=1)
    held = {name: each.text for name, each in follower.scope.variables.items() if isinstance(each, Field)}
    comments = header_of(script.comments, first)
    return replace(found, words=words, comments=comments, notes=(*follower.notes, *found.notes), held=held)


def _chosen(follower: _Follower, how: Reading) -> Imported:
    found = [each for each in follower.found if how.line in (None, each.line)]
    if len(found) == 1:
        return found[0]
    lines = listed(str(each.line) for each in found or follower.found)
    if found or follower.found:
        said = f"Training commands stand in the lines {lines}." if found else f"None begins in line {how.line}."
        hint = "Say which one: --line LINE." if found else f"There are some in the lines {lines}."
        raise refused(said, how.label, hint=hint)
    words = follower.only_arguments()
    if words and how.script:
        return follower.training(how.script, words, (), words[0].line)
    if words:
        windows = any(each.text == "^" for each in words)
        hint = "Write \\ for the ^ that ends its lines, and / in its paths." if windows else "Name it: --script SCRIPT."
        raise refused("Nothing says which script the arguments are for.", how.label, hint=hint)
    hint = "It has to hold `accelerate launch … SCRIPT.py …` or `python SCRIPT.py …`, or arguments and --script SCRIPT."
    raise refused("There is no training command in it.", how.label, hint=hint)


@dataclass
class _Follower:
    """Goes through the commands in their order."""

    how: Reading
    commands: Commands
    scope: Scope
    found: list[Imported] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    arrays: list[Assignment] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    exported: dict[str, Field] = field(default_factory=dict)
    _bare: list[Field] = field(default_factory=list)  # arguments that stand without a command
    _count: int = 0
    _open: bool = False  # whether the last command was the training command, or arguments that follow it
    _one_line: bool = False  # whether the training command stands in one line
    _joined: list[int] = field(default_factory=list)  # lines of arguments without a command that were taken
    _cut: list[int] = field(default_factory=list)  # and that were not

    def follow(self, commands: Sequence[Command], decided_by: str | None, depth: int) -> None:
        for command in commands:
            self._count += 1
            if self._count > _MOST_COMMANDS:
                return
            why = command.decided_by or decided_by
            given = self._assign(command.assignments, why, kept=not command.words)
            fields = [each for word in command.words for each in self.scope.fields(word)]
            if not fields:
                continue
            head = fields[0].text
            if head in self.commands.functions and depth < _DEEPEST_CALL:
                before, self.scope.positional = self.scope.positional, tuple(fields[1:])
                self.follow(self.commands.functions[head], why, depth + 1)
                self.scope.positional = before
            elif not self._of_the_shell(command, fields, why):
                self._open = self._program(command, fields, given, why)

    def _assign(self, assignments: Iterable[Assignment], why: str | None, *, kept: bool) -> dict[str, Field]:
        """Set variables; those before a program are for it alone, and given back."""
        given: dict[str, Field] = {}
        for each in assignments:
            if isinstance(each.value, tuple):
                self.arrays.append(each)
            if kept or isinstance(each.value, tuple):
                self.scope.assign(each, why)
                self._exported_again(each.name)
            else:
                given[each.name] = self.scope.text(each.value)
        return given

    def _exported_again(self, name: str) -> None:
        value = self.scope.variables.get(name)
        if name in self.exported and isinstance(value, Field):
            self.exported[name] = value

    def _of_the_shell(self, command: Command, fields: list[Field], why: str | None) -> bool:
        """Take in what changes the shell itself; False for any other program."""
        head, rest = fields[0].text, [each for each in fields[1:] if not each.text.startswith("-")]
        if head in _DECLARING:
            for word in command.words[1:]:
                self._declare(assignment_of(word), word.plain, why, exports=head == "export")
        elif head == "unset":
            for each in rest:
                self.scope.variables.pop(each.text, None)
                self.exported.pop(each.text, None)
        elif head in ("cd", "pushd") and rest:
            self.scope.folder = self._whole(rest[0].text) if not (rest[0].why or why) else None
        elif head in ("source", "."):
            self._source(rest)
        elif rest and (head == _ENVIRONMENT or (head in _CONDAS and rest[0].text == "activate")):
            self._environment(rest[-1] if head in _CONDAS else rest[0])
        elif head == "set" and len(fields) > 1 and fields[1].text == "--":
            self.scope.positional = tuple(fields[2:])
        elif head == "setup_training_vars" and rest and not rest[0].why:
            for name, value in self.how.training_vars(rest[0].text).items():
                self.scope.variables.setdefault(name, Field(value, rest[0].line))
        else:
            return False
        return True

    def _declare(self, found: Assignment | None, name: str | None, why: str | None, *, exports: bool) -> None:
        if found:
            self.scope.assign(found, why)
        called = found.name if found else name
        value = self.scope.variables.get(called or "")
        if exports and called and isinstance(value, Field):
            self.exported[called] = value

    def _whole(self, path: str) -> str | None:
        if not path.startswith("/") and self.scope.folder is None:
            return None
        return os.path.normpath(f"{self.scope.folder or ''}/{path}" if not path.startswith("/") else path)

    def _source(self, rest: list[Field]) -> None:
        """`source …/bin/activate` names a venv; `source activate NAME` is how conda was used once."""
        if rest and rest[0].text == "activate" and len(rest) > 1:
            self._environment(rest[1])
        elif rest and rest[0].text.endswith("/bin/activate"):
            folder = self._whole(rest[0].text.removesuffix("/bin/activate"))
            if rest[0].why or folder is None:
                self._not_known("the environment", rest[0])
            else:
                self.environment = {"kind": "venv", "path": folder}

    def _environment(self, named: Field) -> None:
        if named.why:
            self._not_known("the environment", named)
        elif named.text.startswith("/"):
            self.environment = {"kind": "conda", "path": named.text}
        else:
            self.environment = {"kind": "conda", "name": named.text}

    def _not_known(self, what: str, found: Field) -> None:
        why = found.why or "it is relative, and the folder is not known"
        self.notes.append(Note(found.line, f"{what} is {found.text!r}: {why}.", "Write [env] yourself."))

    def _program(self, command: Command, fields: list[Field], given: dict[str, Field], why: str | None) -> bool:
        """Take in a program that is run; whether it is the training command, or what follows that."""
        if fields[0].text.startswith("-") and fields[0].text.strip("-"):
            self._arguments_alone(fields)
            return self._open
        fields = [replace(fields[0], text=fields[0].text.removeprefix("!")), *fields[1:]]  # a notebook's command
        at = script_at(fields)
        if at is None:
            return False
        before, script, words = fields[:at], fields[at], fields[at + 1 :]
        if why:
            message = f"The training command is taken, though {why} decides whether it runs."
            self.notes.append(Note(script.line, message))
        here = self.training(known_end(script), words, before, fields[0].line)
        passed = {**self.exported, **given, **dict(env_words(before))}
        self.found.append(replace(here, variables=passed))
        self._one_line = command.words[0].line == command.words[-1].line
        return True

    def _arguments_alone(self, fields: list[Field]) -> None:
        """Arguments that begin a line: pages write one long line so, in a script a backslash is missing."""
        self._bare += fields
        if not self._open:
            return
        last = self.found[-1]
        if self._one_line:
            words = [*last.words, *(Line(each.text, each.line, each.why) for each in fields)]
            self.found[-1] = replace(last, words=tuple(word for word in words if word.text != "^"))
            self._joined.append(fields[0].line)
            return
        if last.words and last.words[-1].text.isspace():  # it stood behind the last backslash
            self.found[-1] = replace(last, words=last.words[:-1])
        self._cut.append(fields[0].line)

    def say_lines(self) -> None:
        """Say which arguments stand without a command."""
        if self._joined:
            lines = some_of(map(str, self._joined))
            message = f"The arguments in the lines {lines} are taken, though no backslash ends the ones before."
            self.notes.append(Note(self._joined[0], message, "A shell would run the first line alone."))
        if self._cut:
            message = f"The arguments in the lines {some_of(map(str, self._cut))} are left out: no command takes them."
            hint = "The line before is a comment, ends without a backslash, or with a blank behind it: mend that first."
            self.notes.append(Note(self._cut[0], message, hint))

    def training(self, script: str | None, words: Sequence[Field], before: Sequence[Field], line: int) -> Imported:
        """The training command that begins in this line. `before` are the words before the script."""
        folder = self.scope.folder
        if before and before[0].text == "run_training_script" and script and script.startswith("/"):
            folder = os.path.dirname(script)  # noqa: PTH120 - text, not a file
        return Imported(
            script=self.how.script or script,
            words=tuple(Line(each.text, each.line, each.why) for each in words),
            accelerate=tuple(Line(each.text, each.line, each.why) for each in of_accelerate(before)),
            folder=folder,
            environment=environment_of(before) or self.environment,
            variables=dict(self.exported),
            comments=(),
            notes=(),
            line=line,
        )

    def only_arguments(self) -> list[Field]:
        """Arguments without a command: bare ones, else the arrays that hold any."""
        arrays = [each for each in self.scope.variables.values() if isinstance(each, tuple)]
        held = [field for array in arrays for field in array if any(item.text.startswith("--") for item in array)]
        return self._bare or held
