"""What is said while a log and a run directory grow."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from launcher.run.artifacts import Artifact, ArtifactKind
from launcher.run.progress import Progress
from launcher.run.screen import NullScreen
from launcher.run.watch import Watch

FINAL = ("fox.safetensors",)


class Recorder(NullScreen):
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.progress: list[Progress] = []

    def announce(self, text: str) -> None:
        self.texts.append(text)

    def show_progress(self, progress: Progress) -> None:
        self.progress.append(progress)


class Run:
    """A run directory whose log and clock a test moves."""

    def __init__(self, folder: Path, *, stop_on_nan: bool = False, save_bytes: int | None = None) -> None:
        self.folder, self.screen, self.now = folder, Recorder(), 0.0
        self.watch = Watch(folder, FINAL, self.screen, lambda: self.now, stop_on_nan=stop_on_nan, save_bytes=save_bytes)

    def bars(self, *losses: float, first: int = 1) -> None:
        with (self.folder / "sdscripts.log").open("a", encoding="utf-8") as log:
            for step, loss in enumerate(losses, first):
                log.write(f"\rsteps:  50%|#####     | {step}/900 [00:01<00:01,  1.50s/it, avr_loss={loss:.3g}]")

    def look(self) -> None:
        self.now += 1
        self.watch.look()


def test_a_sound_training_says_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, stop_on_nan=True)
    for step in range(1, 200):
        run.bars(0.2 - step / 2000, first=step)
        run.look()
    assert run.screen.texts == [] and run.watch.wants_stop is None
    assert run.watch.progress == run.screen.progress[-1]
    assert run.watch.lowest_loss == 0.101


@pytest.mark.parametrize("stop", [False, True])
def test_a_loss_that_is_no_number_is_said_at_the_look_that_sees_it(tmp_path: Path, stop: bool) -> None:
    run = Run(tmp_path, stop_on_nan=stop)
    run.bars(0.2, 0.1)
    run.look()
    assert run.screen.texts == [] and run.watch.wants_stop is None
    run.bars(math.nan, math.nan, first=3)
    run.look()
    reason = "the loss is not a number at step 3"
    assert run.screen.texts == [f"{reason} (nan): what is saved from here on may be worth nothing"]
    assert run.watch.wants_stop == (reason if stop else None)
    run.bars(math.nan, first=5)
    run.look()
    assert len(run.screen.texts) == 1
    assert run.watch.lowest_loss == 0.1
    assert run.watch.progress is not None and run.watch.progress.step == 5


def test_no_bar_between_two_looks_is_passed_over(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.bars(*[0.1] * 300, *[0.9] * 300)
    run.look()
    assert [text.partition(":")[0] for text in run.screen.texts] == ["the loss has jumped"]


def test_the_last_look_sees_it_too(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.bars(0.1, math.inf)
    run.watch.look_last()
    assert run.screen.texts == ["the loss is infinite at step 2 (inf): what is saved from here on may be worth nothing"]


def test_no_room_for_the_next_save_is_said_before_it(tmp_path: Path) -> None:
    run = Run(tmp_path, save_bytes=1 << 80)
    run.look()
    run.look()
    (text,) = run.screen.texts
    assert text.startswith("the disk is nearly full: the next save needs some")


def test_a_save_of_its_own_is_the_better_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path, save_bytes=1)
    run.look()
    huge = Artifact(tmp_path / "fox-step00000002.safetensors", ArtifactKind.CHECKPOINT, 1 << 80)
    monkeypatch.setattr("launcher.run.watch.find_artifacts", lambda directory, final: (huge,))
    run.look()
    run.look()
    assert [text.split()[0] for text in run.screen.texts] == ["saved", "the"]


def test_another_log(tmp_path: Path) -> None:
    screen = Recorder()
    (tmp_path / "sdscripts-2.log").write_text("steps: 50%|#| 2/4 [00:01<00:01, 1.5s/it, avr_loss=nan]", "utf-8")
    Watch(tmp_path, FINAL, screen, log="sdscripts-2.log").look()
    assert len(screen.texts) == 1
