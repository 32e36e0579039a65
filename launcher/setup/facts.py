"""What is known before something is set up: of the machine, the checkout and the environment. Only data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from launcher.setup.conda import CondaProgram
from launcher.setup.made import Made


@dataclass(frozen=True)
class Interpreter:
    """A Python of the machine that venvs can be made of, with its version: (3, 10)."""

    path: Path
    version: tuple[int, int]


@dataclass(frozen=True)
class Machine:
    """The programs and the GPUs that are there.

    `driver_cuda` is the newest CUDA that the driver knows, (12, 4), and `architectures` the compute capabilities of
    the GPUs; None and () where there is no NVIDIA GPU, or they could not be asked. `other_gpus` are of other makers.
    `offline` says that the user's own settings of pip or uv forbid any index but his own.
    """

    system: str = "Linux"
    git: str | None = None
    uv: str | None = None
    conda: CondaProgram | None = None
    pythons: tuple[Interpreter, ...] = ()
    gpus: tuple[str, ...] = ()
    driver_cuda: tuple[int, int] | None = None
    architectures: tuple[tuple[int, int], ...] = ()
    problem: str | None = None
    other_gpus: tuple[str, ...] = ()
    offline: bool = False


@dataclass(frozen=True)
class CheckoutFacts:
    """The checkout as it is. `target` is the commit of the revision that is wished, where it is known already.

    `readme` and `requirements` are the texts of the files as they will be at the target, None where nobody can know
    before it is cloned. `branch` is what a clone of a folder stands at, and `sparse` the patterns of a clone that has
    only a part of the files. `newer` is the newest release that the checkout knows and does not stand at or beyond.
    """

    folder: Path
    exists: bool = False
    is_checkout: bool = False
    made: Made | None = None
    commit: str | None = None
    changed: tuple[str, ...] = ()
    target: str | None = None
    readme: str | None = None
    requirements: str | None = None
    branch: str | None = None
    sparse: tuple[str, ...] = ()
    source_changed: bool = False
    newer: str | None = None


@dataclass(frozen=True)
class EnvironmentFacts:
    """The environment as it is: its interpreter, its packages with their versions, by the names that indexes compare.

    `library` is the folder of sd-scripts' own package, which is installed editable. `build` is that of torch, "cpu"
    or "cu124". `xformers_wants` is what xformers requires of torch. `broken` are packages of which a part is missing.
    """

    folder: Path
    exists: bool = False
    made: Made | None = None
    python: Path | None = None
    version: tuple[int, int] | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    library: Path | None = None
    build: str | None = None
    xformers_wants: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """All of it. `configured`: kl's configuration names this checkout and environment already."""

    machine: Machine
    checkout: CheckoutFacts
    environment: EnvironmentFacts
    state: Path
    configured: bool = False
    accelerate_configured: bool = False
