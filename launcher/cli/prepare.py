"""From what was typed to a plan: reads the spec, the checkout and the environment, in this order."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.findings import Severity
from launcher.base.gpus import listed_gpus, visible_gpus
from launcher.base.ports import free_port
from launcher.data.picture_cache import Progress
from launcher.plan.arguments import read_arguments
from launcher.plan.build import Ingredients, build_plan, in_order, no_script
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.dataset_config import check_dataset_config
from launcher.plan.every_code import let_through
from launcher.plan.examine import Examined, examine
from launcher.plan.from_script import (
    SCRIPT_FLAG,
    Layers,
    Named,
    no_name,
    says_environment,
    script_layers,
    without_environment,
    without_output,
)
from launcher.plan.plan import Plan, Trainer, TrainingEnvironment
from launcher.plan.read_blueprint import read_blueprint
from launcher.plan.tables import OwnTables, read_own_tables, written_path
from launcher.run.ahead import going_on
from launcher.run.roots import DEFAULT_OUTPUT_ROOT
from launcher.setup.checkouts import checkout_of
from launcher.setup.environments import Known, accelerate_folder, find_environment, is_trained_in, names_of_two
from launcher.setup.user_config import UserConfig, read_user_config
from launcher.spec.environment import from_environment, from_name
from launcher.spec.find import dataset_folder, find_spec
from launcher.spec.load import Spec, load_spec
from launcher.spec.names import parse_name
from launcher.spec.overrides import parse_set
from launcher.trainer.checkout import Checkout, open_checkout, script_path
from launcher.trainer.options import ScriptOptions
from launcher.trainer.other_scripts import scripts_with
from launcher.trainer.packages import Packages, site_packages
from launcher.trainer.reader import read_options, read_parser


@dataclass(frozen=True)
class Request:
    """What was typed: a name or file, `--set`s, the arguments after `--`, another name for the run, codes to allow.

    With a `script` there is no spec: `name` is the run's, and the arguments are all that the script is given. `caller`
    is the shell script that launches it, `repositories` are recorded with it.
    """

    target: str
    sets: Sequence[str] = ()
    arguments: Sequence[str] = ()
    name: str | None = None
    allow: Sequence[str] = ()
    script: str | None = None
    caller: str | None = None
    repositories: Sequence[str] = ()


def prepare(request: Request, environ: Mapping[str, str] = os.environ, *, progress: Progress | None = None) -> Plan:
    """Make the plan of a run, checked; advice is left to `kl check`. Nothing is written but the cache of what was read.

    Raises KlError when there is nothing to plan with: no spec, checkout, script or environment. A spec with errors
    gives a plan with errors, whatever its environment: what the user wrote comes first.
    """
    plan, _ = check(request, environ, progress=progress)
    return without_advice(plan)


def check(
    request: Request, environ: Mapping[str, str] = os.environ, *, progress: Progress | None = None
) -> tuple[Plan, Examined]:
    """The plan of a run with everything the checks have to say about it, and what they found out on the way.

    `progress` is told how many pictures of how many were looked at. Raises KlError as `prepare` does.
    """
    plan, candidate, not_ready = _draft(request, environ)
    examined = examine(candidate, plan, progress=progress)
    findings, allowed = let_through((*plan.findings, *examined.findings), request.allow)
    each = examined.room.each if examined.room else None
    plan = replace(plan, findings=in_order(findings), allowed=in_order(allowed), save_bytes=each)
    if not_ready and not plan.errors:
        raise not_ready
    return plan, examined


def without_advice(plan: Plan) -> Plan:
    """The plan with the findings that are said unasked."""
    return replace(plan, findings=tuple(each for each in plan.findings if each.severity is not Severity.ADVICE))


def candidate_for(request: Request, environ: Mapping[str, str] = os.environ) -> Candidate:
    """The run as the checks see it, with what it trains on. Raises KlError as `prepare` does, and for errors in it."""
    plan, candidate, _ = _draft(request, environ)
    blueprint, findings = read_blueprint(candidate)
    if blueprint is None:
        errors = in_order((*plan.findings, *findings, *check_dataset_config(candidate)))
        message = f"What {plan.name} trains on is not known."
        raise KlError(message, code=ExitCode.SPEC_REFUSED, hint="kl check says why.", findings=errors)
    return replace(candidate, blueprint=blueprint)


def _draft(request: Request, environ: Mapping[str, str]) -> tuple[Plan, Candidate, KlError | None]:
    """The plan with the findings of planning alone; the error is why the environment cannot be had."""
    sets = tuple(parse_set(text) for text in request.sets)
    config = read_user_config()
    layers = _layers(request, config, environ)
    spec = layers.spec
    tables = read_own_tables([*layers.config, *spec.settings, *layers.outside, *sets, *layers.own])
    try:
        found = checkout_of(tables, config)
        checkout = _open_checkout(found.path, tables)
        if tables.run.script is None:
            raise no_script(checkout.scripts, str(request.target))
        file = _script(checkout, tables.run.script, tables)
    except KlError as error:
        if not tables.findings:
            raise
        # A misspelt sd_scripts is why there is no checkout: what the user wrote comes first.
        code = ExitCode.SPEC_REFUSED
        raise KlError(error.message, code=code, where=error.where, hint=error.hint, findings=tables.findings) from None
    options = read_options(checkout, file)
    arguments = read_arguments(request.arguments, options)
    named = without_output(arguments, spec.name, options) if request.script else Named(arguments)
    settings = [*layers.config, *spec.settings, *from_name(spec.name), *layers.outside, *sets, *named.settings]
    known = Known(config.environments, checkout.path)
    if request.script and not says_environment(sets) and is_trained_in(environ):
        tables, known = without_environment(tables), Known({}, checkout.path)  # the script has activated it
    environment, not_ready = _environment(tables, environ, known)
    said = (*found.findings, *names_of_two(tables, environ, known), *named.findings)
    tables = replace(tables, findings=(*tables.findings, *said))
    plan, candidate = build_plan(
        Ingredients(
            spec=spec,
            settings=settings,
            tables=tables,
            trainer=Trainer(checkout.path, checkout.commit, file),
            options=options,
            scripts_with=lambda name: scripts_with(checkout, name, file),
            accelerate_options=accelerate_options_of(environment),
            environment=environment,
            packages=Packages(checkout.path, tuple(site_packages(environment.python)) if not not_ready else ()),
            output_root=named.output_root
            or _folder(tables, "output_root")
            or Path(DEFAULT_OUTPUT_ROOT).expanduser(),
            dataset_folder=None if request.script else _dataset_folder(tables, spec, config),
            environ=environ,
            cores=os.cpu_count() or 1,
            free_port=free_port,
            gpus=lambda: _gpus({**environ, **environment.variables, **tables.env.variables}),
            own=named.own,
        )
    )
    if request.script:
        plan = going_on(plan, request.caller, request.repositories, environ)
    return plan, candidate, not_ready


def _layers(request: Request, config: UserConfig, environ: Mapping[str, str]) -> Layers:
    if request.script is None:
        return Layers(_spec(request, config), config.settings, from_environment(environ))
    if request.name is None:
        raise no_name()
    return script_layers(request.script, parse_name(request.name), config.settings, environ)


def _spec(request: Request, config: UserConfig) -> Spec:
    name, path = find_spec(request.target, folders=config.spec_folders, datasets_root=config.datasets_root)
    if request.name is not None:
        name = parse_name(request.name)
    return load_spec(path.absolute(), name, template_folders=config.template_folders)


def _open_checkout(path: Path, tables: OwnTables) -> Checkout:
    try:
        return open_checkout(path)
    except KlError as error:
        where = tables.where("run.sd_scripts")
        hint = "Set sd_scripts in [run], or SD_REPO, to the folder of your clone of kohya-ss/sd-scripts."
        if where and where.startswith(SCRIPT_FLAG):
            hint = "Give the path of a training script in your clone of kohya-ss/sd-scripts."
        raise KlError(error.message, code=error.code, where=where or error.where, hint=hint) from None


def _script(checkout: Checkout, script: str, tables: OwnTables) -> str:
    try:
        return script_path(checkout, script).relative_to(checkout.path).as_posix()
    except KlError as error:
        where = tables.where("run.script") or error.where
        raise KlError(error.message, code=error.code, where=where, hint=error.hint) from None


def _folder(tables: OwnTables, key: str) -> Path | None:
    text = getattr(tables.run, key)
    if text is None:
        return None
    return written_path(tables.origins[f"run.{key}"])


def _dataset_folder(tables: OwnTables, spec: Spec, config: UserConfig) -> Path | None:
    folder = _folder(tables, "dataset_folder")
    if folder is None:
        return dataset_folder(spec.name, config.datasets_root)
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises for what cannot be looked at
        raise KlError(
            f"The dataset folder {folder} is not there.",
            code=ExitCode.SPEC_REFUSED,
            where=tables.where("run.dataset_folder"),
            hint="Correct run.dataset_folder or TRAINING_DIR.",
        )
    return folder


def _environment(
    tables: OwnTables, environ: Mapping[str, str], known: Known
) -> tuple[TrainingEnvironment, KlError | None]:
    try:
        return find_environment(tables, environ, known), None
    except KlError as error:
        return TrainingEnvironment("none", "none", Path("python"), {}), error


def _gpus(environ: Mapping[str, str]) -> int | None:
    """The GPUs that a trainer with these variables sees. The driver is asked only where it lists none."""
    from launcher.record.machine import gpu_count

    return visible_gpus(environ, listed_gpus() or gpu_count())


def accelerate_options_of(environment: TrainingEnvironment) -> ScriptOptions | None:
    """What `accelerate launch` of this environment accepts, read like the trainer's; None when it cannot be read."""
    folder = accelerate_folder(environment.python)
    if folder is None:
        return None
    file = "accelerate/commands/launch.py"
    options = read_parser(folder.parent, file, "launch_command_parser", package="accelerate")
    return options if options.options and not options.unread else None
