"""A glance at a folder that somebody wants to train on: where its pictures are, how large, and what captions they have.

Nothing of the trainer's rules for subsets is applied here: there is no dataset config yet.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from launcher.data.captions import candidates, read_caption
from launcher.data.folders import Folder, folders_in, read_folder
from launcher.data.pictures import PictureSize, size_of

CAPTIONS = (".txt", ".caption", ".tags", ".cap")
_DEEPEST = 3
_MOST_FOLDERS = 64
_MOST_SIZES = 2000  # pictures of a folder whose headers are read; the rest are counted
_MOST_CAPTIONS = 50  # that are read
_REPEATED = re.compile(r"(\d{1,4})_(.*)")
_MASKS = re.compile(r"(?:masks?|conditioning|depth|canny)(?:[_-].*)?", re.IGNORECASE)
_REGULARIZATION = re.compile(r"(?:\d+_)?reg(?:ulari[sz]ation)?(?:[_-].*)?", re.IGNORECASE)


@dataclass(frozen=True)
class PictureFolder:
    """One folder with pictures in it. `sizes` are widths and heights in pixels of those that can be read.

    `captioned` counts pictures with a caption file by its extension, most frequent first; `captions` are some of their
    first lines. `repeats` and `words` are what a name such as `10_red fox` says; `regularization`: it is named so.
    """

    path: str
    number: int
    sizes: tuple[tuple[int, int], ...]
    captioned: Mapping[str, int]
    captions: tuple[str, ...]
    repeats: int | None = None
    words: str = ""
    regularization: bool = False


def look_at_pictures(path: str) -> tuple[PictureFolder, ...]:
    """The folders with pictures at `path` and below it, sorted; hidden ones and those of masks left out. Never raises.

    At most 64 folders, three deep.
    """
    found: list[PictureFolder] = []
    for folder in _folders(path, 0):
        names = folder.pictures()
        if names:
            found.append(_looked_at(folder, names))
        if len(found) >= _MOST_FOLDERS:
            break
    return tuple(found)


def are_tags(captions: tuple[str, ...]) -> bool:
    """Whether most captions are lists of tags: three or more parts between commas, of some three words at most."""
    return bool(captions) and sum(map(_is_tags, captions)) * 2 > len(captions)


def _is_tags(caption: str) -> bool:
    parts = [part.split() for part in caption.split(",") if part.strip()]
    return len(parts) >= 3 and sum(map(len, parts)) <= 3 * len(parts)


def _folders(path: str, depth: int) -> Iterator[Folder]:
    yield read_folder(path)
    if depth >= _DEEPEST:
        return
    for name in folders_in(path):
        if not name.startswith(".") and not _MASKS.fullmatch(name):
            yield from _folders(os.path.join(path, name), depth + 1)  # noqa: PTH118 - text, as the trainer has it


def _looked_at(folder: Folder, names: list[str]) -> PictureFolder:
    sizes = [size_of(folder.join(name)) for name in names[:_MOST_SIZES]]
    files = [_caption_of(folder, name) for name in names]
    captioned = Counter(extension for _, extension in filter(None, files))
    usual = next(iter(dict(captioned.most_common())), None)
    read = [name for name, extension in filter(None, files) if extension == usual]
    texts = (read_caption(folder.join(name)).used(wildcards=False) for name in read[:_MOST_CAPTIONS])
    name = os.path.basename(os.path.normpath(folder.path))  # noqa: PTH119
    repeated = _REPEATED.fullmatch(name)
    return PictureFolder(
        path=folder.path,
        number=len(names),
        sizes=tuple((size.width, size.height) for size in sizes if isinstance(size, PictureSize)),
        captioned=dict(captioned.most_common()),
        captions=tuple(text for text in texts if text),
        repeats=int(repeated[1]) or None if repeated else None,
        words=(repeated[2] if repeated else "").replace("_", " ").strip(),
        regularization=bool(_REGULARIZATION.fullmatch(name)),
    )


def _caption_of(folder: Folder, picture: str) -> tuple[str, str] | None:
    """The name of a picture's caption file, and its extension."""
    for extension in CAPTIONS:
        for name in candidates(picture, extension):
            if name in folder.files:
                return name, extension
    return None
