"""`kl dataset`: what a run trains on, counted as the trainer counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.parameters import Arguments, Name, Sets, Target

if TYPE_CHECKING:
    from launcher.plan.checks.candidate import Candidate


def dataset_command(
    target: Target,
    arguments: Arguments = None,
    sets: Sets = None,
    name: Name = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs, with every tag.")] = False,
) -> None:
    """Show the pictures, buckets, steps and tags of a run, by the trainer's own rules."""
    from launcher.cli.prepare import Request, candidate_for

    show_dataset(candidate_for(Request(target, sets or (), arguments or (), name)), as_json=as_json)


def show_dataset(candidate: Candidate, *, as_json: bool = False) -> None:
    """Look at the candidate's data and print what is there; what is wrong with them goes to stderr.

    Raises KlError (spec refused) when it is not known what the run trains on.
    """
    import json

    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.picture_progress import picture_progress
    from launcher.cli.render import show_findings, show_lines
    from launcher.cli.render_dataset import dataset_as_data, dataset_as_text
    from launcher.plan.checks.captions import check_captions
    from launcher.plan.checks.pictures import check_pictures
    from launcher.plan.survey import length_of, survey_of, tags_of

    if candidate.blueprint is None:
        message = f"What {candidate.name.text} trains on is not known."
        raise KlError(message, code=ExitCode.SPEC_REFUSED, hint="kl check says what is wrong with its dataset.")
    with picture_progress() as progress:
        survey = survey_of(candidate, progress=progress)
    length, tags = length_of(survey, candidate), tags_of(survey)
    if as_json:
        print(json.dumps(dataset_as_data(candidate.name.text, survey, length, tags), indent=1))
        return
    show_findings([*check_pictures(candidate, survey), *check_captions(candidate, survey)])
    show_lines(dataset_as_text(candidate.name.text, survey, length, tags))
