"""Which options two runs were trained with, and the configuration that they read from their run directories."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

from launcher.plan.data_files import PATH_KEYS
from launcher.record.difference import Difference, replaced, same_value
from launcher.record.manifest import OptionRecord
from launcher.record.side import COPY, DATASET_PATHS, Side, known_inputs, place_free

OPTIONS, ACCELERATE = "options", "accelerate"
# Where a run stands and what it is called; a port is a free one each time.
_OWN = ("output_dir", "output_name", "logging_dir", "log_prefix", "main_process_port")
# What is read from the run directory, with the names that it has there, without their endings.
_PROMPTS = "sample-prompts"
FILES = {"dataset_config": "config", "sample_prompts": _PROMPTS, "accelerate.yaml": "accelerate"}
_DATASET = "the dataset"


def compare_options(a: Side, b: Side) -> Iterator[Difference]:
    """The options that are not the same, accelerate's behind the trainer's; key=value items one by one."""
    for command, section in (("trainer", OPTIONS), ("accelerate", ACCELERATE)):
        of_a, of_b = _options(a, command), _options(b, command)
        for name in [*of_a, *(name for name in of_b if name not in of_a)]:
            if name not in _OWN:
                yield from _option(section, of_a.get(name), of_b.get(name), a, b)


def compare_files(a: Side, b: Side) -> Iterator[Difference]:
    """What the dataset configs, the sample prompts and accelerate's settings say otherwise, by key or by line.

    That only one has such a file is told by its option.
    """
    for option, stem in FILES.items():
        of_a, of_b = _content(a, stem), _content(b, stem)
        if of_a is None or of_b is None or of_a == of_b:
            continue
        free = _free_of_folders(a, b) if option == "dataset_config" else (lambda _, value: value)
        before, after = (_flat(*each, free) for each in (of_a, of_b))
        for name in [*before, *(name for name in after if name not in before)]:
            if not same_value(before.get(name), after.get(name)):
                yield Difference(option, name, before.get(name), after.get(name))


def is_place(side: Side, other: Side, option: str) -> bool:
    """Whether an option only says where the pictures lie, which are compared themselves."""
    return option in DATASET_PATHS and side.dataset is not None and other.dataset is not None


def _options(side: Side, command: str) -> dict[str, OptionRecord]:
    return {each.name: each for each in side.manifest.options if each.command == command}


def _option(section: str, old: OptionRecord | None, new: OptionRecord | None, a: Side, b: Side) -> Iterator[Difference]:
    name = (old or new or OptionRecord()).name
    if old and new and (is_place(a, b, name) or _are_same(old.value, new.value, a, b)):
        return
    before, after = (each.value if each else None for each in (old, new))
    if isinstance(before, dict) or isinstance(after, dict):
        yield from _items(name, _as_items(before), _as_items(after), a, b)
    else:
        yield Difference(section, name, _shown(old, a), _shown(new, b))


def _items(name: str, old: Mapping[str, Any], new: Mapping[str, Any], a: Side, b: Side) -> Iterator[Difference]:
    for key in [*old, *(key for key in new if key not in old)]:
        if key not in old or key not in new or not _are_same(old[key], new[key], a, b):
            yield Difference(name, key, old.get(key), new.get(key))


def _as_items(value: Any) -> Mapping[str, Any]:
    """Key=value items, which an older record may hold as the words of a command."""
    if isinstance(value, dict):
        return value
    words = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
    return {key: text for key, _, text in (str(word).partition("=") for word in words)}


def _are_same(old: Any, new: Any, a: Side, b: Side) -> bool:
    return same_value(old, new) or same_value(_free(old, a), _free(new, b))


def _free(value: Any, side: Side) -> Any:
    """A value without where things lie: a file whose content is known is compared as an input."""
    inputs = known_inputs(side)
    checkout = side.manifest.trainer.checkout

    def free(text: str) -> Any:
        known = inputs.get(text) or inputs.get(os.path.normpath(os.path.join(checkout, text)))  # noqa: PTH118 - texts
        return place_free(text, side) if known is None else "A MODEL OF THE HUB" if known.revision else "A FILE"

    return replaced(value, free)


def _shown(option: OptionRecord | None, side: Side) -> Any:
    return None if option is None else replaced(option.value, lambda text: _named(text, side))


def _named(text: str, side: Side) -> Any:
    free = place_free(text, side)
    return PurePath(text).name if free == COPY else text


def _content(side: Side, stem: str) -> tuple[str, bytes] | None:
    return next(((name, content) for name, content in side.files.items() if PurePath(name).stem == stem), None)


def _free_of_folders(a: Side, b: Side) -> Callable[[str, Any], Any]:
    compared = a.dataset is not None and b.dataset is not None
    return lambda key, value: _DATASET if compared and key in PATH_KEYS else value


def _flat(name: str, content: bytes, free: Callable[[str, Any], Any]) -> dict[str, Any]:
    """What a file says: its values by their dotted keys; its lines, where it is neither TOML nor JSON."""
    text = content.decode("utf-8", "replace")
    try:
        if name.endswith(".json"):
            return dict(_leaves("", json.loads(text), free))
        if name.endswith(".toml"):
            import toml  # noqa: PLC0415 - as sd-scripts reads it, and only where there is one

            return dict(_leaves("", toml.loads(text), free))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        pass
    lines, kind = text.splitlines(), "line"
    if name.startswith(_PROMPTS):  # library/train_util.py, load_prompts
        lines, kind = [line for line in lines if line.strip() and not line.startswith("#")], "prompt"
    return {f"{kind} {number}": line.strip() for number, line in enumerate(lines, 1)}


def _leaves(path: str, value: Any, free: Callable[[str, Any], Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), free(str(key), each), free)
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for number, each in enumerate(value, 1):
            yield from _leaves(f"{path}[{number}]", each, free)
    else:
        yield path, value
