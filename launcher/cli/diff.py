"""`kl diff`: what two runs have not in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from launcher.record.side import Side


def diff_command(
    a: Annotated[str, typer.Argument(help="A run's name, or its folder.", metavar="A", show_default=False)],
    b: Annotated[
        str,
        typer.Argument(
            help="Another run; or a spec, by its file or by the name of a run that is not there yet.",
            metavar="B",
            show_default=False,
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> int:
    """Show what two runs have not in common: options, pictures, captions, code, packages, outcome, weights. With a
    spec as B: what would be different if it were launched now."""
    import json

    from launcher.cli.render import show_lines
    from launcher.cli.render_diff import comparison_as_data, comparison_as_text
    from launcher.record.compare import compare

    of_a = _run(a)
    comparison = compare(of_a, _run_or_spec(b, of_a))
    if as_json:
        print(json.dumps(comparison_as_data(comparison), indent=1))
    else:
        show_lines(comparison_as_text(comparison))
    return 0


def _run(name: str) -> Side:
    from launcher.cli.known_run import sound_run
    from launcher.run.sides import recorded_side

    run, manifest, outcome = sound_run(name)
    return recorded_side(manifest.name or run.name, run.directory, manifest, outcome)


def _run_or_spec(target: str, a: Side) -> Side:
    """A run where there is one; else a spec. Raises KlError when it is neither."""
    from pathlib import Path

    from launcher.base.errors import KlError
    from launcher.spec.source_file import SUFFIXES

    if target.lower().endswith(SUFFIXES) or Path(target).is_file():
        return _planned(target, a)
    try:
        return _run(target)
    except KlError as no_run:
        if "/" in target:
            raise
        try:
            return _planned(target, a)
        except KlError as no_spec:
            if no_spec.findings or not no_spec.message.startswith("There is no spec"):
                raise
            hint = f"Nor is there a spec for it. {no_run.hint or ''}".strip()
            raise KlError(no_run.message, code=no_run.code, hint=hint) from None


def _planned(target: str, a: Side) -> Side:
    """What a spec would train now. One whose file says no steps gets the name of A, and so its steps."""
    from launcher.cli.picture_progress import picture_progress
    from launcher.cli.plan import refuse_errors
    from launcher.cli.prepare import Request, prepare
    from launcher.run.sides import planned_side
    from launcher.spec.find import is_file_name
    from launcher.spec.names import parse_name

    name = None
    if is_file_name(target) and parse_name(_stem(target)).steps is None:
        name = a.manifest.name or None
    with picture_progress() as progress:
        plan = prepare(Request(target, name=name), progress=progress)
    refuse_errors(plan)
    with picture_progress() as progress:
        return planned_side(plan, progress)


def _stem(target: str) -> str:
    from pathlib import Path

    return Path(target).stem
