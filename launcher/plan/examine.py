"""All checks of a run that is about to start, in one place and one order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from launcher.base.findings import Finding
from launcher.data.picture_cache import Progress
from launcher.plan.buckets import RunLength
from launcher.plan.checks.advice import check_advice
from launcher.plan.checks.base_model import check_base_model
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.captions import check_captions
from launcher.plan.checks.dataset_config import check_dataset_config
from launcher.plan.checks.network_args import check_network_args
from launcher.plan.checks.network_weights import check_network_weights
from launcher.plan.checks.optimizer import check_optimizer
from launcher.plan.checks.other_models import check_other_models
from launcher.plan.checks.pictures import check_pictures
from launcher.plan.checks.prompts import check_prompts
from launcher.plan.checks.resources import Room, check_resources, room
from launcher.plan.checks.rules.every import RULES
from launcher.plan.checks.rules.rule import apply_rules
from launcher.plan.checks.said_better import each_said_once
from launcher.plan.checks.scheduler import check_scheduler
from launcher.plan.checks.script_family import family_of
from launcher.plan.plan import Plan
from launcher.plan.read_blueprint import read_blueprint
from launcher.plan.save_size import sizes
from launcher.plan.survey import length_of, survey_of
from launcher.plan.surveyed import Survey


@dataclass(frozen=True)
class Examined:
    """What the checks have to say about a run, and what they found out on the way.

    `survey` is None where it is not known what the run trains on, `length` where that does not give a number of steps.
    `save_bytes` and `state_bytes` are estimates for one saved network and one training state, `room` is what all saves
    take; None where that cannot be told.
    """

    candidate: Candidate
    findings: tuple[Finding, ...]
    survey: Survey | None
    length: RunLength | None
    save_bytes: int | None
    state_bytes: int | None
    room: Room | None


def examine(candidate: Candidate, plan: Plan, *, progress: Progress | None = None) -> Examined:
    """Check everything that can be known before the run starts. Nothing is raised for what is wrong.

    Of a run with a misspelt key only that is said which holds without the key and with what was most likely meant:
    a slip is told once, and not again as everything that follows from it.
    """
    examined = _examine(candidate, plan, progress)
    if candidate.meant is None:
        return examined
    meant = set(_examine(replace(candidate, resolved=candidate.meant), plan, progress).findings)
    return replace(examined, findings=tuple(finding for finding in examined.findings if finding in meant))


def _examine(candidate: Candidate, plan: Plan, progress: Progress | None) -> Examined:
    blueprint, findings = read_blueprint(candidate)
    candidate = replace(candidate, blueprint=blueprint)
    survey = survey_of(candidate, progress=progress) if blueprint else None
    length = length_of(survey, candidate) if survey else None
    found = [*check_dataset_config(candidate), *findings]
    if survey:
        found += [*check_pictures(candidate, survey), *check_captions(candidate, survey)]
    steps = plan.steps or (length.steps if length else None)
    save, state = sizes(candidate)
    space = room(candidate, steps, save, state)
    found += _of_options(candidate, steps, space)
    return Examined(candidate, each_said_once(found), survey, length, save, state, space)


def _of_options(candidate: Candidate, steps: int | None, space: Room | None) -> Iterator[Finding]:
    yield from check_network_args(candidate)
    yield from check_optimizer(candidate)
    yield from check_scheduler(candidate)
    yield from apply_rules(RULES, candidate)
    yield from check_base_model(candidate)
    yield from check_other_models(candidate)
    yield from check_network_weights(candidate)
    yield from check_prompts(candidate)
    yield from check_resources(candidate, space)
    yield from check_advice(candidate, family_of(candidate), steps)
