"""A spec file as bytes and as text, whatever stands at its path."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from unicodedata import category

from launcher.base.errors import KlError
from launcher.base.nearest import nearest
from launcher.spec.tree import refused

SUFFIXES = (".toml", ".yaml", ".yml")
LARGEST = 1024 * 1024
LARGEST_YAML = 256 * 1024  # reading YAML takes many times as long

_REASONS = {
    errno.EACCES: ("cannot be read: permission denied", "Give yourself the right to read it (chmod u+r)."),
    errno.EPERM: ("cannot be read: permission denied", "Give yourself the right to read it (chmod u+r)."),
    errno.ELOOP: ("is a symbolic link that leads back to itself", "Remove the link and put the file there."),
    errno.ENAMETOOLONG: ("has a name that is too long", "Give the file's path."),
}


def file_label(path: Path) -> str:
    """The file as a person would name it: relative to the current folder, else with ~; safe to print."""
    here = _current_folder()
    text = os.path.normpath(os.path.join(here, path))  # noqa: PTH118 - Path.resolve would show where links lead
    for folder, prefix in ((here, ""), (os.path.expanduser("~"), "~/")):  # noqa: PTH111
        if folder and folder != "/" and text.startswith(folder.rstrip("/") + "/"):
            text = prefix + text[len(folder.rstrip("/")) + 1 :]
            break
    # Control characters, and bytes that are no UTF-8, would garble the terminal or could not be printed at all.
    return "".join(c if category(c)[0] != "C" else c.encode("unicode_escape").decode() for c in text)


def read_content(path: Path, label: str) -> bytes:
    """Read a spec file's bytes, without ever waiting on a pipe or touching a device.

    Raises KlError (spec refused) when there is no such file, it is not a regular one, it cannot be read, or it is
    larger than 1 MiB (YAML: 256 KiB).
    """
    largest = LARGEST if path.suffix.lower() == ".toml" else LARGEST_YAML
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind):
            raise _not_a_file(path, label, kind)
        # Should it become a pipe in between, O_NONBLOCK keeps the opening from waiting for a writer.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            content = file.read(largest + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(path, label, error) from None
    if len(content) > largest:
        hint = "A spec is a short text; is this the right file?"
        if largest == LARGEST_YAML:
            hint += f" TOML may have {LARGEST // 1024} KiB."
        raise refused(f"The file is larger than {largest // 1024} KiB.", label, hint=hint)
    return content


def decoded(content: bytes, label: str) -> str:
    """The text of a spec file: UTF-8, a byte order mark left out, all line ends as `\\n`.

    Raises KlError (spec refused) with the line of the first byte that is not UTF-8, or of a NUL.
    """
    nul = content.find(b"\0")
    if nul >= 0:
        hint = "This is not a text file, or it was damaged; is it UTF-16? Save it as UTF-8."
        raise refused(f"Byte {nul} is a NUL.", label, content.count(b"\n", 0, nul) + 1, hint)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"The file is not UTF-8: byte {error.start} is 0x{content[error.start]:02x}."
        raise refused(message, label, line, "Save it as UTF-8.") from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _current_folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # somebody removed it
        return ""


def _not_a_file(path: Path, label: str, kind: int) -> KlError:
    if stat.S_ISDIR(kind):
        return refused(f"{label} is a folder, not a spec.", label, hint=_suggestion(path))
    return refused(f"{label} is not a regular file.", label, hint="Write the spec into a file.")


def _unreadable(path: Path, label: str, error: Exception) -> KlError:
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, ValueError) or number in (errno.ENOENT, errno.ENOTDIR):
        if path.is_symlink():
            hint = "Put the file there, or remove the link."
            return refused(f"{label} is a link to {os.path.realpath(path)}, which is not there.", label, hint=hint)
        return refused(f"There is no file {label}.", label, hint=_suggestion(path))
    why, hint = _REASONS.get(number or 0, (f"cannot be read: {os.strerror(number or 0)}", "Try to open it yourself."))
    return refused(f"{label} {why}.", label, hint=hint)


def _suggestion(path: Path) -> str:
    try:
        specs = sorted(name for name in os.listdir(path.parent) if name.lower().endswith(SUFFIXES))  # noqa: PTH208
    except (OSError, ValueError):
        return f"There is no folder {file_label(path.parent)} either." if not path.exists() else "Give a file."
    near = next((name for name in specs if Path(name).stem == path.name), None) or nearest(path.name, specs)
    return f"Did you mean {file_label(path.parent / near)}?" if near else "Give a .toml, .yaml or .yml file."
