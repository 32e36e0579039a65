"""One value of a sample prompt, wherever it was written: a size, steps, a seed, a scale, a sampler, a picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from launcher.base.findings import Finding
from launcher.base.nearest import nearest
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.prompt_codes import (
    FLOW_SHIFT,
    IMAGE_MISSING,
    NOT_USED,
    SAMPLER,
    SEED,
    UNUSUAL,
    VALUE_CHANGED,
)
from launcher.plan.checks.prompt_file import Prompt
from launcher.trainer.prompt_flags import PromptReader
from launcher.trainer.source_text import Evidence

_SEEDS = (-(2**63), 2**64 - 1)  # what torch.manual_seed takes (torch/random.py)
_LARGEST_SIZE, _MOST_STEPS, _HIGHEST_SCALE = 4096, 200, 50
_TEXT_AS_NUMBER = (
    Evidence("hunyuan_image_minimal_inference.py", "generate_body", (r"infer_steps, args\.flow_shift",)),
    Evidence("library/hunyuan_image_utils.py", "get_timesteps_sigmas", (r"\(shift \* sigmas\)",)),
)


def name_of(reader: PromptReader, prompt: Prompt, key: str) -> str:
    """How the prompt's writer calls a key: a line has flags, a table its keys."""
    flag = reader.flag_of(key) if isinstance(prompt.content, str) else None
    return f"--{flag.name}" if flag else key


def check_value(candidate: Candidate, reader: PromptReader, prompt: Prompt, key: str, value: Any) -> Iterator[Finding]:
    """What is wrong with a value of the right type."""
    where, name = prompt.place(key), name_of(reader, prompt, key)
    label = prompt.label
    if reader.keys and reader.key(key) is None and reader.flag_of(key):
        own = "" if name == key else f" ({key})"
        message = f"{label}{candidate.trainer.script} draws its samples without {name}{own}."
        scale = name_of(reader, prompt, "scale") if key == "guidance_scale" else None
        yield NOT_USED.at(where, message, f"It takes the scale from {scale}." if scale else "Leave it out.")
    elif key in ("width", "height") and type(value) is int:
        yield from _size(reader, where, f"{label}{name}", value)
    elif key == "sample_steps" and type(value) is int:
        yield from _steps(reader, prompt, where, f"{label}{name}", value)
    elif key == "seed" and type(value) is int:
        yield from _seed(reader, where, f"{label}{name}", value)
    elif key == "scale" and isinstance(value, (int, float)) and value > _HIGHEST_SCALE:
        yield UNUSUAL.at(where, f"{label}{name} is {_short(value)}.", "A guidance scale is usually between 1 and 12.")
    elif key == "sample_sampler" and isinstance(value, str) and reader.samplers:
        yield from _sampler(reader, where, f"{label}{name}", value)
    elif key == "controlnet_image" and isinstance(value, str) and reader.opens_image:
        yield from _image(candidate, where, f"{label}{name}", value)
    elif key == "flow_shift" and isinstance(prompt.content, str):
        yield from _flow_shift(candidate, reader, where, f"{label}{name}")


def _size(reader: PromptReader, where: str | None, name: str, value: int) -> Iterator[Finding]:
    if reader.multiple is not None and reader.smallest is not None:
        drawn = max(reader.smallest, value - value % reader.multiple)
        if drawn != value:
            why = f"not divisible by {reader.multiple}" if value >= reader.smallest else "too small"
            message = f"{name} is {_short(value)}, {why}: the trainer makes it {_short(drawn)}."
            yield VALUE_CHANGED.at(where, message, f"Take a multiple of {reader.multiple}.")
    if value > _LARGEST_SIZE:
        yield UNUSUAL.at(where, f"{name} is {_short(value)} pixels.", "Take the size that the model is trained at.")


def _steps(reader: PromptReader, prompt: Prompt, where: str | None, name: str, value: int) -> Iterator[Finding]:
    flag = reader.flag_of("sample_steps")
    limited = value
    if flag and isinstance(prompt.content, str):  # a table's value is taken as it is
        limited = max(flag.least or value, min(flag.most or value, value))
    if limited != value:
        if not prompt.label:  # prompts in a spec have been checked for that
            message = f"{name} is {_short(value)}: the trainer makes it {limited}."
            yield VALUE_CHANGED.at(where, message, "20 to 40 steps are usual.")
    elif value < 1:
        yield VALUE_CHANGED.at(where, f"{name} is {_short(value)}: no picture comes of that.", "Take 20 to 40.")
    elif value > _MOST_STEPS:
        yield UNUSUAL.at(where, f"{name} is {_short(value)}.", "20 to 40 steps are usual.")


def _seed(reader: PromptReader, where: str | None, name: str, value: int) -> Iterator[Finding]:
    if not _SEEDS[0] <= value <= _SEEDS[1]:
        yield SEED.at(where, f"{name} is {_short(value)}, which is no seed.", f"Take 1 to {2**32 - 1}.")
    elif reader.seed_above_zero and value <= 0:
        yield SEED.at(where, f"{name} is {value}; this script insists on a seed above 0.", "Take 1 or more.")


def _sampler(reader: PromptReader, where: str | None, name: str, value: str) -> Iterator[Finding]:
    if value not in reader.samplers:
        stripped = value.strip() if value.strip() in reader.samplers else nearest(value[:60], reader.samplers)
        hint = f"Did you mean {stripped}?" if stripped else f"It may be {', '.join(reader.samplers)}."
        if stripped and value.strip() == stripped:
            hint = f"Take out the white space around {stripped}."
        message = f"{name} {_shown(value)!r} is no sampler: the trainer takes ddim instead."
        yield SAMPLER.at(where, message, hint)


def _image(candidate: Candidate, where: str | None, name: str, value: str) -> Iterator[Finding]:
    try:
        # A relative path is taken from where the trainer runs: the checkout. It knows nothing of ~.
        there = (candidate.trainer.checkout / value).is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        hint = "Give its whole path." if not value.startswith("/") else "Correct the path."
        yield IMAGE_MISSING.at(where, f"{name} {_shown(value)!r} names no file.", hint)


def _flow_shift(candidate: Candidate, reader: PromptReader, where: str | None, name: str) -> Iterator[Finding]:
    flag, key = reader.flag_of("flow_shift"), reader.key("flow_shift")
    stays_text = flag is not None and flag.kind == "text" and key is not None and not key.converted
    own = candidate.trainer.script.startswith("hunyuan_image")
    if stays_text and own and all(candidate.says(evidence) for evidence in _TEXT_AS_NUMBER):
        message = f"{name} in a prompt line reaches the sampler as text, and drawing fails."
        yield FLOW_SHIFT.at(where, message, "Write the prompts as tables in a .toml file: flow_shift = 5.0.")


def _short(value: int | float) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if abs(value) < 10**30 else "a number of many digits"


def _shown(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
