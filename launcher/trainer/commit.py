"""The commit a git working tree stands at, read from its files: starting git would cost more than a whole check."""

from __future__ import annotations

import re
from pathlib import Path

_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def head_commit(folder: Path) -> str | None:
    """The full hash that HEAD stands at, or None: not a git working tree, nothing committed yet, or unreadable.

    `folder` is the root of the working tree. Linked working trees and submodules are followed, and so are
    symbolic references and packed ones.
    """
    git_folder = _git_folder(folder)
    if git_folder is None:
        return None
    reference = _first_line(git_folder / "HEAD")
    for _ in range(5):  # as deep as git itself follows symbolic references
        if reference is None:
            return None
        if not reference.startswith("ref:"):
            return reference if _HASH.fullmatch(reference) else None
        reference = _resolve(git_folder, reference.removeprefix("ref:").strip())
    return None


def _git_folder(folder: Path) -> Path | None:
    place = folder / ".git"
    if place.is_dir():
        return place
    pointer = _first_line(place)  # a linked working tree or a submodule has a file that says where
    if pointer is None or not pointer.startswith("gitdir:"):
        return None
    return folder / pointer.removeprefix("gitdir:").strip()


def _resolve(git_folder: Path, name: str) -> str | None:
    common = _first_line(git_folder / "commondir")  # a linked working tree keeps its branches in the main one
    homes = [git_folder] if common is None else [git_folder, git_folder / common]
    for home in homes:
        loose = _first_line(home / name)
        if loose is not None:
            return loose
    for home in homes:
        for line in (_text(home / "packed-refs") or "").splitlines():
            commit, _, packed = line.partition(" ")
            if packed == name:
                return commit
    return None


def _first_line(path: Path) -> str | None:
    text = _text(path)
    return text.strip().partition("\n")[0].strip() if text else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
    except (OSError, ValueError):
        return None
