"""Sample prompts: their file, the flags of each line, the keys of each table, sizes, seeds, lengths, and their number.

What is right is read from the checkout's own prompt reader (launcher.trainer.prompt_flags).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from launcher.base.findings import Finding, Severity
from launcher.base.words import counted
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.prompt_codes import EMPTY, IDLE, NEGATIVE_UNUSED
from launcher.plan.checks.prompt_file import Prompt, read_prompts
from launcher.plan.checks.prompt_lines import check_line
from launcher.plan.checks.prompt_tables import check_table
from launcher.plan.checks.prompt_tokens import PromptText, check_tokens
from launcher.plan.checks.prompt_values import check_value
from launcher.plan.resolve import PROMPTS
from launcher.trainer.prompt_flags import PromptReader, read_prompt_reader
from launcher.trainer.source_text import Evidence

_MOST_FINDINGS = 100
_STRICT_COMMENTS = (
    Evidence("library/train_util.py", "load_prompts", (r'line\[0\] != "#"',)),
    Evidence("library/train_util.py", "sample_images_common", (r'line\[0\] != "#"',)),
    Evidence("library/train_util.py", "sample_images", (r'line\[0\] != "#"',)),
)


def check_prompts(candidate: Candidate, *, cache: Path | None = None) -> Iterator[Finding]:
    """What is wrong with the sample prompts. `cache` is where readings of the checkout are kept, for tests.

    Where no samples are drawn at all, nothing fails for their sake: then every finding is a warning at most.
    """
    file = candidate.files.get(PROMPTS)
    if file is None:
        return
    reader = read_prompt_reader(candidate.trainer.checkout, candidate.trainer.script, cache=cache)
    if reader is None:
        return
    drawn = _draws(candidate)
    said: set[Finding] = set()
    for finding in _findings(candidate, reader):
        severity = Severity.WARNING if not drawn and finding.severity is Severity.ERROR else finding.severity
        if finding not in said:  # a key that all prompts of a file share is looked at with each of them
            said.add(finding)
            yield replace(finding, severity=severity)
        if len(said) >= _MOST_FINDINGS:
            return


def _draws(candidate: Candidate) -> bool:
    every = (candidate.value("sample_every_n_steps"), candidate.value("sample_every_n_epochs"))
    return any(value is not None for value in every) or bool(candidate.value("sample_at_first"))


def _findings(candidate: Candidate, reader: PromptReader) -> Iterator[Finding]:
    strict = any(candidate.says(evidence) for evidence in _STRICT_COMMENTS)
    file = read_prompts(candidate.files[PROMPTS], tables=reader.tables, strict_comments=strict)
    yield from file.findings
    texts: list[PromptText] = []
    made = candidate.files[PROMPTS].source is None
    for prompt in file.prompts:
        if isinstance(prompt.content, str):
            values, findings = check_line(prompt, prompt.content, reader, made=made)
        else:
            values, findings = check_table(prompt, prompt.content, reader)
        yield from findings
        for key, value in values.items():
            yield from check_value(candidate, reader, prompt, key, value)
        yield from _as_a_whole(reader, prompt, values)
        for key in ("prompt", "negative_prompt"):
            if isinstance(values.get(key), str):
                what = f"{prompt.label}The negative prompt: " if key != "prompt" else prompt.label
                texts.append(PromptText(prompt.place(key), what, values[key]))
    yield from check_tokens(candidate, reader.pipelines, texts)
    yield from _idle(candidate, reader, file.count)


def _as_a_whole(reader: PromptReader, prompt: Prompt, values: dict[str, Any]) -> Iterator[Finding]:
    written = prompt.content if isinstance(prompt.content, Mapping) else values
    text, negative = written.get("prompt", ""), values.get("negative_prompt")
    if isinstance(text, str) and not text.strip():
        message = f"{prompt.label}There are no words in the prompt."
        yield EMPTY.at(prompt.place("prompt"), message, "Write what is to be drawn.")
    key = reader.key("scale")
    scale = values.get("scale", key.default if key else None)
    if isinstance(negative, str) and negative.strip() and scale == 1.0 and reader.key("negative_prompt"):
        own = "" if "scale" in values else ", which is this script's own,"
        hint = "Give a scale: --l 4." if isinstance(prompt.content, str) else "Give a scale: scale = 4."
        message = f"{prompt.label}At a scale of 1{own} the negative prompt has no effect."
        yield NEGATIVE_UNUSED.at(prompt.place("negative_prompt"), message, hint)


def _idle(candidate: Candidate, reader: PromptReader, count: int) -> Iterator[Finding]:
    flag = next((argument for argument in candidate.accelerate if argument.name == "num_processes"), None)
    text = str(flag.value) if flag else "1"
    processes = max(int(text), 1) if text.isdecimal() and len(text) < 6 else 1
    left = count % processes
    if not reader.spread or not left:
        return
    where = candidate.where(PROMPTS) or str(candidate.files[PROMPTS].origin)
    few = count < processes
    rounds = "" if few else " in the last round"
    idle = processes - left
    message = f"{counted(count, 'prompt')} for {processes} processes leave {idle} of them idle{rounds}."
    severity = Severity.WARNING if few else None
    yield IDLE.at(where, message, f"Take a multiple of {processes} prompts.", severity=severity)
