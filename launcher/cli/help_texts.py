"""The help texts of sd-scripts' options: English and Japanese in one."""

from __future__ import annotations

import re
from collections.abc import Mapping

_JAPANESE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
# The slash between the two halves of a help text, the clearest spelling first.
_SEPARATORS = (re.compile(r"\s+/\s+"), re.compile(r"\s+/|/\s+"), re.compile(r"/"))


def help_half(text: str, *, japanese: bool) -> str:
    """One half of an "English / 日本語" help text, or all of it when it has only one.

    The halves meet at the last slash before the first Japanese character, and a slash with spaces around it goes
    before one without: `fp16/bf16 / fp16/bf16を` is parted in the middle.
    """
    first = _JAPANESE.search(text)
    if first is None:
        halves = text.partition(" / ")
        return (halves[0] if halves[0] == halves[2] else text).strip()  # some texts say the same thing twice
    for separator in _SEPARATORS:
        found = [match for match in separator.finditer(text) if match.end() <= first.start()]
        if found:
            english, other = text[: found[-1].start()], text[found[-1].end() :]
            return (other if japanese else english).strip() or text.strip()
    return text.strip()


def prefers_japanese(environment: Mapping[str, str]) -> bool:
    """Whether the user's locale asks for Japanese messages."""
    chosen = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return chosen.lower().startswith("ja")
