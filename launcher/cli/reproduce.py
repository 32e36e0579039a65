"""`kl reproduce`: a run trained once more, from its own directory alone."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from launcher.cli.known_run import RunName

if TYPE_CHECKING:
    from launcher.record.manifest import Manifest
    from launcher.run.reproduce import Reproduction
    from launcher.run.reproduced_weights import ModelsCompared
    from launcher.run.result import RunResult
    from launcher.run.screen import Screen


def reproduce_command(
    name: RunName,
    new_name: Annotated[
        str | None,
        typer.Option("--as", help="The new run's name; NAME-reproduced otherwise.", metavar="NEW", show_default=False),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            help="Train also when this is not the same: code, dataset, files, model, packages or python.",
            metavar="KIND",
            show_default=False,
        ),
    ] = None,
    sync_env: Annotated[
        bool, typer.Option("--sync-env", help="Make a virtual environment with the recorded packages, and train in it.")
    ] = False,
    python: Annotated[
        str | None,
        typer.Option("--python", help="Train with this interpreter.", metavar="PATH", show_default=False),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="No live line: plain lines, as without a terminal.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Train in the background, and print the run's name once it has started.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="How it ended, as JSON, for programs.")] = False,
) -> int:
    """Train a run once more, from its own directory: the recorded code in a folder of its own, the recorded options,
    dataset config and prompts. What is not the same refuses it. Afterwards the models are compared."""
    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.known_run import sound_run

    if sync_env and python:
        raise KlError("--sync-env and --python name two environments.", code=ExitCode.USAGE, hint="Give one of them.")
    if detach and as_json:
        message = "--json says how it ended, and with --detach nobody waits for that."
        raise KlError(message, code=ExitCode.USAGE, hint="kl show NAME --json says it later.")
    run, manifest, _ = sound_run(name)
    if run.removed:
        message = f"{run.name} was removed: only its log and manifest are left, not what it was trained with."
        raise KlError(message, code=ExitCode.USAGE, hint=f"kl show {run.name} shows them.")
    interpreter = _synced(run.directory, manifest) if sync_env else Path(os.path.abspath(python)) if python else None  # noqa: PTH100
    reproduction = _prepared(run.directory, manifest, new_name, interpreter, allow or [])
    for each in reproduction.unlike:
        print(f"not as it was: {each.said}", file=sys.stderr)
    for note in reproduction.notes:
        print(f"note: {note}", file=sys.stderr)
    for variable in reproduction.unset:
        print(f"note: {variable} is set now and was not then: it is left out", file=sys.stderr)
        del os.environ[variable]
    if detach:
        return _detached(reproduction, run.directory, manifest)
    return _on_this_terminal(reproduction, run.directory, manifest, plain=plain, as_json=as_json)


def _prepared(
    directory: Path, manifest: Manifest, new_name: str | None, python: Path | None, allow: list[str]
) -> Reproduction:
    from launcher.base.errors import ExitCode, KlError
    from launcher.base.nearest import nearest
    from launcher.cli.reading_progress import reading_progress
    from launcher.run.reproduce import KINDS, free_name, prepare
    from launcher.setup.conda_environments import activated_again
    from launcher.spec.names import parse_name

    for kind in allow:
        if kind not in KINDS:
            near = nearest(kind, KINDS)
            hint = f"Did you mean {near}?" if near else f"It takes {', '.join(KINDS)}."
            raise KlError(f"--allow {kind}: there is no such kind.", code=ExitCode.USAGE, hint=hint)
    if new_name is not None:
        steps = parse_name(new_name).steps
        if steps and manifest.steps and steps != manifest.steps:
            message = f"{new_name} says {steps} steps, and {manifest.name} trains {manifest.steps}."
            raise KlError(message, code=ExitCode.USAGE, hint="Give it a name with the same number.")
    own = manifest.name or directory.name
    with reading_progress() as say:
        reproduction = prepare(
            directory, manifest, new_name or free_name(directory.parent, own), python=python, allowed=allow, say=say
        )
    plan = reproduction.plan
    plan = replace(plan, environment=activated_again(plan.environment, plan.variables))
    return replace(reproduction, plan=plan, notes=(*reproduction.notes, *plan.environment.problems))


def _synced(directory: Path, manifest: Manifest) -> Path:
    """The interpreter of an environment with the recorded packages."""
    from launcher.base.errors import ExitCode, KlError
    from launcher.record.environment import recorded_environment
    from launcher.record.installers import CannotMakeEnvironment
    from launcher.record.same_environment import environment_folder, make_environment

    record = recorded_environment(directory)
    if record is None:
        message = f"{manifest.name or directory.name} has no environment.json, so nobody knows its packages."
        raise KlError(message, code=ExitCode.ENVIRONMENT_NOT_READY, hint="--python names an environment.")
    try:
        return make_environment(record, environment_folder(record), lambda text: print(text, file=sys.stderr))
    except CannotMakeEnvironment as error:
        hint = "--python names an environment that you have made."
        raise KlError(str(error), code=ExitCode.ENVIRONMENT_NOT_READY, hint=hint) from None


def _on_this_terminal(
    reproduction: Reproduction, directory: Path, manifest: Manifest, *, plain: bool, as_json: bool
) -> int:
    from launcher.cli.launch import show_result
    from launcher.cli.render import short
    from launcher.run.gpu import GpuLine, chosen_gpus
    from launcher.run.screen import open_screen

    plan = reproduction.plan
    gpus = chosen_gpus({each.name: each.value for each in plan.accelerate}, {**os.environ, **plan.variables})
    screen = open_screen(plain=plain, aside=GpuLine(gpus))
    screen.announce(f"{plan.name}: {manifest.name} once more, with {short(plan.trainer.checkout)}")
    result, compared = _trained(reproduction, directory, manifest, screen)
    if as_json:
        show_result(result, plan, file=sys.stderr)
        print(json.dumps(_as_data(result, compared, reproduction), indent=2))
    else:
        show_result(result, plan)
        if compared is not None:
            print("\n  ".join(compared.lines))
    return result.exit_code


def _detached(reproduction: Reproduction, directory: Path, manifest: Manifest) -> int:
    from launcher.cli.failure_explained import note_doctors_findings
    from launcher.cli.launch import say_detached, show_result
    from launcher.run.detach import detached
    from launcher.run.screen import NullScreen

    plan = reproduction.plan

    def trained(started: Any) -> RunResult:
        return note_doctors_findings(_trained(reproduction, directory, manifest, NullScreen(), started)[0], plan)

    result = detached(trained)
    if result is None:
        return say_detached(plan.name)
    show_result(result)
    return result.exit_code


def _trained(
    reproduction: Reproduction,
    directory: Path,
    manifest: Manifest,
    screen: Screen,
    started: Any = None,
) -> tuple[RunResult, ModelsCompared | None]:
    """Train it, and compare what came of it; kl.log has that too."""
    from launcher.base.errors import ExitCode, KlError
    from launcher.run.kl_log import KlLog
    from launcher.run.launch import launch
    from launcher.run.outcome import Outcome
    from launcher.run.reproduced_weights import ModelsCompared, compare_models

    plan = reproduction.plan
    try:
        result = launch(plan, screen, started, reproduction.reproduces)
    except KlError as error:
        if error.code is not ExitCode.OUTPUT_UNAVAILABLE:
            raise
        beside = "It is made beside the run: copy the run directory to where there is room, and reproduce it there."
        hint = "--as NEW gives it another name." if os.path.lexists(plan.directory) else beside
        raise KlError(error.message, code=error.code, hint=hint) from None
    if result.outcome is not Outcome.SUCCEEDED:
        return result, None
    recorded = {each.path: each.weights_sha256 for each in manifest.artifacts if each.weights_sha256}
    try:
        compared = compare_models(directory, manifest.final, plan.directory, plan.outputs.final, recorded)
    except KeyboardInterrupt:  # the training is done, and how it ended is still to be said
        compared = ModelsCompared(None, ("The models were not compared: Ctrl-C.",))
    KlLog(plan.directory).write("\n".join(compared.lines))
    return result, compared


def _as_data(result: RunResult, compared: ModelsCompared | None, reproduction: Reproduction) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "name": result.name,
        "directory": str(result.directory) if result.directory else None,
        "outcome": result.outcome.value,
        "exit_code": result.exit_code,
        "reproduces": asdict(reproduction.reproduces),
        "identical": compared.identical if compared else None,
        "compared": list(compared.lines) if compared else [],
        "weights": asdict(compared.weights) if compared and compared.weights else None,
    }
