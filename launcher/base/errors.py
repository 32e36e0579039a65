"""How kl ends: its exit codes, and the one exception that carries a message for the user."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from launcher.base.findings import Finding


class ExitCode(IntEnum):
    """kl's own exit codes; any other code is the trainer's own, or 128+N for a signal N."""

    DONE = 0
    USAGE = 64
    SPEC_REFUSED = 65
    ENVIRONMENT_NOT_READY = 69
    BUG = 70
    OUTPUT_UNAVAILABLE = 73


class KlError(Exception):
    """Something the user can mend: one clear message, where it is, what to do, and the exit code.

    `where` is "FILE:LINE" or a flag. `findings` is given when a spec was refused for several reasons at once.
    """

    def __init__(
        self,
        message: str,
        *,
        code: ExitCode,
        where: str | None = None,
        hint: str | None = None,
        findings: Sequence[Finding] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.where = where
        self.hint = hint
        self.findings = tuple(findings)
