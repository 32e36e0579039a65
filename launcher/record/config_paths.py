"""A dataset config with whole paths: the trainer takes relative ones from the folder that it runs in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from launcher.plan.data_files import PATH_KEYS

_DATASETS, _SUBSETS = "datasets", "subsets"


def with_whole_paths(name: str, content: bytes, folder: Path) -> tuple[bytes, tuple[str, ...]]:
    """The dataset config `name` as it says the same from anywhere, and the paths that were relative.

    They are taken from `folder`. What needs no change is returned to the letter, also what cannot be read.
    Raises ValueError when a relative path is there and the whole cannot be written anew.
    """
    as_json = name.endswith(".json")
    try:
        data = json.loads(content) if as_json else _toml().loads(content.decode("utf-8-sig"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return content, ()  # the trainer's reader will say what is wrong
    relative: list[str] = []
    for table in _tables(data):
        for key in PATH_KEYS:
            path = table.get(key)
            if isinstance(path, str) and path and not path.startswith("/"):
                table[key] = str(folder / path)
                relative.append(path)
    if not relative:
        return content, ()
    return (json.dumps(data, indent=2).encode() if as_json else _written(data)), tuple(dict.fromkeys(relative))


def _tables(data: Any) -> list[dict[str, Any]]:
    """[general], the datasets and their subsets: each may name a folder for those below it."""
    if not isinstance(data, dict):
        return []
    datasets = [each for each in _list(data.get(_DATASETS)) if isinstance(each, dict)]
    subsets = [each for dataset in datasets for each in _list(dataset.get(_SUBSETS)) if isinstance(each, dict)]
    general = data.get("general")
    return [*([general] if isinstance(general, dict) else []), *datasets, *subsets]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _written(data: dict[str, Any]) -> bytes:
    toml = _toml()
    text: str = toml.dumps(data)
    try:
        if toml.loads(text) == data:
            return text.encode()
    except (ValueError, LookupError, TypeError, AttributeError):
        pass
    message = "its TOML reader takes it and cannot write it"
    raise ValueError(message)


def _toml() -> Any:
    import toml  # noqa: PLC0415 - sd-scripts' own reader; only runs with a dataset config need it

    return toml
