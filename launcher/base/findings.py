"""A finding: one thing a check has to say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(str, Enum):
    """How much a finding matters."""

    ERROR = "error"  # the trainer would fail, or would ignore what was written
    WARNING = "warning"  # allowed, but without effect or most likely a mistake
    ADVICE = "advice"  # experience


@dataclass(frozen=True)
class Finding:
    """What is wrong, where, and what to do about it.

    `code` is stable: programs and people refer to it. `where` is "FILE:LINE", a flag, or None.
    """

    severity: Severity
    code: str
    message: str
    where: str | None = None
    hint: str | None = None
