"""`kl options`: the reference and its JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest
import typer
from trainer_checkouts import SCRIPT, lay_out, setup
from typer.testing import CliRunner

from launcher.cli import options as command
from launcher.cli.help_texts import help_half, prefers_japanese

BODY = """
    import torch
    parser.add_argument("--network_dim", type=int, default=4, help="size / サイズ")
    parser.add_argument("--save_as", choices=[None, "a", "b"], required=True, help="kind of file")
    parser.add_argument("--cache", action="store_true", help="keep latents / latentを残す")
    parser.add_argument("--no_x", action="store_false", dest="x")
    parser.add_argument("--args", nargs="*", type=str, default=torch.x)
    parser.add_argument("--word", default="")
    torch.add(parser)
    """


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    root = lay_out(tmp_path / "checkout", setup(BODY))
    stand_in = types.ModuleType("launcher.setup.checkouts")
    vars(stand_in)["find_checkout"] = lambda explicit: explicit or root
    monkeypatch.setitem(sys.modules, "launcher.setup.checkouts", stand_in)
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    made = typer.Typer()
    made.command()(command.options_command)
    return made


def test_the_reference_says_what_there_is_to_know(app: typer.Typer) -> None:
    text = CliRunner().invoke(app, [SCRIPT], env={"COLUMNS": "100"}).output
    assert "--network_dim INT\n    default: 4\n    size\n" in text
    assert "--save_as TEXT\n    one of: a, b\n    required\n    kind of file\n" in text
    assert "--cache\n    keep latents\n" in text
    assert "--no_x\n    name: x\n    on by default\n" in text
    assert "--args TEXT …\n    not readable from the source: default (train_thing.py:" in text
    assert "--word TEXT\n    default: ''\n" in text
    assert "what `torch.add` does with the parser" in text


def test_the_reference_speaks_japanese_where_the_locale_does(app: typer.Typer) -> None:
    text = CliRunner().invoke(app, [SCRIPT], env={"LC_ALL": "ja_JP.UTF-8"}).output
    assert "    サイズ\n" in text and "size" not in text
    assert "    kind of file\n" in text


@pytest.mark.parametrize(
    ("word", "found"), [("DIM", ["network_dim"]), ("サイズ", ["network_dim"]), ("LATENT", ["cache"])]
)
def test_search_looks_at_names_and_help_in_both_languages(app: typer.Typer, word: str, found: list[str]) -> None:
    text = CliRunner().invoke(app, [SCRIPT, "--search", word, "--json"]).output
    assert [option["name"] for option in json.loads(text)["options"]] == found


def test_the_json_has_its_documented_shape(app: typer.Typer, tmp_path: Path) -> None:
    data = json.loads(CliRunner().invoke(app, ["train_thing", "--json"]).output)
    assert list(data) == ["script", "checkout", "options", "unread"]
    assert data["script"] == SCRIPT
    assert data["checkout"] == {"path": str((tmp_path / "checkout").resolve()), "commit": None}
    assert data["options"][0] == {
        "flags": ["--network_dim"],
        "name": "network_dim",
        "action": "StoreAction",
        "nargs": None,
        "const": None,
        "default": 4,
        "type": "int",
        "choices": None,
        "required": False,
        "help": "size / サイズ",
        "source": "train_thing.py:6",
        "unread": [],
    }
    assert [note["what"] for note in data["unread"]] == ["what `torch.add` does with the parser"]


def test_a_narrow_terminal_wraps(app: typer.Typer) -> None:
    lines = CliRunner().invoke(app, [SCRIPT], env={"COLUMNS": "30"}).output.splitlines()
    assert max(map(len, lines)) <= 30


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    many = "for n in range(5000):\n    parser.add_argument(f'--option{n}', help='text ' * 20)"
    root = lay_out(tmp_path / "checkout", setup(many))
    program = (
        "import sys, types; from pathlib import Path; import typer\n"
        "stand_in = types.ModuleType('launcher.setup.checkouts'); stand_in.find_checkout = lambda explicit: explicit\n"
        "sys.modules['launcher.setup.checkouts'] = stand_in\n"
        "from launcher.cli.options import options_command\n"
        "app = typer.Typer(); app.command()(options_command); app()\n"
    )
    command_line = [sys.executable, "-c", program, SCRIPT, "--sd-scripts", str(root)]
    environment = {"HOME": str(tmp_path), "PATH": "", "PYTHONIOENCODING": "ascii"}
    with subprocess.Popen(command_line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        assert (running.stderr.read(), running.wait()) == (b"", 0)


HALVES = {
    "size / サイズ": ("size", "サイズ"),
    "size/サイズ": ("size", "サイズ"),
    "size /サイズ": ("size", "サイズ"),
    "no fp16/bf16 here / ここではfp16/bf16なし": ("no fp16/bf16 here", "ここではfp16/bf16なし"),
    "no fp16 / fp16/bf16を使わない": ("no fp16", "fp16/bf16を使わない"),
    "this / that / Diffusersで使う": ("this / that", "Diffusersで使う"),
    "see example.org/abs/1 / 例 example.org/abs/1": ("see example.org/abs/1", "例 example.org/abs/1"),
    "encoding/decoding, in the order a/b": ("encoding/decoding, in the order a/b",) * 2,
    "same thing / same thing": ("same thing",) * 2,
    "日本語だけ / です": ("日本語だけ / です",) * 2,
    " / サイズ": (" / サイズ".strip(), "サイズ"),
    "": ("", ""),
}


@pytest.mark.parametrize(("text", "halves"), HALVES.items())
def test_a_help_text_is_parted_between_its_languages(text: str, halves: tuple[str, str]) -> None:
    assert (help_half(text, japanese=False), help_half(text, japanese=True)) == halves


@pytest.mark.parametrize(
    ("environment", "japanese"),
    [
        ({"LANG": "ja_JP.UTF-8"}, True),
        ({"LANG": "ja"}, True),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "de_DE.UTF-8", "LC_MESSAGES": "ja_JP"}, True),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": ""}, True),
        ({}, False),
    ],
)
def test_the_language_follows_the_locale(environment: dict[str, str], japanese: bool) -> None:
    assert prefers_japanese(environment) is japanese
