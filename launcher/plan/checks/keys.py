"""Keys that no option has, keys that kl sets itself, and secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from launcher.base.findings import Finding, Severity
from launcher.base.nearest import nearest
from launcher.base.settings import Setting
from launcher.base.words import listed
from launcher.plan.checks.other_names import option_meant
from launcher.plan.codes import SECRET, SET_BY_KL, UNKNOWN_KEY
from launcher.plan.findings import error_at
from launcher.plan.secrets import SECRETS, is_secret, place_of
from launcher.trainer.options import ScriptOptions

# Set by kl, with what to write instead.
SETS_ITSELF = {
    "output_dir": "Set run.output_root or OUTPUT_DIR; the run's own folder is named after the run.",
    "output_name": "It is the run's name: kl launch NAME.",
    "logging_dir": "Logs go to logs/ in the run directory.",
    "log_prefix": "Logs go to logs/ in the run directory; no prefix is needed.",
    "config_file": "Write its keys into the spec, or name the file in extends.",
    "output_config": "kl plan NAME --json prints the options of a run, and its run.json keeps them.",
}


def check_set_by_kl(settings: Iterable[Setting]) -> Iterator[Finding]:
    """Keys that kl sets itself."""
    for setting in settings:
        if setting.key in SETS_ITSELF and setting.table[:1] != ("accelerate",):  # accelerate has a config_file too
            yield error_at(SET_BY_KL, f"{setting.key} is set by kl.", setting, SETS_ITSELF[setting.key])


def check_secrets(settings: Iterable[Setting]) -> Iterator[Finding]:
    """Secrets, which would end in the record, the log and the list of processes. The value is never repeated."""
    for setting in settings:
        if is_secret(setting):
            key = setting.key
            variable = SECRETS.get(key.lower().replace("-", "_"), key)
            hint = f"Remove it and set {variable} in the environment: it reaches the trainer and is not written down."
            yield SECRET.at(place_of(setting), f"{key} is a secret and may not stand here.", hint)


def check_unknown(
    unknown: Sequence[Setting],
    options: ScriptOptions,
    own_keys: Iterable[str],
    scripts_with: Callable[[str], Sequence[str]],
    belongs: Callable[[str], str | None] = lambda _: None,
) -> Iterator[Finding]:
    """Keys that the script does not have: the nearest right name, or the script that has them.

    `scripts_with` names other scripts of the checkout that have an option, `belongs` says in which other place a key
    is right; both are only called for unknown keys.
    Where parts of the script could not be read, an unknown key may be right after all: a warning, not an error.
    """
    if not unknown:
        return
    names = _names(options)
    severity = Severity.WARNING if options.unread else Severity.ERROR
    for setting in unknown:
        key = setting.path if setting.table[-1:] and setting.table[-1].endswith("_args") else setting.key
        message = f"{options.script} has no option {key}."
        has_it = scripts_with(setting.key)
        near = option_meant(setting.key, names)
        elsewhere = None if key != setting.key else belongs(setting.key)
        items = [name for name in names if name.endswith("_args")]
        table = nearest(setting.table[-1], items) if key != setting.key else None
        if table:
            hint = f"Did you mean [{table}]?"
        elif elsewhere:
            hint = elsewhere
        elif has_it:
            hint = f"It is an option of {listed(has_it)}."
            near_name = nearest(setting.key, [name for name in names if name != setting.key])
            hint += f" Or did you mean {near_name}?" if near_name else ""
        elif near:
            hint = f"Did you mean {near}?"
        elif nearest(setting.key, own_keys):
            hint = f"Did you mean {nearest(setting.key, own_keys)}, of kl's own settings?"
        else:
            hint = f"kl options {options.script} --search {setting.key.split('_')[0]} shows what there is."
        yield UNKNOWN_KEY.at(str(setting.origin), message, hint, severity=severity)


def as_meant(unknown: Iterable[Setting], options: ScriptOptions) -> list[Setting]:
    """Misspelt settings under the names that are suggested for them."""
    names = _names(options)
    return [replace(setting, key=near) for setting in unknown if (near := option_meant(setting.key, names))]


def _names(options: ScriptOptions) -> list[str]:
    return [option.name for option in options.options if option.name not in (*SETS_ITSELF, *SECRETS)]
