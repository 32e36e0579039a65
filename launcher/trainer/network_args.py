"""What a network module makes of --network_args: read from its source, kept in the cache, nothing imported or run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from launcher.trainer.cache import remembered
from launcher.trainer.keyword_results import Trial, trial_from_json
from launcher.trainer.keywords import Keywords, read_keywords
from launcher.trainer.packages import ModuleFile, Packages
from launcher.trainer.static.sources import Sources


@dataclass(frozen=True)
class TrainingCall:
    """How the training script calls the network module (train_network.py, train).

    `positional` is how many arguments it gives by position, `keywords` those it gives by name, `added` the items that
    it adds to network_args where the user gives none, with the option that their value comes from.
    """

    positional: int
    keywords: tuple[str, ...]
    added: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Preset:
    """A preset of LyCORIS, as far as it can be read: whether convolutions are trained, and what it aims at."""

    enable_conv: bool | None
    unet_modules: tuple[str, ...]
    unet_names: tuple[str, ...]


@dataclass(frozen=True)
class Lycoris:
    """The names that LyCORIS knows: algorithms, presets, keys of a preset file; empty where they cannot be read."""

    algos: tuple[str, ...]
    presets: tuple[tuple[str, Preset], ...]
    preset_keys: tuple[str, ...]

    def preset(self, name: str) -> Preset | None:
        """A preset by its name."""
        return dict(self.presets).get(name)


def network_keywords(found: ModuleFile, function: str, *, cache: Path | None = None) -> Keywords | None:
    """Which arguments a function of a network module reads; None where it has no such function."""
    if found.file is None:
        return None
    file = found.file
    return remembered(
        "network-keywords", found.root, (file, function), lambda sources: read_keywords(sources, file, function),
        encode=lambda read: None if read is None else asdict(read), decode=_keywords, package=_package(found),
        cache=cache,
    )  # fmt: skip


def try_network(
    found: ModuleFile,
    function: str,
    texts: Mapping[str, str],
    numbers: tuple[int | None, float | None],
    extra: Mapping[str, Any],
    *,
    is_sdxl: bool | None,
    cache: Path | None = None,
) -> Trial:
    """What a function of a network module makes of network_args `texts`, with network_dim and network_alpha `numbers`.

    `extra` are the other arguments that the trainer gives by name.
    """
    if found.file is None:
        return Trial()
    file = found.file
    asked = json.dumps([function, dict(texts), numbers, dict(extra), is_sdxl])

    def read(sources: Sources) -> Trial:
        from launcher.trainer.keyword_failures import trial  # noqa: PLC0415 - a reading from the cache does without

        return trial(sources, file, function, texts, numbers, extra, is_sdxl)

    return remembered(
        "network-trial", found.root, (file, asked), read, encode=asdict, decode=trial_from_json,
        package=_package(found), cache=cache,
    )  # fmt: skip


def training_call(checkout: Path, script: str, function: str, *, cache: Path | None = None) -> TrainingCall | None:
    """How the script, or train_network.py that it builds on, calls `function` with network_args; None where not."""
    return remembered(
        "network-call", checkout, (script, function), lambda sources: _training_call(sources, script, function),
        encode=lambda read: None if read is None else asdict(read), decode=_decoded_call, cache=cache,
    )  # fmt: skip


def lycoris_names(packages: Packages, *, cache: Path | None = None) -> Lycoris:
    """The names that the environment's LyCORIS knows."""
    found = packages.find("lycoris.kohya")
    if found is None or found.file is None:
        return Lycoris((), (), ())
    file = found.file
    return remembered(
        "lycoris-names", found.root, (file,), lambda sources: _lycoris(sources, file), encode=asdict,
        decode=_decoded_lycoris, package="lycoris", cache=cache,
    )  # fmt: skip


def _package(found: ModuleFile) -> str | None:
    """Modules of a checkout may use one another; in site-packages only those of one package belong together."""
    return None if found.package == "networks" else found.package


def _training_call(sources: Sources, script: str, function: str) -> TrainingCall | None:
    import ast  # noqa: PLC0415 - a reading kept does without

    for file in dict.fromkeys((script, "train_network.py")):
        tree = sources.parse(file)
        if isinstance(tree, str):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != function:
                continue
            spread = [each.value for each in node.keywords if each.arg is None]
            if len(spread) == 1 and isinstance(spread[0], ast.Name):
                keywords = tuple(each.arg for each in node.keywords if each.arg is not None)
                return TrainingCall(len(node.args), keywords, tuple(_added(tree, spread[0].id)))
    return None


def _added(tree: Any, name: str) -> list[tuple[str, str]]:
    """`net_kwargs["dropout"] = args.network_dropout`: items that the trainer adds itself."""
    import ast  # noqa: PLC0415

    added = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Attribute):
            continue
        target = node.targets[0]
        if (
            isinstance(target, ast.Subscript)
            and isinstance(target.value, ast.Name)
            and target.value.id == name
            and isinstance(target.slice, ast.Constant)
        ):
            added.append((str(target.slice.value), node.value.attr))
    return added


def _lycoris(sources: Sources, file: str) -> Lycoris:
    from launcher.trainer.keyword_modules import Modules  # noqa: PLC0415
    from launcher.trainer.keyword_trial import Trier  # noqa: PLC0415
    from launcher.trainer.keyword_values import Made, Unsure  # noqa: PLC0415

    trier = Trier(Modules(sources), None)

    def value(name: str, where: str = file) -> Any:
        found = trier.modules.find(where, name)
        try:
            return trier.value_of(found) if found else None
        except (Unsure, RecursionError):
            return None

    def texts(listed: Any) -> tuple[str, ...]:
        return tuple(each for each in listed if isinstance(each, str)) if isinstance(listed, (list, tuple)) else ()

    algos = value("network_module_dict")
    named = value("PRESET")
    where = trier.modules.find(file, "PRESET")
    made = value("BUILTIN_PRESET_CONFIGS", where.file) if where else None
    presets = []
    for name in named if isinstance(named, dict) else ():
        held = made.get(name) if isinstance(made, dict) else named[name]
        fields = dict(held.keywords) if isinstance(held, Made) else held if isinstance(held, dict) else {}
        conv = fields.get("enable_conv")
        preset = Preset(conv if isinstance(conv, bool) else None, texts(fields.get("unet_target_module")),
                        texts(fields.get("unet_target_name")))  # fmt: skip
        presets.append((str(name), preset))
    known = texts(value("VALID_PRESET_KEYS")) or texts(value("VALID_PRESET_KEYS", _beside(sources, file, "wrapper")))
    return Lycoris(tuple(algos) if isinstance(algos, dict) else (), tuple(presets), known)


def _beside(sources: Sources, file: str, name: str) -> str:
    found = sources.find(f"lycoris.{name}")
    return found[0] if found and found[0] else file


def _keywords(kept: Any) -> Keywords | None:
    if kept is None:
        return None
    renamed = tuple((str(old), str(new)) for old, new in kept["renamed"])
    return Keywords(tuple(kept["positional"]), tuple(kept["read"]), renamed, kept["is_open"])


def _decoded_call(kept: Any) -> TrainingCall | None:
    if kept is None:
        return None
    added = tuple((str(key), str(option)) for key, option in kept["added"])
    return TrainingCall(int(kept["positional"]), tuple(kept["keywords"]), added)


def _decoded_lycoris(kept: Any) -> Lycoris:
    presets = tuple(
        (str(name), Preset(each["enable_conv"], tuple(each["unet_modules"]), tuple(each["unet_names"])))
        for name, each in kept["presets"]
    )
    return Lycoris(tuple(kept["algos"]), presets, tuple(kept["preset_keys"]))
