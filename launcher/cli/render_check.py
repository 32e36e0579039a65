"""What `kl check` found, as text or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from launcher.base.errors import ExitCode, KlError
from launcher.base.findings import Finding, Severity
from launcher.cli.render import findings_as_data
from launcher.plan.checks.model_file import size_text
from launcher.plan.checks.prompt_codes import NOT_COUNTED
from launcher.plan.codes import ENVIRONMENT, SPEC
from launcher.plan.examine import Examined
from launcher.plan.plan import Plan
from launcher.plan.summary import Summary, summary_of


def check_as_text(plan: Plan, examined: Examined, *, refused: bool) -> Iterator[str]:
    """What will be trained, and whether it may."""
    summary = summary_of(plan, examined)
    yield f"{plan.name}: {_verdict(plan, refused)}"
    yield from (f"  {label:<10} {text}" for label, text in _summary(summary) if text)
    if any(finding.code == NOT_COUNTED.name for finding in plan.findings):
        yield "  prompts    their tokens were not counted: CLIP's tokenizer is not on this machine"


def check_as_data(plan: Plan, examined: Examined, shown: Sequence[Finding], *, refused: bool) -> dict[str, Any]:
    """The same as JSON holds it. The summary counts all findings, those not shown too."""
    summary = summary_of(plan, examined)
    counts = {**_counts(plan.findings), "allowed": len(plan.allowed), "refused": refused}
    return {
        "spec": str(plan.spec),
        "name": plan.name,
        "findings": findings_as_data(shown),
        "allowed": findings_as_data(plan.allowed),
        "summary": {**counts, **asdict(summary)},
    }


def error_as_data(target: str, error: KlError) -> dict[str, Any]:
    """The same for a spec that nothing can be planned with."""
    code = ENVIRONMENT if error.code is ExitCode.ENVIRONMENT_NOT_READY else SPEC
    findings = [*error.findings, code.at(error.where, error.message, error.hint)]
    return {
        "spec": target,
        "name": None,
        "findings": findings_as_data(findings),
        "allowed": [],
        "summary": {**_counts(findings), "allowed": 0, "refused": True},
    }


def _summary(summary: Summary) -> Iterator[tuple[str, str]]:
    yield "trains", f"{summary.network or 'a model'}{f' on {summary.family}' if summary.family else ''}"
    yield "with", summary.script
    yield "on", _pictures(summary)
    yield "for", _length(summary)
    yield "saves", _saves(summary)
    yield "ends with", summary.final
    yield "on disk", _room(summary)


def _pictures(summary: Summary) -> str:
    if summary.pictures is None:
        return "pictures that were not counted"
    repeats = f", {summary.images:,} with repeats" if summary.images != summary.pictures else ""
    reg = f", {summary.reg_images:,} for regularization" if summary.reg_images else ""
    return f"{_number(summary.pictures, 'picture')}{repeats}{reg}"


def _length(summary: Summary) -> str:
    if summary.steps is None:
        return "as many steps as its epochs have"
    text = _number(summary.steps, "step")
    if summary.epochs is not None:
        text += f": {_number(summary.epochs, 'epoch')} of {_number(summary.steps_per_epoch or 0, 'step')}"
    return f"{text}, batch size {summary.batch_size}" if summary.batch_size else text


def _saves(summary: Summary) -> str:
    if summary.every is None:
        return "only at the end"
    number = f": {_number(summary.saves, 'save')} on the way" if summary.saves is not None else ""
    kept = f", the last {summary.kept} kept" if summary.kept is not None and summary.kept != summary.saves else ""
    each = f", about {size_text(summary.save_bytes)} each" if summary.save_bytes else ""
    state = f" and {size_text(summary.state_bytes)} for the state" if summary.state_bytes else ""
    return f"every {summary.every}{number}{kept}{each}{state}"


def _room(summary: Summary) -> str:
    if summary.kept_bytes is None or summary.free_bytes is None:
        return ""
    return f"about {size_text(summary.kept_bytes)}, and {size_text(summary.free_bytes)} are free"


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
    return f"{count or 'no':{',' if count else ''}} {what}{'' if count == 1 else 's'}"
