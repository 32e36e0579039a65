"""What the trainer will write, by the names it gives to its files."""

from __future__ import annotations

from launcher.plan.plan import Outputs
from launcher.plan.resolve import Resolved

MODEL_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".bin")
DEFAULT_STEPS = 1600
_MOST_NAMES = 100_000  # more saves are a mistake, and listing a thousand million would take all memory


def expected_outputs(name: str, resolved: Resolved, steps: int | None) -> Outputs:
    """The artifacts of a run. Names by library/train_util.py: get_last_ckpt_name, get_step_ckpt_name.

    `steps` is None where epochs decide: then no checkpoint names are known beforehand.
    """
    suffixes = _suffixes(resolved)
    final = tuple(f"{name}{suffix}" for suffix in suffixes)
    every = whole_number(resolved, "save_every_n_steps")
    saved = range(every, (steps or 0) + 1, every) if every and every > 0 else range(0)
    known = len(suffixes) == 1 and len(saved) <= _MOST_NAMES
    checkpoints = tuple(f"{name}-step{step:08d}{suffixes[0]}" for step in saved) if known else ()
    last = whole_number(resolved, "save_last_n_steps")
    kept = checkpoints
    if every and last is not None and checkpoints:
        # get_remove_step_no: at each save the newest multiple of `every` older than the window goes.
        number = len(checkpoints)
        gone = {((step * every - last - 1) // every) * every for step in range(1, number + 1)}
        kept = tuple(file for step, file in zip(saved, checkpoints, strict=True) if step not in gone)
    states = resolved.value("save_state") is True or resolved.value("save_state_on_train_end") is True
    asked = ("sample_every_n_steps", "sample_every_n_epochs", "sample_at_first")
    return Outputs(final, checkpoints, kept, states, any(resolved.get(option) for option in asked))


def whole_number(resolved: Resolved, name: str) -> int | None:
    """The value of an option as a whole number; None when it is not chosen or is none."""
    value = resolved.value(name)
    try:
        return int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
    except ValueError:
        return None


def _suffixes(resolved: Resolved) -> tuple[str, ...]:
    chosen = resolved.value("save_model_as")
    if chosen is None:
        # A network is a .safetensors file then; a whole model is saved in the form it was loaded in.
        option = resolved.get("network_module")
        return (".safetensors",) if option else (*MODEL_SUFFIXES, "")
    text = str(chosen)
    return ("",) if text.startswith("diffusers") else (f".{text}",)
