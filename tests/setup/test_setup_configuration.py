"""What a set-up writes into the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.setup.config_file import change_config
from launcher.setup.configuration import configure, is_configured
from launcher.setup.facts import EnvironmentFacts
from launcher.setup.made import Made, write_mark
from launcher.setup.user_config import read_user_config

SD, VENV = Path("/made/sd-scripts"), EnvironmentFacts(Path("/made/venv"), made=Made(kind="venv", name="sd-scripts"))


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("launcher.setup.user_config.config_folder", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config.toml"


def _values() -> dict[str, object]:
    return {each.path: each.value for each in read_user_config().every}


def test_the_first_one_is_what_specs_get() -> None:
    assert not is_configured("sd-scripts", SD, VENV)
    assert configure("sd-scripts", SD, VENV) is None
    assert is_configured("sd-scripts", SD, VENV)
    assert _values() == {
        "checkouts.sd-scripts": str(SD), "environments.sd-scripts.kind": "venv",
        "environments.sd-scripts.path": "/made/venv", "run.sd_scripts": "sd-scripts", "env.name": "sd-scripts",
    }  # fmt: skip


def test_a_second_one_gets_its_name_and_nothing_else_changes() -> None:
    configure("sd-scripts", SD, VENV)
    other = EnvironmentFacts(Path("/made/v3"))
    assert not is_configured("v0.10.1", Path("/made/v0.10.1"), other)
    said = configure("v0.10.1", Path("/made/v0.10.1"), other)
    assert said is not None and 'name = "v0.10.1" in [env]' in said
    assert is_configured("v0.10.1", Path("/made/v0.10.1"), other) and is_configured("sd-scripts", SD, VENV)
    assert _values()["run.sd_scripts"] == _values()["env.name"] == "sd-scripts"


def test_what_the_user_wrote_stays(config: Path) -> None:
    config.write_text('[env] # mine\npath = "/mine"\n')
    assert configure("sd-scripts", SD, VENV) is not None
    assert config.read_text().startswith('[env] # mine\npath = "/mine"\n') and "env.name" not in _values()
    assert is_configured("sd-scripts", SD, VENV)


def test_a_name_that_stands_for_something_else_stays(config: Path) -> None:
    change_config({("environments", "sd-scripts", "name"): "kohya", ("checkouts", "sd-scripts"): "/old"})
    before = config.read_text()
    said = configure("sd-scripts", SD, VENV)
    assert said is not None and "/old" in said and config.read_text() == before
    assert not is_configured("sd-scripts", SD, VENV)


def test_a_name_moves_with_the_folder_that_kl_made(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    write_mark(old, Made(kind="checkout", name="sd-scripts"))
    change_config({("checkouts", "sd-scripts"): str(old)})
    assert configure("sd-scripts", SD, VENV) is None and is_configured("sd-scripts", SD, VENV)


def test_a_configuration_that_cannot_be_read_names_nothing(config: Path) -> None:
    config.write_text("[run\n")
    assert not is_configured("sd-scripts", SD, VENV)
