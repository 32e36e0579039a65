"""After a failed launch: what the doctor finds, where that explains the failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.base.findings import Finding, Severity

if TYPE_CHECKING:
    from launcher.plan.plan import Plan
    from launcher.run.result import RunResult


def doctors_findings(result: RunResult, plan: Plan) -> list[Finding]:
    """What explains the failure, with the commands that mend it; often nothing. Found at this moment only."""
    failure = result.failure
    if failure is None:
        return []
    from launcher.cli.installation import installation_of_plan
    from launcher.setup.doctor.diagnosis import Status
    from launcher.setup.doctor.explains import explaining

    cause = failure.cause.name if failure.cause else None
    found = explaining(cause, failure.exception, failure.log_tail, installation_of_plan(plan))
    severities = {Status.WRONG: Severity.ERROR, Status.ADVICE: Severity.ADVICE}
    return [
        Finding(severities[each.status], "", each.message, f"kl doctor: {each.subject}", each.mend) for each in found
    ]


def note_doctors_findings(result: RunResult, plan: Plan) -> RunResult:
    """Keep them in kl.log, for a training that nobody watched. Returns the result as it is."""
    from launcher.run.kl_log import KlLog

    directory = result.directory or result.removed_to
    found = doctors_findings(result, plan)
    if found and directory is not None:
        lines = [text for each in found for text in (f"{each.where}: {each.message}", each.hint) if text]
        KlLog(directory).write("\n".join(lines))
    return result
