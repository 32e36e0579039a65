"""A made-up checkout with tiny wheels, and `kl setup` in a process of its own: no network, real git, venv and pip.

A sign in the bed's folder makes one step slow, so that it can be interrupted in its middle: `slow-NAME` is looked at
by git, pip's build backend and torch, and `began-NAME` is what they leave when they wait.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import launcher

DEADLINE = 120.0
README = """
pip install torch==2.6.0 torchvision==0.21.0 --index-url https://packages.invalid/whl/cu124
"""
REQUIREMENTS = "accelerate==1.6.0\ndiffusers==0.32.1\ntransformers\nsafetensors\ntoml\nvoluptuous\n# itself\n-e .\n"
WAIT = """
import os, pathlib, time
def wait(name):
    bed = pathlib.Path(os.environ["TEST_BED"])
    if (bed / f"slow-{name}").exists():
        (bed / f"{name}.partial").write_text(str(os.getpid()))
        (bed / f"{name}.partial").rename(bed / f"began-{name}")
        while (bed / f"slow-{name}").exists():
            time.sleep(0.05)
"""
# A build backend that needs nothing from any index (PEP 517 and 660).
BACKEND = (
    WAIT
    + """
import zipfile
INFO = "library-0.0.0.dist-info"
def _wheel(folder, files):
    files = {**files, f"{INFO}/METADATA": "Metadata-Version: 2.1\\nName: library\\nVersion: 0.0.0\\n",
             f"{INFO}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    files[f"{INFO}/RECORD"] = "".join(f"{name},,\\n" for name in (*files, f"{INFO}/RECORD"))
    name = "library-0.0.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for each, text in files.items():
            wheel.writestr(each, text)
    return name
def build_editable(folder, settings=None, metadata=None):
    wait("requirements")
    return _wheel(folder, {"library.pth": os.getcwd() + "\\n"})
def build_wheel(folder, settings=None, metadata=None):
    return _wheel(folder, {})
"""
)
GIT = """#!{python}
import os, subprocess, sys
{wait}
if "clone" in sys.argv and os.path.exists(os.environ["TEST_BED"] + "/full"):
    sys.exit("fatal: cannot write: No space left on device")
code = subprocess.call([{git!r}, *sys.argv[1:]])
if "clone" in sys.argv:
    wait("clone")
sys.exit(code)
"""


@dataclass(frozen=True)
class SetupBed:
    """Where a test sets up: `source` is what it clones, `wheels` all there is to install."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    @property
    def checkout(self) -> Path:
        return self.home / "sd-scripts"

    @property
    def environment(self) -> Path:
        return self.home / ".local" / "share" / "kl" / "environments" / "sd-scripts"

    @property
    def config(self) -> Path:
        return self.home / ".config" / "kl" / "config.toml"


def make_setup_bed(folder: Path, *, uv: bool = False) -> SetupBed:
    """A fresh home, a source to clone, wheels, and a PATH with git alone, and uv when it is wanted."""
    path = folder / "path"
    for each in (path, folder / "home", folder / "wheels"):
        each.mkdir(parents=True)
    _make_wheels(folder / "wheels")
    _make_source(folder / "source")
    git = path / "git"
    git.write_text(GIT.format(python=sys.executable, wait=WAIT, git=shutil.which("git")))
    git.chmod(0o755)
    if uv:
        (path / "uv").symlink_to(real_uv() or "uv")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "XDG_", "KL_"))}
    variables = {
        **{name: value for name, value in kept.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_EXE")},
        "HOME": str(folder / "home"),
        "PATH": str(path),
        "TEST_BED": str(folder),
        "PYTHONPATH": str(Path(launcher.__file__).parent.parent),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder / "wheels"),
        "UV_OFFLINE": "1",
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(folder / "wheels"),
    }
    return SetupBed(folder, variables)


def real_uv() -> str | None:
    """uv itself, where it is installed: no shim that needs others on the PATH."""
    found = shutil.which("uv")
    if found is None:
        return None
    said = subprocess.run(["uv", "--version"], capture_output=True, check=False)
    if said.returncode != 0:
        return None
    if "/shims/" in found:
        asked = subprocess.run(["pyenv", "which", "uv"], capture_output=True, text=True, check=False)
        return asked.stdout.strip() or None
    return found


def kl_setup(bed: SetupBed, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `kl setup` to its end."""
    return subprocess.run(
        _command(bed, words),
        env={**bed.variables, **variables},
        cwd=bed.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def start_setup(bed: SetupBed, *words: str) -> subprocess.Popen[str]:
    """Start `kl setup`, as from a shell."""
    return subprocess.Popen(
        _command(bed, words),
        env=bed.variables,
        cwd=bed.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a sign is there. Fails when the process has ended before."""
    limit = time.monotonic() + DEADLINE
    while not path.exists():
        assert time.monotonic() < limit, f"{path.name} did not come"
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def state_of(bed: SetupBed) -> dict[str, Any]:
    """What a set-up has come to: what must be the same however often it was interrupted."""
    head = subprocess.run(["git", "-C", bed.checkout, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    site = next(bed.environment.glob("lib/python3*/site-packages"))
    mark = json.loads((bed.environment / "kl-made.json").read_text())
    return {
        "head": head.stdout.strip(),
        "packages": sorted(path.name for path in site.glob("*.dist-info")),
        "records": all((path / "RECORD").is_file() for path in site.glob("*.dist-info")),
        "config": bed.config.read_text().replace(str(bed.folder), "BED"),
        "mark": {key: value for key, value in mark.items() if key not in ("created", "checked")},
        "at home": sorted(path.name for path in bed.home.iterdir() if path.name not in (".cache", ".gitconfig")),
    }


def _command(bed: SetupBed, words: tuple[str, ...]) -> list[str]:
    python = ["--python", sys.executable, "--sd-scripts", str(bed.source), "--cuda", "cpu"]
    return [sys.executable, "-m", "launcher", "setup", *python, *words]


def commit(folder: Path, message: str, tag: str | None = None) -> str:
    """Commit everything in a folder, and tag it."""
    _git(folder, "add", "-A")
    _git(folder, "-c", "user.name=t", "-c", "user.email=t@t.invalid", "commit", "-q", "-m", message)
    if tag:
        _git(folder, "tag", tag)
    return _git(folder, "rev-parse", "HEAD")


def _git(folder: Path, *words: str) -> str:
    date = "2026-01-01T00:00:00+00:00"  # the same files make the same commit
    environ = {**os.environ, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True, env=environ)
    return done.stdout.strip()


def _make_source(folder: Path) -> None:
    (folder / "library").mkdir(parents=True)
    (folder / "library" / "__init__.py").touch()
    (folder / "library" / "train_util.py").write_text("def add_sd_models_arguments(parser):\n    pass\n")
    (folder / "train_network.py").write_text("def setup_parser():\n    pass\n")
    (folder / "README.md").write_text(README)
    (folder / "requirements.txt").write_text(REQUIREMENTS)
    (folder / "backend.py").write_text(BACKEND)
    (folder / ".gitignore").write_text("__pycache__\n")
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (folder / "pyproject.toml").write_text(build)
    _git(folder.parent, "init", "-q", "-b", "main", str(folder))
    commit(folder, "first", "v0.10.0")


def _make_wheels(folder: Path) -> None:
    torch = WAIT + "wait('check')\nfrom torch.version import __version__\nfrom torch import version, cuda\n"
    usable = "def is_available():\n    return False\n"
    version = "__version__ = '2.6.0'\ncuda = None\n"
    files = {"torch/__init__.py": torch, "torch/version.py": version, "torch/cuda.py": usable}
    _torch_source(folder, files)
    needs = "Requires-Dist: torch==2.6.0\n"
    make_wheel(folder, "torchvision", "0.21.0", {"torchvision/__init__.py": ""}, needs)
    make_wheel(folder, "lycoris_lora", "4.0.0", {"lycoris/__init__.py": "", "lycoris/kohya/__init__.py": ""})
    make_wheel(folder, "lycoris_lora", "4.1.3", {"lycoris/__init__.py": "", "lycoris/kohya/__init__.py": ""})
    make_wheel(folder, "xformers", "0.0.29", {"xformers/__init__.py": ""}, needs)
    for name, number in (("accelerate", "1.6.0"), ("accelerate", "1.7.0"), ("diffusers", "0.32.1")):
        make_wheel(folder, name, number, {f"{name}/__init__.py": ""})
    for name in ("transformers", "safetensors", "toml", "voluptuous", "prodigyopt"):
        make_wheel(folder, name, "1.0", {f"{name}/__init__.py": ""})


def make_wheel(folder: Path, name: str, version: str, files: dict[str, str], more: str = "") -> Path:
    """A wheel with these files, and what else its metadata says."""
    information = f"{name}-{version}.dist-info"
    every = {
        **files,
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_hash(text)},{len(text.encode())}\n" for path, text in every.items()]
    every[f"{information}/RECORD"] = "".join([*rows, f"{information}/RECORD,,\n"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for each, text in every.items():
            wheel.writestr(each, text)
    return path


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _torch_source(folder: Path, files: dict[str, str]) -> None:
    """torch as a source, whose build can be made slow; it puts the wheel in place that lies in it."""
    inner = make_wheel(folder, "torch", "2.6.0", files)
    content = inner.read_bytes()
    inner.unlink()
    backend = WAIT + (
        "import shutil\n"
        "def build_wheel(folder, settings=None, metadata=None):\n"
        "    wait('torch')\n"
        f"    return shutil.copy({inner.name!r}, folder) and {inner.name!r}\n"
    )
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    metadata = "Metadata-Version: 2.1\nName: torch\nVersion: 2.6.0\n"
    with tarfile.open(folder / "torch-2.6.0.tar.gz", "w:gz") as archive:
        texts = {"pyproject.toml": build, "backend.py": backend, "PKG-INFO": metadata}
        for name, data in {**{name: text.encode() for name, text in texts.items()}, inner.name: content}.items():
            entry = tarfile.TarInfo(f"torch-2.6.0/{name}")
            entry.size = len(data)
            archive.addfile(entry, BytesIO(data))
