"""A run without a spec: a training script and its own arguments, as a shell script would start it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.findings import Finding
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting
from launcher.plan.checks.secret_values import check_secret_values
from launcher.plan.codes import CALLER_NOT_COPIED, PATH, SET_BY_KL
from launcher.plan.data_files import files_of_folder
from launcher.plan.paths import with_whole_paths
from launcher.plan.plan import PlannedFile
from launcher.plan.secrets import secret_values, secrets_in
from launcher.plan.tables import ENV, RUN, EnvTable, OwnTables
from launcher.spec.environment import from_environment
from launcher.spec.load import Spec
from launcher.spec.names import RunName
from launcher.trainer.options import ScriptOptions

# The arguments are complete: of what is set for every run only that counts which is no option of the trainer.
_RUN_SETTINGS = ("output_root", "notes", "no_clean", "stop_on_nan", "auto_resume", "repositories")
_FROM_OUTSIDE = ("output_root", "no_clean")
SCRIPT_FLAG = "--script"
CALLER = "script"  # the copy of the shell script that launches a run, but for its ending
_CALLERS = (".zsh", ".bash", ".sh")
_LARGEST = 1 << 20  # bytes of such a script
_ASSIGNMENT = re.compile(r"""\b([A-Za-z_][A-Za-z0-9_]*)=(["']?)([^\s"'$`;&|()]+)""")
_OWN = ("output_dir", "output_name", "logging_dir", "log_prefix")


@dataclass(frozen=True)
class Layers:
    """The spec of a run, and the settings around it: those for every run, and those of the environment.

    `own` are what is stronger than all others: which script of which checkout, when there is no spec.
    """

    spec: Spec
    config: tuple[Setting, ...]
    outside: tuple[Setting, ...]
    own: tuple[Setting, ...] = ()


@dataclass(frozen=True)
class Named:
    """The arguments of a run, without what a script's arguments say of the output: that is in `own`, by option.

    `output_root` is the folder of the run directory that they name; None when they name none.
    """

    settings: tuple[Setting, ...]
    own: Mapping[str, Setting] = field(default_factory=dict)
    output_root: Path | None = None
    findings: tuple[Finding, ...] = ()


def script_layers(script: str, name: RunName, config: Iterable[Setting], environ: Mapping[str, str]) -> Layers:
    """What stands for the spec of a run of `script`, a path. The checkout is the one that holds it."""
    path = typed_path(script)
    checkout = _checkout_with(path)
    origin = Origin(Source.ARGUMENT, f"{SCRIPT_FLAG} {script}")
    own = (
        Setting((RUN,), "sd_scripts", str(checkout), origin),
        Setting((RUN,), "script", path.relative_to(checkout).as_posix(), origin),
    )
    outside = [each for each in from_environment(environ) if each.table == (RUN,) and each.key in _FROM_OUTSIDE]
    around = [each for each in config if each.table[:1] != (RUN,) or each.key in _RUN_SETTINGS]
    return Layers(Spec(name, path, (), ()), tuple(around), tuple(outside), own)


def typed_path(text: str) -> Path:
    """The whole path that a word of a command line means; links in it stay."""
    return Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111 - pathlib follows links, and raises


def without_output(arguments: Iterable[Setting], name: RunName, options: ScriptOptions) -> Named:
    """Take out of a script's arguments what they say of the output. output_dir and output_name have to name the run."""
    rest = [each for each in arguments if each.key not in _OWN]
    own: dict[str, Setting] = {}
    findings: list[Finding] = []
    root: Path | None = None
    for setting in (each for each in arguments if each.key in _OWN):
        value = _whole(setting, options, findings)
        if setting.key == "output_dir" and value is not None:
            root = Path(value).parent
            if not value or Path(value).name != name.text:
                findings.append(_other_folder(setting, value, name))
                continue
        if setting.key == "output_name" and value != name.text:
            message = f"output_name is {value!r}, and the run is named {name.text}."
            hint = f"Write --output_name={name.text}, or give the run that name."
            findings.append(SET_BY_KL.at(str(setting.origin), message, hint))
            continue
        if value is not None:
            own[setting.key] = replace(setting, value=value)
    return Named(tuple(rest), own, root, tuple(findings))


def _checkout_with(script: Path) -> Path:
    folders = script.parents
    # os.path.isfile: Path.is_file raises for what cannot be looked at.
    found = (folder for folder in folders if os.path.isfile(folder / "library" / "train_util.py"))  # noqa: PTH113
    return next(found, script.parent)


def _whole(setting: Setting, options: ScriptOptions, findings: list[Finding]) -> str | None:
    """The value with a path in it made whole; None for one that cannot be."""
    option = options.get(setting.key)
    if option is None or setting.key not in ("output_dir", "logging_dir"):
        return str(setting.value)
    try:
        whole = with_whole_paths(option, setting)
    except KlError as error:
        findings.append(PATH.at(error.where, error.message, error.hint))
        return None
    return os.path.normpath(str(whole)) if whole else ""


def _other_folder(setting: Setting, value: str, name: RunName) -> Finding:
    if not value:
        return SET_BY_KL.at(str(setting.origin), "output_dir is empty.", f"Write --output_dir=…/{name.text}.")
    message = f"output_dir is {value}, whose last part is not the name of the run, {name.text}."
    hint = f"Write --output_dir={Path(value) / name.text}, or give the run the folder's name."
    return SET_BY_KL.at(str(setting.origin), message, hint)


def no_name() -> KlError:
    """The refusal of a script whose run has no name."""
    return KlError("The run has no name.", code=ExitCode.USAGE, hint="kl launch --name NAME --script PATH -- ARGUMENTS")


def says_environment(settings: Iterable[Setting]) -> bool:
    """Whether one of the settings names an environment."""
    return any(each.table[:1] == (ENV,) and each.key in ("kind", "name", "path") for each in settings)


def without_environment(tables: OwnTables) -> OwnTables:
    """kl's own settings as if none named an environment; variables for it stay."""
    return replace(tables, env=EnvTable(variables=tables.env.variables))


def caller_file(caller: Path, environ: Mapping[str, str]) -> tuple[PlannedFile | None, tuple[Finding, ...]]:
    """The copy of the shell script that launches a run. None with the reason when it cannot be read, or has a secret:
    the value of a variable here, or what the script itself gives to a variable or option that holds one.
    """
    origin = Origin(Source.ARGUMENT, "the calling script", caller)
    hint = "The run is recorded all the same."
    try:
        if not os.path.isfile(caller) or caller.stat().st_size > _LARGEST:  # noqa: PTH113
            return None, (CALLER_NOT_COPIED.at(str(caller), "The calling script is no file of up to 1 MiB.", hint),)
        content = caller.read_bytes()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "cannot be read").lower()
        return None, (CALLER_NOT_COPIED.at(str(caller), f"The calling script: {reason}.", hint),)
    name = _secret_in(content.decode("utf-8", "surrogateescape"), environ)
    if name:
        message = f"The calling script holds the value of {name}, so it is not copied into the run directory."
        hint = "Keep the value outside: set the variable before the script starts."
        return None, (CALLER_NOT_COPIED.at(str(caller), message, hint),)
    ending = caller.suffix.lower() if caller.suffix.lower() in _CALLERS else _CALLERS[0]
    return PlannedFile(f"{CALLER}{ending}", content, origin, caller), ()


def _secret_in(text: str, environ: Mapping[str, str]) -> str | None:
    """The variable or option whose secret stands in a shell script."""
    known = secrets_in(text, environ)
    if known:
        return known[0]
    return next((each[1] for each in _ASSIGNMENT.finditer(text) if secret_values({each[1]: each[3]})), None)


def dataset_copies(folder: Path, environ: Mapping[str, str]) -> tuple[PlannedFile, ...]:
    """Copies of the dataset config and the sample prompts in a dataset folder, of those that are there.

    Raises KlError (spec refused) with findings for one that cannot be read, and for secrets in one.
    """
    found = files_of_folder(folder)
    files = tuple(found.files.values())
    findings = (*found.findings, *check_secret_values((), files, secret_values(environ)))
    if findings:
        raise KlError(f"{folder} is not recorded.", code=ExitCode.SPEC_REFUSED, findings=findings)
    return files
