"""Which file of the checkout holds a script's training loop, and the one that makes its samples.

A script such as sdxl_train_network.py only changes parts of the trainer class in train_network.py; sdxl_train.py has a
loop of its own. A rule about the loop must look at the one that runs.
"""

from __future__ import annotations

import re

from launcher.base.origin import Source
from launcher.plan.checks.candidate import Candidate
from launcher.trainer.source_text import Evidence

_LOOP = re.compile(r"for epoch in range\(")
_OTHER_SCRIPT = re.compile(r"^(?:import|from) +(\w*train_\w+)", re.MULTILINE)
# Besides library/train_util.py, which makes the samples of every other script (sample_images_common).
_SAMPLERS = ("flux_train_utils", "sd3_train_utils", "lumina_train_util", "anima_train_utils")


def loop_file(candidate: Candidate) -> str | None:
    """The file with the training loop that the script runs; None where none can be found."""
    script = candidate.trainer.script
    text = candidate.source.text(script)
    for file in (script, *(f"{name}.py" for name in _OTHER_SCRIPT.findall(text))):
        if _LOOP.search(candidate.source.text(file)):
            return file
    return None


def loop_says(candidate: Candidate, *patterns: str) -> bool:
    """Whether the training loop's file holds all of the patterns (see Evidence)."""
    file = loop_file(candidate)
    return file is not None and candidate.says(Evidence(file, "", patterns))


def sampler_says(candidate: Candidate, *patterns: str) -> bool:
    """Whether the file that makes the script's samples holds all of the patterns."""
    script = candidate.source.text(candidate.trainer.script)
    if re.search(r"^def sample_images\b", script, re.MULTILINE):
        file = candidate.trainer.script
    else:
        file = f"library/{next((name for name in _SAMPLERS if name in script), 'train_util')}.py"
    return candidate.says(Evidence(file, "", patterns))


def from_template(candidate: Candidate, option: str) -> bool:
    """Whether the value comes from what the spec extends: then it was not chosen for this run's length."""
    chosen = candidate.chosen(option)
    return chosen is not None and chosen.setting.origin.source is Source.TEMPLATE


def whole(candidate: Candidate, option: str) -> int | None:
    """The whole number that somebody chose for an option; None where it is left at its default or is none."""
    value = candidate.value(option) if candidate.chosen(option) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def steps_of_run(candidate: Candidate) -> int | None:
    """How many steps are trained; None where epochs decide."""
    if candidate.chosen("max_train_epochs"):
        return None
    value = candidate.value("max_train_steps")
    return value if isinstance(value, int) and not isinstance(value, bool) else None
