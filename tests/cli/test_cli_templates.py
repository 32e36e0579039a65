from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.places import shipped_folder
from launcher.cli.ask import asked
from launcher.cli.main import run

SHIPPED = sorted(path.stem for path in shipped_folder("templates").glob("*.toml"))


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_every_template_is_listed_with_its_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["templates"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == SHIPPED
    assert all(line.endswith(".") and len(line) <= 120 for line in lines)


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["templates", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in listed] == SHIPPED
    assert all(Path(each["path"]).is_file() and each["purpose"] and each["hides"] == [] for each in listed)


def test_one_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["templates", "sdxl-lora"]) == 0
    assert capsys.readouterr().out == (shipped_folder("templates") / "sdxl-lora.toml").read_text("utf-8")


def test_one_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["templates", "sdxl"]) == 64
    assert "There is no template 'sdxl'." in capsys.readouterr().err


def test_a_question_without_an_answer_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(_: str) -> str:
        raise EOFError

    monkeypatch.setattr(builtins, "input", ended)
    for terminal in (True, False):
        monkeypatch.setattr(sys.stdin, "isatty", lambda terminal=terminal: terminal)
        with pytest.raises(KlError, match="No model") as caught:
            asked("Model", missing="No model.", otherwise="Give one.")
        assert (caught.value.code, caught.value.hint) == (ExitCode.USAGE, "Give one.")


def test_an_empty_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["", "  ", " fox "])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(builtins, "input", lambda _: next(answers))
    assert asked("Model", missing="", otherwise="") == "fox"
