"""kl's own tables of a spec, `[run]` and `[env]`: what they may hold, and what they hold here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from msgspec import Meta, Struct, ValidationError, convert, field

from launcher.base.findings import Finding
from launcher.base.nearest import nearest
from launcher.base.origin import Source
from launcher.base.settings import Setting
from launcher.plan.codes import SAME_KEY_TWICE, UNKNOWN_KEY, WRONG_TYPE
from launcher.plan.findings import error_at
from launcher.plan.secrets import place_of
from launcher.spec.paths import expand

RUN, ENV, ACCELERATE = "run", "env", "accelerate"
OWN_TABLES = (RUN, ENV, ACCELERATE)


Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1)]
Variable = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class RunTable(Struct, frozen=True, kw_only=True):
    """`[run]`: kl's own settings of one run."""

    script: Text | None = None
    sd_scripts: Text | None = None
    output_root: Text | None = None
    dataset_folder: Text | None = None
    notes: str = ""
    keep_last_saves: Count | None = None
    drop: list[Text] = field(default_factory=list)
    no_clean: bool = False
    stop_on_nan: bool = False
    auto_resume: bool = False
    repositories: list[Text] = field(default_factory=list)


class EnvTable(Struct, frozen=True, kw_only=True):
    """`[env]`: the environment that trains, and variables for it."""

    kind: Literal["conda", "venv", "python"] | None = None
    name: Text | None = None
    path: Text | None = None
    variables: dict[Variable, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OwnTables:
    """kl's own settings after all layers were applied. `origins` knows where each came from, by its dotted path."""

    run: RunTable
    env: EnvTable
    accelerate: tuple[Setting, ...]
    origins: Mapping[str, Setting]
    findings: tuple[Finding, ...]

    def where(self, path: str) -> str | None:
        """Where the setting `run.script` came from; None when nobody set it."""
        setting = self.origins.get(path)
        return str(setting.origin) if setting else None


def read_own_tables(settings: Iterable[Setting]) -> OwnTables:
    """Take kl's own tables out of the settings, the later of two winning. What they may not hold becomes a finding."""
    chosen: dict[str, Setting] = {}
    findings: list[Finding] = []
    for setting in settings:
        table = setting.table[0] if setting.table else None
        if table is None and setting.key in OWN_TABLES:
            message = f"{setting.key} is a table of kl's own, not a value."
            findings.append(error_at(WRONG_TYPE, message, setting, f"[{setting.key}]"))
        elif table in OWN_TABLES:
            before = chosen.get(setting.path)
            if before and before.origin.source is Source.SET and setting.origin.source is Source.SET:
                message = f"{setting.path} is set twice."
                findings.append(error_at(SAME_KEY_TWICE, message, setting, "Keep one of them."))
            chosen[setting.path] = setting
    _drop_weaker_environment(chosen)
    run = _validate(RunTable, RUN, chosen, findings)
    env = _validate(EnvTable, ENV, chosen, findings)
    findings += _one_name(env, chosen)
    accelerate = tuple(setting for path, setting in chosen.items() if path.startswith(f"{ACCELERATE}."))
    return OwnTables(run, env, accelerate, chosen, tuple(findings))


def _drop_weaker_environment(chosen: dict[str, Setting]) -> None:
    """kind, name and path say one thing together: whoever names an environment replaces a weaker layer's whole."""
    keys = ("env.kind", "env.name", "env.path")
    strongest = max((chosen[key].origin.strength for key in keys[1:] if key in chosen), default=0)
    for key in keys:
        if key in chosen and chosen[key].origin.strength < strongest:
            del chosen[key]


def _one_name(env: EnvTable, chosen: Mapping[str, Setting]) -> list[Finding]:
    """Of a name and a path one would be passed over without a word; and only conda's environments have names."""
    if env.name is None:
        return []
    if env.path is not None:
        message = "env.name and env.path both say which environment."
        return [error_at(SAME_KEY_TWICE, message, chosen["env.name"], "Keep one of them.")]
    if env.kind in ("venv", "python"):
        message = f"A {env.kind} environment has a path, not a name."
        hint = 'Write path = "…"; or leave out the kind, when it is a name of kl\'s configuration.'
        return [error_at(WRONG_TYPE, message, chosen["env.name"], hint)]
    return []


T = TypeVar("T", bound=Struct)


def _validate(model: type[T], table: str, chosen: Mapping[str, Setting], findings: list[Finding]) -> T:
    """Each value by itself, so that all that is wrong is said at once."""
    kinds = get_type_hints(model, include_extras=True)
    values: dict[str, Any] = {}
    for setting in [each for each in chosen.values() if each.table[:1] == (table,)]:
        path = (*setting.table[1:], setting.key)
        key, inner = path[0], path[1:]
        if key not in kinds:
            findings.append(_unknown(model, table, setting))
            continue
        value: Any = setting.value
        for name in reversed(inner):
            value = {name: value}
        try:
            found = convert(value, kinds[key], strict=True)
        except ValidationError as error:
            said = str(error).partition(" - at ")[0]
            message = f"{setting.path} is wrong: {said[0].lower()}{said[1:]}."
            findings.append(WRONG_TYPE.at(place_of(setting), message))
        else:
            values[key] = {**values.get(key, {}), **found} if inner else found
    return model(**values)


def _unknown(model: type[Struct], table: str, setting: Setting) -> Finding:
    fields = model.__struct_fields__
    path = f"{table}.{(*setting.table[1:], setting.key)[0]}"
    near = nearest(path.partition(".")[2], fields)
    hint = f"Did you mean {near}?" if near else f"[{table}] takes {', '.join(fields)}."
    if not near:
        hint += " An option of the trainer goes elsewhere."
    return UNKNOWN_KEY.at(place_of(setting), f"{path} is not a setting of kl.", hint)


def base_folder(setting: Setting | None) -> Path:
    """The folder that a relative path of this setting is relative to: its file's, else the current one."""
    return setting.origin.path.parent if setting and setting.origin.path else Path.cwd()


def written_path(setting: Setting) -> Path:
    """The whole path that a setting with a path as its value means. Raises KlError (spec refused) as `expand` does."""
    return Path(expand(str(setting.value), base_folder(setting), origin=setting.origin))
