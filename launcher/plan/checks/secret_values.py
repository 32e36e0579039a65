"""Secrets by their values: what the environment keeps secret, and passwords in URLs, in whatever place of a spec."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from launcher.base.findings import Finding
from launcher.base.settings import Setting
from launcher.plan.codes import SECRET
from launcher.plan.plan import PlannedFile

_PASSWORD = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]{0,20}://[^/\s:@]{0,200}:[^/\s@]{1,200}@""")


def holds_secret(setting: Setting, secrets: Mapping[str, str]) -> bool:
    """Whether a secret stands in a setting's value. `secrets` are those of the environment, by their variables."""
    return _what(setting, secrets) is not None


def text_holds_secret(text: str, secrets: Mapping[str, str]) -> bool:
    """The same of a text."""
    return _what_in(text, secrets) is not None


def check_secret_values(
    settings: Iterable[Setting], files: Iterable[PlannedFile], secrets: Mapping[str, str]
) -> Iterator[Finding]:
    """Secrets that would be written down with a value of any key, or with a file that the run directory copies."""
    copied = list(files)
    for setting in settings:
        what = _what(setting, secrets)
        in_file = setting.origin.path is not None and any(setting.origin.path == file.source for file in copied)
        if what is not None and (what.startswith("A password") or not in_file):
            yield _finding(_place(setting), what, f"in {setting.path}")
    for file in copied:
        for name, value in secrets.items():
            at = file.content.find(value.encode("utf-8", "surrogateescape"))
            if at >= 0:
                place = file.origin.label if file.source is None else str(file.source)
                yield _finding(f"{place}:{file.content.count(10, 0, at) + 1}", f"The value of {name}", "here")


def _finding(place: str, what: str, where: str) -> Finding:
    hint = "Remove it: what the environment gives to the trainer need not be written down."
    return SECRET.at(place, f"{what} stands {where}, and would be recorded with the run.", hint)


def _what(setting: Setting, secrets: Mapping[str, str]) -> str | None:
    return next((what for text in _texts(setting.value) if (what := _what_in(text, secrets))), None)


def _what_in(text: str, secrets: Mapping[str, str]) -> str | None:
    for name, value in secrets.items():
        if value in text:
            return f"The value of {name}"
    return "A password in a URL" if _PASSWORD.search(text) else None


def _place(setting: Setting) -> str:
    """Where it was written; of a command line only the key."""
    return str(setting.origin) if setting.origin.path is not None else setting.origin.source.value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (str(key), *_texts(item))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
