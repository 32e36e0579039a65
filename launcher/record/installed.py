"""LyCORIS as it is installed in a training environment, found in its folders without starting its interpreter."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

from launcher.record.git import without_credentials
from launcher.record.manifest import RepositoryRecord
from launcher.trainer.packages import site_packages

_NAME, _SHOWN = "lycoris_lora", "LyCORIS"


def lycoris_folder(python: Path) -> Path | None:
    """The folder of an editable LyCORIS. One that was installed out of a folder is a copy, and not of interest."""
    url, data = _direct_url(python)
    information = data.get("dir_info")
    if not url.startswith("file:") or not isinstance(information, dict) or information.get("editable") is not True:
        return None
    return Path(unquote(urlsplit(url).path))


def lycoris_from_url(python: Path) -> RepositoryRecord | None:
    """The commit of LyCORIS when it was installed straight from a repository's URL."""
    url, data = _direct_url(python)
    information = data.get("vcs_info")
    if not isinstance(information, dict):
        return None
    place = without_credentials(url)
    commit, branch = (information.get(key) for key in ("commit_id", "requested_revision"))
    return RepositoryRecord(
        _SHOWN,
        place,
        commit if isinstance(commit, str) else None,
        branch if isinstance(branch, str) else None,
        dirty=False,
        remote=place,
    )


def _direct_url(python: Path) -> tuple[str, dict[str, object]]:
    """What pip wrote down of where LyCORIS came from (PEP 610): the URL, and all of it; nothing if unreadable."""
    for folder in site_packages(python):
        for information in sorted(folder.glob(f"{_NAME}-*.dist-info/direct_url.json")):
            try:
                data = json.loads(information.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):
                return "", {}
            url = data.get("url") if isinstance(data, dict) else None
            return (url, data) if isinstance(url, str) else ("", {})
    return "", {}
