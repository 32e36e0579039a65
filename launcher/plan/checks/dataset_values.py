"""Whether a value of a dataset config passes its schema, as voluptuous decides, and how to say that it does not."""

from __future__ import annotations

from typing import Any

from launcher.trainer.dataset_schema import Wanted

_TYPES: dict[str, type | tuple[type, ...]] = {"bool": bool, "int": int, "float": float, "str": str, "dict": dict}
_WORDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number with a decimal point",
    "str": "text",
    "dict": "a table",
    "none": "nothing",
}
_MOST_ITEMS = 4  # of a list that a message repeats
_LONGEST = 40  # characters of a value that a message repeats


def passes(value: Any, wanted: Wanted) -> bool:
    """Whether voluptuous takes the value: by isinstance, so that `true` is a whole number and 1 is no float."""
    if wanted.kind == "any":
        return any(passes(value, part) for part in wanted.parts)
    if wanted.kind == "pair":
        return isinstance(value, (list, tuple)) and len(value) == 2 and all(passes(v, wanted.parts[0]) for v in value)
    if wanted.kind == "one-or-pair":
        return passes(value, wanted.parts[0]) or passes(value, Wanted("pair", wanted.parts))
    if wanted.kind == "none":
        return value is None
    return wanted.kind not in _TYPES or isinstance(value, _TYPES[wanted.kind])


def converted(value: Any, wanted: Wanted) -> Any:
    """What the trainer holds for a value that passes: a pair is a tuple, and one number stands for both."""
    if wanted.kind == "pair" or (wanted.kind == "one-or-pair" and isinstance(value, (list, tuple))):
        return tuple(value)
    return (value, value) if wanted.kind == "one-or-pair" else value


def is_odd(value: Any, wanted: Wanted) -> bool:
    """Whether true or false stands where a number is wanted: isinstance lets it pass, as 1 or 0."""
    if wanted.kind in ("pair", "one-or-pair") and isinstance(value, (list, tuple)):
        return any(is_odd(item, wanted.parts[0]) for item in value)
    return isinstance(value, bool) and wanted.kind != "unread" and not _takes_bool(wanted) and passes(value, wanted)


def _takes_bool(wanted: Wanted) -> bool:
    return wanted.kind == "bool" or any(_takes_bool(part) for part in wanted.parts)


def wanted_words(wanted: Wanted) -> str:
    """What must stand there: "a whole number, or [width, height]"."""
    if wanted.kind == "any":
        if {part.kind for part in wanted.parts} == {"float", "int"}:
            return "a number"
        return " or ".join(wanted_words(part) for part in wanted.parts)
    if wanted.kind == "pair":
        return f"a list of two, each {wanted_words(wanted.parts[0])}"
    if wanted.kind == "one-or-pair":
        return f"{wanted_words(wanted.parts[0])} or a list of two"
    return _WORDS.get(wanted.kind, "another value")


def said(value: Any) -> str:
    """The value that stands there instead, as a person would name it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, (int, float)):
        return f"{'the whole number ' if isinstance(value, int) else ''}{_short(repr(value))}"
    if isinstance(value, str):
        return f"the text {_short(_quoted(value))}"
    if isinstance(value, (list, tuple)):
        plain = len(value) <= _MOST_ITEMS and all(isinstance(item, (bool, int, float)) for item in value)
        return f"the list {_as_toml(list(value))}" if plain else f"a list of {len(value)}"
    return "a table" if isinstance(value, dict) else f"the date or time {value}"


def shown(key: str) -> str:
    """A key as a message can hold it: what cannot be printed is escaped, and what is endless cut."""
    return _short(key if key.isprintable() else key.encode("unicode_escape", "backslashreplace").decode())


def better(value: Any, wanted: Wanted) -> str | None:
    """What to write instead, where that is clear."""
    candidate = _meant(value, wanted)
    return None if candidate is None else f"Write {_as_toml(candidate)}."


def _meant(value: Any, wanted: Wanted) -> Any:
    if wanted.kind in ("pair", "one-or-pair") and isinstance(value, (list, tuple)) and len(value) == 2:
        parts = [item if passes(item, wanted.parts[0]) else _meant(item, wanted.parts[0]) for item in value]
        return None if None in parts else parts
    if wanted.kind == "one-or-pair" and isinstance(value, list) and len(value) == 1:
        return value[0] if passes(value[0], wanted.parts[0]) else _meant(value[0], wanted.parts[0])
    if wanted.kind in ("any", "one-or-pair"):
        return next((meant for part in wanted.parts if (meant := _meant(value, part)) is not None), None)
    return _meant_scalar(value, wanted.kind)


def _meant_scalar(value: Any, kind: str) -> Any:  # noqa: PLR0911 - one line for each slip
    if kind == "bool":
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        return bool(value) if isinstance(value, int) and value in (0, 1) else None
    if isinstance(value, bool):
        return None
    if kind == "str" and isinstance(value, (int, float)):
        return str(value)
    if kind == "float" and isinstance(value, (int, str)):
        return _parsed(float, value)
    if kind == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    return _parsed(int, value) if kind == "int" and isinstance(value, str) else None


def _parsed(kind: type[int] | type[float], value: int | str) -> int | float | None:
    try:
        return kind(value) if len(str(value)) <= _LONGEST else None
    except (ValueError, OverflowError):
        return None


def _as_toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(_as_toml(item) for item in value)}]"
    return _quoted(value) if isinstance(value, str) else _short(repr(value))


def _quoted(text: str) -> str:
    return '"' + text.encode("unicode_escape", "backslashreplace").decode().replace('"', '\\"') + '"'


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
