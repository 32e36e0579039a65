"""All that is known of a run, as text on one screen or as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from launcher.base.origin import Source
from launcher.base.times import moment, seconds_of
from launcher.cli.labelled import LABEL, labelled
from launcher.cli.render import duration, short
from launcher.cli.render_lora import metadata_in_short
from launcher.cli.render_record import record_as_text
from launcher.cli.render_runs import bytes_as_text, loss_as_text, number_as_data, steps_as_text, time_as_text
from launcher.record.manifest import Attempt, FindingRecord, OptionRecord, manifest_bytes
from launcher.record.model_metadata import METADATA
from launcher.record.notes import Note
from launcher.run.account import RunAccount, log_of
from launcher.run.artifacts import Artifact, ArtifactKind
from launcher.run.outcome import Outcome, signal_of

_SHOWN = 6  # artifacts of a kind
_LAST_LINES = 5  # of the log, where there was no exception
_LINE = re.compile(r":\d+$")
_ORDER = (
    Source.SPEC, Source.TEMPLATE, Source.NAME, Source.DATASET_FOLDER, Source.CONFIG, Source.ENVIRONMENT, Source.SET,
    Source.ARGUMENT, Source.KL, Source.DEFAULT,
)  # fmt: skip


def account_as_text(account: RunAccount, width: int = 120) -> Iterator[str]:
    """What a person wants to know, the most wanted first; lines are broken at `width`."""
    manifest = account.manifest
    yield _headline(account)
    yield from labelled("directory", [_place(account)], width)
    yield from labelled("created", [time_as_text(moment(manifest.created)), f"kl {manifest.kl_version}"], width)
    yield from labelled("notes", manifest.notes.splitlines(), width, separator="\n")
    yield from labelled("noted", notes_as_text(account.noted), width, separator="\n")
    for number, attempt in enumerate(manifest.attempts, 1):
        told = _attempt(attempt, account, last=number == len(manifest.attempts))
        yield from labelled(f"attempt {number}", told, width)
    yield from _why(account, width)
    yield from record_as_text(account, width)
    yield from _options(manifest.options, width)
    yield from _files(account)
    yield from _artifacts(account)
    yield from _model_moved_away(account, width)
    yield from _findings("findings", manifest.findings, width)
    yield from _findings("let through", manifest.allowed, width)
    for problem in manifest.not_recorded:
        yield from labelled("not recorded", [problem], width)


def account_as_data(account: RunAccount) -> dict[str, Any]:
    """The same as JSON holds it; `manifest` is what run.json holds."""
    failure = account.failure
    last = account.manifest.attempts[-1] if account.manifest.attempts else Attempt()
    return {
        "name": account.run.name,
        "directory": str(account.run.directory),
        "removed": account.run.removed,
        "outcome": account.outcome.value,
        "seconds": account.seconds,
        "bytes": account.size,
        "step": last.last_step,
        "total_steps": last.total_steps,
        "loss": number_as_data(last.last_loss),
        "failure": None
        if failure is None
        else {
            "reason": failure.reason,
            "exception": failure.exception,
            "cause": None if failure.cause is None else failure.cause.name,
            "meaning": None if failure.cause is None else failure.cause.meaning,
            "steps": [] if failure.cause is None else list(failure.cause.steps),
            "log_end": list(failure.log_tail),
        },
        "artifacts": [
            {"path": str(artifact.path), "kind": artifact.kind.value, "bytes": artifact.size}
            for artifact in account.artifacts
        ],
        "gone": list(account.gone),
        "environment": None if account.environment is None else asdict(account.environment),
        "noted": [asdict(note) for note in account.noted],
        "manifest": json.loads(manifest_bytes(account.manifest)),
    }


def notes_as_text(notes: Iterable[Note]) -> Iterator[str]:
    """What was noted on a run: each note behind its time, further lines of it indented."""
    for note in notes:
        first, *further = note.text.split("\n")
        yield f"{time_as_text(moment(note.when))} {first}".strip()
        yield from (f"  {line}" for line in further if line)


def _headline(account: RunAccount) -> str:
    attempts = account.manifest.attempts
    seen = next((each for each in reversed(attempts) if each.last_step is not None), Attempt())
    outcome = account.outcome.value + (", removed" if account.run.removed else "")
    steps = f"{steps_as_text(seen.last_step, seen.total_steps)} steps" if seen.last_step is not None else ""
    loss = f"loss {loss_as_text(seen.last_loss)}" if seen.last_loss is not None else ""
    lowest = f"lowest {loss_as_text(seen.lowest_loss)}" if seen.lowest_loss is not None else ""
    time = duration(account.seconds) if account.seconds is not None else ""
    return f"{account.run.name}: {_joined(outcome, steps, loss, lowest, time)}"


def _place(account: RunAccount) -> str:
    what = "its log and manifest, " if account.run.removed else ""
    return f"{short(account.run.directory)} ({what}{bytes_as_text(account.size)})"


def _attempt(attempt: Attempt, account: RunAccount, *, last: bool) -> Iterator[str]:
    yield time_as_text(moment(attempt.started))
    lasted = seconds_of([(attempt.started, attempt.ended)])
    if lasted is not None:
        yield duration(lasted)
    yield account.outcome.value if last else attempt.outcome
    if attempt.exit_code is not None:
        signal = signal_of(attempt.exit_code)
        yield f"exit code {attempt.exit_code}" + (f" ({signal.name})" if signal else "")
    if attempt.stop_signal is not None:
        signal = signal_of(attempt.stop_signal + 128)
        yield f"asked to stop by {signal.name if signal else attempt.stop_signal}"
    yield attempt.stop_reason or ""
    yield f"{steps_as_text(attempt.last_step, attempt.total_steps)} steps" if attempt.last_step is not None else ""
    yield f"loss {loss_as_text(attempt.last_loss)}" if attempt.last_loss is not None else ""
    if last and account.outcome is Outcome.RUNNING:
        yield f"process {attempt.pid}" if attempt.pid is not None else ""
        yield f"on {attempt.host}" if attempt.host else ""
    yield log_of(attempt)


def _why(account: RunAccount, width: int) -> Iterator[str]:
    failure = account.failure
    if failure is None:
        if account.outcome is Outcome.LOST:
            yield from labelled("lost", ["it runs no more, and nobody saw how it ended"], width)
        return
    yield from labelled("failed", [failure.reason], width)
    yield from labelled("exception", failure.exception.splitlines(), width, separator="\n")
    if not failure.exception:
        yield from labelled("the log ends", failure.log_tail[-_LAST_LINES:], width, separator="\n")
    if failure.cause is not None:
        yield from labelled("cause", [failure.cause.meaning], width)
        steps = [f"{number}. {step}" for number, step in enumerate(failure.cause.steps, 1)]
        yield from labelled("what to do", steps, width, separator="\n")


def _options(options: Sequence[OptionRecord], width: int) -> Iterator[str]:
    """The options by where they came from: a line or more for each kind of place."""
    order = {source.value: number for number, source in enumerate(_ORDER)}
    origins = dict.fromkeys(option.origin for option in options)
    for origin in sorted(origins, key=lambda origin: order.get(origin, len(order))):
        these = [option for option in options if option.origin == origin]
        files = dict.fromkeys(_LINE.sub("", option.where) for option in these if _LINE.search(option.where))
        place = f"(in {', '.join(files)})" if files else ""
        yield from labelled(f"by {origin}", [*map(_option, these), place], width)


def _option(option: OptionRecord) -> str:
    name = f"accelerate.{option.name}" if option.command == "accelerate" else option.name
    if option.value is True:
        return name
    if isinstance(option.value, dict):
        return f"{name}=({' '.join(f'{key}={value}' for key, value in option.value.items())})"
    if isinstance(option.value, (list, tuple)):
        return f"{name}=({' '.join(map(str, option.value))})"
    return f"{name}={option.value}"


def _files(account: RunAccount) -> Iterator[str]:
    label = "files"
    for file in account.manifest.files:
        source = f"  from {short(Path(file.source))}" if file.source else ""
        gone = "  gone" if file.name in account.gone else ""
        size = f"{bytes_as_text(file.size):>7}"
        yield f"  {label:<{LABEL}}{file.name:<22} {size}  sha256 {file.sha256[:12]}{source}{gone}"
        label = ""


def _artifacts(account: RunAccount) -> Iterator[str]:
    for kind in ArtifactKind:
        these = [artifact for artifact in account.artifacts if artifact.kind is kind]
        label = kind.value
        for artifact in these[-_SHOWN:]:
            yield f"  {label:<{LABEL}}{_named(artifact, account)} {bytes_as_text(artifact.size):>7}"
            label = ""
        more = these[:-_SHOWN]
        if more:
            size = bytes_as_text(sum(artifact.size for artifact in more))
            yield f"  {'':<{LABEL}}and {len(more)} before them, {size}"
    gone = [each for each in account.manifest.artifacts if each.path in account.gone]
    if gone:
        yield f"  {'gone':<{LABEL}}{len(gone)} of {len(account.manifest.artifacts)} artifacts that were recorded"


def _model_moved_away(account: RunAccount, width: int) -> Iterator[str]:
    """What the final model said of its training, when it is not there any more."""
    said = account.said_by_model
    if said is not None:
        yield from labelled(
            "model", [f"{said.model} is gone; what it said of its training stands in {METADATA}"], width
        )
        yield from metadata_in_short(said.metadata, width)


def _named(artifact: Artifact, account: RunAccount) -> str:
    return f"{artifact.path.relative_to(account.run.directory)!s:<48}"


def _findings(label: str, findings: Sequence[FindingRecord], width: int) -> Iterator[str]:
    for finding in findings:
        where = f"{finding.where}: " if finding.where else ""
        yield from labelled(label, [f"{finding.severity} {where}{finding.message} [{finding.code}]"], width)
        label = ""


def _joined(*texts: str) -> str:
    return ", ".join(text for text in texts if text)
