"""Whether pip or uv is set to indexes of the user's own: a mirror, a folder of wheels, or none but these."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_VARIABLES = (
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL",
    "UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "UV_NO_INDEX", "UV_OFFLINE",
)  # fmt: skip
# In pip.conf and in uv.toml alike.
_SETTING = re.compile(
    r"^\s*(\[\[index\]\]|((extra|default)[-_])?index([-_]url)?\s*=|(find[-_]links|no[-_]index)\s*=)", re.M
)
_LARGEST = 64 * 1024


def has_own_index(prefix: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the installers of the environment in `prefix` look elsewhere than in their usual index."""
    return any(environ.get(name) for name in _VARIABLES) or any(map(_sets_one, _files(prefix, environ)))


def _files(prefix: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Where pip (its configuration.py) and uv keep their settings."""
    home = Path(environ.get("HOME") or "/")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    for name in ("PIP_CONFIG_FILE", "UV_CONFIG_FILE"):
        if environ.get(name):
            yield Path(environ[name])
    yield from (prefix / "pip.conf", config / "pip" / "pip.conf", home / ".pip" / "pip.conf")
    yield home / "Library" / "Application Support" / "pip" / "pip.conf"
    yield from (
        config / "uv" / "uv.toml",
        Path("/etc/uv/uv.toml"),
        Path("/etc/pip.conf"),
        Path("/etc/xdg/pip/pip.conf"),
    )


def _sets_one(file: Path) -> bool:
    try:
        if not file.is_file():
            return False
        with file.open(encoding="utf-8", errors="replace") as stream:
            return _SETTING.search(stream.read(_LARGEST)) is not None
    except OSError:
        return False
