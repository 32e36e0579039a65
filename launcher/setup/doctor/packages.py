"""accelerate, LyCORIS and TensorBoard, and what requirements.txt of the checkout asks for."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from launcher.base.words import counted, listed, some_of
from launcher.setup.doctor.diagnosis import Diagnosis, advice, fine, wrong
from launcher.setup.doctor.mends import Mender
from launcher.setup.doctor.needed import module_of
from launcher.setup.doctor.requirement_lines import Unmet, unmet, unmet_by
from launcher.setup.doctor.seen_environment import SeenEnvironment
from launcher.setup.satisfied import named, satisfied
from launcher.setup.torch_build import lycoris_for

ACCELERATE, LYCORIS, TENSORBOARD, REQUIREMENTS = "accelerate", "lycoris_lora", "tensorboard", "requirements.txt"
# What has a subject of its own.
_APART = frozenset({"torch", "torchvision", "xformers", "bitsandbytes", "triton", "accelerate", "tensorboard"})
# It does not load when what it needs is of another version (transformers, dependency_versions_check.py).
_STRICT = frozenset({"transformers"})
_MOST = 12  # packages that one command names; for more, the whole file is installed


def judge_packages(seen: SeenEnvironment, mender: Mender, options: Mapping[str, object]) -> Iterator[Diagnosis]:
    """The packages that every training needs or may need. `options` are those of the trainer that are known."""
    version = seen.packages.get(ACCELERATE)
    if version is None and seen.file("accelerate/__init__.py"):
        yield fine(ACCELERATE, "it is there, without metadata that says its version.")
    elif version is None:
        yield wrong(
            ACCELERATE, "accelerate is not installed: it starts every training.", mender.as_required(ACCELERATE)
        )
    else:
        yield fine(ACCELERATE, f"{version}.")
    yield _lycoris(seen, mender, options.get("network_module"))
    version = seen.packages.get(TENSORBOARD)
    if version is None:
        message = "not installed: a run writes no curves then, and nothing says so."
        yield advice(TENSORBOARD, message, mender.as_required(TENSORBOARD))
    else:
        yield fine(TENSORBOARD, f"{version}.")


def _lycoris(seen: SeenEnvironment, mender: Mender, network_module: object) -> Diagnosis:
    """LyCORIS against the torch that is there: its own metadata asks for any."""
    version = seen.packages.get("lycoris-lora")
    asked = str(network_module or "").startswith("lycoris")
    torch = seen.packages.get("torch") or (seen.torch.version if seen.torch else "")
    fitting = lycoris_for(torch)
    mend = mender.install(fitting)
    if version is None:
        message = "not installed: network_module lycoris.kohya needs it."
        return wrong(LYCORIS, message, mend) if asked else advice(LYCORIS, message, mend)
    if not satisfied((fitting,), {"lycoris-lora": version}):
        message = f"{version} cannot be imported with torch {torch}: {fitting} can."
        return wrong(LYCORIS, message, mend) if asked or network_module is None else advice(LYCORIS, message, mend)
    return fine(LYCORIS, f"{version}.")


def judge_requirements(
    seen: SeenEnvironment, mender: Mender, checkout: Path | None, at_once: frozenset[str]
) -> Iterator[Diagnosis]:
    """What requirements.txt asks for, and what those packages need themselves.

    `at_once` are the modules that the trainer imports when it starts.
    """
    if checkout is None or not mender.requirements:
        return
    found = list(unmet(mender.requirements, seen))
    missing = [each for each in found if each.have is None and each.name not in _APART]
    other = [each for each in found if each.have is not None]
    needed = [each for each in missing if module_of(each.name) in at_once]
    later = [each for each in missing if each not in needed]
    deeper = [each for each in unmet_by(mender.requirements, seen) if each.name not in _APART and each not in found]
    on_demand = {named(line) for line in mender.requirements if module_of(named(line)) not in at_once}
    broken = [each for each in deeper if each.by in _STRICT or (each.have is None and each.by not in on_demand)]
    rest = [each for each in deeper if each.have is None and each.by in on_demand]
    if needed:
        yield wrong(REQUIREMENTS, f"{_names(needed)} {_is(needed)} not installed.", _mend(needed, mender, checkout))
    if later:
        message = f"{_names(later)} {_is(later)} not installed: a training that uses {_it(later)} fails."
        yield advice(REQUIREMENTS, message, _mend(later, mender, checkout))
    if broken:
        yield wrong(
            REQUIREMENTS, f"{listed(map(_by, broken))}.", mender.install(*(each.requirement for each in broken))
        )
    if rest:
        message = (
            f"{listed(map(_by, rest))}: a training that uses {listed(dict.fromkeys(each.by for each in rest))} fails."
        )
        yield advice(REQUIREMENTS, message, mender.install(*(each.requirement for each in rest)))
    if other:
        message = f"{some_of((f'{each.name} is {each.have}, not {each.wanted}' for each in other), 6)}."
        yield advice(REQUIREMENTS, message, _mend(other, mender, checkout))
    if not (needed or later or broken or rest or other):
        yield fine(REQUIREMENTS, f"all {counted(len(mender.requirements), 'requirement')} are there.")


def _mend(packages: Sequence[Unmet], mender: Mender, checkout: Path) -> str:
    if len(packages) <= _MOST:
        return mender.install(*(each.requirement for each in packages))
    return f"cd {shlex.quote(str(checkout))} && {mender.install('-r', 'requirements.txt')}"


def _by(each: Unmet) -> str:
    has = "is not installed" if each.have is None else f"is {each.have}"
    return f"{each.by} needs {each.requirement}, which {has}"


def _names(packages: Sequence[Unmet]) -> str:
    return some_of((each.name for each in packages), 8)


def _is(packages: Sequence[Unmet]) -> str:
    return "is" if len(packages) == 1 else "are"


def _it(packages: Sequence[Unmet]) -> str:
    return "it" if len(packages) == 1 else "them"
