"""What the text of a shell script consists of: words with their parts, marks, comments."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """Letters that stand for themselves. `quoted`: no blank in them parts words, and no ~ is a home folder."""

    text: str
    quoted: bool


@dataclass(frozen=True)
class Expansion:
    """What the shell puts in when it runs: `inside` is what stands between ${ and }, or $( and )."""

    kind: str  # "variable", "command", "arithmetic", "glob" for names of files, "placeholder" for <what a page says>
    inside: str
    quoted: bool
    source: str  # as it was written


@dataclass(frozen=True)
class Word:
    """One word of the script, with the line it begins in."""

    parts: tuple[Text | Expansion, ...]
    line: int

    @property
    def plain(self) -> str | None:
        """Its letters, when the shell would change nothing of it; else None."""
        texts = [part for part in self.parts if isinstance(part, Text)]
        return "".join(part.text for part in texts) if len(texts) == len(self.parts) else None

    @property
    def bare(self) -> str | None:
        """Its letters, when none of them is quoted: only so a word can be a keyword or begin an assignment."""
        return self.plain if not any(part.quoted for part in self.parts) else None


@dataclass(frozen=True)
class Mark:
    """An operator, or the end of a line ("\\n"). `glued`: it follows a word, or a mark, without a blank."""

    text: str
    line: int
    glued: bool


@dataclass(frozen=True)
class Comment:
    """A comment without its #. `alone`: nothing else stands in its line."""

    text: str
    line: int
    alone: bool


@dataclass(frozen=True)
class Script:
    """A script taken apart."""

    tokens: tuple[Word | Mark, ...]
    comments: tuple[Comment, ...]
