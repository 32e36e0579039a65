"""What two runs were made of besides options, code and pictures, and what came of them: inputs, outcome, weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from launcher.record.difference import Difference, same_value, short_hash
from launcher.record.manifest import ArtifactRecord, Attempt, InputRecord
from launcher.record.side import Side

INPUTS, OUTCOME, WEIGHTS = "inputs", "outcome", "weights"
_AS_LONG = 0.1  # of the time: no two trainings take the same
_AT_LEAST = 10.0  # seconds


def compare_inputs(a: Side, b: Side) -> Iterator[Difference]:
    """The files and folders that both name with one option and that hold something else, wherever they lie."""
    of_a, of_b = _inputs(a), _inputs(b)
    for place, old in of_a.items():
        new = of_b.get(place)
        if new is not None and _are_other(old, new):
            yield Difference(INPUTS, place[0], _input_said(old), _input_said(new))


def inputs_not_recorded(side: Side) -> Iterator[str]:
    """The inputs of which the content is not known."""
    for each in side.manifest.inputs:
        if not each.sha256 and not each.revision:
            yield f"the hash of {each.path}" + (f" ({each.problem})" if each.problem else "")


def compare_outcomes(a: Side, b: Side) -> Iterator[Difference]:
    """How both went: outcome, steps, losses, and the time where it is another by a tenth and ten seconds."""
    if a.planned or b.planned:
        return
    before, after = _account(a), _account(b)
    for name, value in before.items():
        if not same_value(value, after[name]):
            yield Difference(OUTCOME, name, value, after[name])
    if a.seconds is not None and b.seconds is not None:
        apart = abs(a.seconds - b.seconds)
        if apart >= _AT_LEAST and apart > _AS_LONG * max(a.seconds, b.seconds):
            yield Difference(OUTCOME, "seconds", round(a.seconds), round(b.seconds))


def same_weights(a: Side, b: Side) -> bool | None:
    """Whether the final models have the same weights; None where that is not recorded, or one has no model."""
    old, new = final_model(a), final_model(b)
    if old is None or new is None:
        return None
    if old.sha256 and old.sha256 == new.sha256:
        return True
    if old.weights_sha256 and new.weights_sha256:
        return old.weights_sha256 == new.weights_sha256
    return None


def compare_weights(a: Side, b: Side) -> Iterator[Difference]:
    """The final models' weights, when they are not the same. Metadata and names are no difference."""
    if same_weights(a, b) is False:
        yield Difference(WEIGHTS, "final model", _weights_said(a), _weights_said(b))


def final_model(side: Side) -> ArtifactRecord | None:
    """The final model of a run, as it is recorded."""
    return next((each for each in side.manifest.artifacts if each.kind == "model"), None)


def weights_not_recorded(side: Side) -> Iterator[str]:
    """That there is a final model whose weights have no hash."""
    model = final_model(side)
    if model is not None and not model.weights_sha256:
        yield f"the weights' hash of {model.path}"


def _inputs(side: Side) -> dict[tuple[str, int], InputRecord]:
    """The inputs by their option and the how manieth of it they are."""
    found: dict[tuple[str, int], InputRecord] = {}
    for each in side.manifest.inputs:
        number = sum(option == each.option for option, _ in found)
        found[each.option, number] = each
    return found


def _are_other(old: InputRecord, new: InputRecord) -> bool:
    if old.sha256 and new.sha256:
        return old.sha256 != new.sha256
    if old.revision and new.revision:
        return (old.path, old.revision) != (new.path, new.revision)
    # Of one side the content is not known; another size is another content all the same.
    return old.path == new.path and None not in (old.size, new.size) and old.size != new.size


def _input_said(record: InputRecord) -> str:
    name = record.path if record.revision else PurePath(record.path).name
    known = short_hash(record.revision or record.sha256)
    return f"{name} ({known})" if known else f"{name} ({record.size} bytes)"


def _account(side: Side) -> dict[str, object]:
    attempts = side.manifest.attempts
    last = next((each for each in reversed(attempts) if each.last_step is not None), Attempt())
    lowest = [each.lowest_loss for each in attempts if isinstance(each.lowest_loss, (int, float))]
    return {
        "outcome": side.outcome,
        "steps": last.last_step,
        "last_loss": last.last_loss,
        "lowest_loss": min(lowest, default=None),
    }


def _weights_said(side: Side) -> str:
    model = final_model(side) or ArtifactRecord()
    return f"{model.path} ({short_hash(model.weights_sha256)})"
