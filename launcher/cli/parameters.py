"""The parameters that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Target = Annotated[
    str, typer.Argument(help="A run's name (fox-noob-v1s2400) or a spec file.", metavar="NAME|FILE", show_default=False)
]
TargetOrScript = Annotated[
    str | None,
    typer.Argument(
        help="A run's name (fox-noob-v1s2400) or a spec file; neither with --script.",
        metavar="NAME|FILE",
        show_default=False,
    ),
]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(help="After --: arguments for the trainer, over everything else.", show_default=False),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set one key, as in --set learning_rate=1e-4.", metavar="KEY=VALUE", show_default=False),
]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", help="Let findings of this code through.", metavar="CODE", show_default=False),
]
Name = Annotated[
    str | None, typer.Option("--name", help="The run's name, when the file is named otherwise.", show_default=False)
]
Script = Annotated[
    str | None,
    typer.Option(
        "--script",
        help="A training script, without a spec: all its arguments stand after --, and --name names the run.",
        metavar="PATH",
        show_default=False,
    ),
]
Caller = Annotated[
    str | None,
    typer.Option(
        "--caller", help="With --script: the shell script that calls; it is copied.", metavar="FILE", show_default=False
    ),
]
Repositories = Annotated[
    list[str] | None,
    typer.Option(
        "--repository",
        help="With --script: another repository whose state is recorded.",
        metavar="FOLDER",
        show_default=False,
    ),
]
WriteSpec = Annotated[
    Path | None,
    typer.Option(
        "--write-spec", help="Write what was typed as a spec that plans the same.", metavar="FILE", show_default=False
    ),
]
