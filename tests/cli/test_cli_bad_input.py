"""Whatever is wrong with what a user gave: one message, the documented exit code, nothing on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_bed import SPEC, Bed, Ended, make_bed

NAME = "fox-v1s4"


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)


def _refused(bed: Bed, code: int, ended: Ended, before: dict[str, bytes | str]) -> str:
    """Check what holds for every refusal. Gives what was said."""
    assert ended.code == code, ended.err
    assert ended.out == "" and "Traceback" not in ended.err and "bug in kl" not in ended.err
    assert ended.err.startswith("error: ")
    assert all(char.isprintable() or char == "\n" for char in ended.err)
    assert bed.tree() == before
    return ended.err


@pytest.mark.parametrize(
    "name",
    ["..", "../fox", "a..b", "fox/", "-fox", "--", "fox v1", "füchse", "", ".fox", "fox\n", "\x1b[31m", "x" * 300,
     "fox-v1s0", "fox.safetensors", "nothing-like-it", "./nowhere.toml", "/etc/passwd", ".", "fox\\",
     "~nobody-here/x.toml"],
)  # fmt: skip
@pytest.mark.parametrize("command", ["plan", "launch"])
def test_names(bed: Bed, name: str, command: str) -> None:
    before = bed.tree()
    ended = bed.kl(command, name)
    assert ended.code in (64, 65)
    _refused(bed, ended.code, ended, before)


@pytest.mark.parametrize(
    "words", [("nothing-like-it",), (NAME, "--allow", "unknwn-key"), (NAME, "--", "--no-such-option=1")]
)
def test_who_asks_for_json_gets_it_whatever_is_wrong(bed: Bed, words: tuple[str, ...]) -> None:
    target, *rest = words
    ended = bed.kl("check", target, "--json", *rest)
    said = json.loads(ended.out)
    assert ended.code == 64 and ended.err.startswith("error: ")
    assert said["summary"]["refused"] and [finding["severity"] for finding in said["findings"]] == ["error"]
    assert "--" not in rest or said["findings"][0]["where"] == "--no-such-option after --"


def _bytes(content: bytes, name: str = "fox.toml") -> Callable[[Bed], None]:
    def make(bed: Bed) -> None:
        (bed.here / "fox.toml").unlink()
        (bed.here / name).write_bytes(content)

    return make


def _folder(bed: Bed) -> None:
    (bed.here / "fox.toml").unlink()
    (bed.here / "fox.toml").mkdir()


def _pipe(bed: Bed) -> None:
    (bed.here / "fox.toml").unlink()
    os.mkfifo(bed.here / "fox.toml")


def _loop(bed: Bed) -> None:
    (bed.here / "fox.toml").unlink()
    (bed.here / "fox.toml").symlink_to("fox.toml")


def _two(bed: Bed) -> None:
    bed.spec("a: 1", "fox.yaml")


FILES: dict[str, tuple[Callable[[Bed], None], int, str]] = {
    "broken TOML": (_bytes(b"a = 1\nb = \n"), 65, "line 2, column"),
    "broken YAML": (_bytes(b"a: 1\nb: [1\n", "fox.yaml"), 65, "line"),
    "not UTF-8": (_bytes(b"a = 1\nb = '\xff'\n"), 65, "fox.toml:2"),
    "a NUL": (_bytes(b"a = 1\nb = '\0'\n"), 65, "NUL"),
    "UTF-16": (_bytes("a = 1".encode("utf-16")), 65, "NUL"),
    "10 MB of nonsense": (_bytes(b"\x80nonsense" * 1_200_000), 65, "larger than"),
    "10 MB of brackets": (_bytes(b"a = " + b"[" * 10_000_000), 65, "larger than"),
    "deep nesting": (_bytes(b"a = " + b"[" * 5000 + b"]" * 5000), 65, "nest"),
    "a circle": (_bytes(b"extends = 'fox.toml'\n"), 65, "circle"),
    "no template": (_bytes(b"extends = 'sdxl-locn'\n"), 65, "sdxl-locon"),
    "a date": (_bytes(b"a = 2024-01-01\n"), 65, "date"),
    "a folder": (_folder, 64, "no spec"),
    "a pipe": (_pipe, 65, "regular file"),
    "a loop of links": (_loop, 65, "link"),
    "two files": (_two, 64, "several files"),
}


@pytest.mark.parametrize("case", FILES)
def test_files(bed: Bed, case: str) -> None:
    make, code, said = FILES[case]
    make(bed)
    before = {} if case == "a pipe" else bed.tree()
    ended = bed.kl("launch", NAME)
    assert said in _refused(bed, code, ended, before or bed.tree())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything: an unreadable file cannot be made")
def test_an_unreadable_file(bed: Bed) -> None:
    (bed.here / "fox.toml").chmod(0)
    before = bed.tree()
    assert "permission" in _refused(bed, 65, bed.kl("launch", NAME), before)


SPECS: dict[str, tuple[str, int, str]] = {
    "a misspelt key": ("lerning_rate = 1", 65, "learning_rate"),
    "a wrong type": ("learning_rate = 'fast'", 65, "a number"),
    "run as a value": ("", 65, "[run]"),
    "a list of run tables": ("", 65, "[run]"),
    "run with an unknown key": ("[x]\n[run.more]\na = 1", 65, "run.more"),
    "a table in a variable": ("[env.variables.x]\na = '1'", 65, "env.variables.x"),
    "a variable's name": ("[env.variables]\n'A=B' = '1'", 65, "env.variables.A=B"),
    "a number as a variable": ("[env.variables]\nA = 1", 65, "env.variables.A"),
    "variables as a text": ("[env]\nvariables = 'x'", 65, "env.variables"),
    "a table in accelerate": ("[accelerate.more]\ncpu = true", 65, "accelerate.more"),
    "prompts as a table": ("[sample_prompts]", 65, "no prompt"),
    "no network_args": ("network_args = []", 65, "holds nothing"),
    "no datasets": ("datasets = []", 65, "datasets"),
    "a misspelt kind": ("[env]\nkind = 'cona'", 65, "env.kind"),
    "name and path": ("[env]\nname = 'x'\npath = 'y'", 65, "env.name"),
    "no such venv": ("[env]\nkind = 'venv'\npath = 'nowhere'", 69, "nowhere"),
    "a venv without accelerate": ("[env]\npath = 'img'", 69, "img"),
    "no such conda environment": ("[env]\nname = 'nowhere-at-all'", 69, "nowhere-at-all"),
    "no such interpreter": ("[env]\nkind = 'python'\npath = 'python9'", 69, "python9"),
    "an endless path": ("[env]\nkind = 'python'\npath = '" + "x" * 9000 + "'", 69, "xxx"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPECS)
def test_specs(bed: Bed, case: str) -> None:
    text, code, said = SPECS[case]
    spec = f"{SPEC}{text}\n"
    if case == "run as a value":
        spec = "run = 'x'\n" + SPEC.replace("[run]\nscript", "[more]\nseed")
    if case == "a list of run tables":
        spec = SPEC.replace("[run]", "[[run]]")
    bed.spec(spec)
    before = bed.tree()
    assert said in _refused(bed, code, bed.kl("launch", NAME, SD_SCRIPT="train_network.py"), before)


def test_a_mistake_in_the_spec_comes_before_an_environment_that_is_not_there(bed: Bed) -> None:
    bed.spec(SPEC + "lerning_rate = 1\n[env]\npath = 'nowhere'\n")
    assert "learning_rate" in _refused(bed, 65, bed.kl("launch", NAME), bed.tree())


@pytest.mark.parametrize("wrong", ["scirpt = 'train_network.py'", "sd_scipts = 'x'\nscript = 'train_network.py'"])
def test_a_misspelt_setting_is_told_where_it_is_missed(bed: Bed, wrong: str) -> None:
    if "sd_scipts" in wrong:
        bed.checkout.rename(bed.root / "elsewhere")
    bed.spec(SPEC.replace('script = "train_network.py"', wrong))
    said = _refused(bed, 65, bed.kl("launch", NAME), bed.tree())
    assert "Did you mean script?" in said or "Did you mean sd_scripts?" in said


CHECKOUTS = {"nowhere": "nowhere", "a file": "fox.toml", "something else": "img", "endless": "x" * 9000,
             "nobody's": "~nobody-here/x"}  # fmt: skip


@pytest.mark.parametrize("case", CHECKOUTS)
def test_checkouts(bed: Bed, case: str) -> None:
    ended = bed.kl("launch", NAME, SD_REPO=CHECKOUTS[case])
    assert ended.code in (65, 69)
    _refused(bed, ended.code, ended, bed.tree())


def test_no_checkout_at_all(bed: Bed) -> None:
    bed.checkout.rename(bed.root / "elsewhere")
    assert "kl setup" in _refused(bed, 69, bed.kl("launch", NAME), bed.tree())


@pytest.mark.parametrize(
    "script", ["nowhere.py", "../train_network.py", "/etc/passwd", "train_networks.py", "x" * 9000]
)
def test_scripts(bed: Bed, script: str) -> None:
    said = _refused(bed, 65, bed.kl("launch", NAME, SD_SCRIPT=script), bed.tree())
    assert script != "train_networks.py" or "Did you mean train_network.py?" in said


@pytest.mark.parametrize(
    ("environ", "code"),
    [({"STEPS": "many"}, 64), ({"STEPS": "0"}, 64), ({"NO_CLEAN": "perhaps"}, 64), ({"DEBUG": "perhaps"}, 64),
     ({"TRAINING_DIR": "nowhere"}, 65), ({"TRAINING_DIR": "x" * 9000}, 65), ({"TRAINING_DIR": "$NOT_SET"}, 65)],
)  # fmt: skip
def test_the_environment(bed: Bed, environ: dict[str, str], code: int) -> None:
    _refused(bed, code, bed.kl("launch", NAME, **environ), bed.tree())


@pytest.mark.parametrize(
    "words",
    [["launch"], ["lunch", NAME], ["launch", NAME, "--nosuch"], ["launch", NAME, "stray"], ["launch", NAME, "--set"],
     ["launch", NAME, "--set", "x"], ["launch", NAME, "--set", "=1"], ["launch", NAME, "--set", "extends='x'"],
     ["launch", NAME, "--set", "run={a=1}"], ["launch", NAME, "--name", "a b"],
     ["launch", NAME, "--", "--network_di=4"], ["launch", NAME, "--", "--network_dim"],
     ["launch", NAME, "--", "--", "x"], ["launch", NAME, "--", ""]],
)  # fmt: skip
def test_wrong_usage(bed: Bed, words: list[str]) -> None:
    _refused(bed, 64, bed.kl(*words), bed.tree())


def test_bytes_that_are_no_text(bed: Bed) -> None:
    for words in ([b"f\xff"], [b"./f\xff.toml"], [NAME, "--set", b"comment=\xff"], [NAME, "--name", b"\xff"]):
        ended = bed.kl("launch", *words)
        assert ended.code in (64, 65)
        _refused(bed, ended.code, ended, bed.tree())
    assert bed.kl("plan", NAME, "--", b"--comment=\xff").code == 0
    assert bed.kl("plan", NAME, "--sh", "--", b"--comment=\xff").code == 0


def test_a_current_folder_that_was_removed(bed: Bed) -> None:
    gone = bed.root / "gone"
    ended = subprocess.run(
        ["sh", "-c", f'mkdir "{gone}" && cd "{gone}" && rmdir "{gone}" && exec "{sys.executable}" -m launcher plan x'],
        env=bed.environ(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 64 and "Traceback" not in ended.stderr, ended.stderr


@pytest.mark.parametrize(
    "text", ["extends = 'x'", "datasets_rot = 'x'", "datasets_root = []", "[run]\nx = 1", "a = ", "spec_folders = [1]"]
)
def test_the_users_configuration(bed: Bed, text: str) -> None:
    config = bed.home / ".config" / "kl" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(text)
    _refused(bed, 65, bed.kl("launch", NAME), bed.tree())


@pytest.mark.parametrize("kind", ["exists", "a file in the way"])
def test_outputs_that_cannot_be_made(bed: Bed, kind: str) -> None:
    root = bed.root / "output"
    if kind == "exists":
        (root / NAME).mkdir(parents=True)
    else:
        root.write_text("a file")
    before = bed.tree()
    ended = bed.kl("launch", NAME, OUTPUT_DIR=str(root))
    assert ended.code == 73 and "Traceback" not in ended.err and bed.tree() == before, ended.err
