"""Sample prompts written into a spec, as the lines of the trainer's prompt file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from launcher.base.findings import Finding
from launcher.base.nearest import nearest
from launcher.base.settings import Setting, Value
from launcher.plan.codes import PROMPT, UNKNOWN_KEY, WRONG_TYPE
from launcher.plan.findings import error_at

# Key of a prompt → its flag in a prompt line and the type it has there (library/train_util.py, line_to_prompt_dict).
FLAGS: Mapping[str, tuple[str, type]] = {
    "negative_prompt": ("n", str),
    "width": ("w", int),
    "height": ("h", int),
    "seed": ("d", int),
    "sample_steps": ("s", int),
    "scale": ("l", float),
    "guidance_scale": ("g", float),
    "sample_sampler": ("ss", str),
    "controlnet_image": ("cn", str),
    "cfg_trunc_ratio": ("ctr", float),
    "renorm_cfg": ("rcfg", float),
    "flow_shift": ("fs", float),
}
# The trainer looks for flags in the prompt itself too, as if it followed a double dash (line_to_prompt_dict).
_READ_AS_FLAG = re.compile(r"([whds] \d|[lg] [\d.]|(n|ss|cn|ctr|rcfg|fs) .)", re.IGNORECASE)
MOST_STEPS = 1000  # the trainer takes no more (line_to_prompt_dict)


def prompt_lines(setting: Setting) -> tuple[str, tuple[Finding, ...]]:
    """The text of the prompt file, and what is wrong with the prompts."""
    findings: list[Finding] = []
    prompts = setting.value if isinstance(setting.value, list) else [setting.value]
    lines = [_line(number, prompt, setting, findings) for number, prompt in enumerate(prompts, 1)]
    return "".join(f"{line}\n" for line in lines), tuple(findings)


def _line(number: int, prompt: Value, setting: Setting, findings: list[Finding]) -> str:
    if not isinstance(prompt, dict):
        message = f"sample_prompts {number} is not a table."
        findings.append(error_at(WRONG_TYPE, message, setting, "[[sample_prompts]]"))
        return ""
    parts = [_text(number, "prompt", prompt.get("prompt", ""), setting, findings)]
    if not parts[0] or parts[0].startswith("#"):
        # library/train_util.py, load_prompts: an empty line and one that begins with # are passed over.
        message = f"sample_prompts {number} has no prompt, or one that begins with #."
        findings.append(error_at(PROMPT, message, setting, 'Give prompt = "…".'))
    elif _READ_AS_FLAG.match(parts[0]):
        message = f"sample_prompts {number} begins with {parts[0].split()[0]!r}, which the trainer takes for a flag."
        findings.append(error_at(PROMPT, message, setting, "Begin the prompt with another word."))
    for key, value in prompt.items():
        if key != "prompt":
            parts.extend(_flag(number, key, value, setting, findings))
    return " ".join(parts)


def _flag(number: int, key: str, value: Value, setting: Setting, findings: list[Finding]) -> Iterator[str]:
    if key not in FLAGS:
        near = nearest(key, ["prompt", *FLAGS])
        hint = f"Did you mean {near}?" if near else f"A prompt takes prompt, {', '.join(FLAGS)}."
        findings.append(error_at(UNKNOWN_KEY, f"sample_prompts {number} has no key {key}.", setting, hint))
        return
    flag, kind = FLAGS[key]
    number_wanted = kind in (int, float)
    fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
    # The trainer's prompt line has no place for a sign: --l takes digits and a dot.
    if not fits or (number_wanted and isinstance(value, (int, float)) and not 0 <= value < float("inf")):
        wanted = {int: "a whole number from 0 on", float: "a number from 0 on", str: "text"}[kind]
        message = f"{key} of sample_prompts {number} takes {wanted}, not {value!r}."
        findings.append(error_at(WRONG_TYPE, message, setting, None))
        return
    if key == "sample_steps" and isinstance(value, int) and not 1 <= value <= MOST_STEPS:
        message = f"sample_steps of sample_prompts {number} is {value}; the trainer takes 1 to {MOST_STEPS}."
        findings.append(error_at(PROMPT, message, setting, None))
    text = _text(number, key, value, setting, findings) if isinstance(value, str) else _digits(value)
    if not text and key != "negative_prompt":
        findings.append(error_at(PROMPT, f"{key} of sample_prompts {number} is empty.", setting, "Leave it out."))
    elif text:
        yield f"--{flag} {text}"


def _digits(value: Value) -> str:
    """A number without an exponent, which the prompt line cannot hold."""
    return format(Decimal(repr(value)), "f")


def _text(number: int, key: str, value: Value, setting: Setting, findings: list[Finding]) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not isinstance(value, str):
        findings.append(error_at(WRONG_TYPE, f"{key} of sample_prompts {number} is not text.", setting, None))
    if "\n" in text or "\r" in text or " --" in f" {text}":
        message = f'{key} of sample_prompts {number} holds a line break or " --", which the trainer would cut it at.'
        hint = "Write it in one line, without a double dash after a space."
        findings.append(error_at(PROMPT, message, setting, hint))
    return text
