"""The environment that trains, found by its files alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting
from launcher.plan.plan import TrainingEnvironment
from launcher.plan.tables import read_own_tables
from launcher.setup.environments import find_environment


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("launcher.setup.conda_environments.HOMES", ("miniforge3",))
    return tmp_path / "home"


def _environment(folder: Path, accelerate: bool = True) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    packages = folder / "lib" / "python3.11" / "site-packages"
    (packages / "accelerate" if accelerate else packages).mkdir(parents=True)
    return folder


def _find(folder: Path, environ: Mapping[str, str] | None = None, **env: str) -> TrainingEnvironment:
    origin = Origin(Source.SPEC, "fox.toml", folder / "fox.toml", 1)
    tables = read_own_tables([Setting(("env",), key, value, origin) for key, value in env.items()])
    assert not tables.findings
    return find_environment(tables, environ or {})


def _refused(folder: Path, **env: str) -> KlError:
    with pytest.raises(KlError) as caught:
        _find(folder, None, **env)
    assert caught.value.code is ExitCode.ENVIRONMENT_NOT_READY and caught.value.hint
    assert caught.value.where == "fox.toml:1"
    return caught.value


def test_a_venv_beside_the_spec(tmp_path: Path) -> None:
    venv = _environment(tmp_path / "venv")
    for found in (_find(tmp_path, path="venv"), _find(tmp_path, kind="venv", path=str(venv))):
        assert (found.kind, found.python) == ("venv", venv / "bin" / "python")
        assert found.variables["VIRTUAL_ENV"] == str(venv) and found.variables["PATH"].startswith(f"{venv}/bin:")


def test_a_conda_environment_by_name(tmp_path: Path, home: Path) -> None:
    prefix = _environment(home / "miniforge3" / "envs" / "sdscripts")
    found = _find(tmp_path, name="sdscripts")
    assert (found.kind, found.label, found.python) == ("conda", "sdscripts", prefix / "bin" / "python")
    assert found.variables["CONDA_PREFIX"] == str(prefix)
    assert "Did you mean sdscripts?" in (_refused(tmp_path, name="sd-scripts").hint or "")


def test_a_conda_environment_that_was_noted(tmp_path: Path, home: Path) -> None:
    prefix = _environment(tmp_path / "elsewhere" / "mine")
    (home / ".conda").mkdir(parents=True)
    (home / ".conda" / "environments.txt").write_text(f"{prefix}\n\n/gone\n")
    assert _find(tmp_path, kind="conda", name="mine").python == prefix / "bin" / "python"


def test_an_interpreter(tmp_path: Path) -> None:
    venv = _environment(tmp_path / "venv")
    assert _find(tmp_path, kind="python", path="venv/bin/python").python == venv / "bin" / "python"


def test_the_active_one_comes_first(tmp_path: Path) -> None:
    venv = _environment(tmp_path / "venv")
    assert _find(tmp_path, {"VIRTUAL_ENV": str(venv)}).python == venv / "bin" / "python"


@pytest.mark.parametrize(
    "env",
    [{"path": "nowhere"}, {"kind": "python"}, {"kind": "venv"}, {"kind": "conda"}, {"name": "nowhere"},
     {"kind": "python", "path": "."}, {"path": "x" * 9000}],
)  # fmt: skip
def test_refused(tmp_path: Path, env: dict[str, str]) -> None:
    _refused(tmp_path, **env)


def test_without_accelerate(tmp_path: Path) -> None:
    _environment(tmp_path / "venv", accelerate=False)
    assert "pip install accelerate" in (_refused(tmp_path, path="venv").hint or "")


def test_whoever_names_an_environment_replaces_that_of_a_weaker_layer(tmp_path: Path) -> None:
    venv = _environment(tmp_path / "venv")
    config = Origin(Source.CONFIG, "config.toml", tmp_path / "config.toml", 1)
    spec = Origin(Source.SPEC, "fox.toml", tmp_path / "fox.toml", 1)
    weaker = [Setting(("env",), key, value, config) for key, value in (("kind", "conda"), ("name", "sdscripts"))]
    tables = read_own_tables([*weaker, Setting(("env",), "path", "venv", spec)])
    assert not tables.findings
    assert find_environment(tables, {}).python == venv / "bin" / "python"
    assert find_environment(tables, {}).kind == "venv"


def test_what_a_path_is_shows_when_no_kind_is_given(tmp_path: Path) -> None:
    folder = _environment(tmp_path / "env")
    assert _find(tmp_path, path="env/bin/python").kind == "python"
    (folder / "conda-meta").mkdir()
    assert _find(tmp_path, path="env").kind == "conda"
