"""Options made up for one test, and plans made of them without a checkout or an environment."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from launcher.base.findings import Finding
from launcher.base.origin import Origin, Source
from launcher.base.places import shipped_folder
from launcher.base.settings import Setting, Value
from launcher.plan.arguments import read_arguments
from launcher.plan.build import Ingredients, build_plan
from launcher.plan.plan import Argument, Plan, Trainer, TrainingEnvironment
from launcher.plan.tables import read_own_tables
from launcher.spec.environment import from_environment, from_name
from launcher.spec.load import load_spec
from launcher.spec.names import parse_name
from launcher.spec.overrides import parse_set
from launcher.trainer.options import Option, ScriptOptions, Unread
from launcher.trainer.packages import Packages

ROOT = Path("/output")


def option(name: str, **fields: Any) -> Option:
    """An option `--NAME` that stores one text, or what `fields` say instead."""
    plain: dict[str, Any] = {
        "flags": (f"--{name}",), "name": name, "action": "StoreAction", "nargs": None, "const": None,
        "default": None, "type": None, "choices": None, "required": False, "help": None, "source": "train.py:1",
    }  # fmt: skip
    return Option(**{**plain, **fields})


def switch(name: str, **fields: Any) -> Option:
    """A store_true option."""
    return option(name, **{"action": "StoreTrueAction", "nargs": 0, "const": True, "default": False, **fields})


# sd-scripts' own, as its parsers hold them: enough for a plan without errors.
USUAL = (
    option("pretrained_model_name_or_path"),
    option("train_data_dir"),
    option("dataset_config", type="Path"),
    option("sample_prompts", type="str"),
    option("output_dir", type="str"),
    option("output_name", type="str"),
    option("logging_dir", type="str"),
    option("log_prefix", type="str"),
    option("config_file", type="str"),
    option("output_config", action="StoreTrueAction", nargs=0, const=True, default=False),
    option("wandb_api_key", type="str"),
    option("huggingface_token", type="str"),
    option("network_module", type="str"),
    option("network_dim", type="int"),
    option("network_alpha", type="float", default=1.0),
    option("network_args", type="str", nargs="*"),
    option("optimizer_args", type="str", nargs="*"),
    option("learning_rate", type="float", default=2e-6),
    option("max_train_steps", type="int", default=1600),
    option("max_train_epochs", type="int"),
    option("mixed_precision", type="str", default="no", choices=("no", "fp16", "bf16")),
    option("save_model_as", type="str", choices=(None, "ckpt", "safetensors", "diffusers", "diffusers_safetensors")),
    option("save_every_n_steps", type="int"),
    option("save_every_n_epochs", type="int"),
    option("save_last_n_steps", type="int"),
    option("save_last_n_steps_state", type="int"),
    option("save_last_n_epochs", type="int"),
    option("save_last_n_epochs_state", type="int"),
    switch("save_state"),
    switch("sdpa"),
    option("sample_every_n_steps", type="int"),
    option("seed", type="int"),
    option("base_weights", type="str", nargs="*"),
    option("base_weights_multiplier", type="float", nargs="*"),
    option("betas", type="float", nargs=2),
    option("keep", action="StoreFalseAction", nargs=0, const=False, default=True, flags=("--no_keep",)),
    option("resume", type="str"),
    option("vae", type="str"),
)

NEEDED = 'pretrained_model_name_or_path = "owner/model"\nnetwork_module = "networks.lora"\ntrain_data_dir = "img"\n'


def script(*options: Option, unread: Sequence[Unread] = ()) -> ScriptOptions:
    return ScriptOptions("train_network.py", options, tuple(unread))


def setting(key: str, value: Value, *table: str, source: Source = Source.SPEC, line: int | None = None) -> Setting:
    """A setting of the file fox.toml, or of another place."""
    path = Path("/specs/fox.toml") if source is Source.SPEC else None
    return Setting(table, key, value, Origin(source, "fox.toml" if path else source.value, path, line))


def plan_of(
    folder: Path,
    text: str,
    *,
    name: str = "fox-v1s100",
    options: ScriptOptions | None = None,
    sets: Sequence[str] = (),
    arguments: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    templates: Mapping[str, str] | None = None,
    dataset_folder: Path | None = None,
    accelerate: ScriptOptions | None = None,
    scripts_with: Callable[[str], Sequence[str]] = lambda _: (),
    suffix: str = ".toml",
) -> Plan:
    """The plan of one spec. `templates` are files written beside it."""
    for template, content in (templates or {}).items():
        (folder / template).write_text(content, encoding="utf-8")
    path = folder / f"fox{suffix}"
    path.write_text(text, encoding="utf-8")
    given = ingredients_of(
        path,
        name=name,
        options=options or script(*USUAL),
        sets=sets,
        arguments=arguments,
        environ=environ or {},
        dataset_folder=dataset_folder,
        accelerate=accelerate,
        scripts_with=scripts_with,
    )
    return build_plan(given)[0]


def ingredients_of(
    path: Path,
    *,
    options: ScriptOptions,
    name: str = "fox-v1s100",
    sets: Sequence[str] = (),
    arguments: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    dataset_folder: Path | None = None,
    accelerate: ScriptOptions | None = None,
    scripts_with: Callable[[str], Sequence[str]] = lambda _: (),
    checkout: Path = Path("/checkout"),
    script_file: str = "train_network.py",
    site: Sequence[Path] = (),
) -> Ingredients:
    """What a plan of the spec in `path` is made of, for a checkout and packages that need not be there."""
    spec = load_spec(path, parse_name(name), template_folders=[shipped_folder("templates")])
    outside = from_environment(environ or {})
    set_ = [parse_set(item) for item in sets]
    return Ingredients(
        spec=spec,
        settings=[*spec.settings, *from_name(spec.name), *outside, *set_, *read_arguments(arguments, options)],
        tables=read_own_tables([*spec.settings, *outside, *set_]),
        trainer=Trainer(checkout, None, script_file),
        options=options,
        scripts_with=scripts_with,
        accelerate_options=accelerate,
        environment=TrainingEnvironment("python", "python", Path("/usr/bin/python3"), {}),
        packages=Packages(checkout, tuple(site)),
        output_root=ROOT,
        dataset_folder=dataset_folder,
        environ=environ or {},
        cores=4,
        free_port=lambda: 12345,
    )


def argument(plan: Plan, name: str) -> Argument | None:
    return next((argument for argument in plan.arguments if argument.name == name), None)


def words(plan: Plan, name: str) -> tuple[str, ...]:
    found = argument(plan, name)
    return found.words if found else ()


def codes(findings: Iterable[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def only_error(plan: Plan) -> Finding:
    """The one error of a plan."""
    assert len(plan.errors) == 1, plan.errors
    return plan.errors[0]


_ACTIONS = {
    "StoreAction": "store", "StoreTrueAction": "store_true", "StoreFalseAction": "store_false",
    "StoreConstAction": "store_const", "AppendAction": "append",
}  # fmt: skip
_TYPES = {"int": int, "float": float, "str": str, "int_or_float": float, "Path": Path}


def parser_of(options: Iterable[Option]) -> argparse.ArgumentParser:
    """A real parser of argparse that holds the same options."""
    parser = argparse.ArgumentParser(prog="trainer")
    for entry in options:
        fields: dict[str, Any] = {"dest": entry.name, "default": _plain(entry.default), "required": entry.required}
        if entry.action == "BooleanOptionalAction":
            fields["action"] = argparse.BooleanOptionalAction
        elif entry.is_flag:
            fields["action"] = _ACTIONS[entry.action]
            if entry.action == "StoreConstAction":
                fields["const"] = entry.const
        else:
            fields |= {"action": _ACTIONS[entry.action], "nargs": entry.nargs, "const": entry.const}
            fields |= {"choices": entry.choices} if entry.choices else {}
            fields |= {"type": _TYPES[entry.type]} if entry.type else {}
        flags = [flag for flag in entry.flags if not flag.startswith("--no-")] or list(entry.flags)
        parser.add_argument(*flags, **fields)
    return parser


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def unread(options: ScriptOptions, what: str = "what `x.add` does with the parser") -> ScriptOptions:
    return replace(options, unread=(Unread("train.py:3", what),))
