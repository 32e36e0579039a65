"""torch: whether it is whole, built for this Python, and for this machine's GPUs and driver."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator

from launcher.base.words import listed
from launcher.setup.doctor.diagnosis import Diagnosis, advice, fine, unknown, wrong
from launcher.setup.doctor.mends import Mender
from launcher.setup.doctor.seen_environment import SeenEnvironment
from launcher.setup.doctor.seen_gpus import SeenGpus, version_of

TORCH, GPU, NUMPY = "torch", "GPU", "numpy"
_OPENCV = "opencv-python"
# A driver runs what is built for any CUDA of its own generation, and for those before (CUDA, minor version
# compatibility); from 11 on.
_FIRST_COMPATIBLE = 11


def judge_gpu(gpus: SeenGpus) -> Iterator[Diagnosis]:
    """The GPUs of the machine and their driver."""
    here = gpus.here
    if here.problem is not None:
        mismatch = "mismatch" in here.problem.lower() or "communicate with the nvidia driver" in here.problem.lower()
        yield wrong(GPU, f"{here.problem.removeprefix('GPUs: ')}.", "sudo reboot" if mismatch else None)
    elif not here.gpus and gpus.hidden:
        yield unknown(GPU, f"{gpus.hidden}, but nvidia-smi is not on the PATH to ask.")
    elif not here.gpus and sys.platform == "darwin":
        yield fine(GPU, "Apple's own, which torch uses as mps.")
    elif not here.gpus:
        yield advice(GPU, "No GPU is here: training runs on the processor, which takes days.")
    else:
        driver = f", driver {here.driver}" if here.driver else ""
        cuda = f", for CUDA up to {here.cuda}" if here.cuda else ""
        yield fine(GPU, f"{listed(gpu.name for gpu in here.gpus)}{driver}{cuda}.")


def judge_torch(seen: SeenEnvironment, mender: Mender) -> Iterator[Diagnosis]:
    """torch in this environment, on this machine."""
    installed = seen.packages.get("torch")
    if installed is None and seen.torch is None:
        yield wrong(TORCH, "torch is not installed.", mender.torch())
        return
    if seen.torch is None or installed is None:
        message = f"torch {installed or ''} is only half there: its files or its metadata are missing."
        yield wrong(TORCH, " ".join(message.split()), mender.torch(_public(installed), reinstall=True))
        return
    problems = [*_for_python(seen, mender), *_for_machine(seen, mender)]
    yield from problems
    if not problems:
        yield fine(TORCH, f"{seen.torch.version}, {_built_for(seen)}.")


def runs_on(architectures: Iterable[str], capability: tuple[int, int]) -> bool:
    """Whether code for one of these runs on a GPU: that for a lower GPU of its generation does, and PTX of any before.

    "sm_90a" and the like run on that GPU alone (CUDA, binary compatibility).
    """
    for each in architectures:
        found = re.fullmatch(r"(sm|compute)_(\d+)(\d)([a-z]?)", each)
        if found is None:
            continue
        kind, version, particular = found[1], (int(found[2]), int(found[3])), found[4]
        if version == capability:
            return True
        if particular in ("", "f") and version < capability and (kind == "compute" or version[0] == capability[0]):
            return particular == "" or version[0] == capability[0]
    return False


def _for_python(seen: SeenEnvironment, mender: Mender) -> Iterator[Diagnosis]:
    compiled = seen.file("torch/_C.cpython-*.so")
    found = re.search(r"cpython-3(\d+)", compiled.name) if compiled else None
    if found and seen.minor and seen.minor != f"3.{found[1]}":
        message = f"torch was built for Python 3.{found[1]}, and this is {seen.version}."
        yield wrong(TORCH, message, mender.torch(_public(seen.packages.get("torch")), reinstall=True))


def judge_numpy(seen: SeenEnvironment, mender: Mender) -> Iterator[Diagnosis]:
    """What was compiled for numpy 1 does not work with numpy 2."""
    numpy = seen.packages.get("numpy", "")
    if not numpy.startswith("2."):
        return
    if seen.needs_old_numpy("torch/lib/libtorch_python.so"):
        yield wrong(NUMPY, f"{numpy} is installed, and torch is built for numpy 1.", mender.install("numpy<2"))
    elif seen.needs_old_numpy("cv2/cv2*.so"):
        have = seen.packages.get(_OPENCV)
        newer = have is not None and mender.required(_OPENCV) not in (_OPENCV, f"{_OPENCV}=={have}")
        mend = mender.as_required(_OPENCV) if newer else mender.install("numpy<2")
        yield wrong(NUMPY, f"{numpy} is installed, and {_OPENCV} {have or ''} is built for numpy 1.", mend)


def _for_machine(seen: SeenEnvironment, mender: Mender) -> Iterator[Diagnosis]:
    torch, gpus = seen.torch, mender.gpus
    if torch is None or not gpus.here.gpus:
        return
    public = _public(torch.version)
    names = listed(gpus.names)
    if gpus.cuda is None:  # AMD's
        if torch.hip is None and torch.cuda is not None:
            yield wrong(TORCH, f"{torch.version} is built for CUDA, and {names} needs a build for ROCm.", _rocm(mender))
        return
    if torch.cuda is None:
        yield wrong(TORCH, f"{torch.version} is built without CUDA: {names} is not used.", mender.torch(public))
        return
    built = version_of(torch.cuda)
    if built and built[0] > gpus.cuda[0] and gpus.cuda[0] >= _FIRST_COMPATIBLE:
        driver = f"{gpus.here.driver}, which knows CUDA {gpus.here.cuda} at most"
        message = f"{torch.version} is built for CUDA {torch.cuda}, and the driver is {driver}."
        yield wrong(TORCH, message, mender.torch(public) or mender.torch())
        return
    blind = [each for each in gpus.capabilities if seen.architectures and not runs_on(seen.architectures, each)]
    if blind:
        needs = listed(dict.fromkeys(f"sm_{major}{minor}" for major, minor in blind))
        message = f"{torch.version} has no code for {names} ({needs}), only for {', '.join(seen.architectures)}."
        yield wrong(TORCH, message, mender.torch())


def _built_for(seen: SeenEnvironment) -> str:
    torch = seen.torch
    if torch is None:
        return ""
    build = f"CUDA {torch.cuda}" if torch.cuda else f"ROCm {torch.hip}" if torch.hip else "the processor alone"
    codes = f" ({', '.join(seen.architectures)})" if seen.architectures else ""
    return f"built for {build}{codes}"


def _rocm(mender: Mender) -> str:
    return mender.install("torch", "torchvision") + " --index-url …"


def _public(version: str | None) -> str | None:
    """A version without its build: "2.7.1+cu126" is 2.7.1."""
    return version.partition("+")[0] if version else None
