"""What of the doctor's findings explains a training that failed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from launcher.setup.doctor.diagnose import ENVIRONMENT, LIMITS, OUTPUT, TOKENIZERS, diagnose
from launcher.setup.doctor.diagnosis import Diagnosis, Status, wrong
from launcher.setup.doctor.installation import Installation
from launcher.setup.doctor.limits import OPEN_FILES, SHARED_MEMORY
from launcher.setup.doctor.mends import Mender
from launcher.setup.doctor.needed import module_of
from launcher.setup.doctor.seen_environment import see_environment
from launcher.trainer.packages import normal_name

_COMPILED = ("Python", "numpy", "torch", "torchvision", "xformers", "bitsandbytes")
_DRIVEN = ("GPU", "torch")
_MISSING = (
    "triton", "xformers-missing", "wandb-missing", "optimizer-missing", "lycoris-missing", "module-missing",
)  # fmt: skip
# Known causes of failures (run/causes*.py) by name: what is looked at, and the subjects that can explain them.
_EXPLAINS: Mapping[str, tuple[str, Collection[str]]] = {
    **dict.fromkeys(_MISSING, (ENVIRONMENT, ())),
    "binary-mismatch": (ENVIRONMENT, _COMPILED),
    "package-version": (ENVIRONMENT, (*_COMPILED, "accelerate", "requirements.txt")),
    "lycoris-torch": (ENVIRONMENT, ("lycoris_lora",)),
    "crashed": (ENVIRONMENT, _COMPILED),
    "gpu-driver-old": (ENVIRONMENT, _DRIVEN),
    "gpu-driver-mismatch": (ENVIRONMENT, _DRIVEN),
    "gpu-build": (ENVIRONMENT, _DRIVEN),
    "gpu-none": (ENVIRONMENT, _DRIVEN),
    "torch-without-cuda": (ENVIRONMENT, _DRIVEN),
    "precision-not-supported": (ENVIRONMENT, _DRIVEN),
    "xformers-without-gpu": (ENVIRONMENT, (*_DRIVEN, "xformers")),
    "xformers-build": (ENVIRONMENT, ("torch", "xformers")),
    "bitsandbytes-build": (ENVIRONMENT, ("torch", "bitsandbytes")),
    "shared-memory": (LIMITS, (SHARED_MEMORY,)),
    "loader-died": (LIMITS, (SHARED_MEMORY,)),
    "open-files": (LIMITS, (OPEN_FILES,)),
    "disk-full": (OUTPUT, (OUTPUT,)),
    "disk-quota": (OUTPUT, (OUTPUT,)),
    "not-allowed": (OUTPUT, (OUTPUT,)),
    "hub-tokenizer": (TOKENIZERS, (TOKENIZERS,)),
    "hub-offline": (TOKENIZERS, (TOKENIZERS,)),
    "hub-not-reached": (TOKENIZERS, (TOKENIZERS,)),
}
# What options ask for, and no requirements.txt: modules that are named as their packages are.
_ON_THEIR_OWN = ("wandb", "dadaptation", "schedulefree", "prodigyopt", "lion_pytorch", "came_pytorch")
_NO_MODULE = re.compile(r"No (?:module named '?)?(?P<module>[A-Za-z_]\w*)")
# They may be about a model as well: then what is said of tokenizers explains nothing.
_ABOUT_THE_HUB = ("hub-offline", "hub-not-reached")
_ON_HUB = re.compile(r"[\w.-]+/[\w.-]+")
_NO_ACCELERATE = "for 'accelerate.commands.launch'"  # Python itself says so, without a traceback (runpy)


def explaining(
    cause: str | None, exception: str, lines: Sequence[str], installation: Installation
) -> tuple[Diagnosis, ...]:
    """What the doctor finds now that explains a failure with this cause, exception and end of the log; often nothing.

    Nothing is looked at that does not belong to the cause.
    """
    if cause is None and any(_NO_ACCELERATE in line for line in lines):
        cause, exception = "module-missing", "No module named accelerate"
    explains = _EXPLAINS.get(cause or "")
    if explains is None:
        return ()
    look, subjects = explains
    found = diagnose(installation, subjects=(look,))
    unwell = [each for each in found if each.status in (Status.WRONG, Status.ADVICE)]
    if cause in _ABOUT_THE_HUB:
        texts = (exception, *lines)
        return tuple(
            each for each in unwell if any(name in text for name in _ON_HUB.findall(each.message) for text in texts)
        )
    if subjects:
        return tuple(each for each in unwell if each.subject in subjects)
    module = _NO_MODULE.search(exception)
    about = tuple(each for each in unwell if module and _is_about(each, module["module"]))
    if about or module is None or module["module"] not in _ON_THEIR_OWN or installation.python is None:
        return about
    package = normal_name(module["module"])
    seen = see_environment(installation.python, installation.environ)
    if package in seen.packages:
        return ()
    return (wrong(package, f"{package} is not installed.", Mender(seen).install(package)),)


def _is_about(diagnosis: Diagnosis, module: str) -> bool:
    """Whether a finding names the package of a module."""
    words = re.findall(r"[A-Za-z0-9][\w.-]*", f"{diagnosis.subject} {diagnosis.message}")
    return module.lower() in (module_of(normal_name(word.rstrip("."))).lower() for word in words)
