"""Launching with real processes: how trainings end, and what is left."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from launching import SUCCESS, WAITING, Bed, launched, make_bed, make_plan, own_home, pid_of, runs, until

from launcher.base.errors import ExitCode, KlError
from launcher.record.manifest import read_manifest
from launcher.run.launch import launch
from launcher.run.outcome import Outcome
from launcher.run.screen import NullScreen
from launcher.run.screen import Screen as ScreenProtocol
from launcher.run.state import current_outcome


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    bed = make_bed(tmp_path)
    own_home(tmp_path, monkeypatch)
    return bed


class Recorder(NullScreen):
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.closed = False

    def announce(self, text: str) -> None:
        self.texts.append(text)

    def close(self) -> None:
        self.closed = True


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_success(bed: Bed) -> None:
    plan = make_plan(bed, SUCCESS)
    screen = Recorder()
    result = launch(plan, screen)
    assert (result.outcome, result.exit_code, result.failure) == (Outcome.SUCCEEDED, 0, None)
    assert (result.steps, result.last_loss, result.directory) == (4, 0.25, plan.directory)
    kinds = {artifact.path.name: artifact.kind.value for artifact in result.artifacts}
    assert kinds == {
        "fox-v1s4.safetensors": "model", "fox-v1s4-step00000002.safetensors": "checkpoint", "a.png": "sample",
    }  # fmt: skip
    assert any("fox-v1s4-step00000002.safetensors" in text for text in screen.texts)
    assert screen.closed
    for file in plan.files:
        assert (plan.directory / file.name).read_bytes() == file.content
    manifest = read_manifest(plan.directory)
    assert manifest.outcome == "succeeded"
    assert current_outcome(plan.directory, manifest) is Outcome.SUCCEEDED
    (plan.directory / "fox-v1s4.safetensors").rename(plan.directory / "away.safetensors")
    assert current_outcome(plan.directory, manifest) is Outcome.SUCCEEDED  # people move their LoRA
    assert manifest.argv == plan.argv
    (attempt,) = manifest.attempts
    assert (attempt.exit_code, attempt.last_step, attempt.total_steps, attempt.outcome) == (0, 4, 4, "succeeded")
    assert attempt.pid and attempt.pid_started and attempt.ended
    assert {artifact.path for artifact in manifest.artifacts} == {
        "fox-v1s4.safetensors", "fox-v1s4-step00000002.safetensors", "sample/a.png",
    }  # fmt: skip
    assert not (bed.state / "removed").exists()


def test_the_trainer_gets_its_surroundings(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "hush-hush")
    script = """
        print(os.getcwd(), *map(os.environ.get, ("WANDB_API_KEY", "OF_PLAN", "OF_ENVIRONMENT")), sys.argv[1:])
        print("input", repr(sys.stdin.read()), "session", os.getsid(0) == os.getppid())
    """ + SUCCESS.replace("\n    ", "\n        ")
    plan = make_plan(bed, script)
    plan = replace(
        plan,
        variables={**plan.variables, "OF_PLAN": "1"},
        environment=replace(plan.environment, variables={"OF_ENVIRONMENT": "2", "OF_PLAN": "0"}),
    )
    launch(plan, NullScreen())
    log = (plan.directory / "sdscripts.log").read_text()
    assert f"{bed.checkout} hush-hush 1 2 ['--output_dir', '{plan.directory}']" in log
    assert "input '' session True" in log
    assert "hush-hush" not in (plan.directory / "run.json").read_text()


def test_exit_7(bed: Bed) -> None:
    plan = make_plan(
        bed, "bar(1, 4)\nprint()\ntry:\n    1 / 0\nexcept ValueError:\n    pass\nfinally:\n    os._exit(7)"
    )
    result = launch(plan, NullScreen())
    assert (result.outcome, result.exit_code, result.directory) == (Outcome.FAILED, 7, None)
    assert not plan.directory.exists()
    assert result.removed_to is not None and result.removed_to.parent == bed.state / "removed"
    assert tree(result.removed_to) == ["kl.log", "run.json", "sdscripts.log"]
    manifest = read_manifest(result.removed_to)
    assert (manifest.outcome, manifest.attempts[0].exit_code, manifest.attempts[0].last_step) == ("failed", 7, 1)


def test_an_exception(bed: Bed) -> None:
    plan = make_plan(bed, 'bar(2, 4)\nraise RuntimeError("sizes differ:\\n  [1, 2]\\n\\n  [3, 4]")')
    result = launch(plan, NullScreen())
    assert (result.outcome, result.exit_code) == (Outcome.FAILED, 1)
    assert result.failure is not None
    assert result.failure.exception == "RuntimeError: sizes differ:\n  [1, 2]\n\n  [3, 4]"
    assert not any("CalledProcessError" in line for line in result.failure.log_tail)
    assert result.failure.log_tail[-1] == "  [3, 4]"


def test_a_killed_trainer(bed: Bed) -> None:
    result = launch(make_plan(bed, "os.kill(os.getpid(), signal.SIGKILL)"), NullScreen())
    assert (result.outcome, result.exit_code) == (Outcome.FAILED, 128 + 9)
    assert result.failure is not None and "SIGKILL" in result.failure.reason


def test_a_killed_accelerate_leaves_no_orphan(bed: Bed) -> None:
    plan = make_plan(bed, WAITING)
    with launched(bed, plan, patience=0.3) as launch_:
        pid = pid_of(bed, "training")
        os.kill(read_manifest(plan.directory).attempts[0].pid or 0, 9)
        code, said = launch_.end()
    assert (code, said["outcome"]) == (137, "failed")
    assert not runs(pid)


def test_exit_0_without_a_model(bed: Bed) -> None:
    result = launch(make_plan(bed, 'print("No data found.")'), NullScreen())
    assert (result.outcome, result.exit_code) == (Outcome.FAILED, 1)
    assert result.failure is not None
    assert result.failure.reason == "the trainer ended with 0 but left no final model"
    assert result.failure.log_tail == ("No data found.",)


def test_an_empty_final_model_is_none(bed: Bed) -> None:
    result = launch(make_plan(bed, '(OUT / (NAME + ".safetensors")).touch()'), NullScreen())
    assert (result.outcome, result.exit_code) == (Outcome.FAILED, 1)
    assert result.directory is not None and result.directory.exists()


@pytest.mark.parametrize(
    "leave",
    [
        '(OUT / (NAME + "-step00000002.safetensors")).write_bytes(b"x")',
        '(OUT / "sample").mkdir(); (OUT / "sample" / "a.png").write_bytes(b"x")',
        '(OUT / (NAME + "-step00000002-state")).mkdir()',
        '(OUT / "my notes.txt").write_bytes(b"x")',
        '(OUT / "link").symlink_to("/nowhere")',
        '(OUT / "config.toml").write_bytes(b"edited")',
    ],
)
def test_a_failed_run_with_anything_else_in_it_stays(bed: Bed, leave: str) -> None:
    plan = make_plan(bed, f"{leave}\nsys.exit(3)")
    result = launch(plan, NullScreen())
    assert (result.outcome, result.exit_code, result.directory) == (Outcome.FAILED, 3, plan.directory)
    assert result.artifacts or result.kept
    assert (plan.directory / "run.json").exists() and (plan.directory / "sdscripts.log").exists()
    assert read_manifest(plan.directory).outcome == "failed"


def test_what_tensorboard_wrote_goes_with_a_failed_run(bed: Bed) -> None:
    script = """
        folder = OUT / "logs" / "20260101000000" / "network_train"
        folder.mkdir(parents=True)
        (folder / "events.out.tfevents.1.host.2.0").write_bytes(b"x")
        (OUT / "sample").mkdir()
        sys.exit(3)
    """
    plan = make_plan(bed, script)
    assert launch(plan, NullScreen()).directory is None
    assert tree(bed.root) == []


def test_no_clean_keeps_a_failed_run(bed: Bed) -> None:
    plan = make_plan(bed, "sys.exit(3)", keep_failed=True)
    result = launch(plan, NullScreen())
    assert (result.directory, result.removed_to) == (plan.directory, None)
    names = {"config.toml", "kl.log", "repos.git", "reproduce.sh", "run.json", "sdscripts.log", "spec.toml"}
    assert names <= set(tree(plan.directory))


def test_a_failed_run_stays_when_its_log_cannot_be_kept(bed: Bed) -> None:
    bed.state.parent.mkdir(parents=True)
    bed.state.write_text("in the way")
    plan = make_plan(bed, "sys.exit(3)")
    result = launch(plan, NullScreen())
    assert (result.exit_code, result.directory, result.removed_to) == (3, plan.directory, None)
    assert (plan.directory / "sdscripts.log").exists()
    assert any("could not be kept in the state folder" in reason for reason in result.kept)


def test_a_name_is_taken_once(bed: Bed) -> None:
    plan = make_plan(bed, SUCCESS)
    launch(plan, NullScreen())
    before = {path: path.stat().st_mtime_ns for path in plan.directory.rglob("*")}
    with pytest.raises(KlError) as caught:
        launch(plan, NullScreen())
    assert caught.value.code is ExitCode.OUTPUT_UNAVAILABLE
    assert str(plan.directory) in caught.value.message and "v2" in (caught.value.hint or "")
    assert {path: path.stat().st_mtime_ns for path in plan.directory.rglob("*")} == before


def test_of_two_launches_at_once_one_trains(bed: Bed) -> None:
    script = """
        sign("trained-%d" % os.getpid())
        while not (SIGNS.parent / "go").exists():
            time.sleep(0.02)
    """ + SUCCESS.replace("\n    ", "\n        ")
    plan = make_plan(bed, script)
    with launched(bed, plan) as one, launched(bed, plan) as other:
        until(lambda: one.process.poll() is not None or other.process.poll() is not None, "one is refused")
        (bed.folder / "go").touch()
        ends = sorted((one.end(), other.end()), key=lambda end: end[0])
    assert [code for code, _ in ends] == [0, 73]
    assert "exists already" in ends[1][1]["error"]
    assert len(list(bed.signs.iterdir())) == 1


def test_the_output_root_is_a_file(bed: Bed) -> None:
    bed.root.write_text("a file")
    with pytest.raises(KlError) as caught:
        launch(make_plan(bed, SUCCESS), NullScreen())
    assert caught.value.code is ExitCode.OUTPUT_UNAVAILABLE
    assert bed.root.read_text() == "a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_the_output_root_is_read_only(bed: Bed) -> None:
    bed.root.mkdir()
    bed.root.chmod(0o555)
    with pytest.raises(KlError) as caught:
        launch(make_plan(bed, SUCCESS), NullScreen())
    assert caught.value.code is ExitCode.OUTPUT_UNAVAILABLE
    assert tree(bed.root) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody may write to")
def test_the_output_root_is_on_a_file_system_that_takes_nothing(bed: Bed) -> None:
    plan = replace(make_plan(bed, SUCCESS), directory=Path("/proc/kl-test/fox-v1s4"))
    with pytest.raises(KlError) as caught:
        launch(plan, NullScreen())
    assert caught.value.code is ExitCode.OUTPUT_UNAVAILABLE


@pytest.mark.parametrize("failing", ["repos.git", "spec.toml", "config.toml", "run.json"])
def test_a_disk_that_fills_while_the_archive_is_written(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    if failing == "run.json":
        monkeypatch.setattr("launcher.record.archive.write_manifest", full)
    else:
        real = Path.open

        def open_(path: Path, *mode: Any, **more: Any) -> Any:
            file = real(path, *mode, **more)
            if path.name == failing:
                file.write(b"half")
                file.close()
                full()
            return file

        monkeypatch.setattr("pathlib.Path.open", open_)
    with pytest.raises(KlError) as caught:
        launch(make_plan(bed, SUCCESS), NullScreen())
    assert caught.value.code is ExitCode.OUTPUT_UNAVAILABLE
    assert "No space left" in caught.value.message
    assert not bed.root.exists()  # this launch had made it


def test_a_disk_that_fills_at_the_end_loses_nothing(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("launcher.run.attempt.write_manifest", full)
    plan = make_plan(bed, SUCCESS)
    screen = Recorder()
    assert launch(plan, screen).outcome is Outcome.SUCCEEDED
    assert any("run.json could not be written: No space left" in text for text in screen.texts)
    assert read_manifest(plan.directory).name == plan.name  # the first one, whole


def test_an_interpreter_that_is_not_there(bed: Bed) -> None:
    with pytest.raises(KlError) as caught:
        launch(make_plan(bed, SUCCESS, python="/nowhere/bin/python"), NullScreen())
    assert caught.value.code is ExitCode.ENVIRONMENT_NOT_READY
    assert "/nowhere/bin/python" in caught.value.message
    assert not bed.root.exists()


def test_what_was_there_before_stays_when_the_trainer_cannot_start(bed: Bed) -> None:
    (bed.root / "older-v1s4").mkdir(parents=True)
    with pytest.raises(KlError):
        launch(make_plan(bed, SUCCESS, python="/nowhere/bin/python"), NullScreen())
    assert tree(bed.root) == ["older-v1s4"]


def test_a_screen_that_fails_does_not_end_the_training(bed: Bed) -> None:
    class Broken(NullScreen):
        def announce(self, text: str) -> None:
            raise BrokenPipeError(32, "Broken pipe")

    screen: ScreenProtocol = Broken()
    assert launch(make_plan(bed, SUCCESS), screen).outcome is Outcome.SUCCEEDED


def test_the_manifest_names_what_kl_cannot_know(bed: Bed) -> None:
    plan = make_plan(bed, SUCCESS)
    launch(plan, NullScreen())
    data = json.loads((plan.directory / "run.json").read_text())
    assert data["manifest_version"] == 2
    assert data["not_recorded"] == [f"{bed.checkout}: not a git repository"]
    assert data["python"] == sys.executable
