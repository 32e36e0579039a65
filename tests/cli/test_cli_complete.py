"""What a shell is told when Tab is pressed: the right values at each place, in time, and never an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.base.places import shipped_folder
from launcher.cli import complete_table
from launcher.cli.complete import Answer, answer, answer_lines, as_bash_means
from launcher.cli.complete_table import make_table, read_table
from launcher.cli.main import run
from launcher.demo.layout import SOURCES
from launcher.plan.every_code import every_code

SPEC = """[run]
script = "train_network.py"
[network]
network_module = "networks.small"
"""
NETWORK = """
def create_network(multiplier, network_dim, network_alpha, vae, text_encoder, unet, **kwargs):
    return kwargs.get("conv_dim", None)
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a configured checkout, an environment, specs, a template and runs; the folder."""
    checkout = tmp_path / "checkout"
    checkout.symlink_to(SOURCES)
    site = tmp_path / "venv/lib/python3.11/site-packages"
    files = {
        "config/kl/config.toml": f"""
            spec_folders = ["~/specs"]
            [run]
            sd_scripts = "main"
            [checkouts]
            main = "{checkout}"
            [environments.night]
            path = "{tmp_path}/venv"
        """,
        "config/kl/templates/mine.toml": "# Mine alone, for tests of completion.\nseed = 1\n",
        "specs/fox.toml": SPEC,
        "specs/owl noob.yaml": "seed: 1\n",
        "datasets/hare/hare.toml": SPEC,
        "datasets/hare/config.toml": "",
        "output_dir/fox-v1s100/run.json": "{}",
        "output_dir/fox-v2s100/run.json": "{}",
        "output_dir/nothing/notes.txt": "",
        str((site / "accelerate/__init__.py").relative_to(tmp_path)): "",
        str((site / "networks_of_mine.py").relative_to(tmp_path)): NETWORK,
        "venv/bin/python": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "venv/bin/python").chmod(0o755)
    for name, folder in (("XDG_CONFIG_HOME", "config"), ("XDG_CACHE_HOME", "cache"), ("XDG_STATE_HOME", "state")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SD_REPO", "SD_SCRIPT", "OUTPUT_DIR", "VIRTUAL_ENV", "CONDA_PREFIX", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _texts(*words: str) -> list[str]:
    return [value.text for value in answer(words).values]


def test_commands_with_what_they_do() -> None:
    found = {value.text: value.said for value in answer([""]).values}
    assert {"launch", "show", "schema", "completion"} <= set(found)
    assert all(found.values())
    assert "_complete" not in found
    assert _texts("la") == ["launch"]
    assert _texts("nothing-like-it") == []
    assert _texts("nothing-like-it", "") == []


def test_options_that_are_not_there_yet() -> None:
    flags = _texts("launch", "fox", "-")
    assert {"--set", "--allow", "--detach", "--help"} <= set(flags)
    assert _texts("launch", "fox", "--detach", "--det") == []
    assert _texts("launch", "--set", "seed=1", "--se") == ["--set"], "it may come again"
    assert _texts("check", "fox", "") == _texts("check", "fox", "-"), "nothing else can follow"


def test_runs_the_newest_first(home: Path) -> None:
    os.utime(home / "output_dir/fox-v1s100/run.json", (2e9, 2e9))
    assert _texts("show", "") == ["fox-v1s100", "fox-v2s100"]
    assert _texts("clean", "fox-v1s100", "fox-v2") == ["fox-v2s100"]
    assert _texts("logs", "-n", "20", "fox-v1") == ["fox-v1s100"]
    assert answer(["show", ""]).files == "folders"


def test_specs_of_all_folders_and_files() -> None:
    assert _texts("launch", "") == ["fox", "owl noob", "hare"]
    assert _texts("check", "--strict", "f") == ["fox"]
    assert answer(["launch", "./"]) == Answer(files="files")
    assert sorted(_texts("diff", "fox-v1s100", "fox")) == ["fox", "fox-v1s100", "fox-v2s100"]


def test_templates_with_their_purpose() -> None:
    shipped = {path.stem for path in shipped_folder("templates").glob("*.toml")}
    found = {value.text: value.said for value in answer(["templates", ""]).values}
    assert set(found) == {*shipped, "mine"}
    assert found["mine"] == "Mine alone, for tests of completion."
    assert _texts("new", "fox", "--template", "min") == ["mine"]


def test_codes_that_may_be_allowed_and_all_of_them() -> None:
    every = every_code()
    assert set(_texts("findings", "")) == set(every)
    assert set(_texts("check", "fox", "--allow", "")) == {name for name, code in every.items() if code.can_be_allowed}
    assert "seed" not in _texts("check", "fox", "--allow", "seed", "--allow", "")
    assert _texts("check", "fox", "--allow=see") == ["--allow=seed"]
    assert _texts("reproduce", "x", "--allow", "co") == ["code"]


def test_keys_after_set_are_those_of_the_script() -> None:
    found = answer(["launch", "fox", "--set", ""])
    texts = [value.text for value in found.values]
    assert found.nospace
    assert {"learning_rate=", "network_args.", "run.", "env.", "accelerate."} <= set(texts)
    assert "output_dir=" not in texts
    assert _texts("launch", "fox", "--set", "max_train_s") == ["max_train_steps="]
    assert next(value.said for value in found.values if value.text == "learning_rate=")


def test_the_script_may_be_set_too() -> None:
    own = _texts("launch", "fox", "--set", "run.script=sdxl_train_network.py", "--set", "no_half_v")
    assert own == ["no_half_vae="]
    assert _texts("launch", "fox", "--set", "run.script=own.py", "--set", "no_half_v") == []


def test_keys_of_tables() -> None:
    assert _texts("launch", "fox", "--set", "run.keep") == ["run.keep_last_saves="]
    assert _texts("launch", "fox", "--set", "env.v") == ["env.variables."]
    assert _texts("launch", "fox", "--set", "network_module=networks_of_mine", "--set", "network_args.") == [
        "network_args.conv_dim="
    ]
    assert _texts("launch", "fox", "--set", "nothing.") == []


def test_values_that_are_known() -> None:
    assert _texts("launch", "fox", "--set", "mixed_precision=b") == ["mixed_precision=bf16"]
    assert _texts("launch", "fox", "--set", "sdpa=") == ["sdpa=true", "sdpa=false"]
    assert _texts("launch", "fox", "--set", "run.script=train_n") == ["run.script=train_network.py"]
    assert _texts("launch", "fox", "--set", "run.sd_scripts=") == ["run.sd_scripts=main"]
    assert _texts("launch", "fox", "--set", "env.name=") == ["env.name=night"]
    assert _texts("launch", "fox", "--set", "seed=") == []
    assert _texts("ls", "--sort", "lo") == ["loss"]
    assert _texts("completion", "b") == ["bash"]


def test_checkouts_and_scripts() -> None:
    assert _texts("options", "--sd-scripts", "") == ["main"]
    assert answer(["schema", "--sd-scripts", "x/"]) == Answer(files="folders")
    assert _texts("schema", "--sd-scripts", "main", "train_n") == ["train_network.py"]
    assert _texts("config", "get", "run.no") == ["run.notes", "run.no_clean"]


def test_the_trainers_arguments() -> None:
    assert _texts("launch", "fox", "--", "--max_train_s") == ["--max_train_steps"]
    assert _texts("launch", "fox", "--", "--mixed_precision", "f") == ["fp16"]
    assert _texts("launch", "fox", "--", "--mixed_precision=f") == ["--mixed_precision=fp16"]
    assert answer(["launch", "fox", "--", "--seed", ""]).files == "files"
    assert answer(["launch", "fox", "--", ""]).files == "files"


def test_files_where_a_file_is_meant() -> None:
    assert answer(["new", "fox", "--dataset", ""]) == Answer(files="folders")
    assert answer(["new", "fox", "--base-model", ""]) == Answer(files="files")


@pytest.mark.parametrize(
    ("words", "meant", "cut"),
    [
        (["launch", "fox", "--allow", "=", "se"], ["launch", "fox", "--allow=se"], "--allow="),
        (["launch", "--set", "seed", "="], ["launch", "--set", "seed="], "seed="),
        (["launch", "--set", "seed", "=", "4", "fo"], ["launch", "--set", "seed=4", "fo"], ""),
        (["show", "my\\ ru"], ["show", "my ru"], ""),
        (["show", '"my ru'], ["show", "my ru"], ""),
        (["show", "'a b'", ""], ["show", "a b", ""], ""),
        ([""], [""], ""),
    ],
)
def test_the_words_of_bash(words: list[str], meant: list[str], cut: str) -> None:
    assert as_bash_means(words) == (meant, cut)


def test_what_bash_has_already_is_not_said_again() -> None:
    assert answer_lines(["launch", "fox", "--set", "mixed_precision", "=", "b"], "bash") == ["", "bf16"]
    assert answer_lines(["launch", "fox", "--set", "mixed_precision=b"], "zsh") == ["", "mixed_precision=bf16"]


def test_a_name_that_a_line_cannot_hold_is_left_out(home: Path) -> None:
    for name in ("two\nlines", "a\ttab", "ok-v1s1"):
        (home / "output_dir" / name).mkdir()
        (home / "output_dir" / name / "run.json").write_text("{}")
    assert sorted(answer_lines(["show", ""], "zsh")[1:]) == ["fox-v1s100", "fox-v2s100", "ok-v1s1"]


def test_long_words_about_a_value_are_cut() -> None:
    lines = answer_lines(["findings", ""], "zsh")
    assert max(len(line.partition("\t")[2]) for line in lines) == 90
    assert all(line.count("\t") <= 1 for line in lines)


def _asked(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "launcher", "_complete", *words]
    source = str(Path(complete_table.__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": source}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_command_itself_answers() -> None:
    done = _asked("zsh", "findings", "seed")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith("seed\t")


@pytest.mark.parametrize("words", [(), ("zsh",), ("bash",), ("zsh", "show", "\udcff"), ("fish", "la")])
def test_whatever_is_asked_there_is_no_error(words: tuple[str, ...]) -> None:
    done = _asked(*words)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_broken_configuration_is_silence(home: Path) -> None:
    (home / "config/kl/config.toml").write_text("this is = = no TOML")
    for words in (("show", ""), ("launch", ""), ("launch", "fox", "--set", "s"), ("options", "")):
        done = _asked("zsh", *words)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_cache_that_cannot_be_written_or_read_is_done_without(home: Path) -> None:
    (home / "cache").mkdir(exist_ok=True)
    (home / "cache/kl").write_text("a file where a folder belongs")
    assert "launch" in _texts("")


def test_the_table_is_kept_until_kl_changes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = read_table()
    assert made == make_table()
    file = home / "cache/kl/completion.json"
    with monkeypatch.context() as patch:
        patch.setattr(complete_table, "make_table", lambda: pytest.fail("it is kept"))
        assert read_table() == made
    for broken in ("", "[]", "{}", file.read_text().replace('"said"', '"x"')):
        file.write_text(broken)
        assert read_table() == made
    monkeypatch.setattr(complete_table, "_version", lambda: "another")
    monkeypatch.setattr(complete_table, "make_table", lambda: complete_table.Table({}, {}))
    assert read_table().commands == {}


def test_the_answer_loads_no_command(home: Path) -> None:
    """typer, rich and the checks take longer than an answer may."""
    read_table()
    code = (
        "import sys; sys.argv = ['kl', '_complete', 'zsh', 'launch', 'fox', '--set', 'max_train_s']\n"
        "from launcher.__main__ import main\n"
        "try: main()\n"
        "finally: print([name for name in ('typer', 'rich', 'yaml', 'ruamel', 'launcher.cli.main',"
        " 'launcher.plan.examine') if name in sys.modules])"
    )
    source = str(Path(complete_table.__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": source}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[0] == "nospace"
    assert done.stdout.splitlines()[1].startswith("max_train_steps=")
    assert done.stdout.splitlines()[-1] == "[]"


WORDS = st.lists(
    st.sampled_from(["launch", "check", "show", "--set", "--allow", "--", "-", "=", "--script", "fox", "'", '"', "~x"])
    | st.text(max_size=6),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=WORDS)
def test_hostile_words_end_in_an_answer(capfdbinary: pytest.CaptureFixture[bytes], words: list[str]) -> None:
    for shell in ("zsh", "bash"):
        assert run(["_complete", shell, *words]) == 0
    said = capfdbinary.readouterr()
    assert said.err == b""


def test_the_functions_for_the_shells(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "zsh"]) == 0
    assert capsys.readouterr().out == (shipped_folder("zsh") / "_kl").read_text("utf-8")
    assert run(["completion", "bash"]) == 0
    assert "complete -F _kl kl" in capsys.readouterr().out
    assert run(["completion", "tcsh"]) == 64
