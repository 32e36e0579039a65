"""All that the doctor has to say, subject by subject."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from launcher.setup.doctor.checkout import CHECKOUT, look_at_checkout
from launcher.setup.doctor.dataset import DATASET, look_at_dataset
from launcher.setup.doctor.deep import DEEP, judge_deep, try_torch
from launcher.setup.doctor.diagnosis import Diagnosis, Status, unknown
from launcher.setup.doctor.git_program import GIT, look_at_git
from launcher.setup.doctor.in_time import Looked, Looks
from launcher.setup.doctor.installation import Installation
from launcher.setup.doctor.limits import OPEN_FILES, SHARED_MEMORY, look_at_limits
from launcher.setup.doctor.mends import Mender
from launcher.setup.doctor.needed import imported_at_once
from launcher.setup.doctor.output import OUTPUT, look_at_output
from launcher.setup.doctor.seen_environment import SeenEnvironment, see_environment
from launcher.setup.doctor.seen_gpus import SeenGpus, see_gpus
from launcher.setup.doctor.tokenizers import TOKENIZERS, look_at_tokenizers
from launcher.setup.doctor.torch_itself import GPU, judge_gpu, judge_numpy, judge_torch

PATIENCE = 2.4  # seconds for everything that is read: with its start, kl doctor ends within 3
FOR_SCRIPTS = 1.0  # seconds of them for the scripts of a conda environment, which come first
ENVIRONMENT = "environment"
LIMITS = f"{SHARED_MEMORY} and {OPEN_FILES}"

Look = Callable[[], Iterable[Diagnosis]]


def diagnose(
    installation: Installation,
    *,
    deep: bool = False,
    patience: float | None = PATIENCE,
    subjects: Collection[str] = (),
) -> tuple[Diagnosis, ...]:
    """Look at everything that a training would use. Nothing is changed, and nothing heavy imported.

    `deep` imports torch in the training interpreter and computes on its device, however long that takes. `patience`
    is in seconds, None waits for whatever hangs; what was not seen in time is unknown. `subjects` are the looks that
    are wanted (GIT, CHECKOUT, ENVIRONMENT, TOKENIZERS, OUTPUT, DATASET, LIMITS), all when empty.
    """
    looks = {name: look for name, look in _looks(installation).items() if not subjects or name in subjects}
    inside = installation.python is not None and (not subjects or ENVIRONMENT in subjects)
    gpus = Looks({GPU: see_gpus} if inside else {}, patience)
    environments = Looks({ENVIRONMENT: partial(_see, installation)} if inside else {}, patience)
    begun = Looks({name: partial(_all, look) for name, look in looks.items()}, patience)
    found = list(installation.problems)
    for name in (GIT, CHECKOUT):
        found += _told(name, begun, looks, patience)
    if inside:
        found += _inside(installation, environments.result(ENVIRONMENT), gpus.result(GPU), deep=deep, patience=patience)
    for name in (TOKENIZERS, OUTPUT, DATASET, LIMITS):
        found += _told(name, begun, looks, patience)
    return tuple(found)


def is_ready(found: Iterable[Diagnosis]) -> bool:
    """Whether nothing is in the way of a training."""
    return all(each.status is not Status.WRONG for each in found)


def _looks(installation: Installation) -> dict[str, Look]:
    """What is looked at by itself."""
    return {
        GIT: look_at_git,
        CHECKOUT: lambda: look_at_checkout(installation.checkout, installation.script),
        TOKENIZERS: lambda: look_at_tokenizers(installation),
        OUTPUT: lambda: look_at_output(installation.output_root, configured=installation.output_root_configured),
        DATASET: lambda: look_at_dataset(installation.datasets_root, installation.dataset_folder),
        LIMITS: look_at_limits,
    }


def _all(look: Look) -> tuple[Diagnosis, ...]:
    return tuple(look())


def _told(
    name: str, begun: Looks[tuple[Diagnosis, ...]], looks: Mapping[str, Look], patience: float | None
) -> Iterator[Diagnosis]:
    if name not in looks:
        return
    looked = begun.result(name)
    if looked.found is not None:
        yield from looked.found
    else:
        yield _not_seen(name, looked.error, patience)


def _see(installation: Installation) -> SeenEnvironment:
    return see_environment(installation.python or Path("python"), installation.environ)


def _inside(
    installation: Installation,
    environment: Looked[SeenEnvironment],
    gpus: Looked[SeenGpus],
    *,
    deep: bool,
    patience: float | None,
) -> Iterator[Diagnosis]:
    """The interpreter, its packages, and the GPUs that they are for."""
    from launcher.setup.doctor.beside_torch import judge_beside_torch  # noqa: PLC0415 - packaging takes 30 ms
    from launcher.setup.doctor.packages import judge_packages, judge_requirements  # noqa: PLC0415 - the same
    from launcher.setup.doctor.python_itself import PYTHON, judge_python  # noqa: PLC0415 - the same
    from launcher.setup.satisfied import named, requirement_lines  # noqa: PLC0415 - the same

    here = gpus.found or SeenGpus()
    seen = environment.found
    if seen is None:
        yield _not_seen(PYTHON, environment.error, patience)
        return
    lines = tuple(requirement_lines(_text(installation.checkout, "requirements.txt")))
    readme = _text(installation.checkout, "README.md")
    mender = Mender(seen, here, readme, lines)
    python = list(judge_python(seen, readme, map(named, lines)))
    yield from python
    if seen.version is None or (not is_ready(python) and not seen.packages):
        return
    found = list(judge_gpu(here)) if gpus.found is not None else [_not_seen(GPU, gpus.error, patience)]
    found += judge_torch(seen, mender)
    found += judge_numpy(seen, mender)
    at_once = imported_at_once(installation.checkout) if installation.checkout else frozenset()
    found += judge_beside_torch(seen, mender, at_once)
    found += judge_packages(seen, mender, installation.options)
    found += judge_requirements(seen, mender, installation.checkout, at_once)
    yield from found
    if deep:
        known = {each.subject for each in found if each.status is Status.WRONG}
        tried = judge_deep(try_torch(seen.python, installation.environ), seen, mender)
        yield from (each for each in tried if each.subject not in known)


def _not_seen(name: str, error: Exception | None, patience: float | None) -> Diagnosis:
    if error is not None:
        return unknown(name, f"It cannot be looked at: {error}.")
    return unknown(name, f"It took longer than {patience:g} seconds to look at." if patience else "Nothing is known.")


def _text(folder: Path | None, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8", errors="replace") if folder else ""
    except OSError:
        return ""


__all__ = [
    "CHECKOUT",
    "DATASET",
    "DEEP",
    "ENVIRONMENT",
    "GIT",
    "LIMITS",
    "OUTPUT",
    "TOKENIZERS",
    "diagnose",
    "is_ready",
]
