"""A run trained once more: its code, options and files, in a run directory of its own.

What cannot be the same refuses it, unless that kind is allowed; then it is recorded in the new run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.findings import Finding, Severity
from launcher.base.words import counted, listed
from launcher.plan.plan import Plan
from launcher.record.environment import ENVIRONMENT, EnvironmentRecord, read_environment, recorded_environment
from launcher.record.environment_differences import EnvironmentDifference, differences_of
from launcher.record.manifest import Manifest, ReproducedRecord
from launcher.record.reproduce_script import CHECKOUT, import_folders
from launcher.run.check_data import check_dataset, check_inputs
from launcher.run.check_environment import was_written
from launcher.run.check_files import check_files
from launcher.run.checked import Checked, Say, State, silent
from launcher.run.recorded import recorded_plan
from launcher.run.reproduced_code import lay_out_code, left_out_code
from launcher.run.reproduced_plan import Places, copied_files, reproduced_plan, unset_now, with_seed

CODE, DATASET, FILES, MODEL, PACKAGES, PYTHON = "code", "dataset", "files", "model", "packages", "python"
KINDS = (CODE, DATASET, FILES, MODEL, PACKAGES, PYTHON)  # what --allow takes
_ENDING = re.compile(r"-reproduced(-[0-9]+)?$")
_WITH_INPUTS = 2  # the first version of a manifest that has them
_MOST_SAID = 8  # of one kind
_MOST_RECORDED = 200


@dataclass(frozen=True)
class Unlike:
    """Something that is not as it was. `said` is a whole sentence. `gone`: it would do to put it back."""

    kind: str
    said: str
    gone: bool = False


@dataclass(frozen=True)
class Reproduction:
    """A run that can be trained once more: the plan, what the new run records of that, and what there is to say.

    `unset` are variables that are set now, change a training, and were not set then.
    """

    plan: Plan
    reproduces: ReproducedRecord
    unlike: tuple[Unlike, ...]
    notes: tuple[str, ...]
    unset: tuple[str, ...]


def free_name(root: Path, name: str) -> str:
    """NAME-reproduced, or with the first number that no run below `root` has."""
    base = f"{_ENDING.sub('', name)}-reproduced"
    number, free = 2, base
    while os.path.lexists(root / free):
        free, number = f"{base}-{number}", number + 1
    return free


def prepare(
    directory: Path,
    manifest: Manifest,
    name: str,
    *,
    python: Path | None = None,
    allowed: Collection[str] = (),
    say: Say = silent,
) -> Reproduction:
    """Find out whether the run in `directory` can be trained again as `name`, beside it, and lay out its code.

    `python` is another interpreter than the recorded one. Raises KlError: what is not the same and not allowed (spec
    refused), or what is missing altogether (environment not ready).
    """
    recorded = recorded_plan(directory, manifest)
    environment = recorded_environment(directory)
    interpreter = python or recorded.environment.python
    if not os.access(interpreter, os.X_OK):
        raise KlError(
            f"The interpreter {interpreter} is not there.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="--sync-env makes an environment with the recorded packages; --python names another.",
        )
    name_then = manifest.name or directory.name
    notes = list(_not_known(manifest, environment))
    unlike = [*_files(directory, manifest), *_of_data(directory, manifest, notes, say)]
    say("the code")
    work_trees, of_code = lay_out_code(directory, manifest, allowed=CODE in allowed)
    of_patches, of_others = left_out_code(manifest, work_trees)
    unlike += [Unlike(CODE, text) for text in (*of_code, *of_patches)]
    notes += of_others
    if CHECKOUT not in work_trees:
        raise _refusal(name_then, unlike, allowed)
    places = Places(directory.parent / name, interpreter, work_trees)
    recorded_variables = environment.variables if environment else None
    plan, said = _plan(recorded, manifest, places, recorded_variables or {})
    unset = unset_now(manifest, recorded_variables)
    notes += said
    plan, about_seed = with_seed(plan, directory, manifest)
    notes += about_seed
    if environment is None and was_written(manifest):  # that it is lost is no mere note
        unlike.append(Unlike(PACKAGES, f"{directory / ENVIRONMENT} cannot be read, so that nobody knows the packages"))
    if environment is not None:
        say("the packages")
        for each in _environment(environment, plan, unset, manifest):
            if each.kind in (PYTHON, PACKAGES):
                unlike.append(Unlike(each.kind, str(each)))
            else:
                notes.append(str(each))
    if any(each.kind not in allowed for each in unlike):
        raise _refusal(name_then, unlike, allowed)
    differences = [*(f"{each.kind}: {each.said}" for each in unlike), *notes][:_MOST_RECORDED]
    record = ReproducedRecord(name_then, str(directory), manifest.created, tuple(differences))
    return Reproduction(plan, record, tuple(unlike), tuple(notes), unset)


def _not_known(manifest: Manifest, environment: EnvironmentRecord | None) -> Iterator[str]:
    """What the record does not hold, and what of a resumed run does not come again."""
    missing = []
    if manifest.dataset is None or not manifest.dataset.sha256:
        missing.append("pictures and captions")
    if manifest.manifest_version < _WITH_INPUTS:
        missing.append("base model and other inputs")
    if environment is None and not was_written(manifest):
        missing.append("packages")
    if environment is not None and not environment.packages:
        missing.append("packages")
    if missing:
        yield f"not recorded, so that nobody knows whether they are the same: {listed(missing)}"
    resumed = [attempt for attempt in manifest.attempts if attempt.resumed_from]
    if resumed:
        times = counted(len(resumed), "time")
        yield f"it was resumed {times}, and is trained in one piece now: pictures come in another order"
        steps = next((each.total_steps for each in reversed(resumed) if each.total_steps), None)
        if steps and manifest.steps and steps != manifest.steps:
            yield f"it was trained on to {steps} steps, and is trained as it was launched now: {manifest.steps} steps"


def _files(directory: Path, manifest: Manifest) -> Iterator[Unlike]:
    wanted = {record.name for record in copied_files(manifest)}
    for found in check_files(directory, manifest):
        if found.name in wanted and not found.state.is_as_recorded:
            yield Unlike(FILES, _sentence(found, f"{directory}/{found.name}"))


def _of_data(directory: Path, manifest: Manifest, notes: list[str], say: Say) -> Iterator[Unlike]:
    for kind, check in ((MODEL, check_inputs), (DATASET, check_dataset)):
        for found in check(directory, manifest, quick=False, say=say):
            if not found.state.is_as_recorded:
                yield Unlike(kind, _sentence(found), gone=found.state is State.GONE)
            elif found.state is State.NOTED or (found.state is State.NOT_RECORDED and kind == MODEL):
                notes.append(_sentence(found))


def _sentence(found: Checked, name: str = "") -> str:
    name = name or found.name
    if found.state is State.NOTED:
        return f"{name} {found.said}"
    state = {State.GONE: "is gone", State.NOT_RECORDED: "is not recorded"}.get(found.state, found.state.value)
    return f"{name} {state}{f': {found.said}' if found.said else ''}"


def _plan(
    recorded: Plan, manifest: Manifest, places: Places, variables: Mapping[str, str]
) -> tuple[Plan, tuple[str, ...]]:
    try:
        plan, said = reproduced_plan(recorded, manifest, places, variables)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"A file of {recorded.directory} cannot be used again: {reason}."
        where = getattr(error, "filename", None)
        raise KlError(message, code=ExitCode.ENVIRONMENT_NOT_READY, where=where) from None
    script = plan.trainer.checkout / plan.trainer.script
    if not script.is_file():
        message = f"{plan.trainer.checkout} has no {plan.trainer.script}."
        raise KlError(message, code=ExitCode.ENVIRONMENT_NOT_READY)
    return plan, said


def _environment(
    before: EnvironmentRecord, plan: Plan, unset: Collection[str], manifest: Manifest
) -> Iterator[EnvironmentDifference]:
    """What differs of the environment that the plan trains in, but for the packages that come from a work tree."""
    now, _ = read_environment(plan.environment.python, plan.variables)
    kept = {name: value for name, value in now.variables.items() if name not in unset}
    folders = [Path(record.path).as_uri() for record, _ in import_folders(manifest.repositories)]
    ours = {
        package.name
        for package in before.packages
        if package.editable and any(f"{package.source_url}/".startswith(f"{folder}/") for folder in folders)
    }
    for each in differences_of(before, replace(now, variables=kept)):
        if not (each.kind == PACKAGES and each.name in ours) and each.name != "PYTHONPATH":
            yield each


def _refusal(name: str, unlike: Sequence[Unlike], allowed: Collection[str]) -> KlError:
    """The message for what is not the same and not allowed; or for code that is lost, whatever is allowed."""
    refused = [each for each in unlike if each.kind not in allowed]
    kinds = [kind for kind in KINDS if any(each.kind == kind for each in refused)]
    if not kinds:
        message = f"Nothing is left of the code that trained {name}."
        return KlError(message, code=ExitCode.ENVIRONMENT_NOT_READY, findings=[*_findings(unlike)])
    message = f"{name} cannot be trained again as it was: {listed(kinds)} would not be the same."
    hint = f"To train it all the same, and have that recorded: {' '.join(f'--allow {kind}' for kind in kinds)}."
    if any(each.gone for each in refused):
        hint = f"Put what is gone back where it was; a link to it will do. {hint}"
    if PACKAGES in kinds or PYTHON in kinds:
        hint += " --sync-env makes an environment with the recorded packages."
    return KlError(message, code=ExitCode.SPEC_REFUSED, hint=hint, findings=[*_findings(refused)])


def _findings(unlike: Iterable[Unlike]) -> Iterator[Finding]:
    by_kind: dict[str, list[Unlike]] = {}
    for each in unlike:
        by_kind.setdefault(each.kind, []).append(each)
    for kind, several in by_kind.items():
        yield from (Finding(Severity.ERROR, kind, each.said) for each in several[:_MOST_SAID])
        if len(several) > _MOST_SAID:
            yield Finding(Severity.ERROR, kind, f"… and {len(several) - _MOST_SAID} more")
