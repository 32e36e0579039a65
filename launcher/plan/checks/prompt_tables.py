"""A prompt's table in a .toml or .json file: its keys and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from launcher.base.findings import Finding
from launcher.base.nearest import nearest
from launcher.plan.checks.prompt_codes import FLAG_IN_TABLE, KEY_UNKNOWN, WRONG_TYPE
from launcher.plan.checks.prompt_file import Prompt
from launcher.plan.checks.prompt_lines import flag_meant
from launcher.trainer.prompt_flags import PromptReader, parts_of

_PROMPT = "prompt"
_MAY_BE_NULL = ("negative_prompt", "seed", "controlnet_image")
_OWN = ("enum", "subset")  # the trainer's, in the table of each prompt (load_prompts)
_MOST_PARTS = 60


def check_table(prompt: Prompt, table: Mapping[str, Any], reader: PromptReader) -> tuple[dict[str, Any], list[Finding]]:
    """The values of a table that are of the right type, by key, and what is wrong with the others."""
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for key, value in table.items():
        if not _is_known(reader, key):
            findings.extend(_unknown(prompt, reader, key))
        elif value is None and key in _MAY_BE_NULL:
            continue
        else:
            wanted = _wanted(reader, key, value)
            if wanted:
                message = f"{prompt.label}{key} takes {wanted}, and {_shown(repr(value))} is none."
                findings.append(WRONG_TYPE.at(prompt.place(key), message, _whole(reader, key, value)))
            else:
                values[key] = value
    findings.extend(_flags(prompt, table, reader))
    return values, findings


def _is_known(reader: PromptReader, key: str) -> bool:
    """Whether the trainer looks this key up: always, where its reader is not understood."""
    if key in (_PROMPT, *_OWN) or not reader.keys or not reader.complete:
        return True
    return reader.key(key) is not None or reader.flag_of(key) is not None


def _unknown(prompt: Prompt, reader: PromptReader, key: str) -> Iterator[Finding]:
    names = [_PROMPT, *(each.name for each in reader.keys if each.name not in (_PROMPT, *_OWN))]
    meant = flag_meant(reader, key[:60])
    near = meant.key if meant else nearest(key[:60], names)
    hint = f"Did you mean {near}?" if near else f"A prompt takes {', '.join(names)}."
    message = f"{prompt.label}The trainer never looks at {_shown(key)}."
    yield KEY_UNKNOWN.at(prompt.place(key), message, hint)


def _wanted(reader: PromptReader, key: str, value: Any) -> str | None:
    """What a key takes, in words, where the value is none of it."""
    flag, looked_up = reader.flag_of(key), reader.key(key)
    if key in _OWN or (looked_up is None and key != _PROMPT):
        return None  # never used
    default = looked_up.default if looked_up else None
    kind = "text" if key == _PROMPT else flag.kind if flag else None
    if kind != "int" and isinstance(default, float):
        kind = "float"  # flow_shift stays text in a line, and is a number all the same
    if isinstance(value, str) and looked_up and looked_up.converted and kind in ("int", "float"):
        return (
            None if re.fullmatch(r"\s*[+-]?\d{1,18}\s*" if kind == "int" else r"[\s\d.+eE-]+", value) else _KINDS[kind]
        )
    if kind == "int":
        # With a seed or steps that are 20.0 the trainer can do something; with such a size it cannot.
        whole = isinstance(value, float) and value.is_integer() and key not in ("width", "height")
        return None if type(value) is int or whole or _converts(reader, key, value) else _KINDS[kind]
    if kind == "float":
        return None if isinstance(value, (int, float)) and not isinstance(value, bool) else _KINDS[kind]
    return _KINDS["text"] if kind == "text" and not isinstance(value, str) else None


_KINDS = {"int": "a whole number", "float": "a number", "text": "text"}


def _converts(reader: PromptReader, key: str, value: Any) -> bool:
    looked_up = reader.key(key)
    return bool(looked_up and looked_up.converted and isinstance(value, float) and abs(value) < 2**63)


def _whole(reader: PromptReader, key: str, value: Any) -> str | None:
    flag = reader.flag_of(key)
    if isinstance(value, str) and flag and flag.kind != "text" and re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
        return f"Write {key} = {value}, without quotes."
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 and flag and flag.kind == "int":
        return f"Write {int(value)}."
    return None


def _flags(prompt: Prompt, table: Mapping[str, Any], reader: PromptReader) -> Iterator[Finding]:
    text = table.get(_PROMPT)
    for part in parts_of(text[:20_000], reader.flags, _MOST_PARTS)[1:] if isinstance(text, str) else []:
        if part.flag:
            message = f"{prompt.label}--{_shown(part.text)} is not read in a table; it stays in the prompt as words."
            yield FLAG_IN_TABLE.at(
                prompt.place(_PROMPT), message, f"Write {part.flag.key} = {_shown(part.value)} instead."
            )


def _shown(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
