"""All that the doctor has to say, subject by subject."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial

from launcher.setup.doctor.checkout import CHECKOUT, look_at_checkout
from launcher.setup.doctor.dataset import DATASET, look_at_dataset
from launcher.setup.doctor.diagnosis import Diagnosis, unknown
from launcher.setup.doctor.git_program import GIT, look_at_git
from launcher.setup.doctor.in_time import Looks
from launcher.setup.doctor.installation import Installation
from launcher.setup.doctor.limits import OPEN_FILES, SHARED_MEMORY, look_at_limits
from launcher.setup.doctor.output import OUTPUT, look_at_output

PATIENCE = 2.4  # seconds for everything that is read: with its start, kl doctor ends within 3

Look = Callable[[], Iterable[Diagnosis]]


def diagnose(
    installation: Installation,
    *,
    deep: bool = False,
    patience: float | None = PATIENCE,
    subjects: Collection[str] = (),
) -> tuple[Diagnosis, ...]:
    """Look at everything that a training would use. Nothing is changed, and nothing heavy imported.

    `deep` imports torch in the training interpreter and computes on its device. `patience` is in seconds, None waits
    for whatever hangs; what was not seen in time is unknown. `subjects` are those that are looked at, all when empty.
    """
    looks = {name: look for name, look in _looks(installation).items() if not subjects or name in subjects}
    begun = Looks({name: partial(_all, look) for name, look in looks.items()}, patience)
    found = list(installation.problems)
    for name in looks:
        looked = begun.result(name)
        if looked.found is None:
            took = f"It took longer than {patience:g} seconds to look at." if patience else "It cannot be looked at."
            found.append(unknown(name, str(looked.error) if looked.error else took))
        else:
            found += looked.found
    return tuple(found)


def _looks(installation: Installation) -> dict[str, Look]:
    """What is looked at at once, in the order in which it is told."""
    return {
        GIT: look_at_git,
        CHECKOUT: lambda: look_at_checkout(installation.checkout, installation.script),
        OUTPUT: lambda: look_at_output(installation.output_root),
        DATASET: lambda: look_at_dataset(installation.datasets_root, installation.dataset_folder),
        f"{SHARED_MEMORY} and {OPEN_FILES}": look_at_limits,
    }


def _all(look: Look) -> tuple[Diagnosis, ...]:
    return tuple(look())
