"""`kl resume`: go on where a run stopped."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.known_run import RunName, known_run
from launcher.cli.parameters import Allow

if TYPE_CHECKING:
    from launcher.base.settings import Value
    from launcher.cli.prepare import Request
    from launcher.plan.examine import Examined
    from launcher.plan.plan import Plan
    from launcher.record.manifest import Manifest
    from launcher.run.resume import Resumption

# The launch's own values stand in the record; what is set today is for other runs.
_OF_A_LAUNCH = ("SD_REPO", "SD_SCRIPT", "TRAINING_DIR", "OUTPUT_DIR", "STEPS", "NO_CLEAN")


def resume_command(
    name: RunName,
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, help="Train to so many steps in all.", metavar="N", show_default=False),
    ] = None,
    as_recorded: Annotated[
        bool, typer.Option("--as-recorded", help="Go on as the run was launched, though its spec says otherwise now.")
    ] = False,
    allow: Allow = None,
    plain: Annotated[bool, typer.Option("--plain", help="No live line: plain lines, as without a terminal.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Train in the background, and print the run's name once it has started.")
    ] = False,
) -> int:
    """Train on from a run's newest whole state, as another attempt in the same run, with the options it was
    launched with. The checks run again, and what has changed since the launch is said."""
    from launcher.cli.launch import say_detached, show_result
    from launcher.run.gpu import GpuLine, chosen_gpus
    from launcher.run.resume import resume_and_resume
    from launcher.run.screen import NullScreen, open_screen

    resumption = _resumption(name, steps, allow or [], as_recorded=as_recorded)
    plan = resumption.plan
    for text in (*resumption.notes, *(f"since the launch: {change}" for change in resumption.changes)):
        print(text, file=sys.stderr)
    print(f"{plan.name}: goes on from {resumption.start.state.name}", file=sys.stderr)
    if detach:
        from launcher.cli.failure_explained import note_doctors_findings
        from launcher.run.detach import detached

        result = detached(
            lambda started: note_doctors_findings(resume_and_resume(resumption, NullScreen(), started), plan)
        )
        if result is None:
            return say_detached(plan.name)
    else:
        gpus = chosen_gpus({each.name: each.value for each in plan.accelerate}, {**os.environ, **plan.variables})
        result = resume_and_resume(resumption, open_screen(plain=plain, aside=GpuLine(gpus)))
    show_result(result, plan)
    return result.exit_code


def _resumption(name: str, steps: int | None, allow: list[str], *, as_recorded: bool) -> Resumption:
    """What is to be resumed, checked. Raises KlError with the reason why it cannot be."""
    from launcher.base.errors import ExitCode, KlError
    from launcher.plan.resume import differences, resume_scripts, spreads_over_steps
    from launcher.run.changes import change_of_epoch, changes_since
    from launcher.run.recorded import recorded_plan
    from launcher.run.resume import Resumption, choose
    from launcher.setup.conda_environments import activated_again

    run, manifest, outcome = known_run(name)
    if run.removed:
        message = f"{run.name} left nothing to go on from, and was removed."
        raise KlError(message, code=ExitCode.USAGE, hint=f"kl launch {run.name} trains it again.")
    start, notes = choose(run.directory, manifest, outcome, steps)
    plan = recorded_plan(run.directory, manifest)
    resume_scripts(plan)
    plan = replace(plan, environment=activated_again(plan.environment, plan.variables))
    notes = (*notes, *plan.environment.problems)
    changes = list(changes_since(run.directory, manifest))
    if plan.spec.is_file() or _has_no_spec(manifest):
        now, examined = _checked_now(plan, manifest, allow)
        different = differences(plan, now)
        if different and not as_recorded:
            message = f"The spec of {plan.name} says otherwise than the run was launched with: {'; '.join(different)}."
            hint = f"kl resume {name} --as-recorded goes on as it began; another version of the run trains what the spec says."  # noqa: E501
            raise KlError(message, code=ExitCode.SPEC_REFUSED, where=str(plan.spec), hint=hint)
        batches = examined.length.batches if examined.length else None
        changes += [*different, *change_of_epoch(run.directory, batches), *_new_findings(manifest, now)]
        plan = replace(plan, stop_on_nan=now.stop_on_nan, auto_resume=now.auto_resume, save_bytes=now.save_bytes)
    else:
        notes = (*notes, f"{plan.spec} is not there: nothing was checked, and [run] has no settings")
    spread = spreads_over_steps(plan) if steps is not None and steps != manifest.steps else None
    if spread:
        notes = (
            *notes,
            f"lr_scheduler {spread} is spread over {steps} steps now: the learning rate jumps to that curve",
        )
    return Resumption(plan, start, notes, tuple(changes))


def _checked_now(plan: Plan, manifest: Manifest, allow: list[str]) -> tuple[Plan, Examined]:
    """The plan that the spec makes today, given what the launch was given. Raises KlError for errors in it."""
    from launcher.cli.plan import refuse_errors
    from launcher.cli.prepare import check, without_advice

    environ = {name: value for name, value in os.environ.items() if name not in _OF_A_LAUNCH}
    now, examined = check(_request(plan, manifest, allow), environ)
    now = without_advice(now)
    refuse_errors(now)
    return now, examined


def _request(plan: Plan, manifest: Manifest, allow: list[str]) -> Request:
    """What was typed then, as far as it counts: what came from elsewhere than files is in the record."""
    from launcher.base.origin import Source
    from launcher.cli.prepare import Request

    typed = (Source.SET, Source.ARGUMENT, Source.ENVIRONMENT)
    sets: dict[str, Value] = {
        "run.script": plan.trainer.script,
        "run.sd_scripts": str(plan.trainer.checkout),
        "run.output_root": str(plan.directory.parent),
        "env.kind": "python",
        "env.path": str(plan.environment.python),
    }
    for option in manifest.options:
        if option.name == "dataset_config" and option.origin == Source.DATASET_FOLDER.value:
            source = next((file.source for file in manifest.files if file.name == Path(str(option.value)).name), None)
            if source:
                sets["run.dataset_folder"] = str(Path(source).parent)
    sets |= {f"accelerate.{each.name}": each.value for each in plan.accelerate if each.origin.source in typed}
    words = [word for each in plan.arguments if each.origin.source in typed for word in each.words]
    allowed = dict.fromkeys([*allow, *(record.code for record in manifest.allowed)])
    return Request(
        str(plan.spec),
        [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sets.items()],
        words,
        plan.name,
        tuple(allowed),
        str(plan.trainer.checkout / plan.trainer.script) if _has_no_spec(manifest) else None,
    )


def _has_no_spec(manifest: Manifest) -> bool:
    """Whether the run was launched with --script: then the record has all that was typed."""
    return not any(file.name.startswith("spec.") for file in manifest.files)


def _new_findings(manifest: Manifest, now: Plan) -> list[str]:
    known = {(record.code, record.message) for record in (*manifest.findings, *manifest.allowed)}
    return [each.message for each in (*now.findings, *now.allowed) if (each.code, each.message) not in known]
