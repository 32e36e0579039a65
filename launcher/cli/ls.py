"""`kl ls`: the runs below the output roots."""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.run.listing import ListedRun

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class Order(str, Enum):
    """What runs are sorted by."""

    WHEN = "when"
    NAME = "name"
    LOSS = "loss"
    STEPS = "steps"
    SIZE = "size"
    TIME = "time"


def ls_command(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only runs with all these words in their name, in run.notes or in what kl note added.",
            metavar="[TEXT]...",
            show_default=False,
        ),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only those that failed, were stopped or lost; also the removed ones.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only those started since: 12h, 2d, 3w ago, or a date, 2026-11-01.", metavar="TIME", show_default=False
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Only those trained on a dataset with this in its name.", metavar="TEXT", show_default=False),
    ] = None,
    sort: Annotated[Order, typer.Option(help="Newest, most, largest, longest, or lowest loss first.")] = Order.WHEN,
    reverse: Annotated[bool, typer.Option("--reverse", "-r", help="The other way round.")] = False,
    number: Annotated[
        int | None, typer.Option("--number", "-n", min=0, help="Only the first so many.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> int:
    """List the runs, the newest first: how they ended, how far they came, when, how long, how large."""
    import gc

    from launcher.cli.runs import output_roots
    from launcher.run.listing import list_runs, removed_count
    from launcher.run.trained_on import is_trained_on

    gc.disable()  # thousands of small things that all stay: looking through them for garbage only takes time
    earliest = None if since is None else since_when(since, time.time())
    roots = output_roots()
    every = list_runs(roots, removed=failed)
    chosen = [each for each in every if _is_wanted(each, words or (), failed=failed, earliest=earliest)]
    if dataset is not None:
        chosen = [each for each in chosen if is_trained_on(each.run, dataset)]
    chosen = in_order(chosen, sort, reverse=reverse)
    if number is not None:
        chosen = chosen[:number]
    _show(chosen, roots, len(every), hidden=0 if failed else removed_count(), as_json=as_json)
    return 0


def since_when(text: str, now: float) -> float:
    """A time that was typed, as seconds since 1970: so long before `now`, or a date of this machine's clock.

    Raises KlError (wrong usage).
    """
    from launcher.base.errors import ExitCode, KlError

    ago = re.fullmatch(r"([0-9]{1,9})([mhdw])", text.strip())
    if ago:
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        message = f"--since {text} is no time."
        hint = "Write how long ago, as in 30m, 12h, 2d or 3w, or a date, as in 2026-11-01."
        raise KlError(message, code=ExitCode.USAGE, hint=hint) from None


def in_order(runs: Sequence[ListedRun], order: Order, *, reverse: bool = False) -> list[ListedRun]:
    """The runs sorted. Those without such a value come last, whichever way round."""
    value, upwards = _ORDERS[order]
    known = [each for each in runs if value(each) is not None]
    unknown = [each for each in runs if value(each) is None]
    known.sort(key=lambda each: each.run.name)  # what is equal stands by name
    known.sort(key=value, reverse=upwards == reverse)
    return [*known, *unknown]


def _loss(listed: ListedRun) -> float | None:
    return None if listed.loss is None or math.isnan(listed.loss) else listed.loss


# What is sorted by, and whether the smallest comes first.
_ORDERS: dict[Order, tuple[Callable[[ListedRun], Any], bool]] = {
    Order.WHEN: (lambda each: each.when, False),
    Order.NAME: (lambda each: each.run.name, True),
    Order.LOSS: (_loss, True),
    Order.STEPS: (lambda each: each.step, False),
    Order.SIZE: (lambda each: each.size, False),
    Order.TIME: (lambda each: each.seconds, False),
}


def _is_wanted(listed: ListedRun, words: Sequence[str], *, failed: bool, earliest: float | None) -> bool:
    if failed and not listed.failed:
        return False
    if earliest is not None and listed.when < earliest:
        return False
    missing = _missing_in(f"{listed.run.name}\n{listed.notes}", words)
    if not missing:
        return True
    from launcher.record.notes import notes_text

    return not _missing_in(notes_text(listed.run.directory), missing)


def _missing_in(text: str, words: Iterable[str]) -> list[str]:
    text = text.lower()
    return [word for word in words if word.lower() not in text]


def _show(runs: Sequence[ListedRun], roots: Sequence[Path], every: int, *, hidden: int, as_json: bool) -> None:
    import json
    import shutil

    from launcher.base.words import counted
    from launcher.cli.render import short, show_lines
    from launcher.cli.render_runs import has_colours, run_as_data, runs_as_lines, show_plainly

    if as_json:
        listed = [run_as_data(each) for each in runs]
        print(json.dumps({"runs": listed, "roots": list(map(str, roots)), "removed_not_listed": hidden}, indent=1))
        return
    if runs:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        show_plainly(runs_as_lines(runs, width=width, coloured=has_colours(sys.stdout)))
    elif every:
        show_lines([f"None of {every} runs is like that." if every > 1 else "The only run is not like that."])
    else:
        show_lines(["There are no runs in " + (", ".join(short(root) for root in roots) or "any folder") + "."])
    if hidden:
        show_lines([f"{counted(hidden, 'removed failed run')}: kl ls --failed"])
