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


@dataclass(frozen=True)
class Code:
    """A kind of finding, under its stable name; docs/findings.md lists every one.

    `reason` says what happens otherwise, in one or two plain sentences. `source` is where that can be read: file and
    function of sd-scripts (or of the package it comes from), or "kl" for kl's own rules.
    """

    name: str
    severity: Severity
    reason: str
    source: str
    can_be_allowed: bool = True  # False where nothing could be launched with it, or must not be

    def at(
        self, where: str | None, message: str, hint: str | None = None, *, severity: Severity | None = None
    ) -> Finding:
        """One finding of this kind. `severity` where one case is milder than the usual one."""
        return Finding(severity or self.severity, self.name, message, where, hint)
