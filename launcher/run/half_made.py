"""A run directory that a killed launch left before its record was whole: which of its files are surely kl's.

kl writes a first manifest that names no files, then repos.git, which has the SHA-1 of every file that follows, then
those, then the whole manifest. So whatever repos.git vouches for is kl's own copy, and nothing else is.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from pathlib import Path

from launcher.plan.accelerate import NEUTRAL_FILE
from launcher.plan.from_script import CALLER
from launcher.record.archive import REPOSITORIES
from launcher.record.manifest import MANIFEST, Manifest
from launcher.record.repositories import PATCHES
from launcher.record.reproduce_script import REPRODUCE_SCRIPT
from launcher.run.cleanup import PARTIAL, Keeps, Rules, read_small, sha_of

_COPIES = (
    "spec.toml", "spec.yaml", "spec.yml", "template-*.toml", "template-*.yaml", "template-*.yml", "config.toml",
    "config.json", "sample-prompts.txt", "sample-prompts.toml", "sample-prompts.json", NEUTRAL_FILE,
    REPRODUCE_SCRIPT, f"{CALLER}.*",
)  # fmt: skip
_MOST = 1 << 20  # bytes; repos.git has a line for each of a few files
_REPOSITORY = re.compile(rb"[^\n]+: \([^\n]*\) [^\n]*")
_FILE = re.compile(rb"[^\n]+: ([0-9a-f]{40})")


def is_half_made(manifest: Manifest | None) -> bool:
    """Whether this manifest, or None for none, is what a launch leaves that was killed before its record was whole."""
    return manifest is None or not (manifest.files or manifest.attempts or manifest.artifacts)


def could_be_half_made(directory: Path) -> bool:
    """Whether a directory without a manifest may be one that kl had just begun: a real folder that can be read."""
    try:
        return stat.S_ISDIR(directory.lstat().st_mode) and directory / MANIFEST not in directory.iterdir()
    except (OSError, ValueError):
        return False


def half_made_rules() -> Rules:
    """What of such a directory may go: the folder of patches, and of the files those that kl has surely written."""
    return Rules(_why_it_stays, lambda path: path == (PATCHES,))


def _why_it_stays(folder: int, path: tuple[str, ...], status: os.stat_result) -> Keeps | None:
    name = path[-1]
    is_patch = path == (PATCHES, name) and fnmatch.fnmatchcase(name, "*.patch")
    if len(path) > 1 and not is_patch:
        return Keeps.FOREIGN
    if name == MANIFEST or fnmatch.fnmatchcase(name, PARTIAL):
        return None
    vouched = _vouched_for(read_small(folder, f"../{REPOSITORIES}" if is_patch else REPOSITORIES, _MOST))
    if name == REPOSITORIES:
        return None if vouched is not None else Keeps.FOREIGN
    if vouched is None or not (is_patch or any(fnmatch.fnmatchcase(name, pattern) for pattern in _COPIES)):
        return Keeps.FOREIGN
    if status.st_size == 0 and vouched:  # opened, and nothing written yet
        return None
    return None if sha_of(folder, name, "sha1") in vouched else Keeps.CHANGED


def _vouched_for(known_form: bytes | None) -> frozenset[str] | None:
    """The SHA-1s that repos.git names; None when it is not there or not kl's."""
    if known_form is None:
        return None
    hashes: set[str] = set()
    for line in known_form.removesuffix(b"\n").split(b"\n") if known_form else ():
        file = _FILE.fullmatch(line)
        if file:
            hashes.add(file[1].decode())
        elif not _REPOSITORY.fullmatch(line):
            return None
    return frozenset(hashes)
