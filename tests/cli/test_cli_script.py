"""`kl launch --script`, `kl record` and `kl zsh`: the real commands, without a shell around them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli_bed import SCRIPT, Bed, make_bed

NAME = "fox-v1s24"
WORDS = ("--pretrained_model_name_or_path=owner/model", "--network_module=networks.lora", "--train_data_dir=img")


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)


def _script(bed: Bed) -> str:
    return str(bed.checkout / "train_network.py")


def test_the_arguments_become_a_plan(bed: Bed) -> None:
    done = bed.kl("plan", "--json", "--name", NAME, "--script", _script(bed), "--", *WORDS, f"--output_dir=o/{NAME}")
    assert done.code == 0, done.err
    plan = json.loads(done.out)
    assert plan["directory"] == str(bed.here / "o" / NAME)
    options = {option["name"]: option for option in plan["options"]}
    assert options["output_dir"]["origin"]["label"] == "--output_dir after --"
    assert options["output_name"]["origin"]["label"] == "kl"
    assert options["max_train_steps"]["origin"]["label"] == f"the name {NAME}"
    assert options["train_data_dir"]["value"] == str(bed.here / "img")
    assert plan["trainer"]["checkout"] == str(bed.checkout)
    assert plan["environment"]["chosen"] == "active"


def test_the_name_may_stand_first(bed: Bed) -> None:
    done = bed.kl("plan", NAME, "--script", _script(bed), "--", *WORDS)
    assert done.code == 0, done.err
    assert done.out.startswith(f"{NAME}: 24 steps\n")


@pytest.mark.parametrize("command", ["launch", "check", "plan"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Nothing says what to train."),
        (("--script", "x.py"), "The run has no name."),
        (("--script", "x.py", "--name", "a b", "--", "--network_dim=1"), "'a b' is not a run's name"),
        (("fox", "--script", "x.py", "--name", NAME), f"the run is named {NAME}: fox means nothing."),
    ],
)
def test_what_is_not_said_is_asked_for(bed: Bed, command: str, words: tuple[str, ...], message: str) -> None:
    done = bed.kl(command, *words)
    assert (done.code, message in done.err) == (64, True), done.err


def test_a_caller_needs_a_script(bed: Bed) -> None:
    assert bed.kl("launch", "fox", "--caller", "a.zsh").code == 64
    assert bed.kl("launch", "fox", "--repository", ".").code == 64


@pytest.mark.parametrize("script", ["nothing.py", "nowhere/train_network.py"])
def test_a_script_that_is_not_there_is_refused(bed: Bed, script: str) -> None:
    done = bed.kl("check", "--name", NAME, "--script", str(bed.checkout / script), "--", *WORDS)
    assert done.code in (65, 69)
    assert "--script" in done.err
    assert "Traceback" not in done.err


def test_it_is_checked_like_a_spec(bed: Bed) -> None:
    done = bed.kl("check", "--name", NAME, "--script", _script(bed), "--", *WORDS, "--network_args", "block_dims=3")
    assert done.code == 65
    assert "[network-arg-unread]" in done.err
    secret = bed.kl("check", "--name", NAME, "--script", _script(bed), "--", *WORDS, "--wandb_api_key=0123456789abc")
    assert secret.code == 65
    assert "0123456789abc" not in secret.err + secret.out


def test_another_name_is_refused_and_never_launched(bed: Bed) -> None:
    words = (*WORDS, "--output_dir=o/fox-v2s24", "--output_name=fox-v2s24")
    done = bed.kl("launch", "--name", NAME, "--script", _script(bed), "--", *words)
    assert done.code == 65
    assert done.err.count("[set-by-kl]") == 2
    assert not (bed.here / "o").exists()


def test_what_is_configured_for_all_runs_adds_no_arguments(bed: Bed) -> None:
    config = bed.home / ".config" / "kl" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[run]\nkeep_last_saves = 3\nscript = "other.py"\n[env]\npath = "/nowhere"\n')
    done = bed.kl("plan", NAME, "--script", _script(bed), "--", *WORDS, STEPS="7", TRAINING_DIR="/nowhere")
    assert done.code == 0, done.err
    assert done.out.startswith(f"{NAME}: 24 steps\n")
    named = bed.kl("plan", NAME, "--script", _script(bed), "--set", "env.path=/nowhere", "--", *WORDS)
    assert named.code == 69
    without = bed.kl("plan", NAME, "--script", _script(bed), "--", *WORDS, VIRTUAL_ENV="")
    assert without.code == 69  # then it is the configured one


def test_verbose_shows_arguments_and_log(bed: Bed) -> None:
    printing = '\nif __name__ == "__main__":\n    print("trainer here")\n'
    (bed.checkout / "train_network.py").write_text(SCRIPT + printing)
    launch = bed.environment.glob("lib/*/site-packages/accelerate/commands/launch.py")
    file = next(launch)
    file.write_text(file.read_text().replace("import json, os, sys", "import json, os, sys; print('trainer here')"))
    words = ("launch", "--verbose", NAME, "--script", _script(bed), "--", *WORDS, "--network_dim=8")
    done = bed.kl(*words, SAY_IN=str(bed.root / "s"))
    assert done.code == 1  # it leaves no model
    assert "  --network_dim=8" in done.out
    assert "\ntrainer here\n" in done.out


def test_a_record_is_taken_and_cleaned_up(bed: Bed) -> None:
    done = bed.kl("record", NAME, str(bed.checkout), "", OUTPUT_DIR=str(bed.root / "o"))
    assert done.code == 0, done.err
    assert f"{bed.checkout}: (no branch) unknown: not a git repository" in done.out
    manifest = json.loads((bed.root / "o" / NAME / "run.json").read_text())
    assert manifest["outcome"] == "planned"
    assert manifest["not_recorded"] == [f"{bed.checkout}: not a git repository"]
    again = bed.kl("record", NAME, OUTPUT_DIR=str(bed.root / "o"))
    assert again.code == 73
    assert "planned" in bed.kl("show", NAME, OUTPUT_DIR=str(bed.root / "o")).out
    assert bed.kl("zsh", "clean-up", NAME, OUTPUT_DIR=str(bed.root / "o"), NO_CLEAN="1").code == 0
    assert (bed.root / "o" / NAME).is_dir()
    assert bed.kl("zsh", "clean-up", NAME, OUTPUT_DIR=str(bed.root / "o")).code == 0
    assert not (bed.root / "o" / NAME).exists()
    assert bed.kl("zsh", "clean-up", NAME, OUTPUT_DIR=str(bed.root / "o")).code == 0


def test_a_launch_with_a_spec_does_not_go_on_in_a_record(bed: Bed) -> None:
    assert bed.kl("record", "fox", OUTPUT_DIR=str(bed.root / "o")).code == 0
    done = bed.kl("launch", "fox", OUTPUT_DIR=str(bed.root / "o"), SAY_IN=str(bed.root / "s"))
    assert done.code == 73
    assert not (bed.root / "s").exists()


def test_a_record_of_a_folder_that_is_not_there(bed: Bed) -> None:
    done = bed.kl("record", NAME, str(bed.root / "nowhere"), OUTPUT_DIR=str(bed.root / "o"))
    assert done.code == 64
    assert not (bed.root / "o").exists()


def test_the_variables_of_a_script(bed: Bed) -> None:
    assert bed.kl("zsh", "vars").code == 64
    missing = bed.kl("zsh", "vars", NAME)
    assert missing.code == 65
    assert "The dataset folder" in missing.err
    (bed.home / "datasets" / "fox").mkdir(parents=True)
    done = bed.kl("zsh", "vars", NAME, OUTPUT_DIR="it's here")
    assert done.out.splitlines() == [
        "typeset -g DATASET_NAME=fox",
        f"typeset -g TRAINING_DIR={bed.home / 'datasets' / 'fox'}",
        "typeset -g STEPS=24",
        f"typeset -g OUTPUT_DIR='{bed.here}/it'\"'\"'s here'",
    ]


def test_conda_is_found_or_not(bed: Bed, tmp_path: Path) -> None:
    program = tmp_path / "my conda" / "bin" / "conda"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for place in (tmp_path / "my conda", program):
        assert bed.kl("zsh", "conda", str(place)).out == f"conda\n{program}\n"
    shutil.rmtree(program.parent)
    assert bed.kl("zsh", "conda", str(tmp_path / "my conda")).code == 69
