"""The output roots that runs were ever launched into, so that a run is found by its name wherever it stands.

Only a convenience: the runs themselves are the record, and a root that is forgotten can be named again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from launcher.base.files import write_whole
from launcher.base.places import state_folder

DEFAULT_OUTPUT_ROOT = "~/output_dir"  # where runs go when nothing names an output root

_FILE = "output-roots.json"
_MOST = 100


def remembered_roots() -> tuple[Path, ...]:
    """The roots, the latest first; those that are gone are left out."""
    try:
        roots = json.loads((state_folder() / _FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return ()
    named = [Path(root) for root in roots if isinstance(root, str)] if isinstance(roots, list) else []
    return tuple(root for root in named if _is_folder(root))


def remember_root(root: Path) -> None:
    """Put a root first. That it cannot be written down is no reason to fail."""
    others: Sequence[Path] = [other for other in remembered_roots() if other != root]
    roots = [str(other) for other in (root, *others)][:_MOST]
    with suppress(OSError, ValueError):
        state_folder().mkdir(parents=True, exist_ok=True)
        write_whole(state_folder() / _FILE, json.dumps(roots, indent=1).encode("utf-8", "surrogatepass"))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
