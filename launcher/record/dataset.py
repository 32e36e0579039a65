"""The files of a dataset one by one, and dataset.json, which keeps them with their hashes."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from launcher.record.hashes import FileHash, HashError, Progress, Stop, file_hashes, hash_of_hashes, never
from launcher.record.manifest import DatasetRecord

DATASET = "dataset.json"
VERSION = 1
_LARGEST = 500_000_000  # bytes of a dataset.json: a larger one is none of kl's
PICTURE, CAPTION, METADATA, CONDITIONING = "picture", "caption", "metadata", "conditioning"  # kinds of files
IMAGES, REGULARIZATION = "images", "regularization"  # roles of folders; the two above are others


class DatasetFile(NamedTuple):
    """A file: its name in the folder, what it is, its size in bytes, when it was last written in ns, its hash."""

    name: str
    kind: str
    size: int
    modified: int
    sha256: str | None = None


@dataclass(frozen=True)
class DatasetFolder:
    """A folder with the files in it that are trained on. `role`: images, regularization, conditioning or metadata."""

    path: str
    role: str
    files: tuple[DatasetFile, ...] = ()

    def join(self, name: str) -> str:
        """The whole path of a file in it."""
        return os.path.join(self.path, name)  # noqa: PTH118 - a text


@dataclass(frozen=True)
class DatasetListing:
    """Everything that a run trains on. `problems` say what could not be listed or hashed.

    `changed_meanwhile` are the paths of files that were written, added or taken away while it trained.
    """

    folders: tuple[DatasetFolder, ...] = ()
    changed_meanwhile: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def sha256(self) -> str | None:
        """The SHA-256 over the sorted hashes of all files; None while one has none."""
        every = [file.sha256 for file in self.files.values()]
        hashes = [each for each in every if each is not None]
        return hash_of_hashes(hashes) if every and len(hashes) == len(every) else None

    @property
    def files(self) -> Mapping[str, DatasetFile]:
        """Each file once, by its whole path."""
        return {folder.join(file.name): file for folder in self.folders for file in folder.files}


def hashed(
    listing: DatasetListing, stop: Stop = never, progress: Progress | None = None, *, remembered: bool = True
) -> DatasetListing:
    """The listing with the hash of every file, and with size and time at which it was read. Raises Stopped."""
    total, done = sum(len(folder.files) for folder in listing.folders), 0
    folders, problems = [], list(listing.problems)
    for folder in listing.folders:

        def count(number: int, _: int, before: int = done) -> None:
            if progress:
                progress(before + number, total)

        names = [file.name for file in folder.files]
        found = file_hashes(folder.path, names, stop, count, remembered=remembered)
        entries = tuple(_with_hash(file, found[file.name]) for file in folder.files)
        problems += [f"{folder.join(name)} {one}" for name, one in found.items() if isinstance(one, HashError)]
        folders.append(replace(folder, files=entries))
        done += len(names)
    return replace(listing, folders=tuple(folders), problems=tuple(dict.fromkeys(problems)))


def changed_between(before: DatasetListing, after: DatasetListing) -> tuple[str, ...]:
    """The paths of files that two listings of one dataset do not have alike, by size and time."""
    first, second = before.files, after.files
    return tuple(sorted(path for path in {*first, *second} if _state(first.get(path)) != _state(second.get(path))))


def dataset_record(listing: DatasetListing) -> DatasetRecord:
    """What the manifest says of a dataset. Files that stand there twice count once."""
    files = listing.files.values()
    kinds = Counter(file.kind for file in files)
    size = sum(file.size for file in files)
    problem = None
    if listing.sha256 is None:
        more = f", and {len(listing.problems) - 1} more" if len(listing.problems) > 1 else ""
        problem = f"{listing.problems[0]}{more}" if listing.problems else "it has no files that kl knows of"
    file = DATASET if listing.folders else ""
    return DatasetRecord(listing.sha256, file, kinds["picture"], kinds["caption"], size, problem)


def dataset_bytes(listing: DatasetListing) -> bytes:
    """The listing as it stands in dataset.json, a line for each file."""
    folders = []
    for folder in listing.folders:
        files = ",\n".join(f"      {json.dumps(list(file))}" for file in folder.files)
        inside = f"[\n{files}\n    ]" if files else "[]"
        place = f'"path": {json.dumps(folder.path)}, "role": {json.dumps(folder.role)}'
        folders.append(f'    {{{place}, "files": {inside}}}')
    whole = ",\n".join(folders)
    lines = (
        f'  "dataset_version": {VERSION}',
        f'  "sha256": {json.dumps(listing.sha256)}',
        f'  "folders": [\n{whole}\n  ]' if folders else '  "folders": []',
        f'  "changed_meanwhile": {json.dumps(listing.changed_meanwhile)}',
        f'  "problems": {json.dumps(listing.problems)}',
    )
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")


def read_dataset_file(path: Path) -> DatasetListing | None:
    """The listing in a dataset.json, or in a run directory; None when there is none, or it is damaged.

    What it does not know it passes over.
    """
    try:
        file = path / DATASET if path.is_dir() else path
        if not file.is_file() or file.stat().st_size > _LARGEST:
            return None
        data = json.loads(file.read_bytes())
        folders = tuple(_folder(each) for each in data["folders"])
        meanwhile, problems = (_words(data.get(name)) for name in ("changed_meanwhile", "problems"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return DatasetListing(folders, meanwhile, problems)


def _with_hash(file: DatasetFile, found: FileHash | HashError) -> DatasetFile:
    if isinstance(found, HashError):
        return file._replace(sha256=None)
    return file._replace(size=found.size, modified=found.modified, sha256=found.sha256)


def _state(file: DatasetFile | None) -> tuple[int, int] | None:
    return None if file is None else (file.size, file.modified)


def _folder(data: dict[str, Any]) -> DatasetFolder:
    files = tuple(_entry(*each[:5]) for each in data["files"])
    return DatasetFolder(str(data["path"]), str(data["role"]), files)


def _entry(name: object, kind: object, size: object, modified: object, sha256: object) -> DatasetFile:
    if not isinstance(size, int) or not isinstance(modified, int) or not isinstance(sha256, (str, type(None))):
        raise TypeError(name)
    return DatasetFile(str(name), str(kind), size, modified, sha256)


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
