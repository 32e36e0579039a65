"""The cache of readings: one JSON file each, believed only while every file that the reading looked at is unchanged."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launcher.base.files import sha256_of, write_whole
from launcher.trainer.options import ScriptOptions, from_json, to_json
from launcher.trainer.static.sources import unchanged


def load(folder: Path, root: Path, name: str) -> ScriptOptions | None:
    """The reading kept under `name`, or None: there is none, it is damaged, or a file that it rests on has changed."""
    try:
        kept = json.loads((folder / name).read_bytes())
        return from_json(kept["read"]) if unchanged(root, dict(kept["seen"])) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def save(folder: Path, name: str, read: ScriptOptions, seen: Mapping[str, str | None]) -> None:
    """Keep a reading. Two processes may do so at once: each writes a whole file. An unwritable folder is no error."""
    kept: dict[str, Any] = {"read": to_json(read), "seen": dict(seen)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, json.dumps(kept, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    except (OSError, ValueError):
        return


def entry_name(root: Path, file: str, function: str, package: str | None) -> str:
    """The file name a reading is kept under. It changes with this package's own source and with Python's argparse."""
    parts = [_reader_version(), sys.version.partition(" ")[0], str(root.resolve()), file, function, package or ""]
    return f"{sha256_of(chr(0).join(parts).encode('utf-8', 'surrogateescape'))[:40]}.json"


def _reader_version() -> str:
    here = Path(__file__).parent
    try:
        sources = [path.read_bytes() for path in sorted((*here.glob("*.py"), *here.glob("static/*.py")))]
    except OSError:
        sources = []
    return sha256_of(b"".join(sources))
