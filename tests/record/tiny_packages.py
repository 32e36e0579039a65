"""Tiny packages that pip and uv install without a package index: wheels, and folders that build one by themselves."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

# A build backend of a project's own: what it puts together needs nothing from an index.
_BACKEND = """\
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from wheels import write_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name, version = Path("version.txt").read_text().split()
    files = {f"{name}/__init__.py": Path(name, "__init__.py").read_text()}
    Path("built-here.txt").write_text("as setuptools leaves an egg-info")
    return write_wheel(Path(wheel_directory), name, version, files).name


def build_sdist(sdist_directory, config_settings=None):
    raise NotImplementedError
"""
_PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "{name}"
version = "{version}"
"""


def write_wheel(folder: Path, name: str, version: str, files: Mapping[str, str] | None = None) -> Path:
    """A wheel with these files, by default with a module that says its version."""
    information = f"{name}-{version}.dist-info"
    every = {
        **(files if files is not None else {f"{name}/__init__.py": f"version = {version!r}\n"}),
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in every.items()]
    every[f"{information}/RECORD"] = "".join(lines) + f"{information}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in every.items():
            archive.writestr(path, text)
    return wheel


def write_project(folder: Path, name: str, version: str) -> Path:
    """A folder that pip and uv build a package from; building leaves a file in it."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(f"version = {version!r}\n")
    (folder / "version.txt").write_text(f"{name} {version}\n")
    (folder / "pyproject.toml").write_text(_PROJECT.format(name=name, version=version))
    (folder / "backend.py").write_text(_BACKEND)
    (folder / "wheels.py").write_text(Path(__file__).read_text())
    return folder


def commit_all(folder: Path) -> str:
    """Make the folder a git repository with everything committed, and return the commit."""
    as_somebody = ("-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "."), (*as_somebody, "commit", "-q", "-m", "all")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def unpack(wheel: Path, site: Path) -> Path:
    """Install a wheel as an installer does, and return its folder of metadata."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site / f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
