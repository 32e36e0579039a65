"""How a training script takes its datasets: what kinds it supports, and where they come from without a config."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.trainer.cache import remembered
from launcher.trainer.static.sources import Sources

_DREAMBOOTH = "generate_dreambooth_subsets_config_by_subdirs"
_CONTROLNET = "generate_controlnet_subsets_config_by_subdirs"
_CLASS = "dataset_class"
_STEPS = "verify_bucket_reso_steps"
_EXTRA = "assert_extra_args"  # the method of a trainer class in which a script verifies the steps of buckets
_DEEPEST = 4  # scripts inherit from one another


@dataclass(frozen=True)
class ScriptDatasets:
    """What a script does with dataset configs and without.

    `supports` are the arguments it gives to ConfigSanitizer, in order: True, False, the name of the option that
    decides, or None where that could not be read; () when the call was not found. `folders` are the options that
    name folders of `10_name` folders, `metadata` those for image_dir and metadata_file, `controlnet` those for the
    pictures and their conditions; () where the script does not do this. `ignored` are the options that it ignores
    beside a config, `own_class` the one that names a dataset class of the user's own. `bucket_steps` are the numbers
    by which bucket_reso_steps must be divisible.
    """

    supports: tuple[bool | str | None, ...] = ()
    folders: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    controlnet: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    own_class: tuple[str, ...] = ()
    bucket_steps: tuple[int, ...] = ()


def read_script_datasets(checkout: Path, script: str, *, cache: Path | None = None) -> ScriptDatasets:
    """What `script` of a checkout does, or the script that it inherits from. `cache` is the folder of the cache."""
    return remembered(
        "dataset-script",
        checkout,
        (script,),
        lambda sources: _read(sources, script),
        encode=lambda found: {name: list(value) for name, value in vars(found).items()},
        decode=_decoded,
        cache=cache,
    )


def _decoded(data: Any) -> ScriptDatasets:
    return ScriptDatasets(**{name: tuple(value) for name, value in data.items()})


def _read(sources: Sources, script: str) -> ScriptDatasets:
    trees = list(_family(sources, script, _DEEPEST))
    for tree in trees:
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        made = [call for call in calls if _called(call) == "ConfigSanitizer"]
        if len(made) == 1 and not made[0].keywords:
            return ScriptDatasets(
                supports=tuple(_support(argument) for argument in made[0].args),
                folders=_options_of(calls, _DREAMBOOTH),
                metadata=_metadata(tree),
                controlnet=_options_of(calls, _CONTROLNET),
                ignored=_ignored(tree),
                own_class=(_CLASS,) if any(_option(node) == _CLASS for node in _expressions(tree)) else (),
                bucket_steps=tuple(dict.fromkeys(_bucket_steps(trees))),
            )
        if made:
            break
    return ScriptDatasets(bucket_steps=tuple(dict.fromkeys(_bucket_steps(trees))))


def _family(sources: Sources, script: str, depth: int) -> Iterator[ast.Module]:
    """The script and the scripts that it imports, each before those that it imports itself."""
    tree = sources.parse(script)
    if isinstance(tree, str):
        return
    yield tree
    for node in tree.body if depth else ():
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            found = sources.find(name) if "train" in name and "." not in name else None
            if found and found[0] and not found[1]:
                yield from _family(sources, found[0], depth - 1)


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _support(node: ast.expr) -> bool | str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return node.value
    return _option(node)


def _option(node: ast.expr | None) -> str | None:
    """NAME of `args.NAME`."""
    known = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "args"
    return node.attr if known and isinstance(node, ast.Attribute) else None


def _expressions(tree: ast.Module) -> Iterator[ast.expr]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.expr))


def _options_of(calls: list[ast.Call], function: str) -> tuple[str, ...]:
    """The options that a script gives to a function; () when one of its arguments is none."""
    call = next((call for call in calls if _called(call) == function), None)
    options = [_option(argument) for argument in call.args] if call and not call.keywords else []
    return tuple(option for option in options if option) if all(options) else ()


def _metadata(tree: ast.Module) -> tuple[str, ...]:
    """The options in `{"image_dir": args.X, "metadata_file": args.Y}`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            named = {
                key.value: _option(value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            }
            folder, file = named.get("image_dir"), named.get("metadata_file")
            if folder and file:
                return folder, file
    return ()


def _ignored(tree: ast.Module) -> tuple[str, ...]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id == "ignored":
                return tuple(str(item.value) for item in node.value.elts if isinstance(item, ast.Constant))
    return ()


def _bucket_steps(trees: list[ast.Module]) -> Iterator[int]:
    """From the script itself; from those that it inherits from while nothing there overrides the method."""
    for tree in trees:
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for function in functions:
            yield from (steps for statement in function.body for steps in _verified(statement))
        own = next((function for function in functions if function.name == _EXTRA), None)
        if own is None and any(function.name == "train" for function in functions):
            return
        if own is not None and f"super().{_EXTRA}(" not in ast.unparse(own):
            return


def _verified(statement: ast.stmt) -> Iterator[int]:
    """N of the statement `….verify_bucket_reso_steps(N)`, under no condition."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and _called(call) == _STEPS and len(call.args) == 1:
        steps = call.args[0]
        if isinstance(steps, ast.Constant) and isinstance(steps.value, int) and steps.value > 0:
            yield steps.value
