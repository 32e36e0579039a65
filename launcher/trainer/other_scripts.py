"""Which other scripts of a checkout have an option: for a key that stands in the spec of the wrong one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from launcher.trainer.checkout import Checkout
from launcher.trainer.reader import read_options

ENOUGH = 3  # scripts to name; reading each takes a while when nothing is cached


def scripts_with(checkout: Checkout, name: str, script: str) -> tuple[str, ...]:
    """Up to three scripts, other than `script`, whose parser has the option `name`; those for networks first.

    A misspelt name is the usual case and must be quick: a script is only read when its source, or a file it
    mentions, spells the flag out.
    """
    found: list[str] = []
    for other in _candidates(checkout, name, script):
        if read_options(checkout, other).get(name):
            found.append(other)
            if len(found) == ENOUGH:
                break
    return tuple(found)


def _candidates(checkout: Checkout, name: str, script: str) -> Iterator[str]:
    others = [other for other in checkout.scripts if other != script]
    others.sort(key=lambda other: "train_network" not in other)
    flag = f"--{name}".encode()
    folders = (checkout.path, checkout.path / "library")
    files = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    texts = {path: _text(path) for path in files}
    modules = [path.stem.encode() for path, text in texts.items() if flag in text]
    for other in others:
        text = texts.get(checkout.path / other, b"")
        if flag in text or any(module in text for module in modules):
            yield other


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
