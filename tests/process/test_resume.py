"""Resuming with real processes: what is trained on, under which names, and what is refused."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from launching import Bed, kl, kl_environ, kl_words, make_bed, manifest_of, own_home
from resuming import NAME, TRAINER, UNBROKEN, model_names, resumable_plan

from launcher.base.errors import ExitCode
from launcher.data.safetensors_header import Header, read_header
from launcher.plan.plan import Plan
from launcher.record.manifest import read_manifest
from launcher.run.launch import launch
from launcher.run.outcome import Outcome
from launcher.run.resume import launch_and_resume
from launcher.run.screen import NullScreen
from launcher.run.states import find_states


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    bed = make_bed(tmp_path)
    own_home(tmp_path, monkeypatch)
    return bed


@pytest.fixture
def crashed(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of a run that crashed after 5 of 12 steps: its newest state is of step 4, in the second epoch."""
    monkeypatch.setenv("CRASH_AT", "6")
    plan = resumable_plan(bed)
    assert launch(plan, NullScreen()).outcome is Outcome.FAILED
    return plan


def refused(plan: Plan, bed: Bed, *words: str) -> str:
    """What `kl resume` says when it refuses; nothing was touched then."""
    before = sorted(plan.directory.rglob("*")), (plan.directory / "run.json").read_bytes()
    said = kl(bed, "resume", NAME, *words)
    assert said.code in (ExitCode.USAGE, ExitCode.ENVIRONMENT_NOT_READY), said.err
    assert before == (sorted(plan.directory.rglob("*")), (plan.directory / "run.json").read_bytes())
    return said.err


def test_resumed_three_times_it_is_one_run(bed: Bed, crashed: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    for crash_at, code in (("8", 1), ("11", 1), ("0", 0)):  # from 4, within an epoch; from 6, at its end; from 10
        monkeypatch.setenv("CRASH_AGAIN_AT", crash_at)
        said = kl(bed, "resume", NAME)
        assert said.code == code, said.err
    assert model_names(crashed.directory) == UNBROKEN
    for name in UNBROKEN:
        header = read_header(crashed.directory / name)
        assert isinstance(header, Header)
        stem = name.removeprefix(f"{NAME}-").removesuffix(".safetensors")
        step = int(stem[4:]) if stem.startswith("step") else int(stem) * 3 if stem.isdigit() else 12
        assert header.metadata["ss_steps"] == str(step), name
    states = {(state.step, state.epoch) for state in find_states(crashed.directory, NAME).whole}
    assert states == {(2, 1), (4, 2), (6, 2), (8, 3), (10, 4), (12, 4)}
    manifest = manifest_of(crashed.directory)
    assert manifest["outcome"] == "succeeded"
    assert [attempt["first_step"] for attempt in manifest["attempts"]] == [None, 4, 6, 10]
    assert [attempt["last_step"] for attempt in manifest["attempts"]] == [5, 7, 10, 12]
    assert [attempt["log"] for attempt in manifest["attempts"]] == [
        "sdscripts.log", "sdscripts-2.log", "sdscripts-3.log", "sdscripts-4.log",
    ]  # fmt: skip
    assert all((crashed.directory / attempt["log"]).is_file() for attempt in manifest["attempts"])


def test_only_what_says_where_to_start_is_changed(bed: Bed, crashed: Plan) -> None:
    assert kl(bed, "resume", NAME).code == 0
    manifest = manifest_of(crashed.directory)
    assert tuple(manifest["argv"]) == crashed.argv
    resumed = manifest["attempts"][1]["argv"]
    added = [word for word in resumed if word not in crashed.argv]
    script = str(crashed.directory / "resume" / "train_network.py")
    state = crashed.directory / f"{NAME}-step00000004-state"
    assert added == [script, f"--resume={state}", "--skip_until_initial_step"]
    assert set(crashed.argv) - set(resumed) == {"train_network.py", "--sample_at_first"}
    assert manifest["attempts"][1]["resumed_from"] == state.name


def test_what_was_there_is_not_said_to_be_saved(bed: Bed, crashed: Plan) -> None:
    said = kl(bed, "resume", NAME).err
    assert f"saved state {NAME}-step00000006-state" in said
    assert f"{NAME}-step00000004.safetensors" not in said


def test_a_half_written_state_is_skipped_and_said(bed: Bed, crashed: Plan) -> None:
    optimizer = crashed.directory / f"{NAME}-step00000004-state" / "optimizer.bin"
    optimizer.write_bytes(optimizer.read_bytes()[:-30])
    said = kl(bed, "resume", NAME)
    assert said.code == 0, said.err
    assert f"{NAME}-step00000004-state is not whole: optimizer.bin breaks off: skipped" in said.err
    assert manifest_of(crashed.directory)["attempts"][1]["first_step"] == 2
    assert model_names(crashed.directory) == UNBROKEN


def test_without_a_state_it_is_refused(bed: Bed, crashed: Plan) -> None:
    for state in crashed.directory.glob("*-state"):
        shutil.rmtree(state)
    assert f"{NAME} has no state to go on from" in refused(crashed, bed)


def test_a_finished_run_is_refused_unless_more_steps_are_wanted(bed: Bed) -> None:
    plan = resumable_plan(bed)
    assert launch(plan, NullScreen()).outcome is Outcome.SUCCEEDED
    assert f"{NAME} has finished with 12 steps" in refused(plan, bed)
    assert "has finished with 12 steps" in refused(plan, bed, "--steps", "12")
    said = kl(bed, "resume", NAME, "--steps", "16")
    assert said.code == 0, said.err
    assert "lr_scheduler cosine is spread over 16 steps" in said.err
    longer = {f"{NAME}-step{step:08d}.safetensors" for step in (14, 16)}
    later = {f"{NAME}-{epoch:06d}.safetensors" for epoch in (5,)}
    assert model_names(plan.directory) == UNBROKEN | longer | later | {f"{NAME}-end00000012.safetensors"}
    manifest = manifest_of(plan.directory)
    assert (manifest["steps"], manifest["outcome"], manifest["attempts"][1]["last_step"]) == (16, "succeeded", 16)
    assert "has finished with 16 steps" in refused(plan, bed)


def test_the_new_number_of_steps_holds_for_the_next_resume(
    bed: Bed, crashed: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRASH_AGAIN_AT", "8")
    assert kl(bed, "resume", NAME, "--steps", "14").code == 1
    monkeypatch.setenv("CRASH_AGAIN_AT", "0")
    assert kl(bed, "resume", NAME).code == 0
    assert "--max_train_steps=14" in manifest_of(crashed.directory)["attempts"][2]["argv"]
    assert f"{NAME}-step00000014.safetensors" in model_names(crashed.directory)


def test_when_the_trainer_cannot_be_started_a_finished_run_is_as_it_was(bed: Bed) -> None:
    plan = resumable_plan(bed)
    launch(plan, NullScreen())
    before = model_names(plan.directory)
    path = plan.directory / "run.json"
    path.write_text(path.read_text().replace(json.dumps(plan.argv[0]), json.dumps("/nowhere/python")))
    recorded = path.read_text()
    said = kl(bed, "resume", NAME, "--steps", "16")
    assert said.code == ExitCode.ENVIRONMENT_NOT_READY, said.err
    assert path.read_text() == recorded
    assert model_names(plan.directory) == before
    assert (plan.directory / f"{NAME}-state").is_dir()


def test_a_script_that_counts_otherwise_is_refused(bed: Bed, crashed: Plan) -> None:
    script = bed.checkout / "train_network.py"
    script.write_text(TRAINER.replace("            global_step = initial_step\n", "            global_step = 0\n"))
    assert "is not known" in refused(crashed, bed)
    script.write_text("print('an old one')\n")
    assert "came with v0.9.0" in refused(crashed, bed)


def test_without_its_spec_it_goes_on_unchecked_and_says_so(bed: Bed, crashed: Plan) -> None:
    changed = kl(bed, "resume", NAME)
    assert f"{crashed.spec} is not there: nothing was checked" in changed.err


def test_of_two_at_once_one_trains(bed: Bed, crashed: Plan) -> None:
    both = [
        subprocess.Popen(kl_words("resume", NAME), env=kl_environ(bed), stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    errors = [process.communicate()[1].decode() for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes == [0, ExitCode.USAGE], errors
    assert len(manifest_of(crashed.directory)["attempts"]) == 2
    assert model_names(crashed.directory) == UNBROKEN


def test_a_removed_run_and_an_unknown_one_are_refused(bed: Bed) -> None:
    assert "There is no run fox-v9s4" in kl(bed, "resume", "fox-v9s4").err


def test_detached_it_goes_on_in_the_background(bed: Bed, crashed: Plan) -> None:
    said = kl(bed, "resume", NAME, "--detach")
    assert (said.code, said.out) == (0, f"{NAME}\n")
    assert kl(bed, "attach", NAME).code == 0
    assert model_names(crashed.directory) == UNBROKEN


def test_a_crash_is_resumed_once_by_itself(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRASH_AT", "6")
    monkeypatch.setenv("CRASH_BY", str(int(signal.SIGKILL)))
    result = launch_and_resume(resumable_plan(bed, auto_resume=True), NullScreen())
    assert result.outcome is Outcome.SUCCEEDED
    assert result.log == "sdscripts-2.log"
    assert model_names(bed.root / NAME) == UNBROKEN
    monkeypatch.setenv("CRASH_AGAIN_AT", "8")
    other = resumable_plan(bed, auto_resume=True, name="fox-v2s12")
    assert launch_and_resume(other, NullScreen()).outcome is Outcome.FAILED
    assert len(read_manifest(other.directory).attempts) == 2


@pytest.mark.parametrize(
    ("crash_at", "by"), [("2", None), ("6", signal.SIGTERM), ("6", signal.SIGINT)], ids=["no state", "TERM", "INT"]
)
def test_what_is_not_resumed_by_itself(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, crash_at: str, by: signal.Signals | None
) -> None:
    """No state was saved; or somebody ended it."""
    monkeypatch.setenv("CRASH_AT", crash_at)
    if by is not None:
        monkeypatch.setenv("CRASH_BY", str(int(by)))
    plan = resumable_plan(bed, auto_resume=True)
    assert launch_and_resume(plan, NullScreen()).outcome is Outcome.FAILED
    if plan.directory.exists():  # with no state and no model it goes
        assert len(read_manifest(plan.directory).attempts) == 1


def test_without_auto_resume_a_crash_is_the_end(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRASH_AT", "6")
    plan = resumable_plan(bed)
    assert launch_and_resume(plan, NullScreen()).outcome is Outcome.FAILED
    assert len(read_manifest(plan.directory).attempts) == 1


def test_a_run_that_was_moved_goes_on_where_it_is(bed: Bed, crashed: Plan) -> None:
    moved = crashed.directory.rename(bed.folder / "elsewhere")
    said = kl(bed, "resume", str(moved))
    assert said.code == 0, said.err
    assert model_names(moved) == UNBROKEN
    assert not crashed.directory.exists()


def test_an_unreadable_manifest_is_one_message(bed: Bed, crashed: Plan) -> None:
    (crashed.directory / "run.json").write_text(
        '{"manifest_version": 1, "argv": ["x"], "attempts": [{"ended": "then"}]}'
    )
    said = kl(bed, "resume", NAME)
    assert "Traceback" not in said.err
    assert said.code in (ExitCode.USAGE, ExitCode.ENVIRONMENT_NOT_READY), said.err
