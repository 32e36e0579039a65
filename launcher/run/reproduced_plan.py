"""The plan of a run once more: its own words, with another output, and the code where it stands now."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.origin import Origin, Source
from launcher.base.ports import free_port
from launcher.plan.accelerate import NEUTRAL_FILE
from launcher.plan.plan import Argument, Outputs, Plan, PlannedFile, Trainer, TrainingEnvironment
from launcher.plan.resume import in_another_folder
from launcher.record.config_paths import with_whole_paths
from launcher.record.manifest import FileRecord, Manifest
from launcher.record.model_metadata import metadata_of, read_metadata_file
from launcher.record.reproduce_script import (
    CHECKOUT,
    OF_THE_MACHINE,
    SEED,
    SET_ANEW,
    place_of_checkout,
    python_path,
    unset_then,
)
from launcher.record.variables import PLACES

_CONFIGS = ("config.toml", "config.json")
_COPIES = re.compile(r"(script|spec|template-.*|config|sample-prompts)\.\w+|" + re.escape(NEUTRAL_FILE))
_KL = Origin(Source.KL, "kl reproduce")
_PORT = "main_process_port"  # kl takes a free one each time


@dataclass(frozen=True)
class Places:
    """Where things are for the new run: its directory, the interpreter, and each repository's work tree by name."""

    target: Path
    python: Path
    work_trees: Mapping[str, Path]


def copied_files(manifest: Manifest) -> tuple[FileRecord, ...]:
    """The files that kl copied into the run directory at the launch, which the new run starts with too."""
    named = {option.value for option in manifest.options if isinstance(option.value, str)}
    before = next((option.value for option in manifest.options if option.name == "output_dir"), None)
    return tuple(
        record for record in manifest.files if _COPIES.fullmatch(record.name) or f"{before}/{record.name}" in named
    )


def reproduced_plan(
    recorded: Plan,
    manifest: Manifest,
    places: Places,
    variables: Mapping[str, str],
    environ: Mapping[str, str] = os.environ,
) -> tuple[Plan, tuple[str, ...]]:
    """The plan of the new run, and what is otherwise in it than `recorded`, the plan of the old one, has it.

    `variables` are those of the environment's record. Raises OSError when a copied file is gone, ValueError when the
    dataset config has relative paths and cannot be written anew.
    """
    files, said = _files(recorded, manifest, places)
    checkout = places.work_trees[CHECKOUT] / place_of_checkout(recorded.trainer.checkout, manifest.repositories)
    commit = next((each.commit for each in manifest.repositories if each.name == CHECKOUT), recorded.trainer.commit)
    inside = {str(recorded.directory / file.name) for file in files}

    def moved(argument: Argument) -> Argument:
        if argument.name == "output_name":
            return replace(argument, words=(f"--output_name={places.target.name}",), value=places.target.name)
        if argument.name == "logging_dir":  # a run without a spec may have it anywhere
            logs = str(places.target / "logs")
            return replace(argument, words=(f"--logging_dir={logs}",), value=logs)
        if argument.name == "output_dir" or str(argument.value) in inside:
            return in_another_folder(argument, recorded.directory, places.target)
        if argument.name == _PORT and argument.origin.source is Source.KL:
            port = free_port()
            return replace(argument, words=(f"--{_PORT}={port}",), value=port)
        return argument

    others = [name for name in places.work_trees if name != CHECKOUT]
    plan = replace(
        recorded,
        name=places.target.name,
        directory=places.target,
        trainer=Trainer(checkout, commit, recorded.trainer.script),
        environment=TrainingEnvironment("python", str(places.python), places.python, {}),
        accelerate=tuple(map(moved, recorded.accelerate)),
        arguments=tuple(map(moved, recorded.arguments)),
        variables=dict(_variables(recorded, manifest, places, variables, environ)),
        files=files,
        outputs=_outputs(recorded, places.target.name),
        keep_failed=bool(manifest.no_clean),
        repositories=tuple(places.work_trees[name] for name in others),
    )
    return plan, said


def unset_now(
    manifest: Manifest, variables: Mapping[str, str] | None, environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """The variables set now that change a training, and were not set for the run; none when nothing was recorded."""
    if variables is None:
        return ()
    every = {**variables, **(manifest.variables or {})}
    gone = (*unset_then(every), *(() if "PYTHONPATH" in every else ("PYTHONPATH",)))
    return tuple(name for name in gone if name in environ)


def with_seed(plan: Plan, directory: Path, manifest: Manifest) -> tuple[Plan, tuple[str, ...]]:
    """The plan with the seed that the run in `directory` took when it was given none, and what is to be said of it.

    A trainer of networks writes the one it took into its models (train_network.py, ss_seed).
    """
    if any(argument.name == SEED for argument in plan.arguments):
        return plan, ()
    models = [found for name in manifest.final if (found := metadata_of(directory / name))]
    found = next(iter(models), None) or read_metadata_file(directory)
    seed = found.metadata.get("ss_seed", "") if found else ""
    resumed = any(attempt.resumed_from for attempt in manifest.attempts)  # each attempt took its own
    if resumed or not (seed.isascii() and seed.isdigit()):
        return plan, ("it was given no seed: another one is taken now, and the weights will be others",)
    argument = Argument(SEED, (f"--{SEED}={seed}",), seed, _KL)
    said = f"it was given no seed and took {seed}, as its model says: --seed={seed} is added"
    return replace(plan, arguments=(*plan.arguments, argument)), (said,)


def _files(recorded: Plan, manifest: Manifest, places: Places) -> tuple[tuple[PlannedFile, ...], tuple[str, ...]]:
    files, said = [], []
    for record in copied_files(manifest):
        content = (recorded.directory / record.name).read_bytes()
        source = Path(record.source) if record.source else None
        if record.name in _CONFIGS:
            content, relative = with_whole_paths(record.name, content, recorded.trainer.checkout)
            said += [f"{record.name}: {path} is {recorded.trainer.checkout / path} in the new run" for path in relative]
            source = None if relative else source  # it is no copy then
        files.append(PlannedFile(record.name, content, _KL, source))
    return tuple(files), tuple(said)


def _outputs(recorded: Plan, name: str) -> Outputs:
    final = tuple(name + each.removeprefix(recorded.name) for each in recorded.outputs.final)
    return Outputs(final, (), (), recorded.outputs.states, recorded.outputs.samples)


def _variables(
    recorded: Plan, manifest: Manifest, places: Places, variables: Mapping[str, str], environ: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    every = {**variables, **recorded.variables}
    for name, value in every.items():
        if name in SET_ANEW or (name in OF_THE_MACHINE and name in environ):
            continue
        if name in PLACES and not Path(value).exists():
            continue
        yield name, value
    if "PATH" in every:
        yield "PATH", os.pathsep.join(filter(None, [str(places.python.parent), environ.get("PATH")]))
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if name in every:
            yield name, str(places.python.parent.parent)
    path = os.pathsep.join(dict.fromkeys(_python_path(every.get("PYTHONPATH", ""), manifest, places)))
    if path:
        yield "PYTHONPATH", path


def _python_path(paths: str, manifest: Manifest, places: Places) -> Iterator[str]:
    """PYTHONPATH with the work trees in place of the recorded repositories."""
    for record, part in python_path(paths, manifest.repositories):
        yield str(places.work_trees.get(record.name, Path(record.path)) / part) if record else part
