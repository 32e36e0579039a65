"""`kl plan` and `DEBUG=1 kl launch`: one plan in its forms, and nothing left on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli_bed import SPEC, Bed, make_bed

NAME = "fox-v1s4"


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)


def test_the_plan_as_text(bed: Bed) -> None:
    before = bed.tree()
    ended = bed.kl("plan", NAME)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "fox-v1s4: 4 steps"
    assert any("--max_train_steps=4" in line and line.endswith("# the name fox-v1s4") for line in lines)
    assert any("--network_module=networks.lora" in line and line.endswith("# fox.toml:7") for line in lines)
    assert any(f"--train_data_dir={bed.here}/img" in line for line in lines)
    assert bed.tree() == before


def test_debug_launch_is_plan(bed: Bed) -> None:
    planned = bed.kl("plan", NAME, "--set", "learning_rate=1e-4", "--", "--network_dim=4")
    before = bed.tree()
    assert bed.kl("launch", NAME, "--set", "learning_rate=1e-4", "--", "--network_dim=4", DEBUG="1") == planned
    assert bed.tree() == before
    assert bed.kl("launch", NAME, DEBUG="perhaps").code == 64


def test_the_shape_of_json(bed: Bed) -> None:
    bed.spec(SPEC + "[network_args]\nconv_dim = 8\n")
    ended = bed.kl("plan", NAME, "--json", "--set", "max_train_steps=5")
    data = json.loads(ended.out)
    assert set(data) == {
        "name", "directory", "spec", "trainer", "environment", "argv", "accelerate", "options", "files", "outputs",
        "steps", "notes", "findings",
    }  # fmt: skip
    assert data["name"] == NAME and data["directory"] == str(bed.home / "output_dir" / NAME) and data["steps"] == 5
    assert data["spec"] == str(bed.here / "fox.toml")
    assert data["trainer"] == {"checkout": str(bed.checkout), "commit": None, "script": "train_network.py"}
    assert data["environment"]["kind"] == "venv"
    options = {entry["name"]: entry for entry in data["options"]}
    steps = options["max_train_steps"]
    assert steps["words"] == ["--max_train_steps=5"] and steps["origin"]["source"] == "--set"
    assert [over["origin"]["source"] for over in steps["over"]] == ["name"]
    assert options["network_args"]["words"] == ["--network_args", "conv_dim=8"]
    assert {entry["name"] for entry in data["files"]} == {"spec.toml", "accelerate.yaml"}
    assert [(entry["severity"], entry["code"]) for entry in data["findings"]] == [("warning", "name-steps")]
    assert set(data["findings"][0]) == {"severity", "code", "message", "where", "hint"}
    words = [word for part in ("accelerate", "options") for entry in data[part] for word in entry["words"]]
    assert data["argv"][:3] == [str(bed.environment / "bin" / "python"), "-m", "accelerate.commands.launch"]
    assert data["argv"][3:] == [*words[: len(words) - len(data["options"]) - 1], "train_network.py",
                                *words[len(words) - len(data["options"]) - 1 :]]  # fmt: skip


def test_json_of_a_refused_spec(bed: Bed) -> None:
    ended = bed.kl("plan", NAME, "--json", "--set", "lerning_rate=1")
    assert ended.code == 65
    assert [entry["code"] for entry in json.loads(ended.out)["findings"]] == ["unknown-key"]


@pytest.mark.parametrize(
    "value", ["plain", "two words; $(echo 'x') \"y\" \\n", "two\nlines\n", "a\x1b[31mb\x07\x7fé\x85\n", "%s%%"]
)
def test_the_shell_form_does_what_the_plan_says(bed: Bed, tmp_path: Path, value: str) -> None:
    text = SPEC + f"comment = {json.dumps(value)}\n" + '[env.variables]\nFINE = "a b"\n'
    text += '[[sample_prompts]]\nprompt = "it\'s 100% a fox"\n[[datasets]]\n[[datasets.subsets]]\nimage_dir = "img"\n'
    bed.spec(text.replace("\x7f", "\\u007f"))
    plan = json.loads(bed.kl("plan", NAME, "--json").out)
    script = bed.kl("plan", "./fox.toml", "--name", NAME, "--sh")
    assert script.code == 0 and all(char.isprintable() or char == "\n" for char in script.out)
    said = tmp_path / "said.json"
    done = subprocess.run(
        ["sh"], input=script.out, cwd="/", env=bed.environ({"SAY_IN": str(said)}), text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    got = json.loads(said.read_text())
    assert got["argv"] == plan["argv"][3:] and f"--comment={value}" in got["argv"]
    assert got["cwd"] == str(bed.checkout)
    assert plan["environment"]["variables"].items() <= got["environ"].items() and got["environ"]["FINE"] == "a b"
    directory = Path(plan["directory"])
    assert {path.name: path.stat().st_size for path in directory.iterdir()} == {
        entry["name"]: entry["bytes"] for entry in plan["files"]
    }
    assert (directory / "spec.toml").read_bytes() == (bed.here / "fox.toml").read_bytes()
    again = subprocess.run(["sh"], input=script.out, env=bed.environ(), text=True, capture_output=True, check=False)
    assert again.returncode != 0, "a run that exists is left alone"


def test_two_forms_at_once(bed: Bed) -> None:
    assert bed.kl("plan", NAME, "--sh", "--json").code == 64


@pytest.mark.parametrize("form", [[], ["--sh"], ["--json"]])
def test_control_characters_never_reach_the_terminal(bed: Bed, form: list[str]) -> None:
    bed.spec(SPEC + 'comment = "a\\u001b[31m\\u0007\\u009b\\u202e"\n')
    ended = bed.kl("plan", NAME, *form)
    assert ended.code == 0
    assert all(char.isprintable() or char == "\n" for char in ended.out + ended.err)


@pytest.mark.parametrize(
    "words",
    [
        ["--set", "\x1b[31m=1"],
        ["--set", "comment\x1b[31m=1"],
        ["--set", "network_dim=\x1b[31m"],
        ["--", "--\x1b[31m"],
        ["--", "\x1b[31m"],
        ["--name", "\x1b[31m"],
    ],
)
def test_control_characters_never_reach_the_terminal_in_messages(bed: Bed, words: list[str]) -> None:
    ended = bed.kl("plan", NAME, *words)
    assert ended.code in (64, 65) and ended.err
    assert all(char.isprintable() or char == "\n" for char in ended.out + ended.err)


def test_a_terminal_without_unicode(bed: Bed) -> None:
    bed.spec(SPEC + 'comment = "é狐"\n')
    for form in ([], ["--sh"], ["--json"]):
        ended = bed.kl("plan", NAME, *form, PYTHONIOENCODING="ascii")
        assert ended.code == 0 and "Traceback" not in ended.err


MODULES = """
import sys
from launcher.cli.main import run
code = run(sys.argv[2:])
loaded = [name for name in sys.argv[1].split(",") if name in sys.modules]
sys.exit(f"loaded: {loaded}" if loaded else code)
"""


@pytest.mark.parametrize(
    ("words", "kept_out"),
    [
        (["--version"], "pydantic,rich,git,psutil,ruamel,ruamel.yaml,torch,accelerate,toml,launcher.plan.build"),
        (["plan", NAME], "torch,git,rich,psutil,accelerate,ruamel.yaml,jinja2"),
    ],
)
def test_what_stays_unloaded(bed: Bed, words: list[str], kept_out: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODULES, kept_out, *words], cwd=bed.here, env=bed.environ(), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
