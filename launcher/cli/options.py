"""`kl options`: what a training script accepts, as a reference to read or as JSON."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from launcher.cli.help_texts import help_half, prefers_japanese

if TYPE_CHECKING:
    from launcher.trainer.checkout import Checkout
    from launcher.trainer.options import Option, ScriptOptions

_TYPES = {"int": "INT", "float": "FLOAT", "str": "TEXT", None: "TEXT"}


def options_command(
    script: Annotated[str, typer.Argument(help="A training script of the checkout: sdxl_train_network.py")],
    sd_scripts: Annotated[
        Path | None, typer.Option("--sd-scripts", help="The checkout of sd-scripts.", show_default=False)
    ] = None,
    search: Annotated[
        str | None, typer.Option("--search", help="Only options with this in their name or help.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Show every option that a training script accepts, read from its source."""
    from launcher.setup.checkouts import find_checkout
    from launcher.trainer.checkout import open_checkout
    from launcher.trainer.reader import read_options

    checkout = open_checkout(find_checkout(sd_scripts))
    read = read_options(checkout, script)
    shown = [option for option in read.options if search is None or matches(option, search)]
    if as_json:
        _write(json.dumps(as_data(checkout, read, shown), indent=1) + "\n")
    else:
        _write(as_text(checkout, read, shown, japanese=prefers_japanese(os.environ)))


def as_data(checkout: Checkout, read: ScriptOptions, shown: Iterable[Option]) -> dict[str, Any]:
    """The reading as JSON holds it. `unread` says what could not be read: fields of an option, places in the source."""
    return {
        "script": read.script,
        "checkout": {"path": str(checkout.path), "commit": checkout.commit},
        "options": [asdict(option) for option in shown],
        "unread": [asdict(note) for note in read.unread],
    }


def as_text(checkout: Checkout, read: ScriptOptions, shown: list[Option], *, japanese: bool) -> str:
    """The reading as a person reads it, as wide as the terminal."""
    from rich.console import Console
    from rich.text import Text

    out = io.StringIO()
    is_terminal = sys.stdout.isatty()
    width = max(30, shutil.get_terminal_size((100, 24)).columns)
    console = Console(file=out, width=width, force_terminal=is_terminal, highlight=False, markup=False, emoji=False)

    def put(text: str, indent: int = 0, style: str = "") -> None:
        for line in Text(text).wrap(console, width - indent):
            line.rstrip()
            console.print(Text(" " * indent) + Text(line.plain, style=style), soft_wrap=True)

    commit = f" at {checkout.commit[:8]}" if checkout.commit else ""
    count = f"{len(shown)} of {len(read.options)}" if len(shown) != len(read.options) else f"{len(shown)}"
    put(f"{read.script}: {count} options ({checkout.path}{commit})", style="dim")
    for option in shown:
        put("")
        put(heading(option), style="bold")
        for fact in facts(option):
            put(fact, indent=4, style="cyan")
        if option.help:
            put(help_half(option.help, japanese=japanese), indent=4)
    if read.unread:
        put("")
        put("Not readable from the source:", style="yellow")
        for note in read.unread:
            put(f"{note.where}: {note.what}", indent=4)
    return out.getvalue()


def heading(option: Option) -> str:
    """The flags as they are typed, with what follows them."""
    word = _TYPES.get(option.type, (option.type or "").upper())
    value = "" if option.is_flag else f" {word}"
    if option.takes_items or (isinstance(option.nargs, int) and option.nargs > 1):
        value += " …"
    return (", ".join(option.flags) or option.name) + value


def facts(option: Option) -> list[str]:
    """What there is to know beside the name and the help, a line each."""
    lines = []
    dest = f"--{option.name}"
    if option.flags and dest not in option.flags:
        lines.append(f"name: {option.name}")
    if option.choices is not None:
        lines.append("one of: " + ", ".join(str(choice) for choice in option.choices if choice is not None))
    if option.required:
        lines.append("required")
    elif not option.is_flag and option.default not in (None, "==SUPPRESS==") and "default" not in option.unread:
        lines.append(f"default: {_shown(option.default)}")
    elif option.action == "StoreFalseAction" or (option.is_flag and option.default is True):
        lines.append("on by default")
    if option.unread:
        lines.append(f"not readable from the source: {', '.join(option.unread)} ({option.source})")
    return lines


def matches(option: Option, word: str) -> bool:
    """Whether a word stands in the option's name, a flag or its help, in either language."""
    sought = word.casefold()
    return any(sought in text.casefold() for text in (option.name, *option.flags, option.help or ""))


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(_shown(item) for item in value)
    return repr(value) if isinstance(value, str) and (not value or value != value.strip()) else str(value)


def _write(text: str) -> None:
    """Print, whatever the terminal's encoding, and end quietly when the reader went away (`| head`)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
