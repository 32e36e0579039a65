"""In which environments two runs were trained: packages, Python, machine, variables."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.record.difference import Difference
from launcher.record.environment_differences import differences_of
from launcher.record.side import Side
from launcher.record.variables import RECORDED
from launcher.trainer.packages import normal_name

PACKAGES, ENVIRONMENT = "packages", "environment"
# Named before the others: what a training's numbers depend on most.
_FIRST = frozenset({"torch", "lycoris-lora", "accelerate", "diffusers", "transformers", "xformers", "bitsandbytes"})


def compare_environments(a: Side, b: Side) -> Iterator[Difference]:
    """What differs of the environments that both have recorded, and of the variables that kl set for the trainer."""
    if a.environment is not None and b.environment is not None:
        found = differences_of(a.environment, b.environment)
        for each in sorted(found, key=lambda each: normal_name(each.name.partition("'")[0]) not in _FIRST):
            section = PACKAGES if each.kind == "packages" else ENVIRONMENT
            yield Difference(section, each.name, each.before, each.after)
    before, after = _own_variables(a), _own_variables(b)
    for name in [*before, *(name for name in after if name not in before)]:
        if before.get(name) != after.get(name):
            yield Difference(ENVIRONMENT, name, before.get(name), after.get(name))


def _own_variables(side: Side) -> dict[str, str]:
    """Variables that the spec set. Those that say only where something lies, as activating an environment does, are
    no difference, and the others are in the record of the environment."""
    variables = side.manifest.variables or {}
    return {name: str(value) for name, value in variables.items() if name not in RECORDED and "/" not in str(value)}
