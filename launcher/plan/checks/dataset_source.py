"""The dataset config of a run as text becomes what the trainer will read from it, with the place of every key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from math import isnan
from pathlib import Path
from typing import Any

from launcher.base.errors import KlError
from launcher.base.findings import Code, Finding, Severity
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.dataset_json import JsonLines, find_json_lines
from launcher.plan.checks.dataset_values import said, shown
from launcher.plan.plan import PlannedFile
from launcher.spec.reader import read_settings
from launcher.spec.source_file import file_label
from launcher.spec.toml_lines import TomlLines, find_lines
from launcher.spec.toml_parser import TOMLDecodeError, loads
from launcher.spec.tree import KeyPath, name_of

OPTION = "dataset_config"
# The trainer's TOML reader takes a time that grows with the square of some of these; no real config comes near.
LARGEST = 256 * 1024  # characters
MOST = {",": 8000, "\\": 8000, "{": 4000}
DEEPEST = 64  # brackets within brackets
MOST_DOTS = 100  # in one key, which is a table for each
MOST_EQUALS = 1_000_000  # the sum over all lines of the square of the number of "="

BROKEN = Code(
    "dataset-broken",
    Severity.ERROR,
    "The trainer cannot read the dataset config, and says so only after half a minute of imports. TOML is read with "
    "the package toml, which is stricter than TOML in some things: the items of a list must be of one kind.",
    "library/config_util.py, load_user_config",
    can_be_allowed=False,
)
TWICE = Code(
    "dataset-key-twice",
    Severity.ERROR,
    "A key stands twice in one table of the dataset config. The trainer's JSON reader takes the last one without a "
    "word, and its TOML reader fails.",
    "library/config_util.py, load_user_config",
)
MISREAD = Code(
    "dataset-misread",
    Severity.WARNING,
    "The package toml, with which the trainer reads dataset configs, understands this value otherwise than TOML says.",
    "library/config_util.py, load_user_config",
)
TOO_MUCH = Code(
    "dataset-unread",
    Severity.WARNING,
    "The dataset config is not checked: it is too large, or the checkout's schema could not be read.",
    "kl",
)

_DEEPEST_KEY = 16
_MOST_MISREAD = 20
_FAILS = (ValueError, TypeError, LookupError, AttributeError, RecursionError, ArithmeticError)
_AT_END = " (at end of document)"  # how tomllib ends when it missed something up to the end
_HINT = "Text stands in quotes, a list in [ ], true and false in small letters."


@dataclass(frozen=True)
class Places:
    """Where each key of the config stands.

    `tables` has [general] and [[datasets]] apart: written into specs, each may come from another file.
    """

    tables: Mapping[str, Table]
    rest: Table

    def of(self, path: KeyPath) -> str:
        """The place of a key, or of the nearest table around it that is known."""
        table = self.tables.get(str(path[0]), self.rest) if path else self.rest
        return table.place(path)


@dataclass(frozen=True)
class Table:
    """Lines of one file, read when somebody asks for one.

    `label` is how messages name the file, `otherwise` the place of what has no line.
    """

    label: str
    otherwise: str
    read: Callable[[], Mapping[KeyPath, int]]

    @cached_property
    def lines(self) -> Mapping[KeyPath, int]:
        """The line of each key and list item."""
        return self.read()

    def place(self, path: KeyPath) -> str:
        """FILE:LINE of the key or of the nearest table around it."""
        while path:
            if path in self.lines:
                return f"{self.label}:{self.lines[path]}"
            path = path[:-1]
        return self.otherwise


@dataclass(frozen=True)
class DatasetText:
    """A dataset config as the trainer will read it; None in `config` where it cannot, and a finding says why."""

    config: Any
    places: Places
    findings: tuple[Finding, ...]


def read_dataset_text(candidate: Candidate) -> DatasetText | None:
    """The dataset config of the run; None when there is none. Never raises for what stands in it."""
    file = candidate.files.get(OPTION)
    if file is None:
        return None
    if file.source is None:
        return _inline(candidate, file)
    label = file_label(file.source)
    try:
        text = file.content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = file.content.count(b"\n", 0, error.start) + 1
        message = f"The dataset config is not UTF-8: byte {error.start}."
        found = BROKEN.at(f"{label}:{line}", message, "Save it as UTF-8.")
        return DatasetText(None, Places({}, Table(label, label, dict)), (found,))
    if file.name.endswith(".json"):
        return _json(text, label)
    return _toml(text, label)


def _inline(candidate: Candidate, file: PlannedFile) -> DatasetText:
    """Written into specs: kl wrote the text itself, and it reads back as what stands there (plan/data_files.py)."""
    tables = {}
    for setting in candidate.resolved.whole:
        origin, path = setting.origin, setting.origin.path
        tables[setting.key] = Table(origin.label, str(origin), partial(_spec_lines, path))
    places = Places(tables, Table(file.origin.label, str(file.origin), dict))
    text = file.content.decode("utf-8")
    if not text:  # plan/data_files.py has said why
        return DatasetText(None, places, ())
    why = _too_much(text)
    if why:
        return DatasetText(None, places, (TOO_MUCH.at(str(file.origin), why, None),))
    return DatasetText(_toml_values(text), places, ())


def _spec_lines(path: Path | None) -> Mapping[KeyPath, int]:
    try:
        return read_settings(path).lines if path else {}
    except KlError:  # it was read before, and has changed since
        return {}


def _json(text: str, label: str) -> DatasetText:
    found = find_json_lines(text) if len(text) <= LARGEST else JsonLines({}, ())
    places = Places({}, Table(label, label, lambda: found.lines))
    if len(text) > LARGEST:
        return DatasetText(None, places, (TOO_MUCH.at(label, _larger(text), None),))
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        message = f"The dataset config is not JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        return DatasetText(None, places, (BROKEN.at(f"{label}:{error.lineno}", message, None),))
    except _FAILS as error:
        return DatasetText(None, places, (BROKEN.at(label, f"The dataset config cannot be read: {error}.", None),))
    if config is None:
        return DatasetText(None, places, (BROKEN.at(label, "The dataset config is null, not a table.", None),))
    twice = tuple(
        TWICE.at(f"{label}:{line}", f"{shown(name_of(path))} stands twice, first in line {first}.", "Keep one of them.")
        for path, first, line in found.repeated
    )
    return DatasetText(config, places, twice)


def _toml(text: str, label: str) -> DatasetText:
    lines: dict[str, TomlLines] = {}

    def found() -> TomlLines:
        if "" not in lines:
            try:
                lines[""] = find_lines(text, label)
            except KlError:  # more values than a spec may have
                lines[""] = TomlLines({}, None)
        return lines[""]

    places = Places({}, Table(label, label, lambda: found().lines))
    why = _too_much(text)
    if why:
        return DatasetText(None, places, (TOO_MUCH.at(label, why, None),))
    try:
        config = _toml_values(text)
    except _FAILS as error:
        return DatasetText(None, places, (_broken(text, label, error, found()),))
    return DatasetText(config, places, tuple(_misread(config, text, places)))


def _toml_values(text: str) -> Any:
    import toml  # noqa: PLC0415 - only runs with a dataset config need it

    return toml.loads(text)


def _too_much(text: str) -> str | None:
    """Why the text is not read at all: reading it could take minutes."""
    if len(text) > LARGEST:
        return _larger(text)
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        return f"The dataset config is nested deeper than {DEEPEST} levels, and is not checked."
    lines = text.split("\n")
    equals = sum(line.count("=") ** 2 for line in lines)
    dots = max(line.partition("=")[0].count(".") for line in lines)
    many = any(text.count(sign) > most for sign, most in MOST.items())
    if many or equals > MOST_EQUALS or dots > MOST_DOTS:
        return "The dataset config has too many values in one place, and is not checked."
    return None


def _larger(text: str) -> str:
    return f"The dataset config has {len(text) // 1024} KiB: more than {LARGEST // 1024} KiB are not checked."


def _broken(text: str, label: str, error: Exception, found: TomlLines) -> Finding:
    message, line = _reason(text, error)
    if found.repeated and ("Duplicate" in str(error) or "already exists" in str(error)):
        path, line = found.repeated
        message = f"{shown(name_of(path))} stands twice, first in line {found.lines[path]}."
        return BROKEN.at(f"{label}:{line}", message, "A key or a table can stand only once.")
    where = f"{label}:{line}" if line else label
    return BROKEN.at(where, f"The dataset config cannot be read: {message}", _HINT)


def _reason(text: str, error: Exception) -> tuple[str, int | None]:
    """What is wrong and in which line: by the standard's reader, which says it better, else by the trainer's."""
    trainers: int | None = getattr(error, "lineno", None)
    try:
        loads(text)
    except TOMLDecodeError as strict:
        place = re.search(r" \(at line (\d+), column \d+\)$", str(strict))
        if place:
            return f"{str(strict)[: place.start()]}.", int(place[1])
        return f"{str(strict).removesuffix(_AT_END)}.", trainers or text.count("\n") + 1
    except (ValueError, RecursionError):
        pass
    words = str(getattr(error, "msg", "") or "it is not TOML as the package toml reads it").rstrip(".")
    return f"{words} (the package toml says so; TOML itself would allow it).", trainers


def _misread(config: Any, text: str, places: Places) -> Iterator[Finding]:
    try:
        strict = loads(text)
    except (ValueError, RecursionError):
        return  # toml takes it, and so does the trainer
    for path, value, meant in islice(_different(config, strict, ()), _MOST_MISREAD):
        message = f"The trainer reads {shown(name_of(path))} as {said(value)}, and what is written means {said(meant)}."
        yield MISREAD.at(places.of(path), message, "Write it in another way: text in double quotes, on one line.")


def _different(value: Any, meant: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any, Any]]:
    """The first differences from the top down; dates and times aside, which no key takes."""
    if len(path) > _DEEPEST_KEY:
        return  # no key's value goes as deep; a dotted key may have a hundred parts
    if isinstance(value, dict) and isinstance(meant, dict):
        for key in dict.fromkeys((*value, *meant)):
            yield from _different(value.get(key), meant.get(key), (*path, key))
    elif isinstance(value, list) and isinstance(meant, list) and len(value) == len(meant):
        for index, (item, other) in enumerate(zip(value, meant, strict=True)):
            yield from _different(item, other, (*path, index))
    elif _unequal(value, meant):
        yield path, value, meant


def _unequal(value: Any, meant: Any) -> bool:
    if not isinstance(meant, (str, int, float, list, dict)):
        return False
    if isinstance(value, (list, dict)) or type(value) is not type(meant):
        return True
    if isinstance(value, float) and isinstance(meant, float) and isnan(value):
        return not isnan(meant)
    return bool(value != meant)
