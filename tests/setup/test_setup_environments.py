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
from launcher.plan.tables import OwnTables, read_own_tables
from launcher.setup.environments import NOTHING_KNOWN, Known, find_environment, names_of_two
from launcher.setup.user_config import NamedEnvironment


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


def _tables(folder: Path, **env: str) -> OwnTables:
    origin = Origin(Source.SPEC, "fox.toml", folder / "fox.toml", 1)
    tables = read_own_tables([Setting(("env",), key, value, origin) for key, value in env.items()])
    assert not tables.findings
    return tables


def _find(
    folder: Path, environ: Mapping[str, str] | None = None, known: Known = NOTHING_KNOWN, **env: str
) -> TrainingEnvironment:
    return find_environment(_tables(folder, **env), environ or {}, known)


def _named(path: Path | None = None, *, kind: str | None = None, conda: str | None = None) -> NamedEnvironment:
    origin = Origin(Source.CONFIG, "config.toml", Path("/config.toml"), 9)
    setting = Setting(("environments", "x"), "path", str(path), origin) if path else None
    return NamedEnvironment(kind, setting, conda, "config.toml:9")


def _refused(folder: Path, known: Known = NOTHING_KNOWN, **env: str) -> KlError:
    with pytest.raises(KlError) as caught:
        _find(folder, None, known, **env)
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
    _refused(tmp_path, NOTHING_KNOWN, **env)


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


def test_a_configured_environment_by_its_name(tmp_path: Path, home: Path) -> None:
    venv, prefix = _environment(tmp_path / "venv"), _environment(home / "miniforge3" / "envs" / "kohya")
    known = Known({"sdxl": _named(venv), "old": _named(kind="conda", conda="kohya")})
    found = _find(tmp_path, None, known, name="sdxl")
    assert (found.kind, found.python, found.chosen) == ("venv", venv / "bin" / "python", "")
    assert _find(tmp_path, None, known, name="old").python == prefix / "bin" / "python"
    assert _find(tmp_path, None, known, name="kohya").python == prefix / "bin" / "python"


def test_a_configured_name_comes_before_condas_and_that_is_said(tmp_path: Path, home: Path) -> None:
    venv, prefix = _environment(tmp_path / "venv"), _environment(home / "miniforge3" / "envs" / "sdxl")
    known = Known({"sdxl": _named(venv, kind="venv")})
    assert _find(tmp_path, None, known, name="sdxl").python == venv / "bin" / "python"
    (said,) = names_of_two(_tables(tmp_path, name="sdxl"), {}, known)
    assert (said.code, said.where) == ("named-twice", "fox.toml:1") and str(prefix) in said.message
    assert _find(tmp_path, None, known, kind="conda", name="sdxl").python == prefix / "bin" / "python"
    assert not list(names_of_two(_tables(tmp_path, kind="conda", name="sdxl"), {}, known))
    assert not list(names_of_two(_tables(tmp_path, name="sdxl"), {}, Known({"sdxl": _named(prefix)})))
    assert not list(names_of_two(_tables(tmp_path, path="x"), {}, known))


def test_the_only_one_that_is_configured(tmp_path: Path) -> None:
    venv, active = _environment(tmp_path / "venv"), _environment(tmp_path / "active")
    environ = {"VIRTUAL_ENV": str(active)}
    found = _find(tmp_path, environ, Known({"sdxl": _named(venv)}))
    assert found.python == venv / "bin" / "python" and "configured" in found.chosen
    two = Known({"sdxl": _named(venv), "other": _named(venv)})
    assert (_find(tmp_path, environ, two).python, _find(tmp_path, environ, two).chosen) == (
        active / "bin" / "python",
        "active",
    )


def test_a_missing_one_names_those_that_are_there(tmp_path: Path, home: Path) -> None:
    _environment(home / "miniforge3" / "envs" / "kohya")
    beside = _environment(tmp_path / "sd-scripts" / ".venv")
    known = Known({"sdxl": _named(tmp_path / "gone")}, tmp_path / "sd-scripts")
    there = f"There are: sdxl (configured), kohya (conda), {beside}."
    assert _refused(tmp_path, known, name="sdxxl").hint == f"Did you mean sdxl? {there}"
    assert (_refused(tmp_path, known, path="nowhere").hint or "").endswith(there)
    assert (_refused(tmp_path, known, name="sdxl").hint or "").endswith(there)
    with pytest.raises(KlError) as caught:
        _find(tmp_path, {}, Known({"a": _named(tmp_path / "a"), "b": _named(conda="gone")}), kind="conda", name="b")
    assert (caught.value.where, caught.value.message) == ("config.toml:9", "There is no conda environment gone.")


def test_conda_itself_is_asked_for_a_name_that_no_folder_has(tmp_path: Path, home: Path) -> None:
    elsewhere = _environment(tmp_path / "elsewhere" / "owl")
    conda = home / "miniforge3" / "bin" / "conda"
    conda.parent.mkdir(parents=True)
    conda.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\necho \'{{"envs": ["{elsewhere}"]}}\'\n')
    conda.chmod(0o755)
    assert _find(tmp_path, {}, kind="conda", name="owl").python == elsewhere / "bin" / "python"
    assert (tmp_path / "calls").read_text().startswith("env list --json\n")
    assert (_refused(tmp_path, name="owls").hint or "") == "Did you mean owl? There are: owl (conda)."
    (tmp_path / "calls").unlink()
    _environment(home / "miniforge3" / "envs" / "kohya")
    _find(tmp_path, {}, name="kohya")
    assert not (tmp_path / "calls").exists()  # a name that a folder has starts nothing


def test_none_named_and_none_active(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = _environment(tmp_path / "sd-scripts" / "venv")
    bare = _environment(tmp_path / "bare", accelerate=False)
    monkeypatch.setattr("launcher.setup.environments.sys.executable", str(tmp_path / "python"))
    with pytest.raises(KlError) as caught:
        _find(tmp_path, {}, Known({}, tmp_path / "sd-scripts"))
    assert "none is active" in caught.value.message and str(beside) in (caught.value.hint or "")
    with pytest.raises(KlError) as caught:
        _find(tmp_path, {"VIRTUAL_ENV": str(bare)})
    assert "has no accelerate" in caught.value.message


def test_of_two_active_ones_that_with_accelerate(tmp_path: Path) -> None:
    bare, prefix = _environment(tmp_path / "bare", accelerate=False), _environment(tmp_path / "conda")
    found = _find(tmp_path, {"VIRTUAL_ENV": str(bare), "CONDA_PREFIX": str(prefix)})
    assert (found.kind, found.python, found.chosen) == ("conda", prefix / "bin" / "python", "active")


def test_what_activating_a_venv_does_to_the_variables(tmp_path: Path) -> None:
    venv = _environment(tmp_path / "venv")
    environ = {"VIRTUAL_ENV": "/other", "PATH": "/other/bin:/usr/bin", "PYTHONHOME": "/usr"}
    found = _find(tmp_path, environ, path="venv")
    assert found.variables == {"VIRTUAL_ENV": str(venv), "PATH": f"{venv}/bin:/usr/bin"}
    assert found.unset == ("PYTHONHOME",) and _find(tmp_path, path="venv").unset == ()
