"""What a look at everything that a run recorded has shown, as text or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from launcher.base.words import counted, listed
from launcher.cli.render import short
from launcher.run.checked import Checked, State
from launcher.run.verify import Verified

_SHOWN = 20  # things of a section that are not as recorded; --json has them all
_NAMED = 4  # things that are as recorded
_STATE = 18  # columns


def verified_as_text(verified: Verified) -> Iterator[str]:
    """What is as it was in short, everything else by name."""
    yield f"{verified.name} in {short(verified.directory)}"
    for section, checks in groupby(verified.checks, lambda each: each.section):
        yield f"  {section}"
        yield from _section(list(checks))
    counts = Counter(each.state for each in verified.checks)
    if verified.is_as_recorded:
        unknown = counts[State.NOT_RECORDED]
        more = f" {counted(unknown, 'thing')} was never recorded." if unknown == 1 else ""
        more = f" {counted(unknown, 'thing')} were never recorded." if unknown > 1 else more
        yield f"Everything is as recorded.{more}"
    else:
        wrong = [state for state in State if not state.is_as_recorded and counts[state]]
        yield f"Not as recorded: {listed(f'{counts[state]} {_in_words(state)}' for state in wrong)}."


def verified_as_data(verified: Verified) -> dict[str, Any]:
    """The same as JSON holds it, every check by itself."""
    return {
        "name": verified.name,
        "directory": str(verified.directory),
        "as_recorded": verified.is_as_recorded,
        "counts": dict(Counter(each.state.value for each in verified.checks)),
        "checks": [
            {"section": each.section, "name": each.name, "state": each.state.value, "said": each.said}
            for each in verified.checks
        ],
    }


def _section(checks: list[Checked]) -> Iterator[str]:
    fine = [each for each in checks if each.state is State.OK]
    others = [each for each in checks if each.state is not State.OK]
    if fine:
        yield _line(State.OK, listed(each.name for each in fine) if len(fine) <= _NAMED else str(len(fine)))
    unknown = [each for each in others if each.state is State.NOT_RECORDED]
    if len(unknown) > _NAMED:
        others = [each for each in others if each not in unknown]
        yield _line(State.NOT_RECORDED, f"hashes of {len(unknown)}")
    for each in others[:_SHOWN]:
        yield _line(each.state, f"{each.name} {each.said}".rstrip())
    if len(others) > _SHOWN:
        yield f"    and {len(others) - _SHOWN} more, which --json lists"


def _line(state: State, text: str) -> str:
    return f"    {state.value:<{_STATE}}{text}"


def _in_words(state: State) -> str:
    return "otherwise" if state is State.DIFFERS else state.value
