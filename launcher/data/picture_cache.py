"""Sizes and captions of a whole folder, and what is remembered of them from one look to the next."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from launcher.base.files import sha256_of, write_whole
from launcher.base.places import cache_folder
from launcher.data.captions import Caption, read_caption
from launcher.data.folders import FileState, Folder
from launcher.data.picture_headers import Kind
from launcher.data.pictures import PictureSize, Unreadable, size_of

Progress = Callable[[int, int], None]  # files looked at, files in all
Fact = TypeVar("Fact")
Kept = Mapping[str, tuple[FileState, Fact]]

_FORMAT = 1  # of the file: another number makes older ones worthless
_FEWEST = 200  # files that are new to us: fewer are read again sooner than written down
_MOST = 200_000  # files remembered of one folder
_LONGEST_CAPTION = 4096  # letters
_FOLDERS = 50  # remembered; the ones not looked at for longest are forgotten
_JUST_NOW = 2_000_000_000  # ns: a file this new may change again within one tick of its file system's clock
_CHUNK = 256  # files per task
_WORKERS = 8  # they wait for the disk, not for a processor


@dataclass(frozen=True)
class Facts:
    """What is known of the files asked for, by name."""

    sizes: Mapping[str, PictureSize | Unreadable]
    captions: Mapping[str, Caption]


def look(
    folder: Folder,
    pictures: Sequence[str],
    captions: Sequence[str],
    *,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> Facts:
    """The sizes of pictures and the texts of caption files in a folder, each by its name.

    Those that have not changed since the last look are not opened again. `cache` is the folder for what is remembered,
    by default the user's own; one that cannot be read or written is no error.
    """
    path = (cache or cache_folder() / "pictures") / f"{sha256_of(os.fsencode(folder.path))[:40]}.json"
    kept_sizes, kept_captions = _load(path) if len(pictures) + len(captions) >= _FEWEST else ({}, {})
    sizes = {name: kept_sizes[name][1] for name in pictures if _is_same(folder, name, kept_sizes)}
    texts = {name: kept_captions[name][1] for name in captions if _is_same(folder, name, kept_captions)}
    new_pictures = [name for name in pictures if name not in sizes]
    new_captions = [name for name in captions if name not in texts]
    count = _Count(len(pictures) + len(captions), len(sizes) + len(texts), progress)
    all_sizes = {**sizes, **_read(new_pictures, lambda name: size_of(folder.join(name)), count)}
    all_texts = {**texts, **_read(new_captions, lambda name: read_caption(folder.join(name)), count)}
    if len(new_pictures) + len(new_captions) >= _FEWEST:
        _save(path, folder, all_sizes, all_texts)
    return Facts(all_sizes, all_texts)


@dataclass
class _Count:
    total: int
    done: int
    progress: Progress | None

    def add(self, number: int) -> None:
        self.done += number
        if self.progress:
            self.progress(self.done, self.total)


def _read(names: Sequence[str], read: Callable[[str], Fact], count: _Count) -> dict[str, Fact]:
    """What `read` gives for every name. Many are read by several threads, so that a slow disk has enough to do."""
    chunks = [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
    found: dict[str, Fact] = {}

    def several(chunk: Sequence[str]) -> list[Fact]:
        return [read(name) for name in chunk]

    def collect(results: Iterable[list[Fact]]) -> None:
        for chunk, result in zip(chunks, results, strict=True):
            found.update(zip(chunk, result, strict=True))
            count.add(len(chunk))

    if len(chunks) < 2:
        collect(map(several, chunks))
    else:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - pictures seen before need none

        with ThreadPoolExecutor(_WORKERS) as pool:
            collect(pool.map(several, chunks))
    return found


def _is_same(folder: Folder, name: str, kept: Kept[Any]) -> bool:
    return name in kept and folder.files.get(name) == kept[name][0]


def _load(path: Path) -> tuple[Kept[PictureSize], Kept[Caption]]:
    try:
        data = json.loads(path.read_bytes())
        if data["format"] != _FORMAT:
            return {}, {}
        sizes = {
            name: (FileState(size, modified), PictureSize(width, height, Kind[kind], whole))
            for name, (size, modified, width, height, kind, whole) in data["pictures"].items()
        }
        captions = {
            name: (FileState(size, modified), Caption(text))
            for name, (size, modified, text) in data["captions"].items()
            if isinstance(text, str)
        }
        os.utime(path)  # looked at just now
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}, {}
    return sizes, captions


def _save(
    path: Path, folder: Folder, sizes: Mapping[str, PictureSize | Unreadable], captions: Mapping[str, Caption]
) -> None:
    """Remember what is sound; the rest is looked at again. Two processes may do so at once: files are written whole."""
    if len(sizes) + len(captions) > _MOST:
        return
    settled = time.time_ns() - _JUST_NOW
    states = {name: (state.size, state.modified) for name, state in folder.files.items() if state.modified < settled}
    data = {
        "format": _FORMAT,
        "pictures": {
            name: (*states[name], size.width, size.height, size.kind.name, size.whole)
            for name, size in sizes.items()
            if name in states and isinstance(size, PictureSize)
        },
        "captions": {
            name: (*states[name], caption.text)
            for name, caption in captions.items()
            if name in states and caption.trouble is None and len(caption.text) <= _LONGEST_CAPTION
        },
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(data).encode("ascii"))
        _forget_oldest(path.parent)
    except (OSError, ValueError):
        return


def _forget_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[_FOLDERS:]:
        file.unlink(missing_ok=True)
