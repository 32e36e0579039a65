"""Results as text or JSON. Findings and errors go to stderr, results to stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from launcher.base.errors import KlError
from launcher.base.findings import Finding, Severity
from launcher.base.origin import Origin
from launcher.plan.plan import Argument, Plan, TrainingEnvironment

if TYPE_CHECKING:
    from launcher.run.result import RunResult

_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.ADVICE: "36"}


def show_error(error: KlError, stream: TextIO | None = None) -> None:
    """One message: where, what, what to do. The findings of a refused spec stand before it."""
    stream = stream or sys.stderr
    show_findings(error.findings, stream)
    severity = Severity.ERROR
    _show(Finding(severity, "", error.message, error.where, error.hint), stream)


def show_findings(findings: Iterable[Finding], stream: TextIO | None = None) -> None:
    """Every finding, one after another."""
    for finding in findings:
        _show(finding, stream or sys.stderr)


def findings_as_data(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """The findings as JSON holds them."""
    return [{**asdict(finding), "severity": finding.severity.value} for finding in findings]


def plan_as_text(plan: Plan) -> Iterator[str]:
    """What would run: one option per line with where its value came from."""
    commit = f", commit {plan.trainer.commit[:12]}" if plan.trainer.commit else ""
    length = f"{plan.steps} steps" if plan.steps else "as many steps as its epochs have"
    yield f"{plan.name}: {length}"
    yield f"  trains with  {plan.trainer.script} of {short(plan.trainer.checkout)}{commit}"
    yield f"  in           {environment_in_words(plan.environment)}"
    yield f"  writes to    {short(plan.directory)}"
    for file in plan.files:
        yield f"    {file.name:<22} {_from(file.origin)}"
    yield f"  ends with    {_either(plan.outputs.final)}"
    if plan.outputs.checkpoints:
        number = len(plan.outputs.checkpoints)
        kept = "" if len(plan.outputs.kept) == number else f", the last {len(plan.outputs.kept)} of them kept"
        yield f"  saves        {number} checkpoints on the way{kept}"
    yield ""
    yield from arguments_as_text(plan)


def arguments_as_text(plan: Plan) -> Iterator[str]:
    """The command that trains, one option per line with where its value came from."""
    yield f"{plan.environment.python} -m accelerate.commands.launch"
    yield from _arguments(plan.accelerate)
    yield plan.trainer.script
    yield from _arguments(plan.arguments)


def environment_in_words(environment: TrainingEnvironment) -> str:
    """What trains, and why when nobody named it: "venv ~/kl (active)"."""
    why = f" ({environment.chosen})" if environment.chosen else ""
    return f"{environment.kind} {short(Path(environment.label))}{why}"


def plan_as_data(plan: Plan) -> dict[str, Any]:
    """The whole plan as JSON holds it."""
    return {
        "name": plan.name,
        "directory": str(plan.directory),
        "spec": str(plan.spec),
        "trainer": {
            "checkout": str(plan.trainer.checkout),
            "commit": plan.trainer.commit,
            "script": plan.trainer.script,
        },
        "environment": {
            "kind": plan.environment.kind,
            "label": plan.environment.label,
            "python": str(plan.environment.python),
            "variables": {**plan.environment.variables, **plan.variables},
            "unset": list(plan.environment.unset),
            "chosen": plan.environment.chosen or None,
        },
        "argv": list(plan.argv),
        "accelerate": [_argument_as_data(argument) for argument in plan.accelerate],
        "options": [_argument_as_data(argument) for argument in plan.arguments],
        "files": [
            {"name": file.name, "bytes": len(file.content), "origin": origin_as_data(file.origin)}
            for file in plan.files
        ],
        "outputs": asdict(plan.outputs),
        "steps": plan.steps,
        "notes": plan.notes,
        "findings": findings_as_data(plan.findings),
    }


def origin_as_data(origin: Origin) -> dict[str, Any]:
    """An origin as JSON holds it."""
    path = str(origin.path) if origin.path else None
    return {"source": origin.source.value, "label": origin.label, "path": path, "line": origin.line}


def short(path: Path) -> str:
    """A path as a person would write it: with ~ for the home folder."""
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home raises where there is none
    text = str(path)
    return f"~{text[len(home) :]}" if text == home or text.startswith(f"{home}/") else text


def _argument_as_data(argument: Argument) -> dict[str, Any]:
    return {
        "name": argument.name,
        "words": list(argument.words),
        "value": argument.value,
        "origin": origin_as_data(argument.origin),
        "over": [{"value": setting.value, "origin": origin_as_data(setting.origin)} for setting in argument.over],
        "items": [
            {"key": item.key, "value": item.value, "origin": origin_as_data(item.origin)} for item in argument.items
        ],
    }


def _arguments(arguments: Iterable[Argument]) -> Iterator[str]:
    import shlex

    for argument in arguments:
        if len({str(item.origin) for item in argument.items}) > 1:
            yield f"  --{argument.name}"
            yield from (_line(f"  {shlex.quote(f'{item.key}={item.text}')}", item.origin) for item in argument.items)
            continue
        written = " ".join(shlex.quote(word) for word in argument.words)
        over = f" (over {argument.over[0].value!r}, {argument.over[0].origin})" if argument.over else ""
        yield _line(written, argument.origin) + over


def _line(written: str, origin: Origin) -> str:
    return f"  {written:<50}  {_from(origin)}"


def _from(origin: Origin) -> str:
    return f"# {origin}"


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)


def _show(finding: Finding, stream: TextIO) -> None:
    plain = not stream.isatty() or "NO_COLOR" in os.environ
    label = finding.severity.value
    stream.write(label if plain else f"\033[{_COLOURS[finding.severity]}m{label}\033[0m")
    where = f"{finding.where}: " if finding.where else ""
    code = f" [{finding.code}]" if finding.code else ""
    _write(stream, f": {where}{finding.message}{code}")
    if finding.hint:
        _write(stream, f"  {finding.hint}")


def _write(stream: TextIO, text: str) -> None:
    """Control characters of what a user wrote never reach the terminal; what the stream cannot encode is escaped."""
    safe = "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)
    encoding = stream.encoding or "utf-8"
    stream.write(safe.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def show_lines(lines: Iterable[str]) -> None:
    """A result on stdout: one line each, whatever the values in it hold."""
    for line in lines:
        _write(sys.stdout, line.replace("\n", "\\n"))


def show_failure(result: RunResult, stream: TextIO | None = None) -> None:
    """Why a run failed: the end of the trainer's log, its last exception, and what to do where the cause is known."""
    stream = stream or sys.stderr
    failure = result.failure
    if failure is None:
        return
    if failure.log_tail:
        _write(stream, "The end of the log:")
        for line in failure.log_tail:
            _write(stream, f"  {line}")
    if failure.exception:
        _write(stream, "The trainer's last exception:")
        for line in failure.exception.splitlines():
            _write(stream, f"  {line}")
    _write(stream, f"{result.name}: {failure.reason}")
    if failure.cause is not None:
        _write(stream, failure.cause.meaning)
        for number, step in enumerate(failure.cause.steps, 1):
            _write(stream, f"  {number}. {step}")


def result_as_text(result: RunResult) -> Iterator[str]:
    """How a run ended, and where everything is."""
    from launcher.run.artifacts import ArtifactKind

    steps = f" after {result.steps} steps" if result.steps else ""
    loss = f", loss {result.last_loss:.4g}" if result.last_loss is not None else ""
    yield f"{result.name} {result.outcome.value}{steps}{loss}, in {duration(result.seconds)}."
    if result.directory is not None:
        yield f"  run directory  {short(result.directory)}"
    for kind in ArtifactKind:
        paths = [artifact.path for artifact in result.artifacts if artifact.kind is kind]
        if paths:
            more = f"  and {len(paths) - 1} more" if len(paths) > 1 else ""
            yield f"  {kind.value:<13}  {short(paths[-1])}{more}"
    if result.kept:
        reasons = ", ".join(result.kept[:3]) + (f", and {len(result.kept) - 3} more" if len(result.kept) > 3 else "")
        yield f"  It left no model, but stays: {reasons}."
    if result.removed_to is not None:
        yield "  It left nothing to keep, so its directory was removed (NO_CLEAN=1 keeps it)."
        yield f"  its log        {short(result.removed_to)}"
    elif result.directory is not None:
        yield f"  its log        {short(result.directory / result.log)}"


def duration(seconds: float) -> str:
    """Seconds as a person says them: 12 s, 3 min 20 s, 7 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
