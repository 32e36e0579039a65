"""What a run was made of, in short: code, environment, dataset, models that it began with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from launcher.base.times import moment
from launcher.base.words import counted, some_of
from launcher.cli.labelled import LABEL, labelled
from launcher.cli.render import short
from launcher.cli.render_runs import bytes_as_text, time_as_text
from launcher.record.environment import EnvironmentRecord
from launcher.record.manifest import DatasetRecord, InputRecord, Manifest, RepositoryRecord
from launcher.run.account import RunAccount

CHECKOUT = "sd-scripts"  # what the repository of the trainer is called
_DIGITS = 12  # of a hash


def record_as_text(account: RunAccount, width: int) -> Iterator[str]:
    """The lines of it; what was not recorded has none."""
    manifest = account.manifest
    yield from _reproduces(manifest, width)
    yield from _trainer(manifest, width)
    yield from labelled("environment", _environment(manifest, account.environment), width)
    yield from labelled("machine", _machine(account.environment), width)
    variables = [f"{name}={value}" for name, value in (manifest.variables or {}).items() if name != "PATH"]
    yield from labelled("variables", variables, width)
    yield from labelled("dataset", _dataset(manifest.dataset), width)
    label = "inputs"
    for each in manifest.inputs:
        yield f"  {label:<{LABEL}}{_input(each)}"
        label = ""


def _reproduces(manifest: Manifest, width: int) -> Iterator[str]:
    other = manifest.reproduces
    if other is None:
        return
    place = f"{other.name} of {time_as_text(moment(other.created))} in {short(Path(other.directory))}"
    yield from labelled("reproduces", [place], width)
    yield from labelled("not the same", other.differences, width, separator="\n")


def _trainer(manifest: Manifest, width: int) -> Iterator[str]:
    trainer = manifest.trainer
    yield from labelled("trainer", [trainer.script and f"{trainer.script} of {short(Path(trainer.checkout))}"], width)
    yield from labelled("code", _code(trainer.commit, trainer.branch, trainer.dirty, trainer.remote), width)
    for repository in manifest.repositories:
        label = repository.name
        if label == CHECKOUT or repository.path == trainer.checkout:
            label = ""
        else:
            code = _code(repository.commit, repository.branch, repository.dirty, repository.remote)
            yield from labelled(label, [*code, repository.problem or ""], width)
        yield from labelled("", _uncommitted(repository), width, separator="\n")


def _code(commit: str | None, branch: str | None, dirty: bool | None, remote: str | None) -> Iterator[str]:
    yield f"commit {commit[:_DIGITS]}" if commit else ""
    yield f"branch {branch}" if branch else ""
    yield {None: "", True: "with uncommitted changes", False: "clean"}[dirty]
    yield remote or ""


def _uncommitted(repository: RepositoryRecord) -> Iterator[str]:
    yield f"changes in {repository.patch}" if repository.patch else ""
    if repository.left_out:
        yield f"left out of them: {some_of(repository.left_out)}"


def _environment(manifest: Manifest, environment: EnvironmentRecord | None) -> Iterator[str]:
    if environment is None:
        yield manifest.python and short(Path(manifest.python))
        return
    python, torch = environment.python, environment.torch
    yield short(Path(python.executable or manifest.python))
    yield f"{python.implementation or 'Python'} {python.version}" if python.version else ""
    if torch is not None:
        build = f" for CUDA {torch.cuda}" if torch.cuda else f" for ROCm {torch.hip}" if torch.hip else ""
        yield f"torch {torch.version}{build}"
    yield counted(len(environment.packages), "package")


def _machine(environment: EnvironmentRecord | None) -> Iterator[str]:
    if environment is None:
        return
    yield environment.host or ""
    yield environment.system or ""
    for gpu, number in Counter(environment.gpus).items():
        several = f"{number} × " if number > 1 else ""
        yield f"{several}{gpu.name}" + (f" ({bytes_as_text(gpu.memory)})" if gpu.memory else "")
    yield f"driver {environment.driver}" if environment.driver else ""
    yield counted(environment.processors, "processor") if environment.processors else ""
    yield f"{bytes_as_text(environment.memory)} of memory" if environment.memory else ""


def _dataset(dataset: DatasetRecord | None) -> Iterator[str]:
    if dataset is None:
        return
    yield counted(dataset.pictures, "picture")
    yield counted(dataset.captions, "caption")
    yield bytes_as_text(dataset.size)
    yield f"sha256 {dataset.sha256[:_DIGITS]}" if dataset.sha256 else ""
    yield f"each in {dataset.file}" if dataset.file else ""
    yield dataset.problem or ""


def _input(record: InputRecord) -> str:
    """Like a line of the files: place, size, hash, and the option that names it."""
    place = record.path if record.revision else short(Path(record.path))
    facts = [
        f"{place:<40}" + ("" if record.size is None else f" {bytes_as_text(record.size):>7}"),
        f"sha256 {record.sha256[:_DIGITS]}" if record.sha256 else "",
        f"short {record.short_hash}" if record.short_hash else "",
        f"revision {record.revision[:_DIGITS]}" if record.revision else "",
        record.problem or "",
        f"({record.option})",
    ]
    return "  ".join(fact for fact in facts if fact)
