"""What was found in a shell script: the training command, with the comments where they belong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from launcher.spec.shell_commands import Assignment
from launcher.spec.shell_tokens import Comment
from launcher.spec.shell_values import Field


@dataclass(frozen=True)
class Line:
    """One word of the training command: what it says, where, and the comments that stand with it."""

    text: str
    line: int
    why: str | None = None  # why it is not known whole
    above: tuple[str, ...] = ()
    beside: str | None = None
    below: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """What there is to say of one line of the script."""

    line: int
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class Imported:
    """The training command of a script.

    `script` is None where it is not known. `folder` is the one that the script changed to, `variables` are those that
    it gives to the trainer, `environment` says kind, name or path of what trains, `held` are all the texts in its
    variables.
    """

    script: str | None
    words: tuple[Line, ...]
    accelerate: tuple[Line, ...]
    folder: str | None
    environment: Mapping[str, str]
    variables: Mapping[str, Field]
    comments: tuple[str, ...]
    notes: tuple[Note, ...]
    line: int
    held: Mapping[str, str] = field(default_factory=dict)


def header_of(comments: Sequence[Comment], first: int) -> tuple[str, ...]:
    """The comment that a script begins with, without its first line for the system."""
    return tuple(each.text for each in comments if each.line < first and each.alone and not each.text.startswith("!"))


def with_comments(
    words: tuple[Line, ...], comments: Sequence[Comment], arrays: Sequence[Assignment]
) -> tuple[Line, ...]:
    """Each comment with the word that it belongs to: in its line, or the next one of the same array."""
    result = list(words)
    last_in = {word.line: index for index, word in enumerate(words)}
    for comment in comments:
        if not comment.text:
            continue
        if not comment.alone:
            index = last_in.get(comment.line)
            if index is not None:
                result[index] = replace(result[index], beside=comment.text)
            continue
        for array in arrays:
            if not array.line < comment.line < array.last_line:
                continue
            inside = [index for index, word in enumerate(words) if array.line <= word.line <= array.last_line]
            after = [index for index in inside if words[index].line > comment.line]
            if after:
                result[after[0]] = replace(result[after[0]], above=(*result[after[0]].above, comment.text))
            elif inside:
                result[inside[-1]] = replace(result[inside[-1]], below=(*result[inside[-1]].below, comment.text))
            break
    return tuple(result)


def splits_words(path: Path | None, text: str) -> bool:
    """Whether the script's shell parts unquoted variables at blanks: bash and sh do, zsh does not."""
    first = text.partition("\n")[0]
    if first.startswith("#!"):
        return "zsh" not in first
    return path is None or path.suffix != ".zsh"
