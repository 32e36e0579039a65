from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from launcher.cli.main import run
from launcher.demo.layout import SOURCES


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a configuration that names the demo's checkout and no environment; the file."""
    for name in ("SD_REPO", "VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    file = tmp_path / "config/kl/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f'[run]\nsd_scripts = "{SOURCES}"\n[env]\npath = "{tmp_path}/venv"\n')
    return file


def _schema(capsys: pytest.CaptureFixture[str], *words: str) -> Draft202012Validator:
    assert run(["schema", *words]) == 0
    schema = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_without_a_script_it_is_for_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    validator = _schema(capsys)
    for script in ("train_network.py", "sdxl_train_network.py"):
        assert validator.is_valid({"run": {"script": script}, "model": {"seed": 1}})
        assert not validator.is_valid({"run": {"script": script}, "model": {"sead": 1}})


def test_for_one_script(capsys: pytest.CaptureFixture[str]) -> None:
    validator = _schema(capsys, "train_network")
    assert validator.is_valid({"run": {"script": "train_network.py"}})
    assert not validator.is_valid({"run": {"script": "sdxl_train_network.py"}})
    assert isinstance(validator.schema, dict)
    assert "for train_network.py of" in validator.schema["title"]


def test_an_environment_that_is_not_there_is_said_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "train_network.py"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("warning: ")
    assert said.err.count("\n") == 1
    spec = {"network": {"network_module": "lycoris.kohya"}, "network_args": {"anything": 1}, "accelerate": {"any": 1}}
    assert Draft202012Validator(json.loads(said.out)).is_valid(spec)


def test_another_checkout(tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.unlink()
    assert run(["schema"]) == 69
    (tmp_path / "mine").mkdir()
    text = "import argparse\ndef setup_parser():\n    parser = argparse.ArgumentParser()\n"
    (tmp_path / "mine/my_train.py").write_text(
        f'{text}    parser.add_argument("--only_mine", type=int)\n    return parser\n'
    )
    capsys.readouterr()
    validator = _schema(capsys, "--sd-scripts", str(tmp_path / "mine"))
    assert validator.is_valid({"only_mine": 1})
    assert not validator.is_valid({"seed": 1})


def test_a_script_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "trian_network.py"]) == 65
    said = capsys.readouterr()
    assert said.out == ""
    assert "Did you mean train_network.py?" in said.err
