"""kl's own tables of a spec, `[run]` and `[env]`: what they may hold, and what they hold here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from launcher.base.findings import Finding
from launcher.base.nearest import nearest
from launcher.base.origin import Source
from launcher.base.settings import Setting
from launcher.plan.codes import SAME_KEY_TWICE, UNKNOWN_KEY, WRONG_TYPE
from launcher.plan.findings import error_at
from launcher.plan.secrets import place_of

RUN, ENV, ACCELERATE = "run", "env", "accelerate"
OWN_TABLES = (RUN, ENV, ACCELERATE)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Text = Annotated[str, Field(min_length=1)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class RunTable(_Table):
    """`[run]`: kl's own settings of one run."""

    script: Text | None = None
    sd_scripts: Text | None = None
    output_root: Text | None = None
    dataset_folder: Text | None = None
    notes: str = ""
    keep_last_saves: Annotated[int, Field(ge=1)] | None = None
    drop: list[Text] = Field(default_factory=list)
    no_clean: bool = False


class EnvTable(_Table):
    """`[env]`: the environment that trains, and variables for it."""

    kind: Literal["conda", "venv", "python"] | None = None
    name: Text | None = None
    path: Text | None = None
    variables: dict[Variable, str] = Field(default_factory=dict)


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
        return [error_at(WRONG_TYPE, message, chosen["env.name"], 'Write path = "…".')]
    return []


T = TypeVar("T", bound=_Table)


def _validate(model: type[T], table: str, chosen: Mapping[str, Setting], findings: list[Finding]) -> T:
    data: dict[str, Any] = {}
    for setting in chosen.values():
        if setting.table[:1] == (table,):
            place = data
            for name in setting.table[1:]:
                inner = place.setdefault(name, {})
                place = inner if isinstance(inner, dict) else {}
            place[setting.key] = setting.value
    try:
        return model.model_validate(data)
    except ValidationError as error:
        wrong = {str(problem["loc"][0]) for problem in error.errors()}
        for problem in error.errors():
            findings.append(_finding(model, table, problem, chosen))
        return model.model_validate({key: value for key, value in data.items() if key not in wrong})


def _finding(model: type[_Table], table: str, problem: Any, chosen: Mapping[str, Setting]) -> Finding:
    path = ".".join([table, *(str(part) for part in problem["loc"] if not isinstance(part, int) and part != "[key]")])
    setting = chosen.get(path) or next((chosen[known] for known in chosen if known.startswith(f"{path}.")), None)
    where = place_of(setting) if setting else None
    if problem["type"] == "extra_forbidden":
        near = nearest(str(problem["loc"][-1]), model.model_fields)
        known = ", ".join(model.model_fields)
        hint = f"Did you mean {near}?" if near else f"[{table}] takes {known}. An option of the trainer goes elsewhere."
        return UNKNOWN_KEY.at(where, f"{path} is not a setting of kl.", hint)
    message = f"{path} is wrong: {problem['msg'][0].lower()}{problem['msg'][1:]}."
    return WRONG_TYPE.at(where, message)


def base_folder(setting: Setting | None) -> Path:
    """The folder that a relative path of this setting is relative to: its file's, else the current one."""
    return setting.origin.path.parent if setting and setting.origin.path else Path.cwd()
