"""The environment variables that every training gets from kl."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from launcher.plan.plan import Argument

# So that the log shows a line when it happens, in one encoding, and progress bars do not flood it.
_ALWAYS = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "TQDM_MININTERVAL": "1"}
# Intel's math library adds up in another order when memory lies otherwise, which the length of a path decides: the
# same training in another folder would end with other weights, in their last digits.
_ON_CPU = {"MKL_CBWR": "AUTO"}
_CPU_FLAGS = ("cpu", "use_cpu")


def trainer_variables(accelerate: Iterable[Argument], environ: Mapping[str, str]) -> dict[str, str]:
    """What kl sets for a training with these options of `accelerate launch`; a user's own choice of sums stays."""
    on_cpu = any(argument.name in _CPU_FLAGS and argument.value is True for argument in accelerate)
    sums = {name: value for name, value in _ON_CPU.items() if on_cpu and name not in environ}
    return {**_ALWAYS, **sums}
