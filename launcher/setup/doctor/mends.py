"""The commands that mend an environment: for this one, with the installer that it has."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from launcher.base.errors import KlError
from launcher.setup.doctor.own_index import has_own_index
from launcher.setup.doctor.seen_environment import SeenEnvironment
from launcher.setup.doctor.seen_gpus import SeenGpus
from launcher.setup.facts import Machine
from launcher.setup.torch_build import TorchBuild, TorchSaid, choose_torch, torch_said


@dataclass(frozen=True)
class Mender:
    """Knows how packages get into one environment. `readme` is the checkout's, which names the index of torch."""

    seen: SeenEnvironment
    gpus: SeenGpus = field(default_factory=SeenGpus)
    readme: str = ""
    requirements: tuple[str, ...] = ()

    def install(self, *packages: str) -> str:
        """Install packages. uv's environments have no pip."""
        return f"{self._installer()} {shlex.join(packages)}"

    def as_required(self, package: str) -> str:
        """Install a package in the version that requirements.txt of the checkout names."""
        return self.install(self.required(package))

    def asks_for(self, package: str) -> bool:
        """Whether requirements.txt of the checkout names a package."""
        from launcher.setup.satisfied import named  # noqa: PLC0415 - packaging takes 30 ms

        return package in map(named, self.requirements)

    def required(self, package: str) -> str:
        """The line of requirements.txt for a package; its bare name where there is none."""
        from launcher.setup.satisfied import named  # noqa: PLC0415 - packaging takes 30 ms
        from launcher.trainer.packages import normal_name  # noqa: PLC0415 - the same

        return next((each for each in self.requirements if named(each) == normal_name(package)), package)

    def torch(self, version: str | None = None, *, reinstall: bool = False) -> str | None:
        """Install torch with torchvision for this machine: this version, None for the README's.

        None when no build of it fits the driver.
        """
        try:
            build = choose_torch(version, None, self.said, self._machine())
        except KlError:
            return None
        again = ("--force-reinstall",) if reinstall else ()
        return self._torch_command(build, again)

    def beside_torch(self, *packages: str) -> str:
        """Install packages that are compiled for one torch in the version for the one that is there."""
        torch = self.seen.packages.get("torch", "")
        base = self.said.base if self.said else None
        # Without a build in its version it came from the usual index, where those that belong to it are too.
        build = _tag(self.seen) if "+" in torch else None
        words = ("--upgrade", *packages, f"torch=={torch}")
        if build and self._has_pip() and base:
            return self.install(*words, "--extra-index-url", f"{base}{build}")
        if build and not self._has_pip():
            return self._or_from_own_index((*words, "--torch-backend", build), words)
        return self.install(*words)

    @property
    def said(self) -> TorchSaid | None:
        """What the checkout's README says of torch."""
        return torch_said(self.readme)

    def _torch_command(self, build: TorchBuild, again: Iterable[str]) -> str:
        if not self._has_pip():
            words = ("--upgrade", *build.pins)
            if build.build is None:
                return self.install(*words)
            return self._or_from_own_index((*words, "--torch-backend", build.build), words)
        words = ("--upgrade", *again, *build.pins)
        if build.base and build.build:
            pins = [f"{pin}+{build.build}" if "==" in pin and "+" not in pin else pin for pin in build.pins]
            index = ("--index-url", f"{build.base}{build.build}")
            return self._or_from_own_index(("--upgrade", *again, *pins, *index), words)
        return self.install(*words)

    def _or_from_own_index(self, words: Iterable[str], plain: Iterable[str]) -> str:
        """Install from the index of torch's makers, and where the user has one of his own, else from that."""
        command = self.install(*words)
        return f"{command} || {self.install(*plain)}" if has_own_index(self.seen.prefix) else command

    def _machine(self) -> Machine:
        here = self.gpus.here
        return Machine(
            gpus=self.gpus.names if here.cuda else (),
            driver_cuda=self.gpus.cuda,
            architectures=self.gpus.capabilities,
            problem=here.problem,
        )

    def _installer(self) -> str:
        python = shlex.quote(str(self.seen.python))
        if self._has_pip():
            return f"{python} -m pip install"
        if shutil.which("uv"):
            return f"uv pip install --python {python}"
        return f"{python} -m ensurepip && {python} -m pip install"

    def _has_pip(self) -> bool:
        return "pip" in self.seen.packages or shutil.which("uv") is None


def find_python(minor: str) -> Path | None:
    """An interpreter of this version, "3.10", that an environment can be made of."""
    found = shutil.which(f"python{minor}")
    if found is not None and "/shims/" not in found:  # pyenv's start whatever is chosen just now
        return Path(found)
    home = Path("~").expanduser()
    kept = [*home.glob(f".pyenv/versions/{minor}.*/bin/python{minor}")]
    kept += home.glob(f".local/share/uv/python/cpython-{minor}.*/bin/python{minor}")
    if kept:
        return max(kept)
    own = Path(getattr(sys, "_base_executable", sys.executable))  # kl's own, not that of its venv
    return own if minor == f"{sys.version_info.major}.{sys.version_info.minor}" and own.is_file() else None


def relink(prefix: Path, minor: str) -> str | None:
    """Have a venv use a Python of the version that its packages were installed for; they stay.

    `python -m venv --upgrade` leaves links that are there as they are, so they go first (venv, setup_python).
    """
    found = find_python(minor)
    if found is None:
        return None
    folder = shlex.quote(str(prefix))
    return (
        f"rm -f {folder}/bin/python {folder}/bin/python3 {folder}/bin/python{minor} && {shlex.quote(str(found))} "
        + (f"-m venv --upgrade --without-pip {folder}")
    )


def _tag(seen: SeenEnvironment) -> str | None:
    from launcher.setup.torch_build import build_of  # noqa: PLC0415 - only for this

    return build_of(seen.torch.cuda, seen.torch.hip) if seen.torch else None
