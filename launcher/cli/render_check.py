"""What `kl check` found, as text or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from launcher.base.errors import ExitCode, KlError
from launcher.base.findings import Finding, Severity
from launcher.cli.render import findings_as_data
from launcher.plan.codes import ENVIRONMENT, SPEC
from launcher.plan.examine import Examined
from launcher.plan.plan import Plan


def check_as_text(plan: Plan, examined: Examined, *, refused: bool) -> Iterator[str]:
    """What will be trained, and whether it may."""
    yield f"{plan.name}: {_verdict(plan, refused)}"


def check_as_data(plan: Plan, examined: Examined, shown: Sequence[Finding], *, refused: bool) -> dict[str, Any]:
    """The same as JSON holds it. The summary counts all findings, those not shown too."""
    return {
        "spec": str(plan.spec),
        "name": plan.name,
        "findings": findings_as_data(shown),
        "allowed": findings_as_data(plan.allowed),
        "summary": {**_counts(plan.findings), "allowed": len(plan.allowed), "refused": refused},
    }


def error_as_data(target: str, error: KlError) -> dict[str, Any]:
    """The same for a spec that nothing can be planned with."""
    code = SPEC if error.code is ExitCode.SPEC_REFUSED else ENVIRONMENT
    findings = [*error.findings, code.at(error.where, error.message, error.hint)]
    return {
        "spec": target,
        "name": None,
        "findings": findings_as_data(findings),
        "allowed": [],
        "summary": {**_counts(findings), "allowed": 0, "refused": True},
    }


def _verdict(plan: Plan, refused: bool) -> str:
    counts = _counts(plan.findings)
    said = [_number(counts["errors"], "error"), _number(counts["warnings"], "warning")]
    if plan.allowed:
        said.append(f"{len(plan.allowed)} allowed")
    return f"{'refused' if refused else 'ready'}, {', '.join(said)}"


def _counts(findings: Iterable[Finding]) -> dict[str, int]:
    severities = [finding.severity for finding in findings]
    return {
        "errors": severities.count(Severity.ERROR),
        "warnings": severities.count(Severity.WARNING),
        "advice": severities.count(Severity.ADVICE),
    }


def _number(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
