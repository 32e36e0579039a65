"""What a run comes to, in the few numbers that a person decides by."""

from __future__ import annotations

from dataclasses import dataclass

from launcher.base.words import counted
from launcher.plan.buckets import RunLength
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.script_family import family_of
from launcher.plan.examine import Examined
from launcher.plan.plan import Plan
from launcher.plan.surveyed import Survey


@dataclass(frozen=True)
class Summary:
    """What will be trained, on what, for how long, and what is left of it.

    A field is None where it cannot be known beforehand. `pictures` are files, `images` those of one epoch with their
    repeats. `every` says when it is saved on the way ("200 steps"), `saves` how often that happens and `kept` how
    many of them stay. `save_bytes` and `state_bytes` are estimates for one save and one training state, `kept_bytes`
    for everything that stays with the final model, `free_bytes` is what the disk has left.
    """

    script: str
    family: str | None
    network: str | None
    pictures: int | None
    images: int | None
    reg_images: int | None
    batch_size: int | None
    steps: int | None
    epochs: int | None
    steps_per_epoch: int | None
    every: str | None
    saves: int | None
    kept: int | None
    save_bytes: int | None
    state_bytes: int | None
    kept_bytes: int | None
    free_bytes: int | None
    final: str


def summary_of(plan: Plan, examined: Examined) -> Summary:
    """The summary of a plan and of what its checks found out."""
    candidate, survey, length, room = examined.candidate, examined.survey, examined.length, examined.room
    family = family_of(candidate)
    steps = plan.steps or (length.steps if length else None)
    states = plan.outputs.states
    return Summary(
        script=candidate.trainer.script,
        family=family.value if family else None,
        network=_network(candidate),
        pictures=sum(len(subset.trained) for _, subset in survey.subsets if not subset.ignored) if survey else None,
        images=survey.images if survey else None,
        reg_images=survey.reg_images if survey else None,
        batch_size=_batch_size(survey),
        steps=steps,
        epochs=length.epochs if length else None,
        steps_per_epoch=length.steps_per_epoch if length else None,
        every=_every(candidate),
        saves=_saves(plan, candidate, length),
        kept=room.saves if room else len(plan.outputs.kept) if plan.steps else None,
        save_bytes=examined.save_bytes,
        state_bytes=examined.state_bytes if states else None,
        kept_bytes=room.needed if room else None,
        free_bytes=room.free if room else None,
        final=" or ".join(plan.outputs.final),
    )


def _network(candidate: Candidate) -> str | None:
    module = candidate.value("network_module")
    if not isinstance(module, str):
        return None
    items = candidate.items("network_args")
    said = [f"algo {items['algo'].text}"] if "algo" in items else []
    said += [f"dim {value}"] if (value := candidate.value("network_dim")) is not None else []
    said += [f"alpha {value:g}"] if isinstance(value := candidate.value("network_alpha"), (int, float)) else []
    return ", ".join([module, *said])


def _batch_size(survey: Survey | None) -> int | None:
    """The batch size that all datasets have; None where they differ."""
    sizes = {dataset.blueprint.params.get("batch_size") for dataset in survey.datasets} if survey else set()
    size = sizes.pop() if len(sizes) == 1 else None
    return size if isinstance(size, int) else None


def _every(candidate: Candidate) -> str | None:
    parts = []
    for option, what in (("save_every_n_steps", "step"), ("save_every_n_epochs", "epoch")):
        value = candidate.value(option)
        if isinstance(value, int) and value > 0:
            parts.append(what if value == 1 else counted(value, what))
    return " and every ".join(parts) or None


def _saves(plan: Plan, candidate: Candidate, length: RunLength | None) -> int | None:
    """How many models are saved on the way. At the last epoch only the final one is (train_network.py, train)."""
    steps = plan.steps or (length.steps if length else None)
    number = 0
    every_steps, every_epochs = candidate.value("save_every_n_steps"), candidate.value("save_every_n_epochs")
    if isinstance(every_steps, int) and every_steps > 0:
        if steps is None:
            return None
        number += steps // every_steps
    if isinstance(every_epochs, int) and every_epochs > 0:
        if length is None:
            return None
        number += max(0, length.epochs - 1) // every_epochs
    return number
