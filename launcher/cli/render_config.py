"""The configuration as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from launcher.base.settings import Value
from launcher.cli.render import origin_as_data, short
from launcher.setup.config_values import ConfigValue

_WIDEST = 32  # columns of a value, beyond which the next column moves


def config_as_text(values: Sequence[ConfigValue], file: Path) -> Iterator[str]:
    """One line for each key, with its value and where that comes from."""
    yield f"{short(file)}{'' if file.exists() else ' (not there)'}"
    keys = max((len(each.key) for each in values), default=0)
    width = min(_WIDEST, max((len(_shown(each)) for each in values), default=0))
    for each in values:
        yield f"  {each.key:<{keys}}  {_shown(each):<{width}}  {_from(each)}".rstrip()


def config_as_data(values: Sequence[ConfigValue], file: Path) -> dict[str, Any]:
    """The same as JSON holds it."""
    return {"file": str(file), "exists": file.exists(), "values": [value_as_data(each) for each in values]}


def value_as_data(value: ConfigValue) -> dict[str, Any]:
    """One key as JSON holds it; `origin` is null for one that has no value."""
    return {
        "key": value.key,
        "value": value.value,
        "origin": origin_as_data(value.origin) if value.origin else None,
        "over": [{"value": each.value, "origin": origin_as_data(each.origin)} for each in value.over],
    }


def plain(value: Value) -> list[str]:
    """A value for a script: text as it is, a list with a line for each, nothing for none."""
    if value is None:
        return []
    if isinstance(value, list):
        return [line for item in value for line in plain(item)]
    return [value if isinstance(value, str) else json.dumps(value)]


def in_words(value: Value) -> str:
    """A value as it stands in the file."""
    return json.dumps(value, ensure_ascii=False)


def _shown(each: ConfigValue) -> str:
    if each.hidden:
        return "(a secret: not shown)"
    return "-" if each.value is None else in_words(each.value)


def _from(each: ConfigValue) -> str:
    if each.origin is None:
        return ""
    over = f", over {' and '.join(str(weaker.origin) for weaker in each.over)}" if each.over else ""
    return f"{each.origin}{over}"
