"""Small checkouts written for one test, read by kl and, for the truth, imported."""

from __future__ import annotations

import argparse
import importlib
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from launcher.trainer.checkout import open_checkout
from launcher.trainer.options import Option, ScriptOptions
from launcher.trainer.reader import read_options

SCRIPT = "train_thing.py"
FIELDS = ("flags", "name", "action", "nargs", "const", "default", "type", "choices", "required", "help")


def lay_out(root: Path, files: Mapping[str, str] | str) -> Path:
    """Write the files of a checkout; one text alone is its training script."""
    for name, text in ({SCRIPT: files} if isinstance(files, str) else files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return root


def setup(body: str) -> str:
    """A training script whose `setup_parser` has this body, between making a parser and returning it."""
    lines = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    return (
        f"import argparse\n\ndef setup_parser():\n    parser = argparse.ArgumentParser()\n{lines}\n    return parser\n"
    )


def read(root: Path, script: str = SCRIPT) -> ScriptOptions:
    """What kl reads of a script, with a cache of its own."""
    return read_options(open_checkout(root), script, cache=root.parent / f"{root.name}-cache")


def as_fields(option: Option) -> dict[str, Any]:
    """The fields that argparse holds too."""
    return {name: _plain(value) for name, value in asdict(option).items() if name in FIELDS}


def truth(root: Path, script: str = SCRIPT) -> list[dict[str, Any]]:
    """What the script's own parser holds, by importing it."""
    before = set(sys.modules)
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        parser = importlib.import_module(script.removesuffix(".py")).setup_parser()
    finally:
        sys.path.remove(str(root))
        for name in set(sys.modules) - before:
            if str(root) in str(
                getattr(sys.modules[name], "__file__", "") or getattr(sys.modules[name], "__path__", "")
            ):
                del sys.modules[name]
    return held(parser)


def held(parser: argparse.ArgumentParser) -> list[dict[str, Any]]:
    """The options of a real parser, spelled as kl spells them."""
    return [
        {
            "flags": list(action.option_strings),
            "name": action.dest,
            "action": type(action).__name__.strip("_"),
            "nargs": action.nargs,
            "const": _plain(action.const),
            "default": _plain(action.default),
            "type": getattr(action.type, "__name__", None),
            "choices": _plain(list(action.choices)) if action.choices else None,
            "required": action.required,
            "help": action.help,
        }
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str.__str__(value.value) if isinstance(value, str) and hasattr(value, "value") else value
