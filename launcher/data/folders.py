"""What is in a folder of pictures, listed as the trainer lists it.

library/train_util.py, glob_images: the folder itself and none below it, names that end in one of its extensions
to the letter (`.Png` is none), no hidden files, sorted.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

# library/train_util.py, IMAGE_EXTENSIONS; .avif and .jxl only where a plugin for Pillow is installed.
PICTURE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".PNG", ".JPG", ".JPEG", ".WEBP", ".BMP")
OTHER_PICTURES = frozenset(
    {".avif", ".jxl", ".gif", ".tif", ".tiff", ".heic", ".heif", ".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp"}
)
_FIRST = 1000  # files of a folder that is only glanced at


@dataclass(frozen=True)
class FileState:
    """What tells whether a file has changed: its size in bytes and when it was last written, in ns."""

    size: int
    modified: int


@dataclass(frozen=True)
class Folder:
    """One folder. `files` are its regular files by name, `others` names of everything else but folders without a dot.

    `there` is False when there is no such folder, or it cannot be read.
    """

    path: str
    there: bool
    files: Mapping[str, FileState]
    others: frozenset[str] = frozenset()

    def pictures(self, extensions: tuple[str, ...] = PICTURE_EXTENSIONS) -> list[str]:
        """The names that the trainer takes for pictures, in its order; what they hold is not looked at."""
        names = [name for name in self.files if name.endswith(extensions) and not name.startswith(".")]
        names += [name for name in self.others if name.endswith(extensions) and not name.startswith(".")]
        return sorted(names)

    def join(self, name: str) -> str:
        """The whole path of a name in it, as the trainer writes it."""
        return os.path.join(self.path, name)  # noqa: PTH118 - Path drops what the trainer keeps: "img/./a.png"


def read_folder(path: str) -> Folder:
    """What is in a folder; never raises, and follows no folder below it."""
    files: dict[str, FileState] = {}
    others: set[str] = set()
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                state = _state(entry)
                if state is None:
                    others.add(entry.name)
                else:
                    files[entry.name] = state
    except (OSError, ValueError):
        return Folder(path, os.path.isdir(path) if "\0" not in path else False, {})  # noqa: PTH112 - text, as above
    return Folder(path, True, files, frozenset(others))


def holds_pictures(path: str, extensions: tuple[str, ...]) -> bool:
    """Whether a folder has a picture among the first files that are found in it."""
    try:
        with os.scandir(path) as entries:
            return any(entry.name.endswith(extensions) for entry in islice(entries, _FIRST))
    except (OSError, ValueError):
        return False


def folders_in(path: str) -> Iterator[str]:
    """The names of the folders in a folder, sorted; none when it cannot be read."""
    try:
        with os.scandir(path) as entries:
            yield from sorted(entry.name for entry in entries if entry.is_dir())
    except (OSError, ValueError):
        return


def _state(entry: os.DirEntry[str]) -> FileState | None:
    """A regular file's state, or that of what a link leads to; None for anything else."""
    try:
        status = entry.stat()
    except OSError:
        return None  # a link to nowhere, or to itself
    return FileState(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
