"""Trainings whose loss is no number any more: said at once, and stopped where the user wants that."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from launching import Bed, launched, make_bed, make_plan, pid_of, runs, until

from launcher.demo.layout import NAME, lay_out, missing_packages
from launcher.record.manifest import Attempt, read_manifest

REASON = "the loss is not a number at step 2"
SAID = f"{REASON} (nan): what is saved from here on may be worth nothing"
STOPPING = "stopping the training, as run.stop_on_nan says"
# As sd-scripts draws it: the step first, then the mean with that step's loss.
NAN = """
    def lost(step):
        sys.stderr.write("\\rsteps:  50%|#    | {}/4 [00:01<00:01,  1.50s/it, avr_loss=nan]".format(step))
        sys.stderr.flush()
    bar(1, 4)
    bar(2, 4)
    lost(2)
    sign("training")
"""
ENDLESS = NAN + "    while True:\n        time.sleep(0.05)\n"
SAVES = """
    (OUT / (NAME + "-step00000001.safetensors")).write_bytes(b"half")
"""


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)


def attempt(directory: Path) -> Attempt:
    return read_manifest(directory).attempts[-1]


def test_it_is_said_and_training_goes_on(bed: Bed) -> None:
    plan = make_plan(bed, NAN + "    while not (SIGNS / 'seen').exists():\n        time.sleep(0.02)\n" + _FINAL)
    with launched(bed, plan) as kl:
        until(lambda: kl.said(SAID), "word of the loss")
        (bed.signs / "seen").write_text(str(pid_of(bed, "training")))
        code, result = kl.end()
        assert not kl.said(STOPPING)
    assert (code, result["outcome"]) == (0, "succeeded")
    found = attempt(plan.directory)
    assert str(found.last_loss) == "nan" and found.lowest_loss == 0.25 and found.stop_reason is None


_FINAL = """
    (OUT / (NAME + ".safetensors")).write_bytes(b"whole")
"""


def test_it_is_stopped_where_that_is_wanted(bed: Bed) -> None:
    plan = replace(make_plan(bed, SAVES + ENDLESS), stop_on_nan=True)
    with launched(bed, plan) as kl:
        code, result = kl.end()
        text = kl.output.read_text(encoding="utf-8")
        assert text.index(SAID) < text.index(STOPPING) < text.index("sent SIGINT")
        assert not runs(pid_of(bed, "training"))
    assert code != 0 and result["outcome"] == "failed"
    assert result["artifacts"] == ["fox-v1s4-step00000001.safetensors"]
    manifest, found = read_manifest(plan.directory), attempt(plan.directory)
    assert manifest.outcome == found.outcome == "failed"
    assert (found.stop_reason, found.stop_signal, found.last_step, found.lowest_loss) == (REASON, None, 2, 0.25)
    assert found.ended is not None and found.exit_code == code


def test_a_trainer_that_ends_with_0_then_has_failed_too(bed: Bed) -> None:
    ends = "    signal.signal(signal.SIGINT, lambda *_: os._exit(0))\n"
    plan = replace(make_plan(bed, SAVES + ends + ENDLESS), stop_on_nan=True)
    with launched(bed, plan) as kl:
        code, result = kl.end()
    assert code != 0 and result["outcome"] == "failed"
    assert attempt(plan.directory).stop_reason == REASON


def test_one_that_will_not_end_is_ended(bed: Bed) -> None:
    ignores = "    signal.signal(signal.SIGINT, signal.SIG_IGN)\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    plan = replace(make_plan(bed, SAVES + ignores + ENDLESS), stop_on_nan=True)
    with launched(bed, plan, patience=0.3) as kl:
        code, result = kl.end()
        assert not runs(pid_of(bed, "training"))
    assert code != 0 and result["outcome"] == "failed"


def test_the_reason_is_written_down_before_the_trainer_has_ended(bed: Bed) -> None:
    """A kl that is killed then leaves word of why."""
    ignores = "    signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    plan = replace(make_plan(bed, SAVES + ignores + ENDLESS), stop_on_nan=True)
    with launched(bed, plan) as kl:
        until(lambda: kl.said("sent SIGINT"), "the first signal")
        until(lambda: attempt(plan.directory).stop_reason == REASON, "the reason in the manifest")
        kl.send(signal.SIGINT)  # impatience changes nothing about who stopped it
        code, result = kl.end()
    assert code != 0 and result["outcome"] == "failed"
    assert attempt(plan.directory).stop_signal is None


def test_a_stop_that_was_asked_for_before_stays_one(bed: Bed) -> None:
    waits = """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bar(1, 4)
    sign("ready")
    while not (SIGNS / "go").exists():
        time.sleep(0.02)
    """
    plan = replace(make_plan(bed, SAVES + waits + ENDLESS), stop_on_nan=True)
    with launched(bed, plan) as kl:
        leader = pid_of(bed, "ready")
        kl.send(signal.SIGINT)
        until(lambda: kl.said("sent SIGINT"), "the first signal")
        (bed.signs / "go").write_text(str(leader))
        until(lambda: kl.said(SAID), "word of the loss")
        kl.send(signal.SIGINT)
        code, result = kl.end()
        assert not kl.said(STOPPING)
    assert (code, result["outcome"]) == (130, "stopped")
    assert attempt(plan.directory).stop_reason is None


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@pytest.mark.skipif(
    bool(missing_packages()), reason=f"the demo trains for real and needs {', '.join(missing_packages())}"
)
def test_the_demo_with_a_loss_that_is_no_number(tmp_path: Path) -> None:
    demo = lay_out(tmp_path / "demo")
    output = tmp_path / "output"
    name = f"{NAME.rpartition('s')[0]}s5000"

    def kl(*words: str, **environ: str) -> Ended:
        kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LD_LIBRARY_PATH", "TMPDIR")}
        home = str(tmp_path / "home")
        done = subprocess.run(
            [sys.executable, "-m", "launcher", *words],
            cwd=demo.spec.parent, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
            env={**kept, "HOME": home, "PYTHONPATH": str(Path(__file__).parents[2]), "LC_ALL": "C.UTF-8",
                 "XDG_STATE_HOME": f"{home}/.state", "XDG_CACHE_HOME": f"{home}/.cache",
                 "XDG_CONFIG_HOME": f"{home}/.config", "OUTPUT_DIR": str(output), **environ},
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    ended = kl(
        "launch", str(demo.spec), "--name", name, "--set", "run.stop_on_nan=true", "--set", "env.kind=python",
        "--set", f"env.path={sys.executable}", "--set", "save_every_n_steps=10",
        KL_DEMO_NAN_AT_STEP="25", KL_DEMO_STEP_SECONDS="0.05",
    )  # fmt: skip
    # 5000 steps of 0.05 s: it has been stopped.
    reason = "the loss is not a number at step 25"
    assert ended.code != 0 and "Traceback" not in ended.err.partition("The end of the log")[0]
    assert f"{reason} (nan)" in ended.err and STOPPING in ended.err
    assert f"{name}: stopped, as run.stop_on_nan says: {reason}" in ended.err
    assert f"{name} failed after " in ended.out
    run = json.loads((output / name / "run.json").read_text(encoding="utf-8"))
    found = run["attempts"][-1]
    assert run["outcome"] == "failed" and found["stop_reason"] == reason
    assert 25 <= found["last_step"] < 1000 and found["last_loss"] == "nan" and 0 < found["lowest_loss"] < 10
    assert {f"{name}-step{step:08d}.safetensors" for step in (10, 20)} <= {path["path"] for path in run["artifacts"]}
    assert all((output / name / path["path"]).exists() for path in run["artifacts"])
