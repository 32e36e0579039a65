"""`kl new`: a spec for a base model and pictures, and what the dataset lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from launcher.cli.draft import Draft


def new_command(
    name: Annotated[str, typer.Argument(help="The name: fox, fox-noob or fox-v1s2400.", show_default=False)],
    template: Annotated[
        str | None,
        typer.Option(
            "--template", help="What to extend; else what fits the model.", metavar="NAME", show_default=False
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", help="The pictures; else the name's folder.", metavar="FOLDER", show_default=False),
    ] = None,
    base_model: Annotated[
        str | None,
        typer.Option("--base-model", help="A file, a folder, or owner/name.", metavar="MODEL", show_default=False),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", help="The spec; NAME.toml here at first.", metavar="FILE", show_default=False),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="Write this into the spec too.", metavar="KEY=VALUE", show_default=False),
    ] = None,
) -> int:
    """Write a spec, and for pictures that have none a dataset config and sample prompts that fit them. Then check it.

    Nothing is ever written over. What is not told is asked for, at a terminal.
    """
    import os

    from launcher.cli.draft import Told, draft_of

    told = Told(name, template, dataset or os.environ.get("TRAINING_DIR"), base_model, output, tuple(sets or ()))
    draft = draft_of(told)
    _write(draft)
    return _checked(draft)


def _write(draft: Draft) -> None:
    """Write every file, none of which may be there. Raises KlError (output unavailable)."""
    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.draft import there_already
    from launcher.cli.render import short

    for file in draft.files:
        try:
            content = file.text.encode()
        except UnicodeEncodeError:
            message = f"{short(file.path)} would name a file whose name is not UTF-8."
            raise KlError(message, code=ExitCode.SPEC_REFUSED, hint="Rename the file or folder.") from None
        try:
            with file.path.open("xb") as opened:
                opened.write(content)
        except FileExistsError:
            raise there_already(file.path) from None
        except OSError as error:
            message = f"{short(file.path)} cannot be written: {error.strerror}."
            raise KlError(message, code=ExitCode.OUTPUT_UNAVAILABLE) from None
        print(f"wrote {short(file.path)}: {file.what}")


def _checked(draft: Draft) -> int:
    """What `kl check` says of the new spec; without a checkout or an environment, how to get them. Returns the code."""
    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.picture_progress import picture_progress
    from launcher.cli.prepare import Request, check, without_advice
    from launcher.cli.render import show_error, show_findings, show_lines
    from launcher.cli.render_check import check_as_text

    try:
        with picture_progress() as progress:
            plan, examined = check(Request(draft.target, name=draft.run), progress=progress)
    except KlError as error:
        if error.code is not ExitCode.ENVIRONMENT_NOT_READY or error.findings:
            raise
        show_error(error)
        print(f"Then: kl check {draft.command}")
        return 0
    show_findings(without_advice(plan).findings)
    show_lines(check_as_text(plan, examined, refused=bool(plan.errors)))
    if plan.errors:
        return int(ExitCode.SPEC_REFUSED)
    print(f"Train it: kl launch {draft.command}")
    return 0
