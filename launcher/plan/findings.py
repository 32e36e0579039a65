"""The finding that most checks make: an error about one setting."""

from __future__ import annotations

from launcher.base.findings import Code, Finding
from launcher.base.settings import Setting
from launcher.plan.secrets import place_of


def error_at(code: Code, message: str, setting: Setting, hint: str | None) -> Finding:
    """An error, pointing at where the setting was written; a secret's value is not repeated."""
    return code.at(place_of(setting), message, hint)
