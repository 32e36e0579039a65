"""What `kl clean` found and did, as text or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from launcher.base.words import counted
from launcher.cli.render import short
from launcher.run.clean import Cleaned
from launcher.run.outcome import Outcome

_LEFT_NOTHING = {
    None: "kl was killed before it started",
    Outcome.PLANNED: "it was never started",
    Outcome.FAILED: "it failed and left nothing to keep",
    Outcome.STOPPED: "it was stopped and left nothing to keep",
    Outcome.LOST: "it was lost and left nothing to keep",
}


def clean_as_text(cleaned: Sequence[Cleaned], roots: Sequence[Path], *, asked: bool) -> Iterator[str]:
    """A line for each run, with why it goes or stays, and the sum."""
    if not cleaned:
        yield "There are no runs in " + (", ".join(short(root) for root in roots) or "any folder") + "."
        return
    width = min(40, max(len(each.verdict.run.name) for each in cleaned))
    for each in cleaned:
        yield f"{_verb(each):<8}  {each.verdict.run.name:<{width}}  {_why(each)}"
    gone = [each for each in cleaned if each.gone]
    going = [each for each in cleaned if each.verdict.goes]
    runs = counted(len(cleaned), "run")
    if asked:
        yield f"{len(gone)} of {runs} removed ({_bytes(gone)})."
    elif going:
        yield f"{len(going)} of {runs} may be removed ({_bytes(going)}): kl clean --yes does it."
    else:
        yield f"None of {runs} is to be removed."


def clean_as_data(cleaned: Sequence[Cleaned]) -> dict[str, Any]:
    """The same as JSON holds it. `goes`: it may be removed; `removed`: it was."""
    return {"runs": [_as_data(each) for each in cleaned], "removed": sum(each.gone for each in cleaned)}


def _as_data(cleaned: Cleaned) -> dict[str, Any]:
    verdict = cleaned.verdict
    return {
        "name": verdict.run.name,
        "directory": str(verdict.run.directory),
        "outcome": None if verdict.outcome is None else verdict.outcome.value,
        "goes": verdict.goes,
        "stays_because": list(verdict.stays),
        "bytes": None if verdict.found is None else verdict.found.size,
        "removed": cleaned.gone,
        "record": None if cleaned.record is None else str(cleaned.record),
    }


def _verb(cleaned: Cleaned) -> str:
    if cleaned.gone:
        return "removed"
    return "may go" if cleaned.verdict.goes else "stays"


def _why(cleaned: Cleaned) -> str:
    verdict = cleaned.verdict
    if not verdict.goes:
        more = f", and {len(verdict.stays) - 1} more" if len(verdict.stays) > 1 else ""
        return verdict.stays[0] + more
    kept = f"; its log and manifest: {short(cleaned.record)}" if cleaned.record is not None else ""
    return _LEFT_NOTHING.get(verdict.outcome, "it left nothing to keep") + kept


def _bytes(cleaned: Sequence[Cleaned]) -> str:
    size = float(sum(each.verdict.found.size for each in cleaned if each.verdict.found is not None))
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
