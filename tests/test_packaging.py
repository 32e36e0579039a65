"""What is installed: the version, the command, the typing marker, and the folders that ship beside the code."""

from __future__ import annotations

import configparser
import importlib.metadata
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import launcher
from launcher.base.places import shipped_folder

ROOT = Path(launcher.__file__).resolve().parent.parent


def test_the_version_is_said_once() -> None:
    assert importlib.metadata.version("kohya-launcher") == launcher.__version__


def test_the_command_is_kl() -> None:
    scripts = importlib.metadata.entry_points(group="console_scripts")
    assert {entry.value for entry in scripts if entry.name == "kl"} == {"launcher.__main__:main"}


def test_the_package_is_typed() -> None:
    assert (Path(launcher.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize(("folder", "file"), [("templates", "sdxl-locon.toml"), ("zsh", "_kl")])
def test_the_shipped_folders_are_found(folder: str, file: str) -> None:
    assert (shipped_folder(folder) / file).is_file()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("needs a clone: kl is installed without its sources here")
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("needs hatchling to build a wheel: install the extra `test`")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    [file] = folder.glob("*.whl")
    return zipfile.ZipFile(file)


@pytest.mark.parametrize("folder", ["templates", "zsh"])
def test_the_wheel_holds_the_shipped_folders(wheel: zipfile.ZipFile, folder: str) -> None:
    packed = {name for name in wheel.namelist() if name.startswith(f"launcher/{folder}/")}
    here = {f"launcher/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / folder).rglob("*") if path.is_file()}
    assert packed == here
    assert packed


def test_the_wheel_holds_the_demo(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for file in (ROOT / "launcher" / "demo").rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            assert file.relative_to(ROOT).as_posix() in names


def test_the_wheel_holds_no_more_than_the_package(wheel: zipfile.ZipFile) -> None:
    outside = {name for name in wheel.namelist() if not name.startswith(("launcher/", "kohya_launcher-"))}
    assert outside == set()


def test_the_wheel_has_the_marker_the_command_and_the_license(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert "launcher/py.typed" in names
    about = f"kohya_launcher-{launcher.__version__}.dist-info"
    assert f"{about}/licenses/LICENSE" in names
    entries = configparser.ConfigParser()
    entries.read_string(wheel.read(f"{about}/entry_points.txt").decode())
    assert dict(entries["console_scripts"]) == {"kl": "launcher.__main__:main"}


def test_an_installed_wheel_finds_its_folders(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Away from the clone, the folders must be found inside the package."""
    wheel.extractall(tmp_path)
    code = (
        "import launcher, launcher.base.places as places\n"
        "print(launcher.__file__)\n"
        "print(sorted(path.name for path in places.shipped_folder('templates').iterdir()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    place, templates = run.stdout.splitlines()
    assert Path(place).is_relative_to(tmp_path)
    assert templates == str(sorted(path.name for path in (ROOT / "templates").iterdir()))
