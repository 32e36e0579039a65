"""Spec and options become a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.findings import Finding, Severity
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.plan.accelerate import NEUTRAL_CONFIG, NEUTRAL_FILE, Accelerate, accelerate_arguments
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.keys import SETS_ITSELF, as_meant, check_secrets, check_set_by_kl, check_unknown
from launcher.plan.checks.required import check_required
from launcher.plan.checks.secret_values import check_secret_values, holds_secret, text_holds_secret
from launcher.plan.checks.steps import check_steps
from launcher.plan.checks.unread import check_unread
from launcher.plan.checks.where_keys_belong import other_places
from launcher.plan.codes import ACTIVATION, PATH
from launcher.plan.data_files import DataFiles, find_data_files
from launcher.plan.outputs import DEFAULT_STEPS, expected_outputs, whole_number
from launcher.plan.paths import RESUME_FROM_HUB, is_path, with_whole_paths
from launcher.plan.plan import Argument, Plan, PlannedFile, Trainer, TrainingEnvironment
from launcher.plan.resolve import Chosen, Resolved, resolve
from launcher.plan.retention import retention
from launcher.plan.secrets import is_secret, names_a_secret, secret_values
from launcher.plan.tables import EnvTable, OwnTables, RunTable, base_folder
from launcher.plan.trainer_variables import trainer_variables
from launcher.plan.values import BadValue, words_of
from launcher.spec.load import Spec
from launcher.spec.paths import expand
from launcher.trainer.options import ScriptOptions
from launcher.trainer.packages import Packages
from launcher.trainer.source_text import SourceText

_KL = Origin(Source.KL, "kl")
_ACTIVATION_HINT = "The training goes without what this would set. Mend it, or set the variables in env.variables."


@dataclass(frozen=True)
class Ingredients:
    """All that a plan is made of. `settings` are of all layers, the weakest first.

    `accelerate_options` is None where the environment's accelerate could not be read. `scripts_with`
    names other scripts of the checkout that have an option; it is only called for a key that this script lacks.
    `own` is what somebody chose of the options that kl otherwise sets itself, by option: only a run without a spec may.
    `gpus` counts the GPUs that the run sees.
    """

    spec: Spec
    settings: Sequence[Setting]
    tables: OwnTables
    trainer: Trainer
    options: ScriptOptions
    scripts_with: Callable[[str], Sequence[str]]
    accelerate_options: ScriptOptions | None
    environment: TrainingEnvironment
    packages: Packages
    output_root: Path
    dataset_folder: Path | None
    environ: Mapping[str, str]
    cores: int
    free_port: Callable[[], int]
    own: Mapping[str, Setting] = field(default_factory=dict)
    gpus: Callable[[], int | None] = lambda: None


def build_plan(given: Ingredients) -> tuple[Plan, Candidate]:
    """Resolve everything about a run: the plan, and the same as the checks of `examine` see it.

    What is wrong with the spec itself stands in the plan's findings; nothing is raised for it.
    """
    name = given.spec.name
    run = given.tables.run
    # Refused below, and kept out of the plan: a secret must not be printed with it.
    secrets = secret_values({**given.environ, **given.environment.secrets})
    written = [setting for setting in given.settings if not (is_secret(setting) or holds_secret(setting, secrets))]
    allowed = [setting for setting in written if setting.key not in SETS_ITSELF]
    resolved = resolve(allowed, given.options, run.drop)
    findings: list[Finding] = [*given.tables.findings, *resolved.findings]
    findings += check_set_by_kl(given.settings)
    findings += check_secrets(given.settings)
    own_keys = [*RunTable.__struct_fields__, *EnvTable.__struct_fields__]
    belongs = other_places(given.trainer.checkout, given.packages, resolved.value("network_module"))
    findings += check_unknown(resolved.unknown, given.options, own_keys, given.scripts_with, belongs)
    if run.keep_last_saves:
        kept = retention(run.keep_last_saves, given.tables.where("run.keep_last_saves"), resolved, given.options)
        findings += kept.findings
        added = resolve(kept.settings, given.options)
        resolved = replace(resolved, chosen=(*resolved.chosen, *added.chosen))
    data = find_data_files(resolved, given.options, given.dataset_folder)
    findings += data.findings
    meant = _as_meant(resolved, given.options)
    findings += check_required(meant, given.options, has_dataset="dataset_config" in data.files)
    findings += check_steps(name, resolved)
    findings += check_unread(given.options, resolved)
    directory = given.output_root / name.text
    accelerate = accelerate_arguments(
        [setting for setting in given.tables.accelerate if not (is_secret(setting) or holds_secret(setting, secrets))],
        given.accelerate_options,
        config_file=str(directory / NEUTRAL_FILE),
        trainer_precision=resolved.value("mixed_precision"),
        cores=given.cores,
        free_port=given.free_port,
        gpus=given.gpus,
    )
    findings += accelerate.findings
    arguments = tuple(_arguments(resolved, given, data, directory, findings))
    steps = _steps(resolved, given.options)
    repositories = tuple(_repositories(given.tables, given.environ, findings))
    files = tuple(_files(given.spec, data, accelerate))
    findings += check_secret_values(given.settings, files, secrets)
    findings += [ACTIVATION.at(None, f"{problem}.", _ACTIVATION_HINT) for problem in given.environment.problems]
    plan = Plan(
        name=name.text,
        directory=directory,
        spec=given.spec.path,
        trainer=given.trainer,
        environment=given.environment,
        accelerate=accelerate.arguments,
        arguments=arguments,
        variables={
            **trainer_variables(accelerate.arguments, given.environ),
            **_variables(given.tables.env, secrets),
        },
        files=files,
        outputs=expected_outputs(name.text, resolved, steps),
        steps=steps,
        notes="" if any(value in run.notes for value in secrets.values()) else run.notes,
        keep_failed=run.no_clean,
        stop_on_nan=run.stop_on_nan,
        auto_resume=run.auto_resume,
        repositories=repositories,
        findings=in_order(findings),
    )
    candidate = Candidate(
        name=name,
        run=run,
        resolved=resolved,
        options=given.options,
        trainer=given.trainer,
        source=SourceText(given.trainer.checkout),
        environment=given.environment,
        packages=given.packages,
        accelerate=accelerate.arguments,
        files=data.files,
        directory=directory,
        environ=plan.environ(given.environ),
        meant=meant if resolved.unknown else None,
    )
    return plan, candidate


def _as_meant(resolved: Resolved, options: ScriptOptions) -> Resolved:
    """With misspelt keys as what was most likely meant."""
    guessed = resolve(as_meant(resolved.unknown, options), options)
    added = [chosen for chosen in guessed.chosen if not resolved.get(chosen.option.name)]
    return replace(resolved, chosen=(*resolved.chosen, *added))


def _arguments(
    resolved: Resolved, given: Ingredients, data: DataFiles, directory: Path, findings: list[Finding]
) -> Iterator[Argument]:
    """In the parser's own order; then what kl sets."""
    options = given.options
    own: Mapping[str, str] = {
        "output_dir": str(directory),
        "output_name": directory.name,
        "logging_dir": str(directory / "logs"),
        **{name: str(setting.value) for name, setting in given.own.items()},
    }
    for chosen in resolved.chosen:
        if chosen.option.name not in own and chosen.option.name not in data.files:
            argument = _argument(chosen, findings, from_hub=resolved.value(RESUME_FROM_HUB) is True)
            if argument:
                yield argument
    for option, file in data.files.items():
        path = str(directory / file.name)
        yield Argument(option, (f"--{option}={path}",), path, file.origin, data.over.get(option, ()))
    for key, value in own.items():
        if options.get(key):
            origin = given.own[key].origin if key in given.own else _KL
            yield Argument(key, (f"--{key}={value}",), value, origin)
    if options.unread:
        # Part of the script could not be read: the key may be right. The trainer's parser has the last word.
        yield from (_unchecked(setting) for setting in resolved.unknown if setting.value not in (False, None))


def _argument(chosen: Chosen, findings: list[Finding], *, from_hub: bool) -> Argument | None:
    option, setting = chosen.option, chosen.setting
    where = str(setting.origin)
    if chosen.items:
        words = (f"--{option.name}", *(f"{item.key}={item.text}" for item in chosen.items))
        return Argument(option.name, words, setting.value, setting.origin, chosen.over, chosen.items)
    value: Value = setting.value
    try:
        if is_path(option) and not (from_hub and option.name == "resume"):
            value = with_whole_paths(option, setting)
    except KlError as error:
        findings.append(PATH.at(error.where, error.message, error.hint))
        return None
    words_or_bad = words_of(option, value)
    if isinstance(words_or_bad, BadValue):
        bad = words_or_bad
        findings.append(bad.code.at(where, bad.message, bad.hint))
        return None
    return Argument(option.name, words_or_bad, value, setting.origin, chosen.over) if words_or_bad else None


def _unchecked(setting: Setting) -> Argument:
    flag = f"--{setting.key}"
    if setting.value is True:
        words: tuple[str, ...] = (flag,)
    elif isinstance(setting.value, list):
        words = (flag, *(str(item) for item in setting.value))
    else:
        words = (f"{flag}={setting.value}",)
    return Argument(setting.key, words, setting.value, setting.origin)


def _files(spec: Spec, data: DataFiles, accelerate: Accelerate) -> Iterator[PlannedFile]:
    """What the run directory starts with: the spec as it was, what it extends, and the files the trainer reads."""
    taken = {file.name for file in data.files.values()} | {NEUTRAL_FILE}
    for document in spec.documents:
        main = document is spec.documents[-1]
        base = "spec" if main else f"template-{document.path.stem}"
        suffix = document.path.suffix.lower()
        name, number = f"{base}{suffix}", 2
        while name in taken:
            name, number = f"{base}-{number}{suffix}", number + 1
        taken.add(name)
        source = Source.SPEC if main else Source.TEMPLATE
        yield PlannedFile(name, document.content, Origin(source, document.label, document.path), document.path)
    yield from data.files.values()
    if accelerate.neutral:
        yield PlannedFile(NEUTRAL_FILE, NEUTRAL_CONFIG, _KL)


def _variables(env: EnvTable, secrets: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in env.variables.items()
        if not (names_a_secret(name) or text_holds_secret(value, secrets))
    }


def _repositories(tables: OwnTables, environ: Mapping[str, str], findings: list[Finding]) -> Iterator[Path]:
    """The folders of run.repositories."""
    setting = tables.origins.get("run.repositories")
    for text in tables.run.repositories:
        where = tables.where("run.repositories")
        try:
            folder = Path(expand(text, base_folder(setting), environ=environ))
        except KlError as error:
            findings.append(PATH.at(where, error.message, error.hint))
            continue
        if folder.is_dir():
            yield folder
        else:
            findings.append(PATH.at(where, f"run.repositories names {folder}, which is not a folder."))


def _steps(resolved: Resolved, options: ScriptOptions) -> int | None:
    if resolved.get("max_train_epochs"):
        return None
    chosen = whole_number(resolved, "max_train_steps")
    if chosen is not None:
        return chosen
    option = options.get("max_train_steps")
    default = option.default if option else None
    return default if isinstance(default, int) else DEFAULT_STEPS


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once, the worst first."""
    order = list(Severity)
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: order.index(finding.severity)))


def no_script(checkout_scripts: Sequence[str], where: str | None) -> KlError:
    """The refusal of a spec that names no training script."""
    listed = ", ".join(checkout_scripts)
    return KlError(
        "Nothing says which training script to use.",
        code=ExitCode.SPEC_REFUSED,
        where=where,
        hint=f'Set script = "…" in [run], or SD_SCRIPT. There are: {listed}.',
    )
