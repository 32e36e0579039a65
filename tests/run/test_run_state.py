"""What a run is now, when nobody saw how it ended."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from launcher.record.manifest import Attempt, Manifest, read_manifest, write_manifest
from launcher.run.directory import held
from launcher.run.outcome import Outcome
from launcher.run.process import RUN_VARIABLE, is_same_process, processes_of_run
from launcher.run.state import current_outcome, log_name, settle

TRACEBACK = 'Traceback (most recent call last):\n  File "train_network.py", line 1, in <module>\nValueError: no\n'
HEADER = b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}'
WHOLE = len(HEADER).to_bytes(8, "little") + HEADER + b"abcd"
FINAL = "fox-v1s10.safetensors"
BAR = "steps:  40%|####      | 4/10 [00:15<00:15,  7.53s/it, avr_loss=0.25]"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose manifest says that it runs, and of which nothing does."""
    (tmp_path / "fox-v1s10").mkdir()
    _write(tmp_path / "fox-v1s10")
    return tmp_path / "fox-v1s10"


def _write(run: Path, final: str = FINAL, **of_attempt: object) -> Manifest:
    attempt = Attempt(started="2024-05-01T10:00:00+00:00", outcome="running", log="sdscripts.log")
    attempt = replace(attempt, **{"host": os.uname().nodename, **of_attempt})  # type: ignore[arg-type]
    manifest = Manifest(name=run.name, outcome="running", final=(final,), attempts=(attempt,))
    write_manifest(manifest, run)
    return manifest


def _outcome(run: Path) -> Outcome:
    return current_outcome(run, read_manifest(run))


@pytest.fixture
def process(run: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the run that is not its leader."""
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        env={**os.environ, RUN_VARIABLE: str(run)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_nothing_was_started(run: Path) -> None:
    assert current_outcome(run, Manifest(name="fox-v1s10")) is Outcome.PLANNED


def test_nothing_is_left_of_it(run: Path) -> None:
    assert _outcome(run) is Outcome.LOST


def test_it_runs_while_its_kl_does(run: Path) -> None:
    own = psutil.Process()
    _write(run, kl_pid=own.pid, kl_started=own.create_time())
    assert _outcome(run) is Outcome.RUNNING
    _write(run, kl_pid=own.pid, kl_started=own.create_time() - 60)  # the id is another process's by now
    assert _outcome(run) is Outcome.LOST


def test_it_runs_while_its_leader_does(run: Path) -> None:
    own = psutil.Process()
    _write(run, pid=own.pid, pid_started=own.create_time())
    assert _outcome(run) is Outcome.RUNNING
    _write(run, pid=own.pid, pid_started=own.create_time() - 60)
    assert _outcome(run) is Outcome.LOST


def test_it_runs_while_anything_of_it_does(run: Path, process: subprocess.Popen[bytes]) -> None:
    assert _outcome(run) is Outcome.RUNNING
    assert [found.pid for found in processes_of_run(run)] == [process.pid]
    link = run.parent / "link"
    link.symlink_to(run.parent)
    assert [found.pid for found in processes_of_run(link / run.name)] == [process.pid]
    assert processes_of_run(run.parent / "fox-v1s1") == set()
    process.kill()
    process.wait()
    assert _outcome(run) is Outcome.LOST


@pytest.mark.parametrize(
    ("content", "expected"), [(WHOLE, Outcome.SUCCEEDED), (WHOLE[:-1], Outcome.LOST), (b"", Outcome.LOST)]
)
def test_only_a_whole_final_model_is_a_success(run: Path, content: bytes, expected: Outcome) -> None:
    (run / FINAL).write_bytes(content)
    assert _outcome(run) is expected


def test_a_final_model_of_an_earlier_attempt_counts_for_nothing(run: Path) -> None:
    (run / FINAL).write_bytes(WHOLE)
    os.utime(run / FINAL, (1_600_000_000, 1_600_000_000))
    assert _outcome(run) is Outcome.LOST


def test_final_models_of_other_kinds(run: Path) -> None:
    _write(run, final="fox-v1s10.ckpt")
    with zipfile.ZipFile(run / "fox-v1s10.ckpt", "w") as file:
        file.writestr("archive/data.pkl", b"x" * 1000)
    assert _outcome(run) is Outcome.SUCCEEDED
    (run / "fox-v1s10.ckpt").write_bytes((run / "fox-v1s10.ckpt").read_bytes()[:500])
    assert _outcome(run) is Outcome.LOST
    _write(run, final="fox-v1s10")
    (run / "fox-v1s10" / "unet").mkdir(parents=True)
    assert _outcome(run) is Outcome.LOST
    (run / "fox-v1s10" / "model_index.json").touch()
    assert _outcome(run) is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (f"{BAR}\n{TRACEBACK}", Outcome.FAILED),
        (TRACEBACK + "going on\n" * 50, Outcome.LOST),
        ("INFO No data found. Please verify arguments (train_data_dir must be …)\n", Outcome.FAILED),
        (f"{BAR}\n", Outcome.LOST),
        ("", Outcome.LOST),
    ],
)
def test_the_last_word_of_the_log(run: Path, log: str, expected: Outcome) -> None:
    (run / "sdscripts.log").write_text(log)
    assert _outcome(run) is expected


def test_the_last_word_of_the_last_attempt(run: Path) -> None:
    (run / "sdscripts.log").write_text(TRACEBACK)
    manifest = _write(run, log="sdscripts-2.log")
    assert _outcome(run) is Outcome.LOST
    assert log_name(manifest) == "sdscripts-2.log"
    assert log_name(_write(run, log="../../etc/passwd")) == "passwd"


def test_a_run_of_another_machine(run: Path) -> None:
    own = psutil.Process()
    _write(run, host="elsewhere", pid=own.pid, pid_started=own.create_time())
    assert _outcome(run) is Outcome.LOST  # no log that says otherwise
    (run / "sdscripts.log").write_text(BAR)
    assert _outcome(run) is Outcome.RUNNING
    os.utime(run / "sdscripts.log", (1_700_000_000, 1_700_000_000))
    before = (run / "run.json").read_bytes()
    assert settle(run)[1] is Outcome.LOST
    assert (run / "run.json").read_bytes() == before  # its own kl may know better


def test_the_end_that_nobody_saw_is_written_down_once(run: Path) -> None:
    (run / "sdscripts.log").write_text(f"\r{BAR}\n{TRACEBACK}")
    os.utime(run / "sdscripts.log", (1_750_000_000, 1_750_000_000))
    (run / "fox-v1s10-step00000002.safetensors").write_bytes(WHOLE)
    manifest, outcome = settle(run)
    assert outcome is Outcome.FAILED and read_manifest(run) == manifest
    attempt = manifest.attempts[0]
    assert (manifest.outcome, attempt.outcome, attempt.ended) == ("failed", "failed", "2025-06-15T15:06:40+00:00")
    assert (attempt.last_step, attempt.total_steps, attempt.last_loss) == (4, 10, 0.25)
    assert [artifact.path for artifact in manifest.artifacts] == ["fox-v1s10-step00000002.safetensors"]
    written = (run / "run.json").stat()
    assert settle(run) == (manifest, outcome)
    assert (run / "run.json").stat() == written
    (run / "sdscripts.log").unlink()
    assert _outcome(run) is Outcome.FAILED  # what was found once stays, without its log


def test_a_settled_success_stays_one_when_its_model_is_moved_away(run: Path) -> None:
    (run / FINAL).write_bytes(WHOLE)
    assert settle(run)[1] is Outcome.SUCCEEDED
    (run / FINAL).unlink()
    assert _outcome(run) is Outcome.SUCCEEDED


def test_nobody_settles_what_runs_or_is_held(run: Path, process: subprocess.Popen[bytes]) -> None:
    before = (run / "run.json").read_bytes()
    assert settle(run)[1] is Outcome.RUNNING
    process.kill()
    process.wait()
    with held(run) as mine:
        assert mine
        assert settle(run)[1] is Outcome.LOST
    assert (run / "run.json").read_bytes() == before
    assert settle(run)[0].outcome == "lost"


def test_a_directory_is_held_by_one(run: Path) -> None:
    with held(run) as first, held(run) as second:
        assert first and not second
    with held(run) as again:
        assert again


@pytest.mark.parametrize(
    ("pid", "started"),
    [(None, None), (-1, 0.0), (1 << 70, 0.0), (os.getpid(), None)],
    ids=["none", "negative", "no-id", "own-without-start"],
)
def test_ids_that_are_none(pid: int | None, started: float | None) -> None:
    assert not is_same_process(pid, started)
