"""A preset of LyCORIS that takes the same layers of the base model twice."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.base.findings import Code, Finding, Severity
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.script_family import PLAIN, family_of, script_family
from launcher.trainer.source_text import Evidence, SourceText

PRESET_TWICE = Code(
    "lycoris-preset-twice",
    Severity.ERROR,
    "In some versions of LyCORIS these presets name the time embedding of SD 1 and SD 2 twice, by its class and by its "
    "name. Creating the network then fails, after the latents are cached.",
    "lycoris/config.py, BUILTIN_PRESET_CONFIGS; lycoris/kohya.py, LycorisNetworkKohya.__init__",
)
_LIN = "full-lin"
_WHOLE = ("full", "unet-only")
_MODULES = r'FULL_UNET_MODULES = \[[^\]]*"TimestepEmbedding"'
_NAMES = r'FULL_UNET_NAMES = \[[^\]]*"time_embedding\.linear_1"'
_CLASS = Evidence("library/original_unet.py", "TimestepEmbedding", (r"self\.linear_1 = nn\.Linear",))
_REFUSED = Evidence("lycoris/kohya.py", "LycorisNetworkKohya", ("duplicated lora name", "target_replace_names"))


def check_lycoris_preset(candidate: Candidate) -> Iterator[Finding]:
    """Whether network_args.preset can be used with SD 1 and SD 2 in the LyCORIS at hand."""
    if candidate.value("network_module") != "lycoris.kohya":
        return
    item = candidate.items("network_args").get("preset")
    preset = item.text if item else "full"
    if preset not in (*_WHOLE, _LIN) or script_family(candidate) not in PLAIN or family_of(candidate) not in PLAIN:
        return
    found = candidate.packages.find("lycoris.config")
    if found is None or found.file != "lycoris/config.py" or not candidate.says(_CLASS):
        return
    source = SourceText(found.root)
    if source.says(Evidence(found.file, "", _patterns(preset))) and source.says(_REFUSED):
        where = str(item.origin) if item else candidate.where("network_module")
        said = f"The preset {preset}" + ("" if item else ", which is used when none is set,")
        message = f"{said} takes the time embedding of {PLAIN[0].value} and {PLAIN[1].value} twice in this LyCORIS."
        yield PRESET_TWICE.at(where, message, 'Set preset = "attn-mlp" in [network_args].')


def _patterns(preset: str) -> tuple[str, ...]:
    if preset == _LIN:
        return (rf'"{_LIN}": PresetConfig\([^)]*"TimestepEmbedding"[^)]*"time_embedding\.linear_1"',)
    uses = rf'"{preset}": PresetConfig\([^)]*unet_target_module=FULL_UNET_MODULES, unet_target_name=FULL_UNET_NAMES'
    return _MODULES, _NAMES, uses
