"""The words of a shell script to its commands, in the order in which they stand, with what decides about each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from launcher.spec.shell_tokens import Expansion, Mark, Script, Text, Word

_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<appends>\+?)=")
_TESTS = ("[", "[[", "test", "((", "!")
_DECIDING = {"if": "fi", "while": "done", "until": "done", "for": "done", "select": "done", "case": "esac"}
_BRANCH = ("then", "else", "elif", "do")
_ENDS = ("fi", "done", "esac", "}")


@dataclass(frozen=True)
class Assignment:
    """NAME=value, NAME+=value, or an array; `last_line` is the one in which the value ends."""

    name: str
    value: Word | tuple[Word, ...]
    appends: bool
    line: int
    last_line: int


@dataclass(frozen=True)
class Command:
    """One simple command. `decided_by` says what may keep it from running: "the if in line 3"; None for nothing."""

    words: tuple[Word, ...]
    assignments: tuple[Assignment, ...]
    line: int
    decided_by: str | None = None


@dataclass(frozen=True)
class Commands:
    """The commands of a script outside its functions, and those of each function."""

    main: tuple[Command, ...]
    functions: Mapping[str, tuple[Command, ...]]


def read_commands(script: Script) -> Commands:
    """Find the commands. What is no shell at all gives strange commands, never an error."""
    parser = _Parser(script.tokens)
    parser.read()
    return Commands(tuple(parser.main), {name: tuple(found) for name, found in parser.functions.items()})


def assignment_of(word: Word) -> Assignment | None:
    """A word that sets a variable, as the ones after `export` do; None for any other."""
    first = word.parts[0] if word.parts else None
    if not isinstance(first, Text) or first.quoted:
        return None
    match = _ASSIGNMENT.match(first.text)
    if match is None:
        return None
    rest = (Text(first.text[match.end() :], False),) if match.end() < len(first.text) else ()
    value = Word((*rest, *word.parts[1:]), word.line)
    return Assignment(match["name"], value, bool(match["appends"]), word.line, word.line)


@dataclass
class _Frame:
    kind: str
    line: int
    decides: bool = False  # whether what follows runs only under a condition
    pattern: bool = False  # of a case: whether a pattern is to come
    function: str | None = None


@dataclass
class _Parser:
    tokens: tuple[Word | Mark, ...]
    at: int = 0
    main: list[Command] = field(default_factory=list)
    functions: dict[str, list[Command]] = field(default_factory=dict)
    stack: list[_Frame] = field(default_factory=list)
    _chain: str | None = None  # what decides about the rest of a && or || chain
    _tested: bool = False  # whether the command before was a test

    def read(self) -> None:
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if self.stack and self.stack[-1].pattern and not self._is_word("esac"):
                self._pattern(token)
            elif isinstance(token, Mark):
                self._mark(token)
            elif not self._keyword(token):
                self._command()

    def _pattern(self, token: Word | Mark) -> None:
        self.at += 1
        if isinstance(token, Mark) and token.text == ")":
            self.stack[-1].pattern = False

    def _is_word(self, text: str) -> bool:
        token = self.tokens[self.at]
        return isinstance(token, Word) and token.bare == text

    def _mark(self, mark: Mark) -> None:
        self.at += 1
        if mark.text == "||" or (mark.text == "&&" and self._tested):
            self._chain = f"the {mark.text} in line {mark.line}"
        elif mark.text == "(":
            if self._glued_paren():
                self._skip_to_close(2)
                self._tested = True
            else:
                self.stack.append(_Frame("(", mark.line))
        elif mark.text == ")":
            self._close("(")
        elif mark.text in (";;", ";&", ";;&") and self.stack and self.stack[-1].kind == "case":
            self.stack[-1].pattern = True
        if mark.text in ("\n", ";", "&", ";;", ";&", ";;&"):
            self._chain, self._tested = None, False

    def _glued_paren(self) -> bool:
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        return isinstance(token, Mark) and token.text == "(" and token.glued

    def _skip_to_close(self, depth: int) -> None:
        """Go behind the bracket that closes; the first of `depth` opening ones is read already."""
        if depth == 2:
            self.at += 1
        while self.at < len(self.tokens) and depth:
            token = self.tokens[self.at]
            if isinstance(token, Mark) and token.text in "()":
                depth += 1 if token.text == "(" else -1
            self.at += 1

    def _close(self, kind: str) -> None:
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index].kind == kind:
                del self.stack[index:]
                return

    def _keyword(self, word: Word) -> bool:
        """Take a keyword in; False when the word begins a command."""
        text = word.bare
        top = self.stack[-1] if self.stack else None
        if text in _DECIDING:
            self.stack.append(_Frame(text, word.line))
            self.at += 1
            if text in ("for", "select"):
                self._loop_variable(word.line)
            elif text == "case":
                self._to_patterns()
        elif text in _BRANCH and top:
            top.decides = True
            self.at += 1
        elif text in _ENDS and top:
            opening = [each for each, end in _DECIDING.items() if end == text] or ["{"]
            last = next((frame.kind for frame in reversed(self.stack) if frame.kind in opening), None)
            self._close(last or "")
            self.at += 1
        elif text in ("{", "!", "time", "exec", "always", "nocorrect", "noglob", "command", "builtin"):
            self.at += 1
            if text == "{":
                self.stack.append(_Frame("{", word.line))
        elif text == "function" and self._name_follows():
            self.at += 1
            self._function(self.tokens[self.at])
        elif self._brackets_follow(self.at + 1):
            self._function(word)
        else:
            return False
        return True

    def _name_follows(self) -> bool:
        return self.at + 1 < len(self.tokens) and isinstance(self.tokens[self.at + 1], Word)

    def _brackets_follow(self, at: int) -> bool:
        two = self.tokens[at : at + 2]
        return [token.text for token in two if isinstance(token, Mark) and token.text in "()"] == ["(", ")"]

    def _function(self, name: Word | Mark) -> None:
        self.at += 1
        if self._brackets_follow(self.at):
            self.at += 2
        while self.at < len(self.tokens) and isinstance(token := self.tokens[self.at], Mark) and token.text == "\n":
            self.at += 1
        if self.at < len(self.tokens) and self._is_word("{"):
            self.at += 1
            called = (name.plain if isinstance(name, Word) else None) or "?"
            self.functions[called] = []
            self.stack.append(_Frame("{", name.line, function=called))

    def _loop_variable(self, line: int) -> None:
        """for NAME in …: the name is set to what nobody knows."""
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if isinstance(token, Word) and token.bare:
            frame = self.stack[-1]
            frame.decides = True
            unknown = Assignment(token.bare, Word((), line), False, line, line)
            self._add(Command((), (unknown,), line, self._decided_by()))
            frame.decides = False
        while self.at < len(self.tokens) and not self._is_word("do") and not self._is_word("{"):
            token = self.tokens[self.at]
            if isinstance(token, Mark) and token.text in ("\n", ";"):
                return
            self.at += 1

    def _to_patterns(self) -> None:
        self.stack[-1].decides = self.stack[-1].pattern = True
        while self.at < len(self.tokens):
            self.at += 1
            token = self.tokens[self.at - 1]
            if isinstance(token, Word) and token.bare == "in":
                return

    def _command(self) -> None:
        words: list[Word] = []
        assignments: list[Assignment] = []
        line = self.tokens[self.at].line
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if isinstance(token, Mark):
                if not self._within_command(token, words):
                    break
                continue
            self.at += 1
            array = self._array(token)
            if array:
                assignments.append(array)
            elif not words and (found := assignment_of(token)):
                assignments.append(found)
            else:
                words.append(token)
            if words and words[0].bare == "[[":
                self._skip_test()
        self._add(Command(tuple(words), tuple(assignments), line, self._decided_by()))
        self._tested = bool(words) and words[0].bare in _TESTS

    def _within_command(self, mark: Mark, words: list[Word]) -> bool:
        """Take in a redirection, or brackets that end no command; False for what ends it."""
        if "<" in mark.text or ">" in mark.text:
            self.at += 1
            following = self.tokens[self.at] if self.at < len(self.tokens) else None
            if isinstance(following, Word) and not re.search(r"&[0-9-]+$", mark.text):
                self.at += 1
            elif self._glued_paren():
                self.at += 1
                self._skip_to_close(1)
            return True
        if mark.text == "(" and words:
            self.at += 1
            self._skip_to_close(1)
            last = words[-1]
            words[-1] = Word((*last.parts, Expansion("glob", "", False, "(…)")), last.line)
            return True
        return False

    def _array(self, word: Word) -> Assignment | None:
        """NAME=( … ), of which the word is the beginning."""
        match = _ASSIGNMENT.fullmatch(word.bare or "")
        if match is None or not self._glued_paren():
            return None
        self.at += 1
        items: list[Word] = []
        last = word.line
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.at += 1
            last = token.line
            if isinstance(token, Word):
                items.append(token)
            elif token.text == ")":
                break
            elif token.text == "(":
                self._skip_to_close(1)
        return Assignment(match["name"], tuple(items), bool(match["appends"]), word.line, last)

    def _skip_test(self) -> None:
        while self.at < len(self.tokens):
            self.at += 1
            token = self.tokens[self.at - 1]
            if isinstance(token, Word) and token.bare == "]]":
                return

    def _decided_by(self) -> str | None:
        if self._chain:
            return self._chain
        deciding = next((frame for frame in reversed(self.stack) if frame.decides), None)
        return f"the {deciding.kind} in line {deciding.line}" if deciding else None

    def _add(self, command: Command) -> None:
        within = next((frame.function for frame in reversed(self.stack) if frame.function), None)
        (self.functions[within] if within else self.main).append(command)
