"""What the doctor is to look at: what a run would use, what is configured, or what a plan used."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.base.errors import KlError
from launcher.base.origin import Source
from launcher.base.settings import Setting
from launcher.plan.tables import OWN_TABLES, OwnTables, base_folder, read_own_tables, written_path
from launcher.run.roots import DEFAULT_OUTPUT_ROOT
from launcher.setup.checkouts import checkout_of
from launcher.setup.doctor.diagnosis import Diagnosis, advice, wrong
from launcher.setup.doctor.installation import Installation
from launcher.setup.environments import Known, find_environment
from launcher.setup.user_config import UserConfig, read_user_config
from launcher.spec.environment import from_environment
from launcher.spec.overrides import parse_set
from launcher.spec.paths import expand

if TYPE_CHECKING:
    from launcher.plan.plan import Plan, TrainingEnvironment

_OF_THE_TRAINER = ("network_module", "tokenizer_cache_dir", "v2")  # options that the doctor asks about
_FOLDERS = ("tokenizer_cache_dir",)


@dataclass(frozen=True)
class _Asked:
    """What was named: the settings of all layers, and the dataset folder of a run."""

    settings: Sequence[Setting]
    dataset_folder: Path | None = None


def installation_of(
    target: str | None,
    sets: Sequence[str],
    environ: Mapping[str, str] = os.environ,
    patience: float | None = None,
) -> Installation:
    """What a run would use, by its name or spec; without one what is configured.

    `patience` is what a conda environment's activation scripts have, in seconds; None for as long as a launch gives.

    Raises KlError for a spec or configuration that cannot be read; what it names need not be there.
    """
    config = read_user_config()
    asked = _asked(target, config)
    settings = [*asked.settings, *from_environment(environ), *(parse_set(text) for text in sets)]
    tables = read_own_tables(settings)
    problems: list[Diagnosis] = []
    checkout = _checkout(tables, config, problems)
    environment = _environment(tables, environ, Known(config.environments, checkout, patience), problems)
    activated = {**environment.secrets, **environment.variables} if environment else {}
    return Installation(
        checkout=checkout,
        python=environment.python if environment else None,
        output_root=_folder(tables, "output_root") or Path(DEFAULT_OUTPUT_ROOT).expanduser(),
        output_root_configured=_is_configured(tables, "run.output_root"),
        datasets_root=config.datasets_root,
        dataset_folder=_folder(tables, "dataset_folder") or asked.dataset_folder,
        script=_script(tables),
        variables={**activated, **tables.env.variables},
        unset=environment.unset if environment else (),
        options=_options(settings),
        problems=tuple(problems),
    )


def installation_of_plan(plan: Plan) -> Installation:
    """What a plan trains with."""
    return Installation(
        checkout=plan.trainer.checkout,
        python=plan.environment.python,
        output_root=plan.directory.parent,
        output_root_configured=False,
        script=plan.trainer.script,
        variables={**plan.environment.secrets, **plan.environment.variables, **plan.variables},
        unset=plan.environment.unset,
        options={argument.name: argument.value for argument in plan.arguments},
    )


def _asked(target: str | None, config: UserConfig) -> _Asked:
    if target is None:
        return _Asked(config.settings)
    from launcher.spec.find import dataset_folder, find_spec
    from launcher.spec.load import load_spec

    name, path = find_spec(target, folders=config.spec_folders, datasets_root=config.datasets_root)
    spec = load_spec(path.absolute(), name, template_folders=config.template_folders)
    return _Asked([*config.settings, *spec.settings], dataset_folder(spec.name, config.datasets_root))


def _checkout(tables: OwnTables, config: UserConfig, problems: list[Diagnosis]) -> Path | None:
    try:
        return checkout_of(tables, config).path
    except KlError as error:
        said = error.message if not config.checkouts or error.hint is None else f"{error.message} {error.hint}"
        problems.append(wrong("checkout", said, _made_by(tables.run.sd_scripts, error)))
        return None


def _environment(
    tables: OwnTables, environ: Mapping[str, str], known: Known, problems: list[Diagnosis]
) -> TrainingEnvironment | None:
    try:
        environment = find_environment(tables, environ, known, as_it_is=True)
    except KlError as error:
        said = f"{error.message} {error.hint}" if error.hint else error.message
        problems.append(wrong("environment", said, _made_by(tables.env.name, error)))
        return None
    problems += [advice("environment", problem) for problem in environment.problems]
    return environment


def _made_by(name: str | None, error: KlError) -> str | None:
    """The command that makes what is missing, under the name that is asked for; None for a name that is misspelt."""
    if error.hint and error.hint.startswith("Did you mean"):
        return None
    from launcher.setup.wishes import A_NAME

    return f"kl setup --name {name}" if name and A_NAME.fullmatch(name) else "kl setup"


def _script(tables: OwnTables) -> str | None:
    script = tables.run.script
    return script if script is None or script.endswith(".py") else f"{script}.py"


def _folder(tables: OwnTables, key: str) -> Path | None:
    text = getattr(tables.run, key)
    if text is None:
        return None
    return written_path(tables.origins[f"run.{key}"])


def _is_configured(tables: OwnTables, path: str) -> bool:
    setting = tables.origins.get(path)
    return setting is None or setting.origin.source is Source.CONFIG


def _options(settings: Sequence[Setting]) -> dict[str, object]:
    found: dict[str, object] = {}
    for setting in settings:
        if setting.key in _OF_THE_TRAINER and not (setting.table and setting.table[0] in OWN_TABLES):
            value = setting.value
            if setting.key in _FOLDERS and isinstance(value, str):
                value = expand(value, base_folder(setting), origin=setting.origin)
            found[setting.key] = value
    return found
