"""Times as the manifest writes them: UTC in ISO 8601, to the second."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timezone


def now() -> str:
    """The time in UTC, as the manifest writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def as_written(seconds: float | None) -> str | None:
    """Seconds since 1970 as the manifest writes a time; None where they are none."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None


def moment(text: str | None) -> float | None:
    """A time of the manifest in seconds since 1970; None where it is none."""
    try:
        found = datetime.fromisoformat(text or "")
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
    except (TypeError, ValueError, OverflowError):  # anything may stand in a foreign manifest
        return None


def seconds_of(spans: Iterable[tuple[str, str | None]], *, running: bool = False) -> float | None:
    """How long spans took together, by their starts and ends; one that still runs counts up to now."""
    lasted = []
    for started, ended in spans:
        begin, end = moment(started), moment(ended)
        end = time.time() if end is None and running else end
        if begin is not None and end is not None:
            lasted.append(max(0.0, end - begin))
    return sum(lasted) if lasted else None
