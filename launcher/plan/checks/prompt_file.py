"""The prompts in a file of sample prompts, each with its line, as the trainer's load_prompts takes them out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.base.errors import KlError
from launcher.base.findings import Code, Finding, Severity
from launcher.base.nearest import nearest
from launcher.plan.plan import PlannedFile
from launcher.spec.source_file import file_label
from launcher.spec.toml_lines import find_lines

_SOURCE = "library/train_util.py, load_prompts (sample_images_common in releases before 0.9)"
_LARGEST_TABLES = 64 * 1024  # characters: the library that reads TOML takes long for more
MOST_PROMPTS = 500
_LONGEST_LINE = 20_000
_BYTE_ORDER_MARK = "\ufeff"

PROMPTS_ENCODING = Code(
    "prompts-encoding",
    Severity.ERROR,
    "The trainer reads sample prompts as UTF-8 and ends with an error at the first sample. A byte order mark becomes "
    "part of the first prompt in .txt; .toml and .json with one cannot be read.",
    _SOURCE,
)
PROMPTS_SYNTAX = Code(
    "prompts-syntax",
    Severity.ERROR,
    "The trainer cannot read the file and ends with an error at the first sample.",
    _SOURCE,
)
PROMPTS_FORM = Code(
    "prompts-form",
    Severity.ERROR,
    "The trainer looks for [prompt] with [[prompt.subset]] in TOML and for a list in JSON. In a file of another form "
    "it finds no prompts, or ends with an error at the first sample.",
    _SOURCE,
)
PROMPTS_EMPTY = Code(
    "prompts-empty",
    Severity.WARNING,
    "Without a prompt no sample is drawn, and the trainer says nothing.",
    _SOURCE,
)
PROMPT_KEY_TWICE = Code(
    "prompt-key-twice",
    Severity.ERROR,
    "A key cannot stand both in [prompt] and in one of its subsets: the trainer ends with an error at the first "
    "sample.",
    _SOURCE,
)
PROMPT_COMMENT = Code(
    "prompt-comment",
    Severity.WARNING,
    "Only a line whose very first character is # is a comment; any other is drawn as a prompt.",
    _SOURCE,
)
PROMPTS_NOT_CHECKED = Code(
    "prompts-not-checked",
    Severity.ADVICE,
    f"kl looks at the first {MOST_PROMPTS} prompts, and at tables of up to {_LARGEST_TABLES // 1024} KiB.",
    "kl",
)


@dataclass(frozen=True)
class Prompt:
    """One prompt: a line with flags, or a table of keys. `lines` has the line of each key of a table where known."""

    where: str | None
    content: str | Mapping[str, Any]
    label: str = ""  # begins a message: which prompt is meant, where that is not known by its line
    lines: Mapping[str, str | None] | None = None

    def place(self, key: str) -> str | None:
        """Where a key of it stands."""
        return (self.lines or {}).get(key) or self.where


@dataclass(frozen=True)
class PromptFile:
    """The prompts of a file and how many there are in all; what is wrong with the file itself."""

    prompts: tuple[Prompt, ...]
    count: int
    findings: tuple[Finding, ...]


def read_prompts(file: PlannedFile, *, tables: bool, strict_comments: bool) -> PromptFile:
    """Read a file of prompts. `tables`: the checkout reads .toml and .json, which old releases take for lines.

    `strict_comments`: only a # in the first column begins a comment there.
    """
    label = file_label(file.source) if file.source else str(file.origin)
    suffix = Path(file.name).suffix
    try:
        text = file.content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = file.content.count(b"\n", 0, error.start) + 1
        message = f"The prompts are not UTF-8: byte {error.start} is 0x{file.content[error.start]:02x}."
        return _broken(PROMPTS_ENCODING.at(f"{label}:{line}", message, "Save the file as UTF-8."))
    if suffix == ".txt":
        return _from_lines(text, label, file, strict_comments)
    if not tables:
        message = "This release of the trainer takes every line of the file for a prompt, whatever its ending."
        return _broken(PROMPTS_FORM.at(label, message, "Write the prompts into a .txt file, one in each line."))
    if text.startswith(_BYTE_ORDER_MARK):
        message = "The file begins with a byte order mark, which the trainer's reader refuses."
        return _broken(PROMPTS_ENCODING.at(f"{label}:1", message, "Save the file as UTF-8 without it."))
    if len(text) > _LARGEST_TABLES:
        message = f"The file has more than {_LARGEST_TABLES // 1024} KiB: its prompts are not checked."
        return PromptFile((), 0, (PROMPTS_NOT_CHECKED.at(label, message),))
    return _from_toml(text, label) if suffix == ".toml" else _from_json(text, label)


def _broken(*findings: Finding) -> PromptFile:
    return PromptFile((), 0, findings)


def _from_lines(text: str, label: str, file: PlannedFile, strict_comments: bool) -> PromptFile:
    findings: list[Finding] = []
    prompts: list[Prompt] = []
    count = 0
    if text.startswith(_BYTE_ORDER_MARK):
        message = "The file begins with a byte order mark, which the trainer takes for a part of its first line."
        hint = "Save it as UTF-8 without one."
        findings.append(PROMPTS_ENCODING.at(f"{label}:1", message, hint, severity=Severity.WARNING))
        text = f" {text[1:]}"  # so that a # in the first line is none in the first column
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # the line ends of Python's text files
    for number, line in enumerate(lines, 1):
        content = line.strip()
        if not content or line[0] == "#" or (content[0] == "#" and not strict_comments):
            continue
        count += 1
        if count > MOST_PROMPTS:
            count += sum(1 for other in lines[number:] if other[:1] != "#" and not (not other or other.isspace()))
            break
        where = f"{label}:{number}" if file.source else str(file.origin)
        if content[0] == "#":
            message = "White space before the # makes this line a prompt."
            findings.append(PROMPT_COMMENT.at(where, message, "Begin the line with the #."))
            continue
        prompts.append(Prompt(where, content[:_LONGEST_LINE], "" if file.source else f"sample_prompts {count}: "))
    return PromptFile(tuple(prompts), count, (*findings, *_about_count(count, label, made=file.source is None)))


def _about_count(count: int, label: str, *, made: bool = False) -> Iterator[Finding]:
    if count == 0 and not made:  # what is wrong with prompts in a spec has been said
        yield PROMPTS_EMPTY.at(label, "There is no prompt in the file.", "Write at least one.")
    if count > MOST_PROMPTS:
        message = f"The file has {count} prompts; only the first {MOST_PROMPTS} are checked."
        yield PROMPTS_NOT_CHECKED.at(label, message)


def _from_toml(text: str, label: str) -> PromptFile:
    import toml  # noqa: PLC0415 - only prompts in TOML need it

    try:
        lines = find_lines(text, label).lines
        data: Mapping[str, Any] = toml.loads(text)
    except KlError as error:
        return _broken(PROMPTS_NOT_CHECKED.at(error.where, f"The prompts are not checked. {error.message}"))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        found = re.search(r"\(line (\d+) ", str(error))
        where = f"{label}:{found[1]}" if found else label
        # The library fails in odd ways at odd text, with words that help nobody.
        said = str(error).partition(" (line")[0].rstrip(".") if isinstance(error, ValueError) else ""
        return _broken(PROMPTS_SYNTAX.at(where, f"The file is not TOML{': ' + said if said else ''}."))

    def place(*path: str | int) -> str | None:
        line = lines.get(path)
        return f"{label}:{line}" if line else label

    shared = data.get("prompt")
    subsets = shared.get("subset") if isinstance(shared, dict) else None
    hint = "Write [prompt] once, with what all prompts share, and [[prompt.subset]] above each prompt."
    if not isinstance(shared, dict) or not isinstance(subsets, list):
        message = "The file has no [prompt] with [[prompt.subset]]."
        return _broken(PROMPTS_FORM.at(place("prompt") if "prompt" in data else label, message, hint))
    if not all(isinstance(subset, dict) for subset in subsets):
        return _broken(PROMPTS_FORM.at(place("prompt", "subset"), "prompt.subset is not a list of tables.", hint))
    common = {key: value for key, value in shared.items() if key != "subset"}
    findings = list(_outside(data, place))
    prompts = []
    for index, subset in enumerate(subsets[:MOST_PROMPTS]):
        header = place("prompt", "subset", index)
        here = {key: place("prompt", "subset", index, key) for key in subset}
        for key in subset:
            if key in common:
                message = f"{key} stands both in [prompt] and in a subset."
                findings.append(PROMPT_KEY_TWICE.at(here[key], message, "Write it in the subsets only."))
        places = {**{key: place("prompt", key) for key in common}, **here}
        prompts.append(Prompt(header, {**common, **subset}, lines=places))
    return PromptFile(tuple(prompts), len(subsets), (*findings, *_about_count(len(subsets), label)))


def _outside(data: Mapping[str, Any], place: Callable[..., str | None]) -> Iterator[Finding]:
    for key in data:
        if key != "prompt":
            near = "prompt" if nearest(key, ["prompt"]) else None
            hint = f"Did you mean {near}?" if near else "Write it below [prompt] or [[prompt.subset]]."
            yield PROMPTS_FORM.at(place(key), f"The trainer reads [prompt] only, and never {key}.", hint)


def _from_json(text: str, label: str) -> PromptFile:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        return _broken(PROMPTS_SYNTAX.at(f"{label}:{error.lineno}", f"The file is not JSON: {error.msg}."))
    except (ValueError, RecursionError):
        return _broken(PROMPTS_SYNTAX.at(label, "The file cannot be read as JSON."))
    if not isinstance(data, list):
        hint = 'Write a list: [{"prompt": "…"}, …].'
        return _broken(PROMPTS_FORM.at(label, "The prompts are not a list.", hint))
    lines = _lines_of_items(text)
    findings: list[Finding] = []
    prompts = []
    for index, item in enumerate(data[:MOST_PROMPTS]):
        where = f"{label}:{lines[index]}" if index < len(lines) else label
        if isinstance(item, (str, dict)):
            prompts.append(Prompt(where, item[:_LONGEST_LINE] if isinstance(item, str) else item))
        else:
            hint = "A prompt is a table with its keys, or text with flags."
            findings.append(PROMPTS_FORM.at(where, f"Prompt {index + 1} is neither a table nor text.", hint))
    return PromptFile(tuple(prompts), len(data), (*findings, *_about_count(len(data), label)))


def _lines_of_items(text: str) -> list[int]:
    """The line on which each item of a JSON list begins; the text is known to be one."""
    decoder = json.JSONDecoder()
    gap = re.compile(r"[\s,]*")
    found: list[int] = []
    line, counted = 1, 0
    position = text.index("[") + 1
    while len(found) < MOST_PROMPTS:
        start = gap.match(text, position)
        position = start.end() if start else position
        if text[position] == "]":
            break
        line += text.count("\n", counted, position)
        counted = position
        found.append(line)
        position = decoder.raw_decode(text, position)[1]
    return found
