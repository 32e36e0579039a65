"""Environments, wheels, checkouts and programs as the doctor meets them, small and made up."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from launcher.setup.doctor.diagnosis import Diagnosis, Status

PYTHON = Path(os.path.realpath(sys.executable))  # of no venv
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
PROGRAMS = ("git", "sh", "bash", "env", "rm", "mkdir", "chmod", "mv", "find", "id", "sed", "cat", "uname", "sleep")
SMI = """#!/bin/sh
case "$*" in
*compute_cap*) echo '{capability}';;
*query-gpu*) echo '{name}, 24564, 550.54.15';;
*) echo '| NVIDIA-SMI 550.54.15    Driver Version: 550.54.15    CUDA Version: {cuda} |';;
esac
"""
README = """# sd-scripts
Python 3.10.x: tested. Python 3.11.x, 3.12.x, 3.13.x and 3.14.x will work.

pip install torch==2.6.0 torchvision==0.21.0 --index-url https://index.invalid/whl/cu124
pip install --upgrade -r requirements.txt

For RTX 50 series GPUs, PyTorch 2.8.0 with CUDA 12.8 should be used.
"""
REQUIREMENTS = """accelerate==1.6.0
transformers==4.54.1
opencv-python==4.10.0.84
bitsandbytes
lion-pytorch==0.2.3  # on demand
tensorboard
voluptuous==0.15.2
numpy
# another==1.0
colorama ; sys_platform == "win32"
-e .
"""
TRAIN = "import accelerate\nimport torchvision\nimport cv2\nimport transformers\nimport library.train_util\n"
LIBRARY = """import voluptuous

def get_optimizer(name):
    import lion_pytorch

def setup_parser():
    pass
"""
STRATEGY = """
TOKENIZER_ID = "openai/clip-vit-large-patch14"
V2_STABLE_DIFFUSION_ID = "stabilityai/stable-diffusion-2"

class Strategy:
    def __init__(self, v2, cache):
        if v2:
            self.tokenizer = self._load_tokenizer(
                CLIPTokenizer, V2_STABLE_DIFFUSION_ID, subfolder="tokenizer", tokenizer_cache_dir=cache
            )
        else:
            self.tokenizer = self._load_tokenizer(CLIPTokenizer, TOKENIZER_ID, tokenizer_cache_dir=cache)
"""
OLD_NUMPY, ANY_NUMPY = "numpy.core._multiarray_umath", "numpy._core._multiarray_umath\0numpy.core._multiarray_umath"


@dataclass(frozen=True)
class Package:
    """A package as it is installed, or as a wheel holds it. `files` are texts by path."""

    name: str
    version: str
    requires: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    python: str = ">=3.8"

    @property
    def contents(self) -> dict[str, str]:
        """The files with the metadata."""
        folder = f"{self.name.replace('-', '_')}-{self.version}.dist-info"
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        lines += [f"Requires-Python: {self.python}", *(f"Requires-Dist: {each}" for each in self.requires)]
        files = {**self.files, f"{folder}/METADATA": "\n".join(lines) + "\n"}
        files[f"{folder}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: bed\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        files[f"{folder}/INSTALLER"] = "pip\n"
        record = f"{folder}/RECORD"
        files[record] = "".join(f"{name},,\n" for name in (*files, record))
        return files


def torch(version: str = "2.6.0+cu124", codes: str = "sm_50 sm_80 sm_86 sm_90", numpy: str = ANY_NUMPY) -> Package:
    """torch as it says what it was built for."""
    build = version.partition("+cu")[2]
    cuda = repr(f"{build[:2]}.{build[2:]}") if build else "None"
    files = {
        "torch/__init__.py": "",
        "torch/version.py": f"__version__ = '{version}'\ncuda: Optional[str] = {cuda}\nhip: Optional[str] = None\n",
        "torch/lib/libtorch_python.so": f"\0{numpy}\0{codes if build else ''}\0",
    }
    return Package("torch", version, files=files)


def torchvision(version: str, torch: str, build: str = "cu124") -> Package:
    """torchvision for one torch."""
    files = {"torchvision/__init__.py": "", "torchvision/version.py": f"__version__ = '{version}+{build}'\n"}
    files["torchvision/_C.so"] = ""
    return Package("torchvision", f"{version}+{build}", (f"torch (=={torch})", "numpy"), files)


def xformers(version: str, torch: str, cuda: int = 1204) -> Package:
    """xformers for one torch."""
    built = {"version": {"cuda": cuda, "hip": None, "torch": f"{torch}+cu124", "python": "3.10.16"}, "env": {}}
    return Package("xformers", version, (f"torch=={torch}",), {"xformers/cpp_lib.json": json.dumps(built)})


def bitsandbytes(version: str, *builds: str) -> Package:
    """bitsandbytes with libraries for these builds of CUDA."""
    files = {f"bitsandbytes/libbitsandbytes_cuda{build}.so": "" for build in builds}
    return Package("bitsandbytes", version, ("torch<3,>=2.2",), {"bitsandbytes/__init__.py": "", **files})


def opencv(version: str, numpy: str = ANY_NUMPY) -> Package:
    """OpenCV, compiled for one numpy or for both."""
    return Package("opencv-python", version, (), {"cv2/__init__.py": "", "cv2/cv2.abi3.so": f"\0{numpy}\0"})


TRANSFORMERS = Package("transformers", "4.54.1", ("tokenizers<0.22,>=0.21", "torch>=2; extra == 'torch'"))
SOUND: tuple[Package, ...] = (
    torch(), torchvision("0.21.0", "2.6.0"), xformers("0.0.29", "2.6.0"), bitsandbytes("0.45.0", "118", "124"),
    Package("accelerate", "1.6.0"), Package("lycoris_lora", "4.0.0"), Package("tensorboard", "2.21.0"),
    TRANSFORMERS, Package("tokenizers", "0.21.4"), opencv("4.10.0.84"), Package("numpy", "2.2.6"),
    Package("voluptuous", "0.15.2"), Package("lion-pytorch", "0.2.3"), Package("triton", "3.2.0"),
)  # fmt: skip


def without(*names: str) -> tuple[Package, ...]:
    """The sound packages but for some."""
    return tuple(each for each in SOUND if each.name not in names)


def instead(*packages: Package) -> tuple[Package, ...]:
    """The sound packages with others in their place."""
    return (*without(*(each.name for each in packages)), *packages)


def make_environment(folder: Path, packages: tuple[Package, ...] = SOUND, *, pip: bool = False) -> Path:
    """A venv with these packages, and with pip where it is to be mended. Returns its interpreter."""
    (folder / "bin").mkdir(parents=True)
    for name in ("python", "python3", f"python{MINOR}"):
        (folder / "bin" / name).symlink_to(PYTHON)
    (folder / "pyvenv.cfg").write_text(f"home = {PYTHON.parent}\ninclude-system-site-packages = false\n")
    site = folder / "lib" / f"python{MINOR}" / "site-packages"
    site.mkdir(parents=True)
    for package in packages:
        for name, text in package.contents.items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(text)
    if pip:
        _put_pip(site)
    return folder / "bin" / "python"


def make_wheel(folder: Path, package: Package) -> None:
    """A wheel that pip installs."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{package.name.replace('-', '_')}-{package.version}-py3-none-any.whl"
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, text in package.contents.items():
            archive.writestr(path, text)


def make_checkout(folder: Path) -> Path:
    """A checkout of the few files that the doctor looks at."""
    (folder / "library").mkdir(parents=True)
    (folder / "networks").mkdir()
    (folder / "README.md").write_text(README)
    (folder / "requirements.txt").write_text(REQUIREMENTS)
    (folder / "train_network.py").write_text(f"{TRAIN}\ndef setup_parser():\n    pass\n")
    (folder / "library" / "train_util.py").write_text(LIBRARY)
    (folder / "library" / "strategy_sd.py").write_text(STRATEGY)
    return folder


@dataclass(frozen=True)
class Bed:
    """A folder with programs, wheels and a home of their own; this process has them as its environment."""

    folder: Path

    @property
    def programs(self) -> Path:
        """The only folder on the PATH."""
        return self.folder / "programs"

    @property
    def wheels(self) -> Path:
        """Where pip finds packages, and nowhere else."""
        return self.folder / "wheels"

    def gpu(self, name: str = "NVIDIA GeForce RTX 4090", cuda: str = "12.4", capability: str = "8.9") -> None:
        """Have a GPU."""
        program = self.programs / "nvidia-smi"
        program.write_text(SMI.format(name=name, cuda=cuda, capability=capability))
        program.chmod(0o755)

    def run(self, mend: str, cwd: Path | None = None) -> None:
        """Run what mends, as a user would."""
        done = subprocess.run(["sh", "-c", mend], cwd=cwd or self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{mend}\n{done.stdout}\n{done.stderr}"


def make_bed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    """A bed without a GPU, with Python and git and little else."""
    bed = Bed(folder)
    bed.programs.mkdir(parents=True)
    bed.wheels.mkdir()
    for name in PROGRAMS:
        found = shutil.which(name)
        if found:
            (bed.programs / name).symlink_to(found)
    (bed.programs / f"python{MINOR}").symlink_to(PYTHON)
    home = folder / "home"
    home.mkdir()
    for name in [each for each in os.environ if each.startswith(("PIP_", "UV_", "GIT_", "HF_", "XDG_C"))]:
        monkeypatch.delenv(name)
    settings = {
        "HOME": home, "PATH": bed.programs, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": bed.wheels,
        "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "fox", "GIT_AUTHOR_EMAIL": "fox@invalid", "GIT_COMMITTER_NAME": "fox",
        "GIT_COMMITTER_EMAIL": "fox@invalid", "XDG_CACHE_HOME": folder / "cache",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    return bed


def wrong(found: tuple[Diagnosis, ...]) -> dict[str, Diagnosis]:
    """What is wrong, by subject."""
    return {each.subject: each for each in found if each.status is Status.WRONG}


def of(found: tuple[Diagnosis, ...], subject: str) -> Diagnosis:
    """The first thing that is said of a subject."""
    return next(each for each in found if each.subject == subject)


def renamed(package: Package, version: str) -> Package:
    """The package in another version."""
    return replace(package, version=version)


def _put_pip(site: Path) -> None:
    import ensurepip

    bundled = sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    if not bundled:
        pytest.skip("this Python brings no wheel of pip")
    with zipfile.ZipFile(bundled[-1]) as archive:
        archive.extractall(site)
