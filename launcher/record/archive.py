"""The archive: what the run directory starts with, so that the run can be known and repeated."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from launcher import __version__
from launcher.base.files import sha1_of, sha256_of
from launcher.base.findings import Finding
from launcher.base.times import now
from launcher.plan.plan import Argument, Plan, PlannedFile
from launcher.record.inputs import inputs_of
from launcher.record.installed import lycoris_folder, lycoris_from_url
from launcher.record.manifest import (
    MANIFEST,
    FileRecord,
    FindingRecord,
    Manifest,
    OptionRecord,
    RepositoryRecord,
    TrainerRecord,
    write_manifest,
)
from launcher.record.repositories import PATCHES, RecordedCode, one_line, record_code, repository_line
from launcher.record.reproduce_script import REPRODUCE_SCRIPT, reproduce_script
from launcher.record.variables import recorded_variables

REPOSITORIES = "repos.git"


def archive_names(plan: Plan) -> tuple[str, ...]:
    """The names of everything that `write_archive` writes, or has written."""
    patches = (f"{PATCHES}/{path.name}" for path in (plan.directory / PATCHES).glob("*.patch"))
    return (*(file.name for file in plan.files), *patches, REPOSITORIES, REPRODUCE_SCRIPT, MANIFEST)


def write_archive(plan: Plan) -> Manifest:
    """Write the archive into the run directory, which is there and empty, and return its first manifest.

    Raises OSError when something cannot be written.
    """
    code = code_of(plan)
    script = reproduce_script(plan, code.repositories, recorded_variables(os.environ)[0])
    files = write_files(plan.directory, plan.files, code, {REPRODUCE_SCRIPT: script})
    manifest = first_manifest(plan, code.repositories, files)
    write_manifest(manifest, plan.directory)
    return manifest


def write_files(
    directory: Path, planned: Sequence[PlannedFile], code: RecordedCode, own: Mapping[str, bytes]
) -> tuple[FileRecord, ...]:
    """Write repos.git, the patches of the `code`, files of kl's `own` and the planned ones. Returns their records.

    Raises OSError when one cannot be written, or is there already.
    """
    own = {**code.patches, **own}
    known_form = _known_form(directory, planned, code.repositories, own)
    _write_new(directory, REPOSITORIES, known_form)
    for name, content in own.items():
        _write_new(directory, name, content)
    for file in planned:
        _write_new(directory, file.name, file.content)
    return (
        *(_file(file.name, file.content, file.source) for file in planned),
        *(_file(name, content) for name, content in own.items()),
        _file(REPOSITORIES, known_form),
    )


def options_of(plan: Plan) -> tuple[OptionRecord, ...]:
    """Every option of the plan, each with the place its value came from."""
    return (*_options(plan.accelerate, "accelerate"), *_options(plan.arguments, "trainer"))


def code_of(plan: Plan) -> RecordedCode:
    """The repositories that a plan trains with, as they stand now: sd-scripts, LyCORIS, those that the spec names."""
    lycoris = lycoris_folder(plan.environment.python)
    code = record_code([
        ("sd-scripts", plan.trainer.checkout),
        *([("LyCORIS", lycoris)] if lycoris else []),
        *((folder.name or "repository", folder) for folder in plan.repositories),
    ])  # fmt: skip
    installed = lycoris_from_url(plan.environment.python)
    return code if installed is None else replace(code, repositories=(*code.repositories, installed))


def _known_form(
    directory: Path,
    planned: Iterable[PlannedFile],
    repositories: Iterable[RepositoryRecord],
    own: Mapping[str, bytes],
) -> bytes:
    """repos.git, in the form that older tools read: a line for each repository and each configuration file.

    So it has for the files that are kl's `own`: a launch that is killed now leaves files that are known as its.
    """
    lines = [repository_line(record) for record in repositories]
    lines += [f"{one_line(str(directory / name))}: {sha1_of(content)}" for name, content in own.items()]
    for file in planned:
        lines.append(f"{one_line(str(file.source or directory / file.name))}: {sha1_of(file.content)}")
    return os.fsencode("".join(line + "\n" for line in lines))


def _write_new(directory: Path, name: str, content: bytes) -> None:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:  # never over something that is there
        file.write(content)


def first_manifest(plan: Plan, repositories: tuple[RepositoryRecord, ...], files: tuple[FileRecord, ...]) -> Manifest:
    checkout = repositories[0]
    options = options_of(plan)
    variables = {**plan.environment.variables, **plan.variables}
    return Manifest(
        kl_version=__version__,
        name=plan.name,
        created=now(),
        trainer=TrainerRecord(
            checkout=str(plan.trainer.checkout),
            script=plan.trainer.script,
            commit=checkout.commit or plan.trainer.commit,
            branch=checkout.branch,
            dirty=checkout.dirty,
            remote=checkout.remote,
        ),
        python=str(plan.environment.python),
        argv=plan.argv,
        variables=variables,
        options=options,
        final=plan.outputs.final,
        steps=plan.steps,
        no_clean=plan.keep_failed,
        files=files,
        repositories=repositories,
        inputs=inputs_of(options, plan.directory, plan.trainer.checkout, {**os.environ, **variables}),
        notes=plan.notes,
        findings=_findings(plan.findings),
        allowed=_findings(plan.allowed),
        not_recorded=tuple(f"{record.path}: {record.problem}" for record in repositories if record.problem),
    )


def _findings(findings: Iterable[Finding]) -> tuple[FindingRecord, ...]:
    return tuple(FindingRecord(**{**asdict(each), "severity": each.severity.value}) for each in findings)


def _options(arguments: Iterable[Argument], command: str) -> Iterable[OptionRecord]:
    for argument in arguments:
        items = {item.key: str(item.origin) for item in argument.items}
        origin = argument.origin
        yield OptionRecord(argument.name, argument.value, origin.source.value, str(origin), command, items)


def _file(name: str, content: bytes, source: Path | None = None) -> FileRecord:
    return FileRecord(name, None if source is None else str(source), sha1_of(content), sha256_of(content), len(content))
