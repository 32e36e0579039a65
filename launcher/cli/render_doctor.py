"""What the doctor found, as text or JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from launcher.base.words import counted
from launcher.setup.doctor.diagnosis import Diagnosis, Status

_STATUS, _SUBJECT = 9, 18  # columns


def diagnoses_as_text(found: Sequence[Diagnosis], width: int) -> Iterator[str]:
    """One line for each, broken at `width`; commands stand below in one piece, to be copied."""
    for each in found:
        label = f"{each.status.value:<{_STATUS}}{each.subject:<{_SUBJECT}}"
        room = max(30, width - len(label))
        lines = textwrap.wrap(each.message, room, break_long_words=False, break_on_hyphens=False) or [""]
        yield f"{label}{lines[0]}"
        yield from (f"{'':<{len(label)}}{line}" for line in lines[1:])
        if each.mend:
            yield f"{'':<{_STATUS}}{each.mend}"
    yield _verdict(found)


def diagnoses_as_data(found: Iterable[Diagnosis]) -> dict[str, Any]:
    """The same as JSON holds it."""
    every = list(found)
    return {
        "ready": all(each.status is not Status.WRONG for each in every),
        "diagnoses": [
            {"subject": each.subject, "status": each.status.value, "message": each.message, "mend": each.mend}
            for each in every
        ],
    }


def _verdict(found: Sequence[Diagnosis]) -> str:
    wrong = sum(each.status is Status.WRONG for each in found)
    unknown = sum(each.status is Status.UNKNOWN for each in found)
    rest = f", {counted(unknown, 'subject')} not seen" if unknown else ""
    if wrong:
        return f"{counted(wrong, 'thing')} {'is' if wrong == 1 else 'are'} wrong{rest}."
    return f"Nothing is wrong{rest}."
