"""`kl launch --detach` and `kl logs` with the real command."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_bed import Bed, make_bed

from launcher.record.manifest import read_manifest

# Trains for as long as the gate is shut, in the folder of the environment variable OUT.
ACCELERATE = """
import os, sys, time
from pathlib import Path
BAR = "steps: %3d%%|####      | %d/4 [00:01<00:01,  1.50s/it, avr_loss=0.25]"
home = Path(os.environ["GATES"])
sys.stderr.write("loading\\ntext\\n\\r" + BAR % (25, 1) + "\\r" + BAR % (50, 2))
sys.stderr.flush()
(home / "training").touch()
while not (home / "go").exists():
    time.sleep(0.01)
sys.stderr.write("\\r" + BAR % (100, 4) + "\\n")
if not (home / "fail").exists():
    (Path(os.environ["KL_RUN"]) / (Path(os.environ["KL_RUN"]).name + ".safetensors")).write_bytes(b"model")
    sys.stderr.write("model saved.")
else:
    raise RuntimeError("no luck")
"""
LAST_BAR = "steps: 100%|####      | 4/4 [00:01<00:01,  1.50s/it, avr_loss=0.25]"


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    bed = make_bed(tmp_path)
    (launch,) = bed.environment.rglob("launch.py")
    text = launch.read_text()
    head, found, _ = text.partition('if __name__ == "__main__":')
    assert found
    body = "".join(f"    {line}\n" for line in ACCELERATE.strip().splitlines())
    launch.write_text(f"{head}{found}\n{body}")
    (tmp_path / "gates").mkdir()
    yield bed
    (tmp_path / "gates" / "go").touch()  # a trainer of a test that failed


def _environ(bed: Bed) -> dict[str, str]:
    return {"OUTPUT_DIR": str(bed.root / "out"), "GATES": str(bed.root / "gates")}


def _launch(bed: Bed) -> None:
    launched = bed.kl("launch", "fox-v1s4", "--detach", **_environ(bed))
    assert (launched.code, launched.out) == (0, "fox-v1s4\n"), launched.err
    assert "kl stop fox-v1s4" in launched.err


def _following(bed: Bed, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "launcher", "logs", "-f", *words], cwd=bed.here, env=bed.environ(_environ(bed)),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _rest(following: subprocess.Popen[str]) -> tuple[str, str]:
    """What comes after the lines that were read."""
    assert following.stdout is not None and following.stderr is not None
    rest = following.stdout.read(), following.stderr.read()
    following.wait(60)
    return rest


def test_the_log_of_a_run_that_succeeds(bed: Bed) -> None:
    _launch(bed)
    with _following(bed, "fox-v1s4") as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "loading\n"
        (bed.root / "gates" / "go").touch()
        rest, err = _rest(following)
    assert (following.returncode, err) == (0, "")
    assert rest.splitlines() == ["text", LAST_BAR, "model saved."]
    assert read_manifest(bed.root / "out" / "fox-v1s4").outcome == "succeeded"
    environ = _environ(bed)
    assert bed.kl("logs", "fox-v1s4", **environ).out.splitlines() == ["loading", "text", LAST_BAR, "model saved."]
    assert bed.kl("logs", "fox-v1s4", "-n", "2", **environ).out.splitlines() == [LAST_BAR, "model saved."]
    assert bed.kl("logs", "fox-v1s4", "-n", "0", **environ).out == ""
    by_folder = bed.kl("logs", str(bed.root / "out" / "fox-v1s4"), "-n", "1")
    assert by_folder.out == "model saved.\n"


def test_ctrl_c_leaves_the_run_alone(bed: Bed) -> None:
    _launch(bed)
    with _following(bed, "fox-v1s4") as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "loading\n"
        following.send_signal(signal.SIGINT)
        _, err = _rest(following)
    assert (following.returncode, err) == (0, "")
    assert read_manifest(bed.root / "out" / "fox-v1s4").outcome == "running"
    (bed.root / "gates" / "go").touch()
    assert bed.kl("attach", "fox-v1s4", **_environ(bed)).code == 0


def test_the_log_of_a_run_that_was_removed(bed: Bed) -> None:
    (bed.root / "gates" / "fail").touch()
    _launch(bed)
    with _following(bed, "fox-v1s4") as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "loading\n"
        (bed.root / "gates" / "go").touch()
        rest, err = _rest(following)
    assert (following.returncode, err) == (0, "")
    assert rest.splitlines()[-1] == "RuntimeError: no luck"
    attached = bed.kl("attach", "fox-v1s4", **_environ(bed))
    assert attached.code == 1 and "no luck" in attached.err
    logs = bed.kl("logs", "fox-v1s4", "-n", "1", **_environ(bed))
    assert logs.out == "RuntimeError: no luck\n"


def test_a_run_that_was_not_started_has_no_log(bed: Bed) -> None:
    folder = bed.root / "out" / "fox-v1s4"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"manifest_version": 1, "name": "fox-v1s4"}')
    logs = bed.kl("logs", "fox-v1s4", **_environ(bed))
    assert logs.code == 64 and "fox-v1s4 has no log: its trainer was not started." in logs.err
    attached = bed.kl("attach", "fox-v1s4", **_environ(bed))
    assert attached.code == 64 and "nothing was started" in attached.err
    (folder / "run.json").write_text("{")
    damaged = bed.kl("logs", "fox-v1s4", **_environ(bed))
    assert damaged.code == 73 and "manifest" in damaged.err and "Traceback" not in damaged.err


def test_wrong_words(bed: Bed) -> None:
    assert bed.kl("logs", "fox-v1s4").code == 64
    assert bed.kl("logs", "fox-v1s4", "-n", "-1").code == 64
    assert bed.kl("stop", "fox-v1s4", "--timeout", "-1").code == 64
    refused = bed.kl("launch", "fox-v1s4", "--detach", "--set", "network_dimm=4")
    assert refused.code == 65 and refused.out == "" and "network_dim" in refused.err
