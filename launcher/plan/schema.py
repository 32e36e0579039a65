"""A spec as JSON Schema, draft 2020-12, for editors: what may stand in it with one checkout of sd-scripts.

Headings are free, so an option may stand at the top or under any name. The schema has two layers: `properties` and
`$defs/heading` say what the value of each key may be, and `$defs/keys` which keys the script has at all. With several
scripts the latter is that of the script which `run.script` names, and all of theirs where it names none.

Editors for TOML read it as an older draft, in which what stands beside a `$ref` counts for nothing: so nothing does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.plan.resolve import DATASET_TABLES, PROMPTS
from launcher.plan.schema_arguments import Chosen, Taken, extends_one_of, only_what_is_read, suggested
from launcher.plan.schema_options import ITEM, Describe, Schema, alternatives, keys_of, option_schema
from launcher.plan.schema_tables import (
    accelerate_schema,
    any_of,
    dataset_schemas,
    env_schema,
    prompts_schema,
    run_schema,
)
from launcher.plan.tables import OWN_TABLES
from launcher.plan.values import is_key_value
from launcher.trainer.dataset_schema import ScriptSchema, for_script, read_dataset_schema
from launcher.trainer.dataset_script import read_script_datasets
from launcher.trainer.options import ScriptOptions
from launcher.trainer.packages import Packages

DRAFT = "https://json-schema.org/draft/2020-12/schema"
# Options of items, and the option that says who reads them.
CHOOSERS = {"network_args": "network_module", "optimizer_args": "optimizer_type"}
SCRIPT = "script"
_WORDS = ("description", "default")
_EXTENDS = "extends"
_OWN = (_EXTENDS, *OWN_TABLES, *DATASET_TABLES)
_DATASETS, _GENERAL = DATASET_TABLES


@dataclass(frozen=True)
class Sources:
    """What a schema is made of. `scripts` are those it is for, at least one; `others` are further ones of the checkout.

    `networks` and `optimizers` are those whose items are known, by the name that a spec gives them, `inherited` what
    templates choose of them. `accelerate` is None where its options could not be read. `describe` shortens help texts.
    """

    title: str
    scripts: Sequence[ScriptOptions]
    others: Sequence[str]
    networks: Mapping[str, Taken]
    optimizers: Mapping[str, Taken]
    inherited: Mapping[str, Chosen]
    datasets: Sequence[ScriptSchema | None]
    packages: Packages
    accelerate: ScriptOptions | None
    describe: Describe


def spec_schema(given: Sources) -> Schema:
    """The schema as data for JSON."""
    values = _values(given)
    _suggest(values.options, given)
    datasets, general = dataset_schemas(given.datasets)
    names = [script.script for script in given.scripts]
    own: Schema = {
        _EXTENDS: _extends(),
        "run": run_schema(names, given.others),
        "env": env_schema(),
        "accelerate": accelerate_schema(given.accelerate, given.describe),
        _DATASETS: datasets,
        _GENERAL: {"description": "What all datasets share; without datasets a heading.", "type": "object"},
        PROMPTS: prompts_schema(),
    }
    under_heading: Schema = {key: {"type": "object"} for key in (_EXTENDS, _DATASETS, _GENERAL)}
    if len(names) > 1:
        names.append("any")
    return {
        "$schema": DRAFT,
        "title": given.title,
        "type": "object",
        "properties": {**values.references, **own},
        "additionalProperties": {"$ref": "#/$defs/heading"},
        "allOf": [*_which_keys(given), *_which_items(given), *_general(names[-1])],
        "$defs": {
            "heading": {
                "description": "A heading: any name will do. Options of the trainer stand below it.",
                "properties": {**values.references, **under_heading},
                "additionalProperties": {"$ref": "#/$defs/heading"},
            },
            "keys": {name: _keys_schema(name, given, values.own.get(name, {})) for name in names},
            "general": general,
            "item": ITEM,
            "options": values.options,
        },
    }


def supported_datasets(checkout: Path, script: str) -> ScriptSchema | None:
    """What a script takes as datasets, whatever its options say; None where that could not be read."""
    schema = read_dataset_schema(checkout)
    said = read_script_datasets(checkout, script).supports
    by_options = [each for each in said if isinstance(each, str)]
    if schema.unread != "" or not said or len(said) != len(schema.supports) or None in said:
        return None
    named = list(zip(schema.supports, said, strict=True))
    found = [
        for_script(schema, {name: on if isinstance(each, str) else bool(each) for name, each in named})
        for on in ((False, True) if by_options else (False,))
    ]
    known = [each for each in found if each]
    if not known:
        return None
    kinds = tuple(kind for each in known for kind in each.kinds)
    general = {name: key for each in known for name, key in each.general.items()}
    return ScriptSchema(general, kinds)


@dataclass(frozen=True)
class _Values:
    """The schema of each option, the reference to it for each key, and for each script what is its own: of options
    that differ from script to script the first holds all ways, of which any will do."""

    options: dict[str, Schema]
    references: dict[str, Schema]
    own: Mapping[str, dict[str, Schema]]


def _values(given: Sources) -> _Values:
    said: dict[str, Schema] = {}
    ways: dict[str, dict[str, Schema]] = {}  # by key and script
    for script in given.scripts:
        for key, option in keys_of(script).items():
            schema = option_schema(key, option, script, given.describe)
            said.setdefault(key, {word: schema.pop(word) for word in _WORDS if word in schema})
            ways.setdefault(key, {})[script.script] = {k: v for k, v in schema.items() if k not in _WORDS}
    several = {
        key: each for key, each in ways.items() if any(way != next(iter(each.values())) for way in each.values())
    }
    options = {key: {**said[key], **any_of(list(each.values()))} for key, each in ways.items()}
    return _Values(
        options=options,
        references={key: {"$ref": f"#/$defs/options/{_pointer(key)}"} for key in options},
        own={
            script.script: {key: each[script.script] for key, each in several.items() if script.script in each}
            for script in given.scripts
        },
    )


def _pointer(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _suggest(options: dict[str, Schema], given: Sources) -> None:
    """What editors can offer as items, and as modules and optimizers."""
    for (of, chooser), modules in zip(CHOOSERS.items(), (given.networks, given.optimizers), strict=True):
        if of in options:
            options[of] = {**options[of], "properties": suggested(of, modules, given.packages)}
        if chooser in options and modules:
            options[chooser] = {**options[chooser], "examples": sorted(modules)}


def _which_keys(given: Sources) -> Iterator[Schema]:
    if len(given.scripts) == 1:
        yield {"$ref": f"#/$defs/keys/{_pointer(given.scripts[0].script)}"}
        return
    names = [script.script for script in given.scripts]
    for name in names:
        yield {"if": _script_is([name], given.inherited), "then": {"$ref": f"#/$defs/keys/{_pointer(name)}"}}
    yield {"if": {"not": _script_is(names, given.inherited)}, "then": {"$ref": "#/$defs/keys/any"}}


def _script_is(names: list[str], inherited: Mapping[str, Chosen]) -> Schema:
    """That the spec, or the template that it extends, has one of these scripts; with or without its ending."""
    words = [word for name in names for word in (name, name.removesuffix(".py"))]
    ways = [_script({"enum": words})]
    templates = [name for name, chosen in inherited.items() if chosen.get(SCRIPT) in words]
    if templates:
        ways.append({"not": _script(True), **extends_one_of(templates)})
    return {"anyOf": ways}


def _script(value: Schema | bool) -> Schema:
    script: Schema = {"type": "object", "properties": {SCRIPT: value}, "required": [SCRIPT]}
    return {"properties": {"run": script}, "required": ["run"]}


def _keys_schema(name: str, given: Sources, own: Mapping[str, Schema]) -> Schema:
    """The keys of one script, or of any of them: everything else is a heading, for which the same holds."""
    scripts = [script for script in given.scripts if script.script == name] or given.scripts
    if any(script.unread for script in scripts):
        return {}  # the script may have options that could not be read
    keys = {key: option for script in scripts for key, option in keys_of(script).items()}
    items = [key for key, option in keys.items() if is_key_value(option)]
    this = {"$ref": f"#/$defs/keys/{_pointer(name)}"}
    return {
        "patternProperties": {
            alternatives((*_OWN, PROMPTS, *items)): True,
            alternatives(key for key in keys if key not in (*items, PROMPTS)): this,
        },
        "properties": own,
        "additionalProperties": {"type": "object", "allOf": [this]},
    }


def _which_items(given: Sources) -> Iterator[Schema]:
    for (option, chooser), modules in zip(CHOOSERS.items(), (given.networks, given.optimizers), strict=True):
        yield from only_what_is_read(option, chooser, modules, given.inherited)


def _general(keys: str) -> Iterator[Schema]:
    """[general] belongs to the datasets of the spec, or of something that it extends; else it is a heading."""
    general = {"$ref": "#/$defs/general"}
    heading = {"allOf": [{"$ref": "#/$defs/heading"}, {"$ref": f"#/$defs/keys/{_pointer(keys)}"}]}
    yield {
        "if": {"required": [_DATASETS]},
        "then": {"properties": {_GENERAL: general}},
        "else": {"properties": {_GENERAL: {"anyOf": [general, heading]}}},
    }


def _extends() -> Schema:
    one: Schema = {"type": "string", "pattern": r"\S"}
    return {
        "description": "A template's name, or a file; a list is applied in order.",
        "type": ["string", "array"],
        "pattern": r"\S",
        "items": one,
    }


def as_text(schema: Schema) -> str:
    """The schema as the text of a file."""
    import json  # noqa: PLC0415 - nothing else here needs it

    data: Any = schema
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
