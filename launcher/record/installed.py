"""LyCORIS as it is installed in a training environment, found in its folders without starting its interpreter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from launcher.record.manifest import RepositoryRecord
from launcher.record.repositories import repository_at, without_credentials

_NAME = "lycoris_lora"


def lycoris_repository(python: Path) -> RepositoryRecord | None:
    """The repository that LyCORIS was installed from; None when it came from a package index, or is not there."""
    for folder in _package_folders(python):
        for information in sorted(folder.glob(f"{_NAME}-*.dist-info/direct_url.json")):
            try:
                data = json.loads(information.read_text(encoding="utf-8"))
                return _repository(data)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                return RepositoryRecord("LyCORIS", str(information), problem=f"cannot be read: {error}")
    return None


def _repository(data: dict[str, dict[str, str]]) -> RepositoryRecord | None:
    url = str(data["url"])
    vcs = data.get("vcs_info")
    if vcs:
        place = without_credentials(url)
        branch = vcs.get("requested_revision")
        return RepositoryRecord("LyCORIS", place, vcs.get("commit_id"), branch, dirty=False, remote=place)
    if "dir_info" in data and url.startswith("file:"):
        return repository_at("LyCORIS", Path(unquote(urlsplit(url).path)))
    return None


def _package_folders(python: Path) -> Iterator[Path]:
    # An environment's interpreter is a link to another one: its packages are beside the link, so links come first.
    prefixes = dict.fromkeys((python.parent.parent, python.resolve().parent.parent))
    for prefix in prefixes:
        for pattern in ("lib*/python3*/site-packages", "lib/python3*/dist-packages", "Lib/site-packages"):
            yield from sorted(prefix.glob(pattern))
