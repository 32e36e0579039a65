"""zsh/train_functions.zsh under a real zsh: every way in which a script may be written, called and ended."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pexpect
import pytest
from zsh_bed import BODY, NAME, NO_ZSH, ZshBed, functions, make_bed

from launcher.base.files import sha1_of

pytestmark = pytest.mark.skipif(NO_ZSH, reason="needs zsh")
DEADLINE = 60.0
OPTIONS = (
    "", "set -e", "set -u", "set -eu -o pipefail", "setopt err_return", "setopt ksh_arrays sh_word_split",
    "setopt no_clobber glob_subst rc_quotes warn_create_global",
)  # fmt: skip
ALL = (
    "setup_training_vars x", "setup_conda_env x", "get_lycoris_repo", "store_commits_hashes x", "run_training_script x",
)  # fmt: skip


@pytest.fixture
def bed(tmp_path: Path) -> ZshBed:
    return make_bed(tmp_path)


@pytest.mark.parametrize("options", OPTIONS)
def test_a_script_trains_whatever_its_options(bed: ZshBed, options: str) -> None:
    called = bed.call(bed.script(options=options))
    assert called.code == 0, called.err
    assert (bed.run / f"{NAME}.safetensors").is_file()
    assert bed.manifest()["outcome"] == "succeeded"


@pytest.mark.parametrize("options", OPTIONS)
def test_the_exit_code_is_the_trainers_whatever_its_options(bed: ZshBed, options: str) -> None:
    called = bed.call(bed.script(options=options), FAKE="fail")
    assert called.code == 7, called.err
    assert not bed.run.exists()


def test_the_run_is_a_run_like_any_other(bed: ZshBed) -> None:
    script = bed.script()
    called = bed.call(script, "--network_dim=8")
    assert called.code == 0, called.err
    manifest = bed.manifest()
    words = manifest["argv"]
    assert f"--output_dir={bed.run}" in words
    assert "--network_dim=8" in words
    assert f"--log_prefix={NAME}-" in words
    assert f"--logging_dir={bed.runs / 'logs'}" in words
    assert '--comment=it\'s "quoted" *' in words
    assert f"--dataset_config={bed.run / 'config.toml'}" in words
    assert (bed.run / "script.zsh").read_bytes() == script.read_bytes()
    assert not any(word.startswith("--sample_prompts") for word in words)  # the script says nothing of them
    repositories = {each["path"]: each["commit"] for each in manifest["repositories"]}
    assert list(repositories) == [str(bed.checkout)]
    lines = (bed.run / "repos.git").read_text().splitlines()
    assert f"{bed.checkout}: (main) {repositories[str(bed.checkout)]}" in lines
    assert f"{script}: {sha1_of(script.read_bytes())}" in lines
    config = bed.dataset / "config.toml"
    assert f"{config}: {sha1_of(config.read_bytes())}" in lines
    log = (bed.run / "sdscripts.log").read_text()
    assert f"the trainer is in {bed.checkout}" in log
    assert log in called.out  # as tee would show it
    assert "--network_dim=8" in called.out
    for command in (("show",), ("verify",), ("diff", NAME), ("logs",)):
        assert bed.kl(command[0], NAME, *command[1:]).code == 0, command
    assert NAME in bed.kl("ls").out


def test_the_record_is_shown_before_it_trains(bed: ZshBed) -> None:
    called = bed.call(bed.script())
    shown = called.out.splitlines()
    assert shown[0].startswith(f"{NAME}: recorded in ")
    commit = subprocess.run(
        ["git", "-C", str(bed.checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert shown[1].strip() == f"{bed.checkout}: (main) {commit}"
    assert sum(": " in line for line in shown[2:5]) == 3  # config.toml, sample-prompts.txt, the script


@pytest.mark.parametrize("exported", [True, False])
def test_debug_only_shows(bed: ZshBed, exported: bool) -> None:
    script = bed.script("" if exported else f"DEBUG=1{BODY}")
    called = bed.call(script, DEBUG="1") if exported else bed.call(script)
    assert called.code == 0, called.err
    assert f"--output_name={NAME}" in called.out
    assert "would be recorded" in called.out
    assert not bed.runs.exists()


def test_debug_of_a_run_that_is_there_says_so_and_goes_on(bed: ZshBed) -> None:
    bed.run.mkdir(parents=True)
    called = bed.call(bed.script(), DEBUG="1")
    assert called.code == 0
    assert "exists already" in called.err
    assert list(bed.run.iterdir()) == []


def test_no_clean_keeps_a_failed_run(bed: ZshBed) -> None:
    called = bed.call(bed.script(f"NO_CLEAN=1{BODY}"), FAKE="fail")
    assert called.code == 7
    assert bed.manifest()["outcome"] == "failed"


def test_no_clean_keeps_what_was_recorded_of_a_refused_run(bed: ZshBed) -> None:
    called = bed.call(bed.script(), "--network_dim=many", NO_CLEAN="1")
    assert called.code == 65
    assert bed.manifest()["outcome"] == "planned"


def test_a_refused_run_leaves_nothing(bed: ZshBed) -> None:
    called = bed.call(bed.script(), "--network_dim=many")
    assert called.code == 65
    assert "network_dim takes a whole number" in called.err
    assert not bed.run.exists()


def test_a_script_that_failed_can_be_called_again(bed: ZshBed) -> None:
    script = bed.script()
    assert bed.call(script, FAKE="fail").code == 7
    assert bed.call(script).code == 0
    again = bed.call(script)
    assert again.code == 73
    assert "It succeeded. Give the run another version" in again.err


def test_a_run_with_a_sample_stays(bed: ZshBed) -> None:
    called = bed.call(bed.script(), FAKE="sample")
    assert called.code == 7
    assert (bed.run / "sample" / "a.png").is_file()


@pytest.mark.parametrize("options", ["", "set -e"])
def test_a_run_that_is_there_is_not_touched(bed: ZshBed, options: str) -> None:
    assert bed.call(bed.script(), FAKE="fail", NO_CLEAN="1").code == 7
    before = {path.name: path.read_bytes() for path in bed.run.iterdir()}
    early = "trap cleanup_empty_output EXIT TERM\n"
    called = bed.call(bed.script(early + BODY, options=options))
    assert called.code == 73
    assert "exists already" in called.err
    assert {path.name: path.read_bytes() for path in bed.run.iterdir()} == before


def test_a_recorded_directory_that_was_changed_is_not_gone_on_in(bed: ZshBed) -> None:
    text = BODY.replace("run_training", 'print mine >"$OUTPUT_DIR/$NAME/mine.txt"\nrun_training')
    called = bed.call(bed.script(text))
    assert called.code == 73
    assert "mine.txt" in called.err
    assert (bed.run / "mine.txt").read_text() == "mine\n"
    assert bed.manifest()["outcome"] == "planned"


def test_without_a_record_it_trains_too(bed: ZshBed) -> None:
    called = bed.call(bed.script("\n".join(line for line in BODY.splitlines() if "store_" not in line)))
    assert called.code == 0, called.err
    assert bed.manifest()["files"]
    assert (bed.run / "script.zsh").is_file()


def test_a_missing_dataset_folder_ends_the_script(bed: ZshBed) -> None:
    shutil.rmtree(bed.dataset)
    called = bed.call(bed.script())
    assert called.code == 65
    assert str(bed.dataset) in called.err
    assert not bed.runs.exists()


def test_from_another_folder_and_through_a_link(bed: ZshBed, tmp_path: Path) -> None:
    script = bed.script()
    link = tmp_path / "bin" / "train-fox"
    link.symlink_to(script)
    called = bed.call("../bin/train-fox", folder=bed.checkout.parent.parent / "environment")
    assert called.code == 0, called.err
    source = next(each["source"] for each in bed.manifest()["files"] if each["name"] == "script.zsh")
    assert source == str(script)


def test_relative_paths_are_whole(bed: ZshBed) -> None:
    text = 'cd "$HOME"\nOUTPUT_DIR=\'the "runs"\' TRAINING_DIR="datasets/foo bar\'s"\n' + BODY
    called = bed.call(bed.script(text), folder=bed.root)
    assert called.code == 0, called.err
    assert (bed.run / f"{NAME}.safetensors").is_file()


def test_what_is_set_is_kept_and_the_rest_is_by_the_name(bed: ZshBed) -> None:
    (bed.home / "datasets" / "fox-noob").mkdir()
    text = 'unset TRAINING_DIR OUTPUT_DIR\nSTEPS=12\nsetup_training_vars fox-noob-v3s2400\nprint -rl -- '
    called = bed.call(bed.script(text + '"$DATASET_NAME" "$TRAINING_DIR" "$STEPS" "$OUTPUT_DIR"'))
    assert called.out.splitlines() == [
        "fox-noob", str(bed.home / "datasets" / "fox-noob"), "12", str(bed.home / "output_dir")
    ]  # fmt: skip
    called = bed.call(bed.script('setup_training_vars "$NAME"\nprint -rl -- "$STEPS" "$TRAINING_DIR" "$OUTPUT_DIR"'))
    assert called.out.splitlines() == ["4", str(bed.dataset), str(bed.runs)]


def test_a_name_without_steps_trains_what_the_trainer_does_by_itself(bed: ZshBed) -> None:
    called = bed.call(bed.script('setup_training_vars fox\nprint $STEPS'))
    assert called.out == "1600\n"
    assert "STEPS=1600" in called.err


@pytest.mark.parametrize("options", ["", "set -e -o pipefail"])
def test_ctrl_c_ends_the_training_and_the_script(bed: ZshBed, options: str) -> None:
    script = bed.script(f"{BODY}\nprint went on\n", options=options)
    shell = pexpect.spawn("zsh", [str(script)], env=bed.environ({"FAKE": "wait"}), cwd=str(bed.home), timeout=DEADLINE)
    try:
        _until(bed.sign.exists)
        shell.sendintr()
        shell.expect(pexpect.EOF)
        shown = shell.before.decode()
        shell.close()
    finally:
        shell.close(force=True)
    assert (shell.exitstatus, shell.signalstatus) == (130, None), shown
    assert "went on" not in shown
    assert not bed.run.exists(), shown


def test_ctrl_c_between_two_functions_takes_the_record_away(bed: ZshBed) -> None:
    text = BODY.replace("run_training", 'touch "$SIGN"\nsleep 60\nrun_training')
    shell = pexpect.spawn("zsh", [str(bed.script(text))], env=bed.environ(), cwd=str(bed.home), timeout=DEADLINE)
    try:
        _until(bed.sign.exists)
        assert bed.manifest()["outcome"] == "planned"
        shell.sendintr()
        shell.expect(pexpect.EOF)
        shell.close()
    finally:
        shell.close(force=True)
    assert (shell.exitstatus, shell.signalstatus) == (130, None)
    assert not bed.run.exists()


@pytest.mark.parametrize("mine", ["trap 'print mine; exit 4' INT", "TRAPINT() { print mine; exit 4 }"])
def test_a_trap_of_the_scripts_own_stays(bed: ZshBed, mine: str) -> None:
    source = 'source "$(kl zsh path)"\n'
    script = bed.script("kill -INT $$\nprint went on\n")
    script.write_text(script.read_text().replace(source, f"{mine}\n{source}"))
    called = bed.call(script)
    assert (called.code, called.out) == (4, "mine\n"), called.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("options", ["", "set -e -o pipefail"])
def test_a_signal_to_the_script_alone_ends_the_training(bed: ZshBed, options: str, number: signal.Signals) -> None:
    script = bed.script(f"{BODY}\nprint went on\n", options=options)
    process = subprocess.Popen(
        [script], env=bed.environ({"FAKE": "wait"}), cwd=bed.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        _until(bed.sign.exists)
        process.send_signal(number)
        shown = process.communicate(timeout=DEADLINE)[0].decode()
    finally:
        process.kill()
    assert process.returncode == 128 + number, shown
    assert "went on" not in shown
    assert not bed.run.exists(), shown


def test_a_shell_that_is_typed_into_goes_on_after_ctrl_c(bed: ZshBed) -> None:
    (bed.home / ".zshrc").write_text("PS1='ready> '\n")
    shell = pexpect.spawn("zsh", ["-i", "-f"], env=bed.environ({"FAKE": "wait"}), cwd=str(bed.home), timeout=DEADLINE)
    try:
        shell.sendline("PS1='ready''> '")
        shell.expect_exact("ready> ")
        shell.sendline('source "$(kl zsh path)"; TRAINING_DIR="$HOME/datasets/foo bar\'s" OUTPUT_DIR="$HOME/runs"')
        shell.expect_exact("ready> ")
        shell.sendline(
            f'setup_training_vars {NAME} && run_training_script "$HOME/sd scripts/train_network.py" '
            '--pretrained_model_name_or_path=owner/model --network_module=networks.lora '
            f'--dataset_config="$TRAINING_DIR/config.toml" --output_dir="$OUTPUT_DIR/{NAME}"; print "ended"" $?"'
        )
        _until(bed.sign.exists)
        shell.sendintr()
        shell.expect_exact("ended 130")
        shell.sendline("run_training_script; print still''here $?")
        shell.expect_exact("stillhere 64")
    finally:
        shell.close(force=True)
    assert not (bed.home / "runs" / NAME).exists()


@pytest.mark.parametrize("call", ALL)
def test_without_kl_each_function_says_so_in_one_line(bed: ZshBed, call: str) -> None:
    text = f"#!/usr/bin/env zsh\nsource {str(functions())!r}\nNAME={NAME}\n{call}\nprint code $?\n"
    path = bed.home / "alone.zsh"
    path.write_text(text)
    zsh = shutil.which("zsh")
    called = bed.call(str(zsh), path, PATH="/nowhere")
    assert called.err.count("\n") == 1
    assert called.err.startswith(f"{call.split(maxsplit=1)[0]}: kl is not on the PATH.")
    assert called.out == "code 127\n"


def test_the_trap_is_safe_and_keeps_the_exit_status(bed: ZshBed) -> None:
    text = "trap cleanup_empty_output EXIT TERM\ncleanup_empty_output\n(exit 5) || cleanup_empty_output || exit $?\n"
    called = bed.call(bed.script(text))
    assert (called.code, called.out, called.err) == (5, "", "")


def test_the_trap_twice_after_a_record(bed: ZshBed) -> None:
    text = BODY.partition("run_training")[0] + "cleanup_empty_output\ncleanup_empty_output\nexit 3\n"
    called = bed.call(bed.script(text))
    assert called.code == 3
    assert not bed.run.exists()
    assert called.err.count("left nothing to keep") == 1


def test_nothing_is_started_once_the_script_was_told_to_end(bed: ZshBed) -> None:
    text = BODY.replace("run_training", "kill -TERM $$\nrun_training")
    called = bed.call(bed.script(text, options=""))
    assert called.code == 143
    assert not bed.run.exists()


def test_a_secret_in_the_script_is_not_copied(bed: ZshBed) -> None:
    called = bed.call(bed.script(f"export WANDB_API_KEY=0123456789abcdef0123{BODY}"))
    assert called.code == 0, called.err
    assert not (bed.run / "script.zsh").exists()
    assert "holds the value of WANDB_API_KEY" in called.err
    assert b"0123456789abcdef0123" not in b"".join(path.read_bytes() for path in bed.run.rglob("*") if path.is_file())


def test_the_folder_of_an_editable_lycoris(bed: ZshBed) -> None:
    repository = bed.home / "LyCORIS it's"
    repository.mkdir()
    installed = next((bed.environment / "lib").iterdir()) / "site-packages" / "lycoris_lora-4.1.3.dist-info"
    installed.mkdir()
    url = repository.as_uri()
    (installed / "direct_url.json").write_text(f'{{"url": "{url}", "dir_info": {{"editable": true}}}}')
    called = bed.call(bed.script('print -r -- "$(get_lycoris_repo)"'))
    assert called.out == f"{repository}\n"
    assert bed.call(bed.script("get_lycoris_repo"), LYCORIS_REPO="/elsewhere").out == "/elsewhere\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_is_told(bed: ZshBed) -> None:
    called = bed.call("bash", "-c", f"source '{functions()}' && echo went on")
    assert called.code == 64
    assert called.err.count("\n") == 1
    assert "is for zsh" in called.err
    assert called.out == ""


def test_the_file_is_found_by_kl(bed: ZshBed) -> None:
    assert bed.call("kl", "zsh", "path").out == f"{functions()}\n"


def _until(true: object) -> None:
    assert callable(true)
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)
