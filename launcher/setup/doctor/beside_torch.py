"""What is compiled for one torch: torchvision, xformers, bitsandbytes; and triton."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from launcher.setup.doctor.diagnosis import Diagnosis, advice, fine, wrong
from launcher.setup.doctor.mends import Mender
from launcher.setup.doctor.seen_environment import SeenEnvironment
from launcher.setup.doctor.seen_gpus import version_of

TORCHVISION, XFORMERS, BITSANDBYTES, TRITON = "torchvision", "xformers", "bitsandbytes", "triton"


def judge_beside_torch(seen: SeenEnvironment, mender: Mender, at_once: frozenset[str]) -> Iterator[Diagnosis]:
    """Each of them against the torch of the environment; nothing where there is no torch to compare with.

    `at_once` are the modules that the trainer imports when it starts.
    """
    if seen.torch is None:
        return
    yield _torchvision(seen, mender, needed=TORCHVISION in at_once)
    yield _xformers(seen, mender)
    yield _bitsandbytes(seen, mender)
    yield _triton(seen)


def wants_another_torch(seen: SeenEnvironment, package: str) -> str | None:
    """The torch that a package asks for in its metadata, when this is another: "==2.7.1"."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - 30 ms
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - the same

    have = seen.packages.get("torch") or (seen.torch.version if seen.torch else "")
    for line in seen.requires(package):
        try:
            requirement = Requirement(line)
            asked = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if requirement.name.lower() != "torch" or not asked:
                continue
            if not requirement.specifier.contains(Version(have), prereleases=True):
                return str(requirement.specifier)
        except (InvalidRequirement, InvalidVersion):
            continue
    return None


def _torchvision(seen: SeenEnvironment, mender: Mender, *, needed: bool) -> Diagnosis:
    mend = mender.beside_torch(TORCHVISION)
    version = seen.packages.get(TORCHVISION)
    if version is None and not needed:
        return fine(TORCHVISION, "not installed, and nothing here imports it.")
    if version is None:
        return wrong(TORCHVISION, "torchvision is not installed: the training scripts import it.", mend)
    other = wants_another_torch(seen, TORCHVISION)
    if other is not None:
        return wrong(TORCHVISION, f"{version} is built for torch{other}, and torch is {_torch(seen)}.", mend)
    build, ours = _cuda_in(seen, "torchvision/version.py"), seen.torch.cuda if seen.torch else None
    mismatched = build is not None and (ours is None or build[0] != (version_of(ours) or (0, 0))[0])
    if mismatched and seen.torch is not None and seen.torch.hip is None and _needs_cuda(seen):
        message = f"{version} is built for CUDA {build[0]}.{build[1]}" if build else version
        return wrong(TORCHVISION, f"{message}, and torch {_torch(seen)} for {ours or 'the processor'}.", mend)
    return fine(TORCHVISION, f"{version}, for this torch.")


def _xformers(seen: SeenEnvironment, mender: Mender) -> Diagnosis:
    version = seen.packages.get(XFORMERS)
    if version is None:
        return fine(XFORMERS, "not installed, and not needed: sdpa does the same.")
    mend = mender.beside_torch(XFORMERS)
    other = wants_another_torch(seen, XFORMERS)
    if other is not None:
        return wrong(XFORMERS, f"{version} is built for torch{other}, and torch is {_torch(seen)}.", mend)
    torch, cuda = _xformers_build(seen)
    particular = any(re.match(r"torch\b.*==", line) for line in seen.requires(XFORMERS))
    if torch is not None and particular and _public(torch) != _public(_torch(seen)):
        return wrong(XFORMERS, f"{version} is compiled for torch {torch}, and torch is {_torch(seen)}.", mend)
    ours = version_of(seen.torch.cuda) if seen.torch else None
    if ours and cuda and cuda[0] != ours[0]:
        message = f"{version} is compiled for CUDA {cuda[0]}.{cuda[1]}, and torch for {ours[0]}.{ours[1]}."
        return wrong(XFORMERS, message, mend)
    if seen.torch is not None and seen.torch.cuda is None and seen.torch.hip is None:
        return advice(XFORMERS, f"{version} needs a GPU, and torch is built without: leave it out, and set sdpa.")
    return fine(XFORMERS, f"{version}, for this torch.")


def _bitsandbytes(seen: SeenEnvironment, mender: Mender) -> Diagnosis:
    version = seen.packages.get(BITSANDBYTES)
    mend = mender.as_required(BITSANDBYTES)
    if version is None:
        message = "not installed: AdamW8bit and the like need it, other optimizers do not."
        return advice(BITSANDBYTES, message, mend) if mender.asks_for(BITSANDBYTES) else fine(BITSANDBYTES, message)
    other = wants_another_torch(seen, BITSANDBYTES)
    if other is not None:
        message = f"{version} takes torch{other}, and torch is {_torch(seen)}."
        return wrong(BITSANDBYTES, message, mender.beside_torch(BITSANDBYTES))
    ours = version_of(seen.torch.cuda) if seen.torch else None
    libraries = cuda_libraries(seen)
    if ours and libraries and not any(each[0] == ours[0] for each in libraries):
        has = ", ".join(f"{major}.{minor}" for major, minor in libraries)
        message = f"{version} has libraries for CUDA {has}, and torch is built for {ours[0]}.{ours[1]}."
        return wrong(BITSANDBYTES, message, mender.install("--upgrade", BITSANDBYTES))
    return fine(BITSANDBYTES, f"{version}, for this torch.")


def _triton(seen: SeenEnvironment) -> Diagnosis:
    version = seen.packages.get(TRITON) or seen.packages.get("triton-windows")
    if version is not None:
        return fine(TRITON, f"{version}.")
    return fine(TRITON, "not installed: messages about it can be ignored, only torch_compile needs it.")


def cuda_libraries(seen: SeenEnvironment) -> tuple[tuple[int, int], ...]:
    """The versions of CUDA that bitsandbytes has libraries for: "libbitsandbytes_cuda126.so" (its cextension.py)."""
    any_of_them = seen.file("bitsandbytes/libbitsandbytes_cuda*.so")
    if any_of_them is None:
        return ()
    found = (re.search(r"cuda(\d\d)(\d+)(?:_nocublaslt\d*)?\.so$", file.name) for file in any_of_them.parent.iterdir())
    return tuple(sorted({(int(each[1]), int(each[2])) for each in found if each}))


def _cuda_in(seen: SeenEnvironment, path: str) -> tuple[int, int] | None:
    """The CUDA that a package's version names, where it has one: "0.22.1+cu126" is (12, 6)."""
    text = _text(seen.file(path))
    found = re.search(r"__version__\s*=\s*['\"][^'\"]*\+cu(\d\d)(\d+)['\"]", text)
    return (int(found[1]), int(found[2])) if found else None


def _needs_cuda(seen: SeenEnvironment) -> bool:
    """Whether torchvision's compiled part links CUDA's libraries: without them none of its operators is there."""
    return bool(seen.file("torchvision.libs/libcudart*") or seen.file("torchvision/_C*.so"))


def _xformers_build(seen: SeenEnvironment) -> tuple[str | None, tuple[int, int] | None]:
    """The torch and the CUDA that xformers' compiled part was made with, as it says itself (xformers/_cpp_lib.py)."""
    try:
        data = json.loads(_text(seen.file("xformers/cpp_lib.json")) or "{}")
    except (ValueError, RecursionError):
        return None, None
    version = data.get("version") if isinstance(data, dict) else None
    said = version if isinstance(version, dict) else {}
    torch, cuda = said.get("torch"), said.get("cuda")
    return torch if isinstance(torch, str) else None, divmod(cuda, 100) if isinstance(cuda, int) and cuda else None


def _text(file: Path | None) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace") if file else ""
    except OSError:
        return ""


def _torch(seen: SeenEnvironment) -> str:
    return seen.torch.version if seen.torch else sys.platform


def _public(version: str) -> str:
    return version.partition("+")[0]
