"""`kl setup` interrupted in the middle of its steps, and repeated: it ends in the same state as without."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from setting_up import SetupBed, kl_setup, make_setup_bed, start_setup, state_of, wait_for


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> SetupBed:
    bed = make_setup_bed(tmp_path_factory.mktemp("reference") / "bed")
    done = kl_setup(bed, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    return bed


def test_interrupted_at_five_places_it_comes_to_the_same(reference: SetupBed, tmp_path: Path) -> None:
    bed = make_setup_bed(tmp_path / "bed")
    _interrupt(bed, "clone", signal.SIGKILL)
    _interrupt_environment(bed)
    _interrupt(bed, "torch", signal.SIGTERM)
    _interrupt(bed, "requirements", signal.SIGKILL)
    _interrupt(bed, "check", signal.SIGINT)
    done = kl_setup(bed, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert state_of(bed) == state_of(reference)
    assert "Nothing is left to do." in kl_setup(bed).stdout


def test_two_at_once_do_not_mix(tmp_path: Path) -> None:
    bed = make_setup_bed(tmp_path / "bed")
    (bed.folder / "slow-clone").touch()
    first = start_setup(bed, "--yes")
    wait_for(bed.folder / "began-clone", first)
    second = kl_setup(bed, "--yes")
    assert second.returncode == 73 and "Another kl setup of sd-scripts is running" in second.stderr
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 143
    assert first.stdout is not None and "The same command goes on from here" in first.stdout.read()
    first.stdout.close()
    assert not bed.checkout.exists()


def _interrupt(bed: SetupBed, name: str, number: signal.Signals) -> None:
    """Interrupt it while a step waits for its sign to go. What the step had started does not go on."""
    slow, began = bed.folder / f"slow-{name}", bed.folder / f"began-{name}"
    slow.touch()
    process = start_setup(bed, "--yes")
    waiting = _sign_of_life(began, process)
    process.send_signal(number)
    said = process.communicate(timeout=60)[0]
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number, said
        assert not _runs(waiting)
    else:  # nobody was there to end it: the next kl does
        assert process.returncode == -number and _runs(waiting)
        began.unlink()
        process = start_setup(bed, "--yes")
        assert _sign_of_life(began, process) != waiting and not _runs(waiting)
        process.terminate()
        process.communicate(timeout=60)
    slow.unlink()


def _sign_of_life(sign: Path, process: subprocess.Popen[str]) -> int:
    """The process that waits for its sign to go."""
    wait_for(sign, process)
    return int(sign.read_text())


def _interrupt_environment(bed: SetupBed) -> None:
    """Kill it while the environment is made: its mark is there first, and says that it is not whole."""
    process = start_setup(bed, "--yes")
    mark = bed.environment / "kl-made.json"
    wait_for(mark, process)
    process.kill()
    process.communicate(timeout=60)
    assert json.loads(mark.read_text()).get("whole") is None


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
