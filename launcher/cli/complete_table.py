"""The commands with their options, as completion needs them: made from the commands themselves, and kept in the cache,
because to load all of them takes most of the time that an answer may take.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from launcher.base.files import sha1_of, write_whole
from launcher.base.places import cache_folder

_PACKAGE = Path(__file__).resolve().parent.parent
_HOLD = ("cli", "plan", "plan/checks", "plan/checks/rules")
# What may stand in a parameter's place, by its name and how its help calls it; else by the latter alone.
_KINDS: Mapping[tuple[str, str], str] = {
    ("target", "NAME|FILE"): "specs",
    ("target", "[NAME|FILE]"): "specs",
    ("name", "NAME"): "runs",
    ("names", "[NAME]..."): "runs",
    ("a", "A"): "runs_and_specs",
    ("b", "B"): "runs_and_specs",
    ("name", "[TEMPLATE]"): "templates",
    ("template", "NAME"): "templates",
    ("sets", "KEY=VALUE"): "settings",
    ("allow", "CODE"): "allowed",
    ("allow", "KIND"): "kinds",
    ("code", ""): "codes",
    ("script", ""): "scripts",
    ("sd_scripts", ""): "checkouts",
    ("base_model", "MODEL"): "files",
    ("to", ""): "files",
    ("output", ""): "files",
    ("key", "[KEY]"): "config_keys",
    ("checkout_folder", ""): "folders",
    ("environment_folder", ""): "folders",
}
_TRAINERS = "arguments"  # those after --, of which the table says nothing
_BY_WORD = {"FILE": "files", "PATH": "files", "VERSION|FILE": "files", "FOLDER": "folders", "URL|FOLDER": "folders",
            "REPOSITORY": "folders", "NAME|FOLDER": "folders"}  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """An option (with `flags`) or an argument (without). `kind` says what its values are; "" for anything."""

    name: str
    flags: tuple[str, ...]
    takes_value: bool
    many: bool
    kind: str
    choices: tuple[str, ...]
    said: str


@dataclass(frozen=True)
class Command:
    """One command."""

    said: str
    parameters: tuple[Parameter, ...]

    @property
    def options(self) -> tuple[Parameter, ...]:
        """Those with flags, in the order of the help."""
        return tuple(each for each in self.parameters if each.flags)

    def option(self, flag: str) -> Parameter | None:
        """The option with this flag."""
        return next((each for each in self.parameters if flag in each.flags), None)

    def argument(self, index: int) -> Parameter | None:
        """The argument that takes the word with this number; the last may take all further ones."""
        arguments = [each for each in self.parameters if not each.flags]
        if index < len(arguments):
            return arguments[index]
        return arguments[-1] if arguments and arguments[-1].many else None


@dataclass(frozen=True)
class Table:
    """The commands by their names, and the codes of findings: what each is, and whether `--allow` takes it."""

    commands: Mapping[str, Command]
    codes: Mapping[str, tuple[str, bool]]


def read_table() -> Table:
    """The table, from the cache where kl is still the one that made it."""
    file, version = cache_folder() / "completion.json", _version()
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        kept = json.loads(file.read_bytes())
        if kept["version"] == version:
            return _decoded(kept)
    table = make_table()
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = {"version": version, "codes": table.codes, "commands": {k: asdict(v) for k, v in table.commands.items()}}
        write_whole(file, json.dumps(kept).encode())
    return table


def make_table() -> Table:
    """The table of the commands as they are. Loads all of kl."""
    from typer.main import get_command

    from launcher.cli.main import app
    from launcher.plan.every_code import every_code

    group: Any = get_command(app)
    commands = {
        name: Command(_first_sentence(command.help), tuple(_parameters(command)))
        for name, command in group.commands.items()
        if not command.hidden
    }
    return Table(commands, {code.name: (code.reason, code.can_be_allowed) for code in every_code().values()})


def _parameters(command: Any) -> Iterator[Parameter]:
    for each in command.params:
        is_option = each.param_type_name == "option"
        if getattr(each, "hidden", False) or (each.name == _TRAINERS and not is_option):
            continue
        choices = getattr(each.type, "choices", None) or ()
        takes_value = not is_option or not (each.is_flag or each.count)
        yield Parameter(
            name=each.name,
            flags=(*each.opts, *each.secondary_opts) if is_option else (),
            takes_value=takes_value,
            many=bool(each.multiple) if is_option else each.nargs != 1,
            kind=_kind(each.name, each.metavar or "") if takes_value else "",
            choices=tuple(str(getattr(choice, "value", choice)) for choice in choices),
            said=_first_sentence(getattr(each, "help", None)),
        )


def _kind(name: str, metavar: str) -> str:
    return _KINDS.get((name, metavar)) or _BY_WORD.get(metavar.strip("[].").rstrip("].")) or ""


def _first_sentence(text: str | None) -> str:
    first = " ".join((text or "").partition("\n\n")[0].split())
    return first.partition(". ")[0].rstrip(".")


def _version() -> str:
    """Of the files that hold commands and findings, by size and time, and of Python."""
    parts = [sys.version]
    for folder in _HOLD:
        with os.scandir(_PACKAGE / folder) as entries:
            states = sorted((entry.name, entry.stat()) for entry in entries if entry.name.endswith(".py"))
        parts += [f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in states]
    return sha1_of("\n".join(parts).encode())


def _decoded(kept: Any) -> Table:
    commands = {
        name: Command(
            each["said"],
            tuple(
                Parameter(**{**one, "flags": tuple(one["flags"]), "choices": tuple(one["choices"])})
                for one in each["parameters"]
            ),
        )
        for name, each in kept["commands"].items()
    }
    return Table(commands, {name: (said, bool(can)) for name, (said, can) in kept["codes"].items()})
