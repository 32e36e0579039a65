"""How much room a folder takes: the bytes of its files, no link followed."""

from __future__ import annotations

import os
from pathlib import Path

_DEEPEST = 50  # folders in one another: deeper ones are not counted


def bytes_of(folder: Path | str) -> int:
    """The bytes of every file below a folder. What cannot be read is not counted."""
    total = 0
    waiting = [(os.fspath(folder), 0)]
    while waiting:
        path, depth = waiting.pop()
        size, folders = bytes_beside_folders(path)
        total += size
        if depth < _DEEPEST:
            waiting += [(f"{path}/{name}", depth + 1) for name in folders]
    return total


def bytes_beside_folders(folder: Path | str) -> tuple[int, set[str]]:
    """The bytes of the files that stand in a folder itself, and the names of the folders in it."""
    total, folders = 0, set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.add(entry.name)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    except OSError:  # unreadable, or gone meanwhile
        pass
    return total, folders
