"""`kl schema`: the spec as JSON Schema, for editors."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from launcher.plan.schema_options import Schema
    from launcher.setup.user_config import UserConfig
    from launcher.trainer.checkout import Checkout
    from launcher.trainer.options import ScriptOptions


def schema_command(
    script: Annotated[
        str | None,
        typer.Argument(
            help="A training script of the checkout; without it the schema is for all of them.", show_default=False
        ),
    ] = None,
    sd_scripts: Annotated[
        Path | None, typer.Option("--sd-scripts", help="The checkout of sd-scripts.", show_default=False)
    ] = None,
) -> None:
    """Print a JSON Schema of the spec for your checkout: editors complete, explain and check with it."""
    from launcher.plan.schema import as_text
    from launcher.setup.checkouts import find_checkout
    from launcher.trainer.checkout import open_checkout

    schema = schema_of(open_checkout(find_checkout(sd_scripts)), script)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # a file for editors, whatever the terminal shows
    print(as_text(schema), end="")


def schema_of(checkout: Checkout, script: str | None) -> Schema:
    """The schema for one script of a checkout or, with None, for all of them.

    Raises KlError (spec refused) when there is no such script. Without a training environment the schema knows less of
    network_args, optimizer_args and [accelerate], and a line on stderr says so.
    """
    from launcher.cli.help_texts import help_half, prefers_japanese
    from launcher.plan.schema import CHOOSERS, SCRIPT, Sources, spec_schema, supported_datasets
    from launcher.plan.schema_arguments import chosen_by_templates, network_modules, optimizers
    from launcher.setup.user_config import read_user_config
    from launcher.trainer.packages import Packages
    from launcher.trainer.reader import read_options

    names = checkout.scripts if script is None else (script,)
    scripts = [read_options(checkout, name) for name in names]
    config = read_user_config()
    site, accelerate = _environment(checkout.path, config)
    packages = Packages(checkout.path, site)
    japanese = prefers_japanese(os.environ)
    files = [each.script for each in scripts]
    commit = f" at {checkout.commit[:8]}" if checkout.commit else ""
    return spec_schema(
        Sources(
            title=f"A spec of kl for {files[0] if script else 'the training scripts'} of sd-scripts{commit}",
            scripts=scripts,
            others=[] if script else sorted(path.name for path in checkout.path.glob("*.py")),
            networks=network_modules(checkout, packages, files),
            optimizers=optimizers(checkout, packages, scripts[0]),
            inherited=chosen_by_templates(config.template_folders, (SCRIPT, *CHOOSERS.values())),
            datasets=[supported_datasets(checkout.path, file) for file in files],
            packages=packages,
            accelerate=accelerate,
            describe=lambda text: help_half(text, japanese=japanese),
        )
    )


def _environment(checkout: Path, config: UserConfig) -> tuple[tuple[Path, ...], ScriptOptions | None]:
    """The folders of packages of the environment that trains, and the options of its accelerate, as far as known."""
    from launcher.base.errors import KlError
    from launcher.cli.prepare import accelerate_options_of
    from launcher.plan.tables import read_own_tables
    from launcher.setup.environments import Known, find_environment
    from launcher.trainer.packages import site_packages

    try:
        known = Known(config.environments, checkout)
        environment = find_environment(read_own_tables(config.settings), os.environ, known)
    except KlError as error:
        print(f"warning: Items of LyCORIS and optimizers are not in the schema: {error.message}", file=sys.stderr)
        return (), None
    return tuple(site_packages(environment.python)), accelerate_options_of(environment)
