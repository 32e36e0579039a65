"""network_args of LyCORIS: the names of algorithms and presets, preset files, what a preset makes of other items."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from launcher.base.findings import Code, Finding, Severity
from launcher.base.nearest import nearest
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.network_args_module import IGNORED, REFUSED, SWITCH, NetworkModule, short
from launcher.plan.plan import Item
from launcher.trainer.network_args import Lycoris, Preset, lycoris_names
from launcher.trainer.source_text import Evidence

ALGO = Code(
    "lycoris-algo-unknown",
    Severity.ERROR,
    "LyCORIS looks the algorithm up by its name, and fails.",
    "lycoris.kohya, network_module_dict",
)
PRESET = Code(
    "lycoris-preset-unreadable",
    Severity.ERROR,
    "LyCORIS takes a preset that it does not know by name for the path of a TOML file, and fails when that cannot be "
    "read.",
    "lycoris.kohya, create_network; lycoris/utils/preset.py, read_preset",
)
PRESET_KEY = Code(
    "lycoris-preset-key-unknown",
    Severity.ERROR,
    "LyCORIS refuses a preset file that holds any other key than those it knows.",
    "lycoris/config_sdk.py, PresetConfig.from_dict",
)
CONV_OFF = Code(
    "lycoris-preset-without-conv",
    Severity.WARNING,
    "The preset leaves convolutions out, and LyCORIS then takes their rank for 0.",
    "lycoris.kohya, LycorisNetworkKohya.__init__",
)
TWO_NAMES = Code(
    "lycoris-preset-twice-the-same-layer",
    Severity.ERROR,
    "The preset finds time_embedding.linear_1 of the U-Net of SD 1 and 2 twice, by its own name and inside "
    "TimestepEmbedding, and LyCORIS ends with: duplicated lora name.",
    "lycoris.kohya, LycorisNetworkKohya.__init__; library/original_unet.py",
)
_SD = "library/original_unet.py"
_CONV_OFF = r"if not self\.ENABLE_CONV: conv_lora_dim = 0"
_LOKR = "lycoris/modules/lokr.py"
_UNDIVIDED = Evidence(
    "lycoris/functional/general.py",
    "factorization",
    (r"if factor > 0 and ", r"if factor < 0: factor = dimension", r"new_m > factor: break"),
)
_LARGEST_PRESET = 1_000_000  # bytes


def lycoris_values(candidate: Candidate, module: NetworkModule, items: Mapping[str, Item]) -> Iterator[Finding]:
    """algo, preset and what follows from them."""
    names = lycoris_names(module.packages, cache=module.cache)
    algo = items.get("algo")
    if algo and names.algos and algo.text and algo.text.lower() not in names.algos:
        near = nearest(algo.text.lower(), names.algos)
        hint = f"Did you mean {near}?" if near else f"It may be {', '.join(names.algos)}."
        yield ALGO.at(str(algo.origin), f"{module.name} has no algo {short(algo.text)}.", hint)
    yield from _lokr(module, items)
    if not names.presets:
        return
    preset: Preset | None = None
    item = items.get("preset")
    if item is None or item.text in dict(names.presets):
        preset = names.preset(item.text if item else "full") if item or _default_is_full(module) else None
    else:
        read = _preset_file(candidate, module, item, names)
        if isinstance(read, Finding):
            yield read
            return
        preset = read
    if preset is not None:
        yield from _with_preset(candidate, module, items, preset)


def _default_is_full(module: NetworkModule) -> bool:
    patterns = (r"kwargs\.get\([\"']preset[\"'], [\"']full[\"']\)",)
    return module.source.says(Evidence(module.found.file or "", "create_network", patterns))


def _preset_file(candidate: Candidate, module: NetworkModule, item: Item, names: Lycoris) -> Preset | Finding:
    """The preset in a file, which LyCORIS looks for from the checkout's folder, where the trainer runs."""
    where, path = str(item.origin), candidate.trainer.checkout / item.text
    known = ", ".join(name for name, _ in names.presets)
    near = nearest(item.text, [name for name, _ in names.presets])
    hint = f"Did you mean {near}?" if near else f"It may be the whole path of a file, or {known}."
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_PRESET:
            return PRESET.at(where, f"There is no preset {short(item.text)}, by name or as a file.", hint)
        import toml  # noqa: PLC0415 - as LyCORIS reads it

        read = toml.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, IndexError, TypeError, KeyError, AttributeError) as error:
        return PRESET.at(where, f"The preset {short(item.text)} cannot be read: {error}.")
    except RecursionError:
        return PRESET.at(where, f"The preset {short(item.text)} cannot be read: it is nested too deeply.")
    wrong = [key for key in read if names.preset_keys and key not in names.preset_keys]
    if wrong:
        near = nearest(wrong[0], names.preset_keys)
        hint = f"Did you mean {near}?" if near else f"It knows {', '.join(names.preset_keys)}."
        message = f"The preset {short(item.text)} holds {', '.join(wrong)}, which no preset has."
        return PRESET_KEY.at(where, message, hint)
    conv = read.get("enable_conv")
    return Preset(conv if isinstance(conv, bool) else None, _texts(read.get("unet_target_module")),
                  _texts(read.get("unet_target_name")))  # fmt: skip


def _with_preset(
    candidate: Candidate, module: NetworkModule, items: Mapping[str, Item], preset: Preset
) -> Iterator[Finding]:
    item, file = items.get("preset"), module.found.file or ""
    said = f"preset={item.text}" if item else "The preset full, which is the default,"
    if preset.enable_conv is False and module.source.says(Evidence(file, "__init__", (_CONV_OFF,))):
        for key in ("conv_dim", "conv_alpha"):
            if key in items:
                message = f"{said} leaves convolutions out: {key} has no effect."
                yield CONV_OFF.at(str(items[key].origin), message, f"Leave {key} out, or choose another preset.")
    twice = "TimestepEmbedding" in preset.unet_modules and "time_embedding.linear_1" in preset.unet_names
    embedding = Evidence(_SD, "", (r"class TimestepEmbedding\b", r"self\.time_embedding = TimestepEmbedding\("))
    refuses = Evidence(file, "__init__", (r"duplicated lora name",))
    if not twice or candidate.trainer.script != "train_network.py":
        return
    if candidate.source.says(embedding) and module.source.says(refuses):
        where = str(item.origin) if item else candidate.where("network_module")
        message = f"{said} makes {module.name} fail on SD 1 and 2: duplicated lora name."
        yield TWO_NAMES.at(where, message, 'Write preset = "attn-mlp" in network_args, or another that fits.')


def _lokr(module: NetworkModule, items: Mapping[str, Item]) -> Iterator[Finding]:
    """decompose_both and factor reach LoKr as they are written (lycoris/modules/lokr.py, LokrModule.__init__)."""
    algo, both, factor = items.get("algo"), items.get("decompose_both"), items.get("factor")
    if algo is None or algo.text.lower() != "lokr" or not module.found.file:
        return

    def as_is(key: str) -> bool:
        passed = Evidence(module.found.file or "", "create_network", (rf"{key}=kwargs\.get\([\"']{key}[\"'], [^)]*\)",))
        return module.source.says(passed)

    used = Evidence(_LOKR, "__init__", (r"\bdecompose_both and\b",))
    off = both is not None and both.text.lower() in ("false", "0", "no", "off")
    if both and off and as_is("decompose_both") and module.source.says(used):
        message = f"{module.dotted} takes every text for true: {short(both.text)} switches decompose_both on."
        yield SWITCH.at(str(both.origin), message, "Leave decompose_both out.")
    whole = Evidence(_LOKR, "__init__", (r"factor = int\(factor\)",))
    is_whole = factor is not None and re.fullmatch(r"\s*[+-]?\d+(_\d+)*\s*", factor.text)
    if factor and not is_whole and as_is("factor") and module.source.says(whole):
        yield REFUSED.at(str(factor.origin), f"factor takes a whole number, and {short(factor.text)} is none.")
    elif factor and is_whole and int(factor.text) == 0 and module.source.says(_UNDIVIDED):
        message = "factor=0 is taken for 1: no matrix is divided into two."
        yield IGNORED.at(str(factor.origin), message, "Write -1 for an even division, or a number such as 8.")


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()
