"""All checks of a run that is about to start, in one place and one order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from launcher.base.findings import Finding
from launcher.plan.checks.candidate import Candidate
from launcher.plan.plan import Plan

Progress = Callable[[int, int], None]  # pictures looked at, pictures in all


@dataclass(frozen=True)
class Examined:
    """What the checks have to say about a run, and what they found out on the way."""

    candidate: Candidate
    findings: tuple[Finding, ...]


def examine(candidate: Candidate, plan: Plan, *, progress: Progress | None = None) -> Examined:
    """Check everything that can be known before the run starts. Nothing is raised for what is wrong."""
    return Examined(candidate, tuple(_findings(candidate, plan)))


def _findings(candidate: Candidate, plan: Plan) -> Iterator[Finding]:
    yield from ()
