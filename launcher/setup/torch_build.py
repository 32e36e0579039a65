"""Which torch is installed: the version that sd-scripts' README names, built for what this machine's driver knows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from launcher.base.errors import ExitCode, KlError
from launcher.base.words import listed
from launcher.setup.facts import Machine

_INSTALL = re.compile(
    r"pip3? install [^\n`]*?\btorch==(?P<torch>[\d.]+)(?:[^\n`]*?torchvision==(?P<vision>[\d.]+))?"
    r"[^\n`]*?(?:--(?:extra-)?index-url\s+(?P<base>https?://\S+/)(?P<build>cu\d+|cpu)\b)"
)
_NEWEST_GPUS = re.compile(r"RTX 50[^\n]*?PyTorch (?P<torch>\d+\.\d+\.\d+)")
_BLACKWELL = (10, 0)  # compute capability of the GPUs that need CUDA 12.8
_BLACKWELL_CUDA = (12, 8)
_TURING = (7, 5)  # builds for CUDA 12.8 and newer have no code for what is older (torch 2.8)
_PAIRS = {  # torch → torchvision, as their releases go together
    "2.1.2": "0.16.2", "2.4.0": "0.19.0", "2.4.1": "0.19.1", "2.5.0": "0.20.0", "2.5.1": "0.20.1",
    "2.6.0": "0.21.0", "2.7.0": "0.22.0", "2.7.1": "0.22.1", "2.8.0": "0.23.0", "2.9.0": "0.24.0", "2.9.1": "0.24.1",
}  # fmt: skip
_BUILDS = {  # torch → the builds that its makers publish for Linux, oldest first
    "2.1": ("cu118", "cu121"), "2.4": ("cu118", "cu121", "cu124"), "2.5": ("cu118", "cu121", "cu124"),
    "2.6": ("cu118", "cu124", "cu126"), "2.7": ("cu118", "cu126", "cu128"), "2.8": ("cu126", "cu128", "cu129"),
    "2.9": ("cu126", "cu128", "cu130"),
}  # fmt: skip
# From 4.1 on its kernels are declared with list[int], which torch.library takes since 2.7, and since 2.4 at all
# (lycoris/kernels/library.py; torch/_library/infer_schema.py). Its own metadata asks for any torch.
_LYCORIS = (((2, 4), "lycoris_lora<4"), ((2, 7), "lycoris_lora<4.1"))


@dataclass(frozen=True)
class TorchSaid:
    """What the README of a checkout says of torch. `base` is the index without the build at its end."""

    torch: str
    vision: str | None = None
    base: str | None = None
    build: str | None = None
    newest_gpus: str | None = None


# Of the newest release that kl knows; used where no README says it. The index is in the README alone.
USUAL = TorchSaid("2.6.0", "0.21.0", None, "cu124", "2.8.0")


@dataclass(frozen=True)
class TorchBuild:
    """What is installed. `build` is "cpu", "cu124", … or None for whatever the index gives; `why` says it in words."""

    torch: str
    vision: str | None
    build: str | None
    base: str | None
    why: str

    @property
    def asked(self) -> str:
        """All of it in one text, to see later whether it is what was installed."""
        return f"{self.torch} {self.build or 'any build'}"

    @property
    def pins(self) -> tuple[str, ...]:
        """The requirements that hold torch where it is."""
        return (f"torch=={self.torch}", f"torchvision=={self.vision}" if self.vision else "torchvision")


def torch_said(readme: str) -> TorchSaid | None:
    """The first command in a README that installs torch from an index of its makers; None where there is none."""
    found = _INSTALL.search(readme)
    if found is None:
        return None
    newest = _NEWEST_GPUS.search(readme)
    return TorchSaid(
        found["torch"], found["vision"], found["base"], found["build"], newest["torch"] if newest else None
    )


def choose_torch(torch: str | None, cuda: str | None, said: TorchSaid | None, machine: Machine) -> TorchBuild:
    """The torch for this machine. `torch` and `cuda` are what the user wishes, None and "auto" for what fits.

    Raises KlError (environment not ready) when no build fits the driver.
    """
    by = "as the checkout's README says" if said else "as for sd-scripts' newest release that kl knows"
    said = said or USUAL
    blackwell = any(each >= _BLACKWELL for each in machine.architectures)
    wanted = torch or (said.newest_gpus if blackwell and said.newest_gpus else said.torch)
    vision = said.vision if wanted == said.torch else _PAIRS.get(wanted.partition("+")[0])
    if torch:
        by = "as you say"
    elif wanted != said.torch:
        by = f"which {listed(machine.gpus)} needs"
    if cuda not in (None, "auto"):
        return TorchBuild(wanted, vision, cuda, said.base, f"{by}; {cuda} as you say")
    if machine.system == "Darwin":
        return TorchBuild(wanted, vision, None, said.base, f"{by}; macOS has one build")
    if not machine.gpus and machine.problem is None:
        return TorchBuild(wanted, vision, "cpu", said.base, f"{by}; no NVIDIA GPU is here, so for the CPU")
    if machine.driver_cuda is None:
        usual = said.build if wanted == said.torch else None
        reason = machine.problem or "the driver does not say which CUDA it knows"
        return TorchBuild(wanted, vision, usual, said.base, f"{by}; {reason}")
    build = _fitting(wanted, said, machine)
    cuda_here = ".".join(map(str, machine.driver_cuda))
    return TorchBuild(wanted, vision, build, said.base, f"{by}; the driver knows CUDA {cuda_here}")


def lycoris_for(torch: str) -> str:
    """The newest LyCORIS that can be imported with a torch, as a requirement."""
    found = re.match(r"(\d+)\.(\d+)", torch)
    version = (int(found[1]), int(found[2])) if found else (99, 0)
    return next((wanted for below, wanted in _LYCORIS if version < below), "lycoris_lora")


def build_of(cuda: str | None, hip: str | None) -> str:
    """A build by what torch says of itself: "12.4" is cu124, nothing is cpu."""
    if hip:
        return f"rocm{hip}"
    return f"cu{cuda.replace('.', '')}" if cuda else "cpu"


def _fitting(torch: str, said: TorchSaid, machine: Machine) -> str | None:
    """The README's own build where it fits, else the newest that does; None for a torch whose builds kl does not know.

    Raises KlError when none fits.
    """
    known = _BUILDS.get(".".join(torch.split(".")[:2]), ())
    own = (said.build,) if torch == said.torch and said.build else ()
    every: list[str] = [*known, *own]
    if not every:
        return None
    fitting = [each for each in every if _fits(each, machine)]
    if not fitting:
        cuda = ".".join(map(str, machine.driver_cuda or ()))
        raise KlError(
            f"torch {torch} has builds for {listed(dict.fromkeys(every))}, and the driver knows CUDA {cuda} at most.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="Update the NVIDIA driver, or choose with --torch and --cuda.",
        )
    return fitting[-1]


def _fits(build: str, machine: Machine) -> bool:
    cuda = _cuda_of(build)
    if cuda is None or machine.driver_cuda is None or cuda > machine.driver_cuda:
        return False
    if any(each >= _BLACKWELL for each in machine.architectures) and cuda < _BLACKWELL_CUDA:
        return False
    return not (any(each < _TURING for each in machine.architectures) and cuda >= _BLACKWELL_CUDA)


def _cuda_of(build: str) -> tuple[int, int] | None:
    digits = build.removeprefix("cu")
    return (int(digits[:-1]), int(digits[-1])) if len(digits) > 1 and digits.isdecimal() else None
