"""`kl clean`: remove the runs that left nothing to keep."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer


def clean_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Runs, by name or folder; without any, all of them.", metavar="[NAME]...", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove them; without it they are only listed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> int:
    """List the runs that may be removed, and why the others stay; --yes removes them. NO_CLEAN=1 keeps everything.

    A run goes when it failed, was stopped or is lost, and left no model, state or sample, nor anything that neither
    kl nor the trainer made. Its log and manifest are kept.
    """
    import json

    from launcher.cli.render import show_lines
    from launcher.cli.render_clean import clean_as_data, clean_as_text
    from launcher.cli.runs import keeps_everything, output_roots
    from launcher.run.clean import Cleaned, clean, find_to_clean, judge
    from launcher.run.find import runs_in
    from launcher.run.in_use import places_in_use

    roots = output_roots()
    runs = [find_to_clean(name, roots) for name in names] if names else list(runs_in(roots))
    runs = list({os.path.realpath(run.directory.parent) + "/" + run.directory.name: run for run in runs}.values())
    removes = yes and not keeps_everything()
    if yes and not removes:
        print("NO_CLEAN is set: nothing is removed.", file=sys.stderr)
    in_use = places_in_use()
    cleaned = [clean(run, roots) if removes else Cleaned(judge(run, roots, in_use)) for run in runs]
    if as_json:
        print(json.dumps(clean_as_data(cleaned), indent=1))
    else:
        show_lines(clean_as_text(cleaned, roots, asked=removes))
    return 0
