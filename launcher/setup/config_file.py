"""Changes the user's configuration file: comments and order stay, and nothing is written that could not be read."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launcher.base.errors import ExitCode, KlError
from launcher.base.files import write_whole
from launcher.base.findings import Finding
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.plan.checks.secret_values import text_holds_secret
from launcher.plan.secrets import is_secret, secret_values
from launcher.plan.tables import read_own_tables
from launcher.setup.user_config import config_file, user_config_of
from launcher.spec.reader import Document, settings_of
from launcher.spec.source_file import decoded, file_label, read_content

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

Key = tuple[str, ...]  # ("run", "sd_scripts"), ("environments", "sdxl", "path"), ("datasets_root",)
_MARK = b"\xef\xbb\xbf"  # some editors put it before the text


def change_config(changes: Mapping[Key, Value], environ: Mapping[str, str] = os.environ) -> bool:
    """Write these values into the configuration file, all of them or none; None takes a key or a table out.

    The file and its folder are made when they are not there. Returns whether anything changed. Raises KlError: for a
    value that the file's reader would refuse and for secrets (spec refused), and when it cannot be written.
    """
    path = config_file()
    label = file_label(path)
    content = read_content(path, label) if os.path.lexists(path) else b""
    before = _read(content, path, label)
    for key, value in changes.items():
        _refuse_secrets(key, value, environ)
    new = _changed(content, changes, label)
    after = _read(new, path, label)
    if _values(after) != _wanted(before, changes):
        message = f"{label} is written in a way that kl cannot change without changing more."
        raise KlError(message, code=ExitCode.SPEC_REFUSED, where=label, hint="Change it in an editor.")
    if any(value is not None for value in changes.values()):
        _refuse_what_is_wrong(before, after, changes)
    if _values(after) == _values(before):
        return False
    _write(path, new)
    return True


def _read(content: bytes, path: Path, label: str) -> Document:
    return settings_of(content, path, source=Source.CONFIG, label=label)


def _values(document: Document) -> dict[Key, Value]:
    return {(*setting.table, setting.key): setting.value for setting in document.settings}


def _wanted(before: Document, changes: Mapping[Key, Value]) -> dict[Key, Value]:
    wanted = _values(before)
    for key, value in changes.items():
        wanted = {other: each for other, each in wanted.items() if other[: len(key)] != key}
        if value is not None:
            wanted[key] = value
    return wanted


def _refuse_secrets(key: Key, value: Value, environ: Mapping[str, str]) -> None:
    name = ".".join(key)
    setting = Setting(key[:-1], key[-1], value, Origin(Source.CONFIG, name))
    if value is not None and is_secret(setting):
        message = f"{name} names a secret, and secrets are not written down."
    elif text_holds_secret(str(value), secret_values(environ)):
        message = f"A secret stands in the value of {name}, and secrets are not written down."
    else:
        return
    hint = "Give it to the trainer in the environment that kl is started in."
    raise KlError(message, code=ExitCode.SPEC_REFUSED, where=name, hint=hint)


def _refuse_what_is_wrong(before: Document, after: Document, changes: Mapping[Key, Value]) -> None:
    """Raise KlError for what is wrong in the file as it would be: at its place when it was wrong before."""
    wrong = _wrong(after)
    if not wrong:
        return
    was = next((each for each in _wrong(before) if each.message == wrong[0].message), None)
    where = was.where if was else ", ".join(".".join(key) for key in changes)
    raise KlError(wrong[0].message, code=ExitCode.SPEC_REFUSED, where=where, hint=wrong[0].hint)


def _wrong(document: Document) -> Sequence[KlError | Finding]:
    try:
        config = user_config_of(document)
    except KlError as error:
        return [error]
    return read_own_tables(config.settings).findings


def _changed(content: bytes, changes: Mapping[Key, Value], label: str) -> bytes:
    import tomlkit  # noqa: PLC0415 - only here, and it takes long
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    text = decoded(content, label)
    gone = [key for key, value in changes.items() if value is None]
    tables: dict[Key, dict[str, Value]] = {}
    for key, value in changes.items():
        if value is not None:
            tables.setdefault(key[:-1], {})[key[-1]] = value
    try:
        document = tomlkit.parse(_with_top_keys(text, tables.pop((), {})))
        for key in gone:
            _take_out(document, key)
        for table, values in tables.items():
            _put(document, table, values)
        for key in gone:
            _tidy(document, key[:-1])
        new = document.as_string().strip("\n") + "\n"
    except (TOMLKitError, LookupError, AttributeError, TypeError, ValueError, RecursionError) as error:
        message = f"{label} cannot be changed by kl: {error}."
        raise KlError(message, code=ExitCode.SPEC_REFUSED, where=label, hint="Change it in an editor.") from None
    if b"\r\n" in content:
        new = new.replace("\n", "\r\n")
    return (_MARK if content.startswith(_MARK) else b"") + new.encode()


def _with_top_keys(text: str, values: Mapping[str, Value]) -> str:
    """The text with keys of no table: new ones behind the last one, before the comments of what follows."""
    import tomlkit  # noqa: PLC0415

    document = tomlkit.parse(text if text.endswith("\n") or not text else f"{text}\n")
    fresh = ""
    for key, value in values.items():
        if key in document:
            document[key] = value
        else:
            fresh += f"{key} = {tomlkit.item(value).as_string()}\n"
    whole = document.as_string()
    if not fresh:
        return whole
    for key in [key for key, value in document.items() if isinstance(value, Mapping)]:
        del document[key]
    head = document.as_string() if whole.startswith(document.as_string()) else ""
    lines = head.splitlines(keepends=True)
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    place = len("".join(lines))
    rest = whole[place:]
    return whole[:place] + fresh + ("" if not rest or rest.startswith("\n") else "\n") + rest


def _put(document: TOMLDocument, path: Key, values: Mapping[str, Value]) -> None:
    import tomlkit  # noqa: PLC0415

    table: Any = document
    made = False
    for number, part in enumerate(path):
        if part not in table:
            if len(table) and not table.as_string().endswith("\n\n"):
                table.add(tomlkit.nl())
            table[part] = tomlkit.table(is_super_table=number < len(path) - 1)
            made = True
        table = table[part]
    below = _comments_below(table)
    for key, value in values.items():
        table[key] = tomlkit.item(value)
    for item in below:
        table.add(item)
    if made and len(path) > 1:
        table.add(tomlkit.nl())  # another one may follow


def _comments_below(table: Any) -> list[Any]:
    """Take what stands below a table's last key off it: comments there belong to what follows."""
    body = getattr(getattr(table, "value", None), "body", [])  # a table in several parts has none
    below: list[Any] = []
    while len(table) and body and body[-1][0] is None:
        below.insert(0, body.pop()[1])
    return below


def _take_out(document: TOMLDocument, key: Key) -> None:
    table: Any = document
    for part in key[:-1]:
        if not isinstance(table, Mapping) or part not in table:
            return
        table = table[part]
    if isinstance(table, Mapping) and key[-1] in table:
        del table[key[-1]]  # type: ignore[attr-defined]


def _tidy(document: TOMLDocument, path: Key) -> None:
    """Take out a table that is empty now, and those around it that are empty then."""
    for length in range(len(path), 0, -1):
        table: Any = document
        for part in path[:length]:
            if part not in table:
                break
            table = table[part]
        else:
            if len(table) or "#" in table.as_string():
                return
            _take_out(document, path[:length])


def _write(path: Path, content: bytes) -> None:
    """A link to the file stays one, and who may read it stays the same."""
    file = Path(os.path.realpath(path))
    try:
        mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else None
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content)
        if mode is not None:
            file.chmod(mode)
    except OSError as error:
        message = f"{file} cannot be written: {error.strerror or error}."
        raise KlError(message, code=ExitCode.OUTPUT_UNAVAILABLE, where=str(file)) from None


def keys_of(text: str) -> Key:
    """A key as it is typed: "run.sd_scripts". Names of checkouts and environments may have dots: checkouts.sd-v0.10.

    Raises KlError (wrong usage) for an empty part.
    """
    parts: Sequence[str] = [part.strip() for part in text.split(".")]
    if parts[0] == "checkouts" and len(parts) > 2:
        parts = (parts[0], ".".join(parts[1:]))
    elif parts[0] == "environments" and len(parts) > 3:
        parts = (parts[0], ".".join(parts[1:-1]), parts[-1])
    if not all(parts):
        raise KlError(f"{text!r} is no key.", code=ExitCode.USAGE, hint="Write one as in: run.sd_scripts")
    return tuple(parts)
