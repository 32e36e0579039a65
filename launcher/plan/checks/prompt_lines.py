"""A prompt line and its flags, against what the checkout's prompt reader takes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

from launcher.base.findings import Finding, Severity
from launcher.base.nearest import nearest
from launcher.plan.checks.prompt_codes import FLAG_IN_TEXT, FLAG_TWICE, FLAG_UNKNOWN, FLAG_VALUE, READ_AS_FLAG
from launcher.plan.checks.prompt_file import Prompt
from launcher.plan.prompts import FLAGS
from launcher.trainer.prompt_flags import Part, PromptFlag, PromptReader, parts_of

# What other programs call the same thing → its key here.
OTHER_NAMES: Mapping[str, str] = {
    "steps": "sample_steps", "step": "sample_steps", "num_inference_steps": "sample_steps",
    "cfg": "scale", "cfg_scale": "scale", "guidance": "scale", "guidance_scale": "guidance_scale",
    "neg": "negative_prompt", "negative": "negative_prompt", "no": "negative_prompt", "np": "negative_prompt",
    "sampler": "sample_sampler", "sampler_name": "sample_sampler", "scheduler": "sample_sampler",
    "seed": "seed", "width": "width", "height": "height", "size": "width", "ar": "width", "aspect": "width",
    "shift": "flow_shift", "discrete_flow_shift": "flow_shift", "controlnet": "controlnet_image",
    "cn_image": "controlnet_image", "image": "controlnet_image", "control_image": "controlnet_image",
}  # fmt: skip
_MOST_PARTS = 60
_MOST_LOOKALIKES = 30
_LONGEST_VALUE = 200
_WORD = re.compile(r"(?P<name>[A-Za-z]+(?:[_-][A-Za-z]+)*)[ \t=:]*(?P<value>.*)", re.DOTALL)
# Dashes that word processors and keyboards write instead of two plain ones, each as a plain one.
_DASHES = dict.fromkeys((*range(0x2010, 0x2016), 0x2212), "-")
_LOOKALIKE = re.compile(r"(?:^|(?<=[\s,;.]))--?(?P<name>[A-Za-z]{1,4})(?= )")
_SPECIAL_NUMBER = re.compile(r"-\d+")


def check_line(prompt: Prompt, line: str, reader: PromptReader, *, made: bool) -> tuple[dict[str, Any], list[Finding]]:
    """The values that the trainer takes from a line, by key, and what is wrong with its flags.

    `made`: kl made the line from a spec, and has checked how it begins.
    """
    first, *others = parts_of(line, reader.flags, _MOST_PARTS)
    values: dict[str, Any] = {"prompt": first.text}
    findings: list[Finding] = []
    say = _Say(prompt, reader, findings)
    if first.flag and not made:
        say.read_as_flag(first)
    say.lookalikes(first.text)
    for part in others:
        if part.flag is None:
            say.dropped(part)
        elif part.flag.kind != "text" and part.number() is None:
            message = f"--{_shown(part.text)}: {_shown(part.value)!r} is no number, and the trainer goes on without it."
            say.at(FLAG_VALUE.at(prompt.where, prompt.label + message, "Write a number in plain digits."))
        else:
            values[part.flag.key] = part.value if part.flag.kind == "text" else part.number()
            say.rest(part)
            say.lookalikes(part.value if part.flag.kind == "text" else "")
    counts = Counter(part.flag.name for part in others if part.flag)
    for name, count in counts.items():
        if count > 1:
            message = f"{prompt.label}--{name} stands {count} times; the trainer takes the last."
            findings.append(FLAG_TWICE.at(prompt.where, message, "Keep one of them."))
    return values, findings


def flag_meant(reader: PromptReader, name: str) -> PromptFlag | None:
    """The flag that somebody means by another name: a key's, or that of another program."""
    plain = name.lower().replace("-", "_")
    key = OTHER_NAMES.get(plain, plain)
    if key == "guidance_scale" and reader.key(key) is None:
        key = "scale"
    found = reader.flag(plain) or reader.flag_of(key)
    if found or len(plain) < 4:
        return found
    near = nearest(plain[:40], [*OTHER_NAMES, *(flag.key for flag in reader.flags)])
    return reader.flag_of(OTHER_NAMES.get(near, near)) if near else None


class _Say:
    """What is said of one line."""

    def __init__(self, prompt: Prompt, reader: PromptReader, findings: list[Finding]) -> None:
        self.prompt = prompt
        self.reader = reader
        self.findings = findings

    def at(self, finding: Finding) -> None:
        self.findings.append(finding)

    def read_as_flag(self, first: Part) -> None:
        name = first.flag.name if first.flag else ""
        message = f"{self.prompt.label}The prompt begins with {first.text[: len(name) + 1]!r}, which the trainer takes "
        message += f"for --{name} as well."
        self.at(READ_AS_FLAG.at(self.prompt.where, message, "Begin the prompt with another word."))

    def lookalikes(self, text: str) -> None:
        """Flags that are none, because of what stands before them or instead of the dashes."""
        for match in islice(_LOOKALIKE.finditer(text.translate(_DASHES)), _MOST_LOOKALIKES):
            flag = self.reader.flag(match["name"])
            start = match.start("name")
            rest = text[start : start + _LONGEST_VALUE]
            part = parts_of(rest, [flag])[0] if flag else None
            if flag is None or part is None or part.flag is None:
                continue
            dash = text[match.start() : start]
            plain = dash == "--"
            if flag.kind == "text" and dash == "-":
                continue  # "-n" may be anything
            end = f" {part.value}" if flag.kind != "text" else ""
            why = "no blank stands before it" if plain else f"it begins with {dash!r}"
            message = f"{self.prompt.label}{dash}{match['name']}{end} stays in the prompt as words: {why}."
            hint = f'Write " --{flag.name}{end or " …"}".'
            self.at(FLAG_IN_TEXT.at(self.prompt.where, message, hint))

    def rest(self, part: Part) -> None:
        """What stands behind a flag's value, and is dropped."""
        if part.flag and part.flag.kind != "text" and re.search(r"\w", part.rest):
            message = f"{self.prompt.label}--{part.flag.name}: the trainer reads {_shown(part.value)} and drops "
            message += f"{_shown(part.rest)!r}."
            hint = "It takes a whole number." if part.flag.kind == "int" else "It takes a number with a decimal point."
            if part.rest[:1].isspace():
                hint = "The prompt itself comes first, the flags behind it."
            self.at(FLAG_VALUE.at(self.prompt.where, message, hint))

    def dropped(self, part: Part) -> None:
        """What no flag of the trainer takes."""
        if not part.text.strip() or not self.reader.complete:
            return
        word = _WORD.match(part.text)
        name, value = (word["name"], word["value"]) if word else ("", "")
        known = self.reader.flag(name)
        if known:
            self._bad_value(known, part, value)
            return
        meant = flag_meant(self.reader, name) if name else None
        shown = _shown(part.text)
        if not name:
            message = f'What follows " --" is dropped without a word: {shown.strip()!r}.'
            hint = 'Write the prompt without " --"; only flags begin so.'
        else:
            message = f"The trainer has no flag --{name} and drops it without a word: --{shown}"
            names = ", ".join(f"--{flag.name}" for flag in self.reader.flags)
            hint = f"A prompt line takes {names}."
        if meant:
            hint = f"Did you mean --{meant.name}{_fitting(meant, value)}?"
        key = next((key for key, (flag, _) in FLAGS.items() if flag == name), None)
        if key and self.prompt.label:  # kl has written the line from a spec, in which every key has its flag
            message, hint = f"This release of the trainer knows no {key} (--{name}).", f"Leave {key} out."
        if name.lower() in ("size", "ar", "aspect"):
            hint = "Give --w and --h in pixels."
        self.at(FLAG_UNKNOWN.at(self.prompt.where, self.prompt.label + message, hint))

    def _bad_value(self, flag: PromptFlag, part: Part, value: str) -> None:
        if not value.strip():
            if flag.kind != "text" or flag.key != "negative_prompt":
                message = f"{self.prompt.label}--{flag.name} has no value, and the trainer drops it without a word."
                self.at(FLAG_VALUE.at(self.prompt.where, message, "Give one, or leave the flag out."))
            return
        takes = {"int": "digits", "float": "digits and a point", "text": "text"}[flag.kind]
        message = f"{self.prompt.label}--{_shown(part.text)} is dropped without a word: --{flag.name} takes one blank "
        message += f"and {takes}."
        fitting = _fitting(flag, value)
        hint: str | None = f"Write --{flag.name}{fitting}." if fitting else None
        severity = None
        if flag.key == "seed" and _SPECIAL_NUMBER.match(value):
            # Other programs mean by it what the trainer does without a seed.
            hint, severity = "Leave --d out: without it every sample has a new seed.", Severity.WARNING
        self.at(FLAG_VALUE.at(self.prompt.where, message, hint, severity=severity))


def _fitting(flag: PromptFlag, value: str) -> str:
    """The value behind its flag, where the flag takes it as it stands."""
    tried = parts_of(f"{flag.name} {value.strip()}", [flag])[0]
    fits = tried.flag is not None and (flag.kind == "text" or tried.number() is not None)
    return f" {_shown(tried.value)}" if fits else ""


def _shown(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
