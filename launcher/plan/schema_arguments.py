"""Which items network_args and optimizer_args take, by the network module and the optimizer of a spec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.base.errors import ExitCode, KlError
from launcher.plan.schema_options import Schema, items_of
from launcher.spec.find import spec_in, spec_names
from launcher.spec.load import load_spec
from launcher.spec.names import parse_name
from launcher.trainer.checkout import Checkout
from launcher.trainer.following_values import UNKNOWN
from launcher.trainer.lookup import Absence
from launcher.trainer.network_args import TrainingCall, lycoris_names, network_keywords, training_call
from launcher.trainer.optimizers import TrainerFile, built_in_names, follow_optimizer
from launcher.trainer.options import ScriptOptions
from launcher.trainer.packages import Packages
from launcher.trainer.signatures import signature_of
from launcher.trainer.source_text import SourceText

LYCORIS = "lycoris.kohya"
Chosen = Mapping[str, str]  # values of options by their names
_CREATE = "create_network"
_BY_RATE = "lr"


@dataclass(frozen=True)
class Taken:
    """The items that a network module or an optimizer reads, and the old names among them with the new ones."""

    names: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...] = ()


def network_modules(checkout: Checkout, packages: Packages, scripts: Iterable[str]) -> dict[str, Taken]:
    """The network modules of the checkout and LyCORIS, those whose items are all known."""
    calls = (training_call(checkout.path, script, _CREATE) for script in scripts)
    call = next((found for found in calls if found), None)
    found = {name: _network(packages, name, call) for name in (*_of_checkout(checkout), LYCORIS)}
    return {name: taken for name, taken in found.items() if taken}


def optimizers(checkout: Checkout, packages: Packages, options: ScriptOptions) -> dict[str, Taken]:
    """The optimizers that the trainer knows by name, those whose arguments are all known."""
    trainer = TrainerFile(SourceText(checkout.path), packages)
    found = {name: _optimizer(trainer, name, options) for name in built_in_names(trainer)}
    return {name: taken for name, taken in found.items() if taken}


def suggested(of: str, modules: Mapping[str, Taken], packages: Packages) -> dict[str, Schema]:
    """Every item of these modules, with who reads it; for editors that offer names. `of` is the option of the items."""
    readers: dict[str, list[str]] = {}
    new: dict[str, str] = {}
    for module, taken in modules.items():
        new |= dict(taken.renamed)
        for name in taken.names:
            readers.setdefault(name, []).append(module)
    said = {
        name: {"allOf": [{"$ref": "#/$defs/item"}], "description": _readers(names)}
        for name, names in sorted(readers.items())
    }
    properties: dict[str, Schema] = dict(said)
    for name in properties.keys() & new.keys():
        properties[name] |= {"deprecated": True, "description": f"Old; write {new[name]}."}
    if of == "network_args" and LYCORIS in modules:
        lycoris = lycoris_names(packages)
        for name, words in (("algo", lycoris.algos), ("preset", tuple(name for name, _ in lycoris.presets))):
            if name in properties and words:
                properties[name]["examples"] = list(words)
    return properties


def only_what_is_read(
    option: str, chooser: str, modules: Mapping[str, Taken], inherited: Mapping[str, Chosen]
) -> Iterator[Schema]:
    """That the items of `option` are those of the module that `chooser` names: in the spec, or in the template that it
    extends. Without either they are those of any module, where the spec extends nothing at all.

    `inherited` are templates with what they choose.
    """
    unnamed = {"not": _named(chooser, None)}
    for module, taken in modules.items():
        templates = sorted(name for name, chosen in inherited.items() if chosen.get(chooser) == module)
        from_template = [{**extends_one_of(templates), **unnamed}] if templates else []
        ways = [_named(chooser, [module]), *from_template]
        yield {"if": {"anyOf": ways}, "then": _items_everywhere(option, items_of(taken.names))}
    if modules:
        every = sorted({name for taken in modules.values() for name in taken.names})
        alone = {"not": {"anyOf": [_named(chooser, None), {"required": ["extends"]}]}}
        yield {"if": alone, "then": _items_everywhere(option, items_of(every))}


def extends_one_of(templates: Sequence[str]) -> Schema:
    """That the spec extends one of these templates and nothing else."""
    names = sorted(templates)
    return {"required": ["extends"], "properties": {"extends": {"enum": [*names, *([name] for name in names)]}}}


def chosen_by_templates(folders: Sequence[Path], keys: Sequence[str]) -> dict[str, Chosen]:
    """Which of these options each template of the folders sets to a text, with what it extends. Those that cannot be
    read are left out."""
    found: dict[str, Chosen] = {}
    for name in spec_names(folders):
        try:
            path = next((path for folder in folders if (path := spec_in(folder, name, code=ExitCode.USAGE))), None)
            settings = load_spec(path, parse_name("template"), template_folders=folders).settings if path else ()
        except KlError:
            continue
        found[name] = {each.key: each.value for each in settings if each.key in keys and isinstance(each.value, str)}
    return found


def _items_everywhere(option: str, schema: Schema) -> Schema:
    """At the top and under every heading."""
    return {"properties": {option: schema}, "additionalProperties": {"properties": {option: schema}}}


def _named(key: str, values: list[str] | None) -> Schema:
    """Whether the key, with one of the values if any are given, stands at the top or under a heading."""
    there: Schema = {"required": [key]}
    if values is not None:
        there["properties"] = {key: {"enum": values}}
    under_none: Schema = {"additionalProperties": {"not": {"type": "object", **there}}}
    return {"anyOf": [there, {"not": under_none}]}


def _readers(names: list[str]) -> str:
    return f"Read by {', '.join(names[:4])}{' and others' if len(names) > 4 else ''}."


def _of_checkout(checkout: Checkout) -> Iterator[str]:
    try:
        files = sorted((checkout.path / "networks").glob("*.py"))
    except OSError:
        return
    source = SourceText(checkout.path)
    for path in files:
        if f"def {_CREATE}(" in source.text(f"networks/{path.name}"):
            yield f"networks.{path.stem}"


def _network(packages: Packages, dotted: str, call: TrainingCall | None) -> Taken | None:
    found = packages.find(dotted)
    keywords = network_keywords(found, _CREATE) if found else None
    if keywords is None or keywords.is_open:
        return None
    own = (*keywords.positional[: call.positional], *call.keywords) if call else keywords.positional
    renamed = tuple((old, new) for old, new in keywords.renamed if old in keywords.read)
    return Taken(tuple(name for name in keywords.read if name not in own), renamed)


def _optimizer(trainer: TrainerFile, name: str, options: ScriptOptions) -> Taken | None:
    def ask(option_name: str) -> Any:
        option = options.get(option_name)
        if option_name == "optimizer_type":
            return name
        if option is None or option.unread:
            return UNKNOWN
        return list(option.default) if isinstance(option.default, tuple) else option.default

    reading = follow_optimizer(trainer, ask)
    if reading is None or reading.made is None:
        return None
    signature = signature_of(trainer.packages, reading.made.of.dotted)
    if isinstance(signature, Absence) or signature.open:
        return None
    given = [each.name for each in signature.parameters if each.by_position][: len(reading.made.positional)]
    return Taken(tuple(each for each in signature.keywords if each not in (*given, _BY_RATE)))
