"""The text of a shell script to words, marks and comments; nothing is run or looked up.

The grammar is what bash and zsh share: quotes, expansions, comments, continuations, here-documents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from launcher.spec.shell_tokens import Comment, Expansion, Mark, Script, Text, Word
from launcher.spec.tree import refused

MOST_WORDS = 50_000  # far above any script that a person wrote
_MARKS = re.compile(r"&&|\|\||;;&?|;&|&>>?|\|&|<<<|<<-?|>>|[0-9]*[<>]&[0-9-]*|[<>]\||[0-9]*>|[0-9]*<|[;&|()\n]")
_PLAIN = re.compile(r"""[^\s;&|()<>\\'"$`]+""")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*#?!$-]")
# What documentation writes for a value of the reader's: <path to the model>. Redirections look otherwise.
_PLACEHOLDER = re.compile(r"<[^\W\d](?:[^<>\n|&;]*[^\s<>|&;])?>(?=\s|$)")
_BLANKS = " \t\r\f\v"
_BEFORE_COMMENT = _BLANKS + "\n;&|()"
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "e": "\033", "a": "\a", "b": "\b"}


def read_words(text: str, label: str) -> Script:
    """Take a script apart. Raises KlError (spec refused), with the line, for a quote or bracket that is not closed."""
    reader = _Reader(text.replace("\r\n", "\n"), label)
    reader.read()
    return Script(tuple(reader.tokens), tuple(reader.comments))


def parts_of(text: str, label: str, *, quoted: bool) -> tuple[Text | Expansion, ...]:
    """The parts of a text within an expansion, as of `default` in ${NAME:-default}."""
    reader = _Reader(text, label)
    parts: list[Text | Expansion] = []
    while reader.at < len(text):
        char = text[reader.at]
        if quoted and char not in '$`\\"':
            end = reader.end_of(re.compile(r"""[^$`\\"]+"""))
            parts.append(Text(text[reader.at : end], True))
            reader.at = end
        elif char.isspace() or char in ";&|()<>":
            parts.append(Text(char, quoted))
            reader.at += 1
        else:
            reader.piece(parts, quoted=quoted)
    return tuple(parts)


@dataclass
class _Reader:
    text: str
    label: str
    at: int = 0
    line: int = 1
    tokens: list[Word | Mark] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    _heredocs: list[tuple[str, bool]] = field(default_factory=list)

    def read(self) -> None:
        while self.at < len(self.text):
            char, before = self.text[self.at], self.text[self.at - 1 : self.at] or "\n"
            if self.text.startswith("\\\n", self.at):
                self.at, self.line = self.at + 2, self.line + 1
            elif char in _BLANKS:
                self.at += 1
            elif char == "#" and before in _BEFORE_COMMENT:
                self._comment()
            elif (mark := _MARKS.match(self.text, self.at)) and not _PLACEHOLDER.match(self.text, self.at):
                self._mark(mark[0], glued=before not in _BLANKS + "\n")
            else:
                self._word()
            if len(self.tokens) > MOST_WORDS:
                raise refused(f"There are more than {MOST_WORDS} words.", self.label, self.line)

    def _comment(self) -> None:
        end = self.text.find("\n", self.at)
        end = len(self.text) if end < 0 else end
        alone = not self.text[self.text.rfind("\n", 0, self.at) + 1 : self.at].strip()
        self.comments.append(Comment(self.text[self.at + 1 : end].strip(), self.line, alone))
        self.at = end

    def _mark(self, text: str, *, glued: bool) -> None:
        heredoc = text in ("<<", "<<-")
        self.at += len(text)
        self.tokens.append(Mark(text, self.line, glued))
        if text == "\n":
            self.line += 1
            self._skip_heredocs()
        if heredoc:
            self._blanks()
            if self.at < len(self.text) and not _MARKS.match(self.text, self.at):
                self._word()
                word = self.tokens[-1]
                if isinstance(word, Word):
                    self._heredocs.append((word.plain or "", text == "<<-"))

    def _blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1

    def _skip_heredocs(self) -> None:
        for delimiter, tabs in self._heredocs:
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                found = self.text[self.at : end]
                self.at, self.line = min(end + 1, len(self.text)), self.line + 1
                if (found.lstrip("\t") if tabs else found) == delimiter:
                    break
        self._heredocs.clear()

    def _word(self) -> None:
        parts: list[Text | Expansion] = []
        line = self.line
        while self.at < len(self.text):
            if self.text.startswith("\\\n", self.at):
                self.at, self.line = self.at + 2, self.line + 1
            elif placeholder := _PLACEHOLDER.match(self.text, self.at):
                parts.append(Expansion("placeholder", placeholder[0], False, placeholder[0]))
                self.at = placeholder.end()
            elif self.text[self.at] in _BLANKS or _MARKS.match(self.text, self.at, self.at + 1):
                break
            else:
                self.piece(parts, quoted=False)
        self.tokens.append(Word(tuple(parts), line))

    def piece(self, parts: list[Text | Expansion], *, quoted: bool) -> None:
        """Read one piece: letters, a quote, an expansion."""
        char = self.text[self.at]
        if char == "\\":
            parts.append(Text(self.text[self.at + 1 : self.at + 2], True))
            self._advance(self.at + 2)
        elif char == "'":
            end = self._find("'", self.at + 1)
            parts.append(Text(self.text[self.at + 1 : end], True))
            self._advance(end + 1)
        elif self.text.startswith("$'", self.at) and not quoted:
            parts.append(Text(self._ansi(), True))
        elif char == '"' or (self.text.startswith('$"', self.at) and not quoted):
            self.at += 1 if char == "$" else 0
            self._double(parts)
        elif char in "$`":
            parts.append(self._expansion(quoted=quoted))
        else:
            end = self.end_of(_PLAIN)
            parts.append(Text(self.text[self.at : end], quoted))
            self._advance(end)

    def _double(self, parts: list[Text | Expansion]) -> None:
        start, before = self.line, len(parts)
        self.at += 1
        letters: list[str] = []
        while self.at < len(self.text) and self.text[self.at] != '"':
            char = self.text[self.at]
            if char == "\\" and self.text[self.at + 1 : self.at + 2] in ("$", "`", '"', "\\", "\n"):
                following = self.text[self.at + 1]
                letters.append("" if following == "\n" else following)
                self._advance(self.at + 2)
            elif char in "$`":
                if letters:
                    parts.append(Text("".join(letters), True))
                letters = []
                parts.append(self._expansion(quoted=True))
            else:
                letters.append(char)
                self._advance(self.at + 1)
        if self.at >= len(self.text):
            raise refused('A " is not closed.', self.label, start, "Close the quote.")
        self.at += 1
        if letters or len(parts) == before:  # "$@" is no word when there is nothing in it, "" is one
            parts.append(Text("".join(letters), True))

    def _ansi(self) -> str:
        start, letters = self.line, []
        self.at += 2
        while self.at < len(self.text) and self.text[self.at] != "'":
            if self.text[self.at] == "\\" and self.at + 1 < len(self.text):
                following = self.text[self.at + 1]
                letters.append(_ANSI.get(following, f"\\{following}"))
                self._advance(self.at + 2)
            else:
                letters.append(self.text[self.at])
                self._advance(self.at + 1)
        if self.at >= len(self.text):
            raise refused("A ' is not closed.", self.label, start, "Close the quote.")
        self.at += 1
        return "".join(letters)

    def _expansion(self, *, quoted: bool) -> Text | Expansion:
        begin = self.at
        rest = self.text[begin : begin + 3]
        if rest[0] == "`":
            end = self._find("`", begin + 1)
            kind, inside, end = "command", self.text[begin + 1 : end], end + 1
        elif rest == "$((":
            end = self._closing("(", ")", begin + 1)
            kind, inside, end = "arithmetic", self.text[begin + 3 : end - 1], end + 1
        elif rest[:2] == "$(":
            end = self._closing("(", ")", begin + 1)
            kind, inside, end = "command", self.text[begin + 2 : end], end + 1
        elif rest[:2] == "${":
            end = self._closing("{", "}", begin + 1, quotes='"' if quoted else "'\"")
            kind, inside, end = "variable", self.text[begin + 2 : end], end + 1
        else:
            name = _NAME.match(self.text, begin + 1)
            if name is None:
                self.at += 1
                return Text("$", quoted)
            kind, inside, end = "variable", name[0], name.end()
        self._advance(end)
        return Expansion(kind, inside, quoted, self.text[begin:end])

    def _closing(self, opening: str, closing: str, at: int, quotes: str = "'\"") -> int:
        """Where the bracket that opens at `at` closes; quotes and further brackets inside are passed over."""
        depth, start = 0, at
        while at < len(self.text):
            char = self.text[at]
            if char == "\\":
                at += 1
            elif char in quotes:
                at = self._quote_end(at)
            elif char == opening:
                depth += 1
            elif char == closing:
                depth -= 1
                if not depth:
                    return at
            at += 1
        line = self.line + self.text.count("\n", self.at, start)
        raise refused(f"A {self.text[start - 1 : start + 1]} is not closed.", self.label, line, "Close the bracket.")

    def _quote_end(self, at: int) -> int:
        quote = self.text[at]
        end = at + 1
        while end < len(self.text) and self.text[end] != quote:
            end += 2 if quote == '"' and self.text[end] == "\\" else 1
        if end >= len(self.text):
            line = self.line + self.text.count("\n", self.at, at)
            raise refused(f"A {quote} is not closed.", self.label, line, "Close the quote.")
        return end

    def _find(self, what: str, start: int) -> int:
        end = self.text.find(what, start)
        if end < 0:
            raise refused(f"A {what} is not closed.", self.label, self.line, "Close the quote.")
        return end

    def end_of(self, pattern: re.Pattern[str]) -> int:
        """Where letters of the pattern end; at least one is taken."""
        match = pattern.match(self.text, self.at)
        return match.end() if match else self.at + 1

    def _advance(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.at = min(end, len(self.text))
