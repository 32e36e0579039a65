"""The cache of readings: one JSON file each, believed only while every file that the reading looked at is unchanged."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from launcher.base.files import sha256_of, write_whole
from launcher.base.places import cache_folder
from launcher.trainer.static.sources import Sources, unchanged

Read = TypeVar("Read")


def remembered(
    kind: str,
    root: Path,
    asked: Sequence[str],
    read: Callable[[Sources], Read],
    *,
    encode: Callable[[Read], Any],
    decode: Callable[[Any], Read],
    package: str | None = None,
    cache: Path | None = None,
) -> Read:
    """What `read` makes of the source files below `root`, from the cache where none of them has changed since.

    `kind` names the reading and `asked` what it was asked for. `encode` turns its result into plain data for JSON,
    and `decode` that back; it may raise TypeError, KeyError, ValueError or AttributeError for data that is damaged.
    `package`: only modules of that package count, for a `root` that holds packages of other people too. `cache` is
    the folder of the cache, by default the user's own.
    """
    folder = cache_folder() / kind if cache is None else cache
    name = _entry_name(kind, root, package or "", *asked)
    kept = _load(folder / name, root)
    if kept is not None:
        try:
            return decode(kept)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass
    sources = Sources(root, package)
    with _no_collection():
        result = read(sources)
    _save(folder, name, encode(result), sources.seen)
    return result


@contextmanager
def _no_collection() -> Iterator[None]:
    """Syntax trees are many objects that all stay: looking through them for garbage takes a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.freeze()  # nor look through them later
            gc.enable()


def _load(path: Path, root: Path) -> Any | None:
    """The reading kept in a file, or None: there is none, it is damaged, or a file that it rests on has changed."""
    try:
        kept = json.loads(path.read_bytes())
        return kept["read"] if unchanged(root, dict(kept["seen"])) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _save(folder: Path, name: str, read: Any, seen: Mapping[str, str | None]) -> None:
    """Keep a reading. Two processes may do so at once: each writes a whole file. An unwritable folder is no error."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = json.dumps({"read": read, "seen": dict(seen)}, ensure_ascii=False)
        write_whole(folder / name, kept.encode("utf-8", "surrogatepass"))
    except (OSError, ValueError):
        return


def _entry_name(kind: str, root: Path, *asked: str) -> str:
    """The file name a reading is kept under. It changes with this package's own source and with Python's argparse."""
    parts = [_reader_version(), sys.version.partition(" ")[0], kind, str(root.resolve()), *asked]
    return f"{sha256_of(chr(0).join(parts).encode('utf-8', 'surrogateescape'))[:40]}.json"


@lru_cache(maxsize=1)
def _reader_version() -> str:
    here = Path(__file__).parent
    try:
        sources = [path.read_bytes() for path in sorted((*here.glob("*.py"), *here.glob("static/*.py")))]
    except OSError:
        sources = []
    return sha256_of(b"".join(sources))
