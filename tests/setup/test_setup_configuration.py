"""What a set-up writes into the configuration, and what it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.setup.configuration import configure, is_configured
from launcher.setup.facts import EnvironmentFacts
from launcher.setup.made import Made, write_mark
from launcher.setup.user_config import config_file, read_user_config

CHECKOUT = Path("/some/sd-scripts")
ENVIRONMENT = EnvironmentFacts(Path("/some/env"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def _write(text: str) -> None:
    config_file().parent.mkdir(parents=True, exist_ok=True)
    config_file().write_text(text)


def _settings() -> dict[str, object]:
    return {setting.path: setting.value for setting in read_user_config().every}


def test_an_empty_configuration_gets_all_of_it() -> None:
    assert not is_configured("x", CHECKOUT, ENVIRONMENT)
    assert configure("x", CHECKOUT, ENVIRONMENT) is None
    assert is_configured("x", CHECKOUT, ENVIRONMENT)
    assert _settings() == {
        "run.sd_scripts": "x",
        "env.name": "x",
        "checkouts.x": "/some/sd-scripts",
        "environments.x.kind": "venv",
        "environments.x.path": "/some/env",
    }


def test_defaults_that_are_there_stay() -> None:
    _write('# mine\n[run]\nsd_scripts = "~/mine"\n[env]\nname = "sdxl"\nkind = "conda"\n')
    said = configure("x", CHECKOUT, ENVIRONMENT)
    assert said is not None and 'sd_scripts = "x"' in said
    assert is_configured("x", CHECKOUT, ENVIRONMENT)
    assert config_file().read_text().startswith("# mine\n")
    assert _settings()["run.sd_scripts"] == "~/mine" and "env.path" not in _settings()


def test_a_name_that_stands_for_something_else_stays() -> None:
    _write('[checkouts]\nx = "~/mine"\n')
    said = configure("x", CHECKOUT, ENVIRONMENT)
    assert said is not None and "/mine as x already" in said and "--name" in said
    assert _settings() == {"checkouts.x": "~/mine"} and not is_configured("x", CHECKOUT, ENVIRONMENT)
    _write('[environments.x]\nkind = "conda"\nname = "mine"\n')
    assert "has mine as x already" in (configure("x", CHECKOUT, ENVIRONMENT) or "")


def test_a_name_of_what_kl_made_before_is_given_to_what_it_made_now(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    write_mark(tmp_path / "before", Made(kind="venv", name="x", whole=True))
    _write(f'[environments.x]\npath = "{tmp_path}/before"\n')
    assert configure("x", CHECKOUT, ENVIRONMENT) is None
    assert _settings()["environments.x.path"] == "/some/env"


def test_a_broken_configuration_is_not_configured() -> None:
    _write("[run\n")
    assert not is_configured("x", CHECKOUT, ENVIRONMENT)
