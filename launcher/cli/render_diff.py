"""What two runs have not in common, as text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from launcher.base.words import some_of
from launcher.cli.render import duration
from launcher.cli.render_runs import loss_as_text
from launcher.record.compare import Comparison
from launcher.record.difference import Difference
from launcher.record.manifest import Attempt
from launcher.record.side import Side

SHOWN = 20  # differences of a section; --json has them all
_LONGEST = 160  # letters of a value
_NARROWEST, _WIDEST = 12, 40  # columns of a name
_UNKNOWN = 4  # things that are not recorded


def comparison_as_text(comparison: Comparison) -> Iterator[str]:
    """What differs, section by section."""
    a, b = comparison.a, comparison.b
    yield f"A  {_side(a)}"
    yield f"B  {_side(b)}"
    yield ""
    unknown = comparison.not_recorded_a or comparison.not_recorded_b
    if comparison.differences:
        yield "They are the same but for"
    else:
        yield "They are the same, as far as both are recorded." if unknown else "They are the same."
    for section, differences in groupby(comparison.differences, lambda each: each.section):
        yield f"  {section}"
        yield from _section(list(differences))
    if comparison.weights and comparison.differences:
        yield "The final models have the same weights."
    for name, missing in (("A", comparison.not_recorded_a), ("B", comparison.not_recorded_b)):
        if missing:
            yield f"not recorded in {name}: {some_of(missing, _UNKNOWN)}"


def comparison_as_data(comparison: Comparison) -> dict[str, Any]:
    """The same as JSON holds it, whole. `same_weights` is null where it is not known."""
    return {
        "a": _side_as_data(comparison.a),
        "b": _side_as_data(comparison.b),
        "same": not comparison.differences,
        "same_weights": comparison.weights,
        "differences": [
            {
                "section": each.section,
                "name": each.name,
                "a": _as_data(each.a),
                "b": _as_data(each.b),
                "note": each.note,
            }
            for each in comparison.differences
        ],
        "not_recorded": {"a": list(comparison.not_recorded_a), "b": list(comparison.not_recorded_b)},
    }


def value_as_text(value: Any) -> str:
    """A value as a person reads it, shortened."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, (dict, list, tuple)):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = str(value)
    text = text or '""'
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _section(differences: Sequence[Difference]) -> Iterator[str]:
    shown = differences[:SHOWN]
    width = min(_WIDEST, max(_NARROWEST, *(len(each.name) for each in shown)))
    for each in shown:
        yield f"    {each.name:<{width}}  {_said(each)}"
    if len(differences) > SHOWN:
        yield f"    and {len(differences) - SHOWN} more, which --json lists"


def _said(difference: Difference) -> str:
    if difference.b is None:
        said = f"only A: {value_as_text(difference.a)}"
    elif difference.a is None:
        said = f"only B: {value_as_text(difference.b)}"
    elif difference.section == "outcome" and "loss" in difference.name:
        said = f"{_loss(difference.a)} → {_loss(difference.b)}"
    else:
        said = f"{value_as_text(difference.a)} → {value_as_text(difference.b)}"
    return f"{said}  ({difference.note})" if difference.note else said


def _loss(value: Any) -> str:
    return loss_as_text(value) if isinstance(value, float) else value_as_text(value)


def _side(side: Side) -> str:
    if side.planned:
        return f"{side.name}, as it would be launched now"
    last = side.manifest.attempts[-1] if side.manifest.attempts else Attempt()
    steps = f"{last.last_step} steps" if last.last_step is not None else ""
    time = duration(side.seconds) if side.seconds is not None else ""
    return ", ".join(text for text in (f"{side.name}: {side.outcome}", steps, time) if text)


def _side_as_data(side: Side) -> dict[str, Any]:
    return {
        "name": side.name,
        "directory": str(side.directory),
        "planned": side.planned,
        "outcome": side.outcome,
        "seconds": side.seconds,
    }


def _as_data(value: Any) -> Any:
    """A number that JSON has none for is a word."""
    if isinstance(value, float) and value - value != 0:
        return str(value)
    if isinstance(value, (list, tuple)):
        return [_as_data(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _as_data(each) for name, each in value.items()}
    return value
