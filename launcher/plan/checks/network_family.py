"""Whether a network module finds anything to train in the models that the script loads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from launcher.base.findings import Code, Finding, Severity
from launcher.base.words import listed
from launcher.data.model_family import Family
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.network_args_module import NetworkModule
from launcher.plan.checks.script_family import script_family

OTHER_FAMILY = Code(
    "network-module-family",
    Severity.ERROR,
    "A network module looks for blocks by the names of their classes. The models of another family have none of these: "
    "the network comes out empty, and the optimizer fails on it after all is loaded and cached, or only text encoders "
    "are trained.",
    "create_modules in LoRANetwork of the network module; train_network.py, NetworkTrainer.train",
)
# Where the checkout defines the blocks of each family's model.
_MODELS: dict[Family, tuple[str, ...]] = {
    Family.SD1: ("library/original_unet.py",),
    Family.SD2: ("library/original_unet.py",),
    Family.SDXL: ("library/sdxl_original_unet.py",),
    Family.SD3: ("library/sd3_models.py",),
    Family.FLUX: ("library/flux_models.py",),
    Family.CHROMA: ("library/chroma_models.py", "library/flux_models.py"),
    Family.LUMINA: ("library/lumina_models.py",),
    Family.HUNYUAN_IMAGE: ("library/hunyuan_image_models.py", "library/hunyuan_image_modules.py"),
    Family.ANIMA: ("library/anima_models.py",),
}
_TARGETS = re.compile(r"^ +(\w*TARGET_REPLACE_MODULE\w*) *= *\[([^\]]*)\]", re.MULTILINE)
_CLASSES = re.compile(r"^class +(\w+)", re.MULTILINE)


def check_network_family(candidate: Candidate, module: NetworkModule, others: Iterable[str]) -> Iterator[Finding]:
    """A module of the checkout made for another family. `others` are the network modules that there are."""
    family = script_family(candidate)
    if family is None or module.found.file is None or module.found.root != candidate.packages.checkout:
        return
    blocks = {name for file in _MODELS[family] for name in _CLASSES.findall(candidate.source.text(file))}
    wanted = _targets(module.source.text(module.found.file))
    if not blocks or not wanted or wanted & blocks:
        return
    fitting = [name for name in others if _targets(candidate.source.text(_file(name))) & blocks]
    message = f"{module.dotted} finds nothing to train in a model of {family.value}: it looks for {_some(wanted)}."
    hint = f"For {family.value} there is {listed(fitting, 'or')}." if fitting else None
    yield OTHER_FAMILY.at(candidate.where("network_module"), message, hint)


def _targets(text: str) -> set[str]:
    """The classes that a module looks for in the model itself; none where it says so otherwise."""
    lists = (names for constant, names in _TARGETS.findall(text) if not constant.startswith("TEXT_ENCODER"))
    return {name for names in lists for name in re.findall(r"[\"'](\w+)[\"']", names)}


def _file(dotted: str) -> str:
    return Path(*dotted.split(".")).with_suffix(".py").as_posix()


def _some(names: set[str]) -> str:
    return ", ".join(sorted(names)[:3])
