"""`kl record`: what a training script trains with, recorded ahead of its launch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launcher.plan.plan import PlannedFile
    from launcher.record.repositories import RecordedCode


def record_command(
    name: Annotated[str, typer.Argument(help="The run's name.", metavar="NAME", show_default=False)],
    repositories: Annotated[
        list[str] | None,
        typer.Argument(help="Folders of git repositories.", metavar="[REPOSITORY]...", show_default=False),
    ] = None,
    caller: Annotated[
        str | None,
        typer.Option("--caller", help="The shell script that calls; it is copied.", metavar="FILE", show_default=False),
    ] = None,
) -> None:
    """Take a run directory ahead of its launch: commits, and config.toml and sample-prompts.txt of the dataset folder
    (TRAINING_DIR) are recorded in it. kl launch --script goes on there. DEBUG=1 only shows what would be recorded."""
    import os

    from launcher.cli.render import short, show_findings, show_lines
    from launcher.cli.runs import keeps_everything
    from launcher.cli.script_variables import script_variables
    from launcher.plan.from_script import caller_file, dataset_copies, typed_path
    from launcher.record.repositories import record_code
    from launcher.run.ahead import record_ahead
    from launcher.spec.environment import is_debug

    debug = is_debug(os.environ)
    variables = script_variables(name)
    folders = [_folder(text) for text in repositories or () if text]
    copy, findings = caller_file(typed_path(caller), os.environ) if caller is not None else (None, ())
    files = (*dataset_copies(variables.training_dir, os.environ), *([copy] if copy else []))
    code = record_code([(folder.name or "repository", folder) for folder in folders])
    if not debug:
        problems = [*(each.message for each in findings), *_problems(code)]
        record_ahead(variables.directory, code, files, problems, no_clean=keeps_everything())
    show_findings(findings)
    where = f"{name}: {'would be recorded' if debug else 'recorded'} in {short(variables.directory)}"
    show_lines([where, *_summary(code, files)])


def _folder(text: str) -> Path:
    import os

    from launcher.base.errors import ExitCode, KlError
    from launcher.plan.from_script import typed_path

    folder = typed_path(text)
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises for what cannot be looked at
        raise KlError(f"There is no folder {folder}.", code=ExitCode.USAGE, hint="Give the folder of a repository.")
    return folder


def _problems(code: RecordedCode) -> Iterator[str]:
    return (f"{record.path}: {record.problem}" for record in code.repositories if record.problem)


def _summary(code: RecordedCode, files: tuple[PlannedFile, ...]) -> Iterator[str]:
    """Each repository and each copied file, as repos.git has them."""
    from launcher.base.files import sha1_of
    from launcher.record.repositories import repository_line

    for record in code.repositories:
        changed = f", with uncommitted changes: {record.patch}" if record.patch else ""
        yield f"  {repository_line(record)}{f': {record.problem}' if record.problem else changed}"
    for file in files:
        yield f"  {file.source or file.name}: {sha1_of(file.content)}"
