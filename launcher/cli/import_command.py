"""`kl import`: a shell script, or a command pasted into it, becomes a spec."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from launcher.plan.import_spec import Written
    from launcher.spec.imported import Imported
    from launcher.trainer.checkout import Checkout


def import_command(
    file: Annotated[
        str,
        typer.Argument(help="A zsh, bash or sh script; - reads what you paste.", metavar="FILE", show_default=False),
    ],
    to: Annotated[
        Path | None, typer.Option("--to", help="Write the spec here, not to the terminal.", show_default=False)
    ] = None,
    without_defaults: Annotated[
        bool, typer.Option("--without-defaults", help="Leave out what the training script does by itself.")
    ] = False,
    script: Annotated[
        str | None,
        typer.Option("--script", help="The training script, where the file does not say it.", show_default=False),
    ] = None,
    line: Annotated[
        int | None, typer.Option("--line", help="Which training command, of several.", show_default=False)
    ] = None,
    sd_scripts: Annotated[
        Path | None, typer.Option("--sd-scripts", help="The checkout of sd-scripts.", show_default=False)
    ] = None,
) -> int:
    """Make a spec of a training script or a pasted command. It is read and never run; what it does not say is told."""
    from launcher.cli.render import show_findings
    from launcher.cli.write_spec import refuse_existing, say_where, write_spec
    from launcher.spec.import_script import Reading, import_script
    from launcher.spec.imported import splits_words

    refuse_existing(to)
    text, path, label = _read(file)
    how = Reading(
        label=label,
        splits=splits_words(path, text),
        path=str(path.absolute()) if path else None,
        home=os.path.expanduser("~"),  # noqa: PTH111 - Path.home raises where there is none
        script=script,
        line=line,
        training_vars=_training_vars,
    )
    found = import_script(text, how)
    written = _written(found, how.label, how.home or "", sd_scripts, without_defaults=without_defaults)
    show_findings(written.findings)
    if to is None:
        sys.stdout.write(written.text)
    else:
        write_spec(to, written.text)
        say_where(to, written.name)
    return 0


def _read(file: str) -> tuple[str, Path | None, str]:
    """The script's text, its path and what to call it. Raises KlError (spec refused) where it cannot be read."""
    from launcher.base.errors import KlError
    from launcher.spec.source_file import LARGEST, decoded, file_label, read_content
    from launcher.spec.tree import refused

    if file == "-":
        label = "what was pasted"
        if sys.stdin.isatty():
            print("Paste the command, and end with Ctrl-D in a line of its own.", file=sys.stderr)
        content = sys.stdin.buffer.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise refused(f"There is more than {LARGEST // 1024} KiB of it.", label)
        return decoded(content, label), None, label
    path = Path(os.path.expanduser(file))  # noqa: PTH111 - Path.expanduser raises for an unknown user
    label = file_label(path)
    try:
        return decoded(read_content(path, label), label), path, label
    except KlError as error:
        hint = "Give a script of zsh, bash or sh, or - to paste a command."
        raise KlError(error.message, code=error.code, where=error.where, hint=hint) from None


def _training_vars(name: str) -> dict[str, str]:
    """What `setup_training_vars NAME` sets; nothing for a bad name."""
    from launcher.base.errors import KlError
    from launcher.cli.script_variables import script_variables

    try:
        found = script_variables(name, {})
    except KlError:
        return {}
    steps = {"STEPS": str(found.steps)} if found.steps_known else {}
    return {
        "DATASET_NAME": found.dataset_name,
        "TRAINING_DIR": str(found.training_dir),
        "OUTPUT_DIR": str(found.output_dir),
        **steps,
    }


def _written(found: Imported, label: str, home: str, sd_scripts: Path | None, *, without_defaults: bool) -> Written:
    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.render import show_error
    from launcher.cli.script_variables import has_prompts
    from launcher.plan.import_arguments import Around, not_read
    from launcher.plan.import_spec import held_secrets, write_imported
    from launcher.plan.secrets import secret_values
    from launcher.trainer.reader import read_options

    if found.script is None:
        hint = "Name it: --script sdxl_train_network.py."
        message = f"The training script of line {found.line} is not known."
        raise KlError(message, code=ExitCode.SPEC_REFUSED, where=label, hint=hint)
    said = _folder_of(found)
    folder = said if said and os.path.isdir(said) else None  # noqa: PTH112 - Path.is_dir raises for some
    name = found.script.rpartition("/")[2]
    options = not_read(name)
    try:
        checkout = _checkout(sd_scripts, folder)
        options = read_options(checkout, name)
    except KlError as error:
        if without_defaults or sd_scripts is not None:
            raise
        show_error(error)
        print("The options are taken as they are written: kl check will look at them.", file=sys.stderr)
    base = Path(found.folder or Path.cwd())
    secrets = {**secret_values(os.environ), **held_secrets(found.held)}
    around = Around(label, options, base, home, secrets, without_defaults=without_defaults, prompted=has_prompts)
    if said and folder is None and sd_scripts is None:
        print(f"{said} is not there: the spec names no checkout.", file=sys.stderr)
    named = str(sd_scripts.absolute()) if sd_scripts else folder
    return write_imported(found, around, script=name, checkout=named)


def _folder_of(found: Imported) -> str | None:
    """The folder of the training script, as far as the file says it, or the current one when the script is there."""
    folder = (found.script or "").rpartition("/")[0]
    if folder.startswith("/"):
        return os.path.normpath(folder)
    here = found.folder or str(Path.cwd())
    whole = os.path.normpath(f"{here}/{found.script}")
    if found.folder or os.path.isfile(whole):  # noqa: PTH113 - Path.is_file raises for what cannot be looked at
        return os.path.dirname(whole)  # noqa: PTH120
    return None


def _checkout(sd_scripts: Path | None, folder: str | None) -> Checkout:
    """The checkout given, else the one that the file names where it is there, else the configured one."""
    from launcher.setup.checkouts import find_checkout
    from launcher.trainer.checkout import open_checkout

    if sd_scripts is None and folder:
        return open_checkout(Path(folder))
    return open_checkout(find_checkout(sd_scripts))
