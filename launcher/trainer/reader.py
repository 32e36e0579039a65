"""Reads what a training script accepts, from its source alone: nothing of the trainer is imported or run."""

from __future__ import annotations

from pathlib import Path

from launcher.trainer.cache import remembered
from launcher.trainer.checkout import Checkout, script_path
from launcher.trainer.options import ScriptOptions, from_json, to_json
from launcher.trainer.static.sources import Sources

SETUP = "setup_parser"  # every training script of sd-scripts builds its parser in a function of this name


def read_options(checkout: Checkout, script: str, *, cache: Path | None = None) -> ScriptOptions:
    """What `script` accepts: equal to what its own parser holds; what could not be read is marked, never dropped.

    `cache` is the folder of the cache, by default the user's own. Raises KlError when there is no such script.
    """
    file = script_path(checkout, script).relative_to(checkout.path).as_posix()
    return read_parser(checkout.path, file, SETUP, cache=cache)


def read_parser(
    root: Path, file: str, function: str, *, package: str | None = None, cache: Path | None = None
) -> ScriptOptions:
    """The options of the parser that `function` of `file` returns when it is called without arguments.

    Imports are followed to files below `root`; with `package`, only to those of that package, for a `root` that
    holds packages of other people too. A file or function that is not there is noted in the result.
    """
    return remembered(
        "options",
        root,
        (file, function),
        lambda sources: _read(sources, file, function),
        encode=to_json,
        decode=from_json,
        package=package,
        cache=cache,
    )


def _read(sources: Sources, file: str, function: str) -> ScriptOptions:
    from launcher.trainer.static.entry import read  # noqa: PLC0415 - a reading from the cache does without

    return read(sources, file, function)
