"""A run's name, and what it says: dataset, variant, version and steps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from launcher.base.errors import ExitCode, KlError

LONGEST = 128

_ALLOWED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# `kl reproduce` names the run that repeats another one after it.
_AGAIN = r"-reproduced(?:-[0-9]{1,9})?"
_NUMBERED = re.compile(rf"(?P<stem>.+)-v(?P<version>[0-9]{{1,9}})s(?P<steps>[0-9]{{1,9}})(?:{_AGAIN})?")
_LOOKS_NUMBERED = re.compile(r"(?:^|-)[vV][0-9]+[sS][0-9]+(?:-|$)")
# A run called like this could not be told from a file or from what the trainer saves beside its model.
_FILE_ENDINGS = (".toml", ".yaml", ".yml", ".safetensors", ".ckpt", ".pt")
_STEP_ENDING = re.compile(r"-step[0-9]{8}(?:-state)?$")

_SHAPE = "A name is DATASET-VARIANT-vVERSIONsSTEPS, as in fox-noob-v1s2400; the variant may be left out."


@dataclass(frozen=True)
class RunName:
    """A name taken apart. `stem` is the name without version and steps; a name may have neither."""

    text: str
    stem: str
    dataset: str
    variant: str | None
    version: int | None
    steps: int | None


def parse_name(text: str) -> RunName:
    """Take a run's name apart.

    The name becomes a folder and a file name, so only letters, digits, `_`, `.` and `-` are allowed in it.
    Raises KlError (wrong usage) which says what is wrong with the name.
    """
    _check_characters(text)
    numbered = _NUMBERED.fullmatch(text)
    stem = numbered["stem"] if numbered else text
    _check_parts(text, stem)
    steps = int(numbered["steps"]) if numbered else None
    if steps == 0:
        _refuse(text, "trains 0 steps", "Write the number of training steps after the s, as in fox-v1s2400.")
    dataset, _, variant = stem.rpartition("-")
    return RunName(
        text=text,
        stem=stem,
        dataset=dataset or stem,
        variant=variant if dataset else None,
        version=int(numbered["version"]) if numbered else None,
        steps=steps,
    )


def _check_characters(text: str) -> None:
    if not text:
        raise KlError("The run's name is empty.", code=ExitCode.USAGE, hint=_SHAPE)
    if len(text) > LONGEST:
        _refuse(text[:24] + "…", f"has {len(text)} characters, {LONGEST} are allowed", _SHAPE)
    if text.startswith("-"):
        _refuse(text, "begins with a dash", f"A name begins with a letter, a digit or _. {_SHAPE}")
    if not _ALLOWED.fullmatch(text):
        wrong = next(c for i, c in enumerate(text) if not re.match(r"[A-Za-z0-9_.-]" if i else r"[A-Za-z0-9_]", c))
        called = {" ": "a space", "/": "a slash", "\\": "a backslash"}.get(wrong, repr(wrong))
        place = "begins with" if text.startswith(wrong) else "has"
        _refuse(text, f"{place} {called}", "Only A-Z, a-z, 0-9, _, . and - are allowed, and no . or - at the start.")


def _check_parts(text: str, stem: str) -> None:
    if ".." in text:
        _refuse(text, "has ..", "Leave one of the dots out.")
    if text.endswith("."):
        _refuse(text, "ends with a dot", "Leave the last dot out.")
    if "--" in text or text.endswith("-"):
        _refuse(text, "has an empty part between dashes or at its end", _SHAPE)
    if text.lower().endswith(_FILE_ENDINGS) or _STEP_ENDING.search(text):
        _refuse(text, "looks like a file, not like a run", "Leave the ending out.")
    if _LOOKS_NUMBERED.search(stem):
        _refuse(
            text,
            "has a version and steps where they would not be read",
            f"They come once, at the end, in small letters, with at most nine digits each. {_SHAPE}",
        )


def _refuse(text: str, why: str, hint: str) -> NoReturn:
    raise KlError(f"{text!r} is not a run's name: it {why}.", code=ExitCode.USAGE, hint=hint)
