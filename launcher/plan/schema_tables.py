"""The tables of a spec that are kl's own as JSON Schema: run, env, accelerate, prompts and datasets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from launcher.plan.prompts import FLAGS, MOST_STEPS
from launcher.plan.schema_options import Describe, Schema, alternatives, scalar
from launcher.plan.secrets import SECRET_WORDS, names_a_secret
from launcher.plan.tables import EnvTable, RunTable
from launcher.trainer.dataset_schema import Key, Keys, ScriptSchema, Wanted
from launcher.trainer.options import ScriptOptions

RUN_KEYS: Mapping[str, str] = {
    "script": "The training script, by its file name in the checkout.",
    "sd_scripts": "The checkout of sd-scripts: its folder, or its name in kl's configuration.",
    "output_root": "The folder in which run directories are made.",
    "dataset_folder": "The folder with config.toml, sample-prompts.txt and the pictures.",
    "notes": "Text for the record.",
    "keep_last_saves": "How many saves on the way are kept; the final model is never counted.",
    "drop": 'Inherited options and items to leave out: ["seed", "network_args.conv_dim"].',
    "no_clean": "Keep a failed run, even when it left nothing.",
    "stop_on_nan": "Stop the training when its loss is nan or inf.",
    "auto_resume": "Resume once, from its own state, a training that crashes.",
    "repositories": "Folders of other git repositories whose commit and changes are recorded with the run.",
}
ENV_KEYS: Mapping[str, str] = {
    "kind": "What kind of environment trains.",
    "name": "The name of an environment.",
    "path": "The folder of a venv or a conda environment, or an interpreter.",
    "variables": "Environment variables for the trainer.",
}
PROMPT_KEYS: Mapping[str, str] = {
    "prompt": "What to paint.",
    "negative_prompt": "What not to paint (--n).",
    "width": "Of the picture, in pixels (--w).",
    "height": "Of the picture, in pixels (--h).",
    "seed": "The seed of the sample (--d).",
    "sample_steps": "How many steps the sampler takes (--s).",
    "scale": "CFG scale (--l).",
    "guidance_scale": "Guidance scale of models that are distilled for it (--g).",
    "sample_sampler": "The sampler (--ss).",
    "controlnet_image": "The picture that ControlNet follows (--cn).",
    "cfg_trunc_ratio": "Lumina: up to which part of the steps CFG is used (--ctr).",
    "renorm_cfg": "Lumina: how far the norm may grow with CFG (--rcfg).",
    "flow_shift": "Shift of the sampler's timesteps (--fs).",
}
_SIMPLE = {"bool": "boolean", "int": "integer", "float": "number", "str": "string", "dict": "object", "none": "null"}


def run_schema(scripts: Sequence[str], others: Sequence[str]) -> Schema:
    """The table [run]. `scripts` are those that the schema is for, `others` further ones that the checkout has."""
    schema = _own_table(RunTable, RUN_KEYS)
    names = [each.removesuffix(".py") for each in (*scripts, *others)]
    # One in a folder of the checkout is not listed here.
    pattern = f"{alternatives(names)[:-1]}(\\.py)?$" + ("|/" if len(scripts) > 1 else "")
    schema["properties"]["script"] |= {"type": "string", "pattern": pattern, "examples": list(scripts)}
    return schema


def env_schema() -> Schema:
    """The table [env]."""
    schema = _own_table(EnvTable, ENV_KEYS)
    schema["properties"]["variables"]["propertyNames"]["not"] = {"pattern": _secret_pattern()}
    schema["not"] = {"required": ["name", "path"]}
    return schema


def accelerate_schema(options: ScriptOptions | None, describe: Describe) -> Schema:
    """The table [accelerate]: options of `accelerate launch`; any where they are not known."""
    schema: Schema = {"description": "Options of accelerate launch.", "type": "object"}
    value = ["string", "number", "boolean", "array"]
    properties: dict[str, Schema] = {}
    for option in options.options if options else ():
        if option.is_flag:
            taken: Schema = {"type": "boolean"}
        else:
            one = scalar(option)
            taken = {"anyOf": [one, {"type": ["array", "boolean"]}]} if "enum" in one else {**one, "type": value}
        said = {"description": describe(option.help)} if option.help else {}
        for name in (option.name, *(flag[2:] for flag in option.flags if flag.startswith("--"))):
            if not names_a_secret(name) and name not in ("training_script", "training_script_args", "help"):
                properties[name] = {**said, **taken}
    if not properties:
        return {**schema, "additionalProperties": {"type": value}}
    return {**schema, "properties": properties, "additionalProperties": False}


def prompts_schema() -> Schema:
    """Sample prompts: tables, or the name of a file."""
    wanted: Mapping[type, Schema] = {
        str: {"type": "string", "not": {"pattern": r"(^| )--|\S\s*[\r\n]\s*\S"}},
        int: {"type": "integer", "minimum": 0},
        float: {"type": "number", "minimum": 0},
    }
    properties: dict[str, Schema] = {"prompt": {**wanted[str], "pattern": r"^\s*[^\s#]"}}
    properties |= {key: dict(wanted[kind]) for key, (_, kind) in FLAGS.items()}
    properties["sample_steps"] |= {"minimum": 1, "maximum": MOST_STEPS}
    for key, said in PROMPT_KEYS.items():
        properties[key]["description"] = said
    one: Schema = {
        "type": "object",
        "properties": properties,
        "required": ["prompt"],
        "additionalProperties": False,
    }
    return {
        "description": "The prompts that samples are painted of: tables, or the name of a file with them.",
        "type": ["array", "object", "string"],
        "items": one,
        "if": {"type": "object"},
        "then": one,
    }


def dataset_schemas(schemas: Iterable[ScriptSchema | None]) -> tuple[Schema, Schema]:
    """[[datasets]] and [general], as any of the scripts takes them; anything where one of them is not known."""
    known = list(schemas)
    if not known or None in known:
        return {"type": ["array", "object"]}, {"type": "object"}
    kinds = [kind for schema in known if schema for kind in schema.kinds]
    subset: Schema = {"type": "object", **_keys(kind.subset for kind in kinds)}
    needed = {tuple(sorted(key for key, entry in kind.subset.items() if entry.required)) for kind in kinds}
    if needed and () not in needed:
        subset["anyOf"] = [{"required": list(keys)} for keys in sorted(needed)]
    dataset: Schema = {"type": "object", **_keys(kind.dataset for kind in kinds)}
    dataset["properties"]["subsets"] = {
        "description": "Folders of pictures, or files of metadata.",
        "type": "array",
        "items": subset,
    }
    general: Schema = {"type": "object", **_keys(schema.general for schema in known if schema)}
    said = "What to train on, as a dataset config of sd-scripts has it."
    return {"description": said, "type": "array", "minItems": 1, "items": dataset}, general


def _own_table(table: Any, descriptions: Mapping[str, str]) -> Schema:
    import msgspec  # noqa: PLC0415 - only a schema needs its schemas

    schema: Schema = msgspec.json.schema_components([table])[1][table.__name__]
    for key, entry in schema["properties"].items():
        ways = [way for way in entry.pop("anyOf", []) if way != {"type": "null"}]
        entry.update(ways[0] if ways else {})
        if entry.get("default", 0) in (None, "", [], {}):
            del entry["default"]
        entry["description"] = descriptions[key]
    said = str(table.__doc__).partition(": ")[2]
    return {
        "description": f"{said[0].upper()}{said[1:]}",
        "type": "object",
        "properties": schema["properties"],
        "additionalProperties": False,
    }


def _keys(tables: Iterable[Keys]) -> Schema:
    """A table with the keys of all of these; where they differ, what any of them takes."""
    found: dict[str, list[Key]] = {}
    for table in tables:
        for name, key in table.items():
            found.setdefault(name, []).append(key)
    return {
        "properties": {name: any_of([_wanted(key.wanted) for key in keys]) for name, keys in found.items()},
        "additionalProperties": False,
    }


def _wanted(wanted: Wanted) -> Schema:
    if wanted.kind in _SIMPLE:
        return {"type": _SIMPLE[wanted.kind]}
    parts = [_wanted(part) for part in wanted.parts]
    if wanted.kind == "any":
        return any_of(parts)
    if wanted.kind in ("pair", "one-or-pair"):
        pair = {"type": "array", "items": parts[0], "minItems": 2, "maxItems": 2}
        return pair if wanted.kind == "pair" else any_of([parts[0], pair])
    return {}


def any_of(ways: list[Schema]) -> Schema:
    """What any of these takes, each way once."""
    different = [way for index, way in enumerate(ways) if way not in ways[:index]]
    if len(different) == 1 or {} in different:
        return {} if {} in different else different[0]
    if all(list(way) == ["type"] and isinstance(way["type"], str) for way in different):
        return {"type": [way["type"] for way in different]}
    return {"anyOf": different}


def _secret_pattern() -> str:
    """As `names_a_secret` finds them, in large and small letters."""
    words = "|".join("".join(f"[{letter}{letter.lower()}]" for letter in word) for word in sorted(SECRET_WORDS))
    return rf"(^|[_-])({words})([_-]|$)"
