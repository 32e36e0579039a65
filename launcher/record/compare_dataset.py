"""Which pictures and captions two runs were trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath

from launcher.base.files import sha256_of
from launcher.base.words import counted
from launcher.record.dataset import CAPTION, PICTURE, DatasetFile, DatasetFolder, DatasetListing
from launcher.record.difference import Difference, short_hash
from launcher.record.side import Side

DATASET = "dataset"
_LONGEST_CAPTION = 1 << 16  # bytes: a longer file is not shown
_NAMED_FOLDERS = ("train_data_dir", "reg_data_dir")  # generate_dreambooth_subsets_config_by_subdirs
_MOST_PAIRS = 400  # of folders: what nearly all of them have tells none from another
_Files = dict[str, DatasetFile]


def compare_datasets(a: Side, b: Side) -> Iterator[Difference]:
    """The pictures, captions and metadata files that only one has, that have another content or another name.

    Folders are the same by what is in them: where they lie is no difference.
    """
    if a.dataset is not None and b.dataset is not None:
        named = all(any(each.name in _NAMED_FOLDERS for each in side.manifest.options) for side in (a, b))
        yield from compare_listings(a.dataset, b.dataset, named=named)
        return
    old, new = (side.manifest.dataset.sha256 if side.manifest.dataset else None for side in (a, b))
    if old and new and old != new:
        yield Difference(DATASET, "all files", short_hash(old), short_hash(new))


def compare_listings(a: DatasetListing, b: DatasetListing, *, named: bool = False) -> Iterator[Difference]:
    """The same of two lists of files. `named`: the trainer reads repeats and class from the folders' names."""
    for old, new in paired(a, b):
        if named and old and new and PurePath(old.path).name != PurePath(new.path).name:
            yield Difference(DATASET, "renamed folder", PurePath(old.path).name, PurePath(new.path).name)
        yield from _folders(old, new)


def paired(a: DatasetListing, b: DatasetListing) -> list[tuple[DatasetFolder | None, DatasetFolder | None]]:
    """The folders of both, those side by side that are one folder: by the same path, else by most files in common."""
    old, new = list(a.folders), list(b.folders)
    scores: Counter[tuple[int, int]] = Counter()
    for points, marks in ((1 << 40, _path), (2, _contents), (1, _names)):
        places = [_places(folders, marks) for folders in (old, new)]
        for mark in places[0].keys() & places[1].keys():
            pairs = [(i, j) for i in places[0][mark] for j in places[1][mark]]
            if len(pairs) <= _MOST_PAIRS:
                scores.update(dict.fromkeys(pairs, points))
    best = sorted(scores, key=lambda pair: (-scores[pair], sorted((old[pair[0]].path, new[pair[1]].path))))
    found: dict[int, int] = {}
    taken: set[int] = set()
    for i, j in best:
        if i not in found and j not in taken and old[i].role == new[j].role:
            found[i] = j
            taken.add(j)
    together = [(each, new[found[i]] if i in found else None) for i, each in enumerate(old)]
    return [*together, *((None, each) for j, each in enumerate(new) if j not in taken)]


def dataset_size(listing: DatasetListing) -> str:
    """How many pictures and captions a dataset has: "24 pictures, 24 captions"."""
    kinds = [file.kind for folder in listing.folders for file in folder.files]
    return ", ".join(counted(kinds.count(kind), kind) for kind in (PICTURE, CAPTION))


def _places(folders: list[DatasetFolder], marks: Callable[[DatasetFolder], Iterable[str]]) -> dict[str, list[int]]:
    """Which folders have which marks, by their numbers."""
    places: dict[str, list[int]] = {}
    for number, folder in enumerate(folders):
        for mark in dict.fromkeys(marks(folder)):
            places.setdefault(mark, []).append(number)
    return places


def _path(folder: DatasetFolder) -> Iterable[str]:
    return [f"{folder.role}:{folder.path}"]


def _contents(folder: DatasetFolder) -> Iterable[str]:
    return (file.sha256 for file in folder.files if file.sha256)


def _names(folder: DatasetFolder) -> Iterable[str]:
    return (file.name for file in folder.files)


def _folders(old: DatasetFolder | None, new: DatasetFolder | None) -> Iterator[Difference]:
    before, after = _by_name(old), _by_name(new)
    label = _label(old, new)
    gone = {name: file for name, file in before.items() if name not in after}
    come = {name: file for name, file in after.items() if name not in before}
    for name, file in _renamed(gone, come):
        yield Difference(DATASET, f"renamed {file.kind}", label + name, label + file.name)
        del gone[name], come[file.name]
    for name, file in gone.items():
        yield Difference(DATASET, label + name, file.kind, None)
    for name, file in come.items():
        yield Difference(DATASET, label + name, None, file.kind)
    for name, file in before.items():
        other = after.get(name)
        if other is not None and _are_other(file, other):
            paths = [Path(folder.join(name)) for folder in (old, new) if folder]
            yield _changed(label + name, file, other, paths)


def _label(old: DatasetFolder | None, new: DatasetFolder | None) -> str:
    """What stands before the names of a folder's files; nothing when it is called otherwise on either side."""
    names = {PurePath(folder.path).name for folder in (old, new) if folder}
    return f"{names.pop()}/" if len(names) == 1 else ""


def _by_name(folder: DatasetFolder | None) -> _Files:
    return {file.name: file for file in folder.files} if folder else {}


def _renamed(gone: _Files, come: _Files) -> Iterable[tuple[str, DatasetFile]]:
    """Files that are there under another name: those of one content that only one file has on either side."""
    now = {_content(file): file for file in come.values()}
    how_many = [Counter(map(_content, files.values())) for files in (gone, come)]
    found = [(name, now.get(_content(file))) for name, file in gone.items()]
    return [(name, file) for name, file in found if file and all(each[_content(file)] == 1 for each in how_many)]


def _content(file: DatasetFile) -> tuple[str, str]:
    """What a file is and holds; one without a hash is like no other."""
    return file.kind, file.sha256 or f"unknown {file.name}"


def _are_other(old: DatasetFile, new: DatasetFile) -> bool:
    if old.sha256 and new.sha256:
        return old.sha256 != new.sha256
    return old.size != new.size


def _changed(name: str, old: DatasetFile, new: DatasetFile, paths: list[Path]) -> Difference:
    """With the text of a caption where a file still has it: only hashes are recorded."""

    def said(file: DatasetFile) -> str:
        text = _text_with(file.sha256, paths) if file.sha256 and file.kind == CAPTION else None
        return text or short_hash(file.sha256) or f"{file.size} bytes"

    return Difference(DATASET, name, said(old), said(new), f"{old.kind} changed")


def _text_with(sha256: str, paths: list[Path]) -> str | None:
    for path in dict.fromkeys(paths):
        try:
            if path.is_file() and path.stat().st_size <= _LONGEST_CAPTION:
                content = path.read_bytes()
                if sha256_of(content) == sha256:
                    return content.decode("utf-8").strip()
        except (OSError, ValueError):
            continue
    return None
