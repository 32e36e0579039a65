"""`kl zsh`: what the functions of zsh/train_functions.zsh ask kl for."""

from __future__ import annotations

import os
import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

FUNCTIONS = "train_functions.zsh"


class Asked(str, Enum):
    """What is asked for."""

    PATH = "path"
    VARS = "vars"
    LYCORIS = "lycoris"
    CONDA = "conda"
    CLEAN_UP = "clean-up"


def zsh_command(
    asked: Annotated[Asked, typer.Argument(help="What the functions ask for; path is for you.", show_default=False)],
    name: Annotated[
        str | None,
        typer.Argument(help="The run's name, or conda's folder.", metavar="[NAME|FOLDER]", show_default=False),
    ] = None,
) -> int:
    """Helper functions for training scripts written in zsh: `source "$(kl zsh path)"` in yours."""
    from launcher.base.errors import ExitCode, KlError

    if asked is Asked.PATH:
        from launcher.base.places import shipped_folder

        print(shipped_folder("zsh") / FUNCTIONS)
        return 0
    if asked is Asked.LYCORIS:
        folder = lycoris_repository()
        print(folder if folder else "")
        return 0
    if asked is Asked.CONDA:
        return show_conda(name)
    if name is None:
        raise KlError(f"kl zsh {asked.value} needs a run's name.", code=ExitCode.USAGE)
    return show_variables(name) if asked is Asked.VARS else clean_up(name)


def show_variables(name: str) -> int:
    """Print assignments for a shell. Raises KlError when the dataset folder is not there, or the run is already.

    With DEBUG=1 a run that is there already is only told: nothing is written.
    """
    from shlex import quote

    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.render import show_error
    from launcher.cli.script_variables import script_variables
    from launcher.run.directory import exists_already
    from launcher.spec.environment import is_debug

    debug = is_debug(os.environ)
    found = script_variables(name)
    if not os.path.isdir(found.training_dir):  # noqa: PTH112 - Path.is_dir raises for what cannot be looked at
        raise KlError(
            f"The dataset folder {found.training_dir} is not there.",
            code=ExitCode.SPEC_REFUSED,
            hint=f"Make it, or set TRAINING_DIR. The name {name} says the dataset {found.name.stem}.",
        )
    if os.path.lexists(found.directory):
        error = exists_already(found.directory)
        if not debug:
            raise error
        show_error(error)
    if not found.steps_known:
        print(f"{name} says no steps and STEPS is not set: STEPS={found.steps}.", file=sys.stderr)
    values = {
        "DATASET_NAME": found.dataset_name,
        "TRAINING_DIR": str(found.training_dir),
        "STEPS": str(found.steps),
        "OUTPUT_DIR": str(found.output_dir),
    }
    for variable, value in values.items():
        print(f"typeset -g {variable}={quote(value)}")
    return 0


def show_conda(folder: str | None) -> int:
    """Print the kind of conda's program and its path: the one in this folder, else the one that is found.

    Raises KlError (environment not ready) when there is none.
    """
    from launcher.base.errors import ExitCode, KlError
    from launcher.plan.from_script import typed_path
    from launcher.setup.conda import conda_program, program_in

    program = conda_program() if folder is None else program_in(typed_path(folder))
    if program is None:
        where = "" if folder is None else f" in {typed_path(folder)}"
        hint = "setup_conda_env NAME FOLDER takes the folder that conda is installed in."
        raise KlError(f"There is no conda{where}.", code=ExitCode.ENVIRONMENT_NOT_READY, hint=hint)
    print(program.kind)
    print(program.path)
    return 0


def lycoris_repository() -> Path | None:
    """The repository that LyCORIS is installed from, editable, in the environment that would train."""
    from launcher.base.errors import KlError
    from launcher.plan.tables import read_own_tables
    from launcher.record.installed import lycoris_folder
    from launcher.setup.environments import Known, find_environment, is_trained_in
    from launcher.setup.user_config import read_user_config

    config = read_user_config()
    active = is_trained_in(os.environ)
    try:
        tables = read_own_tables(() if active else config.settings)
        environment = find_environment(tables, os.environ, Known({} if active else config.environments))
    except KlError:
        return None
    return lycoris_folder(environment.python)


def clean_up(name: str) -> int:
    """Remove what a script has recorded or trained when it holds nothing to keep. NO_CLEAN keeps it.

    With DEBUG the script has made nothing: what is there is another's.
    """
    from launcher.base.errors import KlError
    from launcher.cli.render import short
    from launcher.cli.runs import keeps_everything, output_roots
    from launcher.cli.script_variables import script_variables
    from launcher.run.clean import clean, find_to_clean
    from launcher.run.outcome import Outcome
    from launcher.spec.environment import is_debug

    directory = script_variables(name).directory
    if is_debug(os.environ) or keeps_everything() or not os.path.lexists(directory):
        return 0
    roots = (directory.parent, *output_roots())
    try:
        cleaned = clean(find_to_clean(str(directory), roots), roots)
    except KlError:
        return 0  # no run is there
    if cleaned.gone:
        print(f"{name} left nothing to keep: {short(directory)} was removed.", file=sys.stderr)
    elif cleaned.verdict.outcome not in (Outcome.SUCCEEDED, Outcome.RUNNING):
        print(f"{name} stays in {short(directory)}: {cleaned.verdict.stays[0]}.", file=sys.stderr)
    return 0
