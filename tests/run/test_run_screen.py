"""What the screens write."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from launcher.run.progress import Progress
from launcher.run.screen import LiveScreen, PlainScreen, SafeScreen, duration, open_screen, progress_line


def test_progress_in_words() -> None:
    assert (
        progress_line(Progress(120, 2400, 0.0931, 0.7, 3192)) == "step 120/2400, loss 0.0931, 1.43 s/step, 53:12 left"
    )
    assert progress_line(Progress(1, 4, None, 2.5, None)) == "step 1/4, 2.5 steps/s"
    assert progress_line(Progress(0, 4)) == "step 0/4"
    assert progress_line(Progress(1, 4, float("nan"))) == "step 1/4, loss nan"
    assert [duration(7), duration(3599.6), duration(90061)] == ["0:07", "1:00:00", "25:01:01"]


def test_plain_lines() -> None:
    stream, now = io.StringIO(), 1000.0
    screen = PlainScreen(stream, clock=lambda: now)
    for step in range(1, 4):
        screen.show_progress(Progress(step, 9))
    screen.announce("saved")
    now += 60
    screen.show_progress(Progress(4, 9))
    screen.show_progress(Progress(5, 9))
    screen.close()
    assert stream.getvalue().splitlines() == ["step 1/9", "saved", "step 4/9", "step 5/9"]


def test_the_live_line() -> None:
    stream = io.StringIO()
    screen = LiveScreen(Console(file=stream, force_terminal=True, width=60, color_system=None))
    screen.show_progress(Progress(2, 4, 0.5, 1.0, 2))
    screen.announce("saved model [bold]x[/bold].safetensors")
    screen.show_progress(Progress(4, 4, 0.25, 1.0, 0))
    screen.close()
    written = stream.getvalue()
    assert "step 2/4, loss 0.5" in written and "step 4/4, loss 0.25" in written
    assert "saved model [bold]x[/bold].safetensors\n" in written
    assert written.endswith("\x1b[2K")  # the live line is gone again


def test_what_stands_at_the_end_of_the_live_line() -> None:
    stream, asides = io.StringIO(), ["GPU 1.0/24.0 GiB 9 %", ""]
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    screen = LiveScreen(console, aside=lambda: asides.pop(0))
    screen.show_progress(Progress(2, 4, 0.5))
    screen.show_progress(Progress(3, 4, 0.5))
    screen.close()
    assert "step 2/4, loss 0.5, GPU 1.0/24.0 GiB 9 %" in stream.getvalue()
    assert "step 3/4, loss 0.5, " not in stream.getvalue()


@pytest.mark.parametrize(
    ("plain", "terminal", "kind", "screen"),
    [
        (False, True, "xterm", LiveScreen),
        (True, True, "xterm", PlainScreen),
        (False, False, "xterm", PlainScreen),
        (False, True, "dumb", PlainScreen),
    ],
)
def test_which_screen(
    plain: bool, terminal: bool, kind: str, screen: type[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", kind)
    assert type(open_screen(plain=plain)) is screen


def test_a_closed_stream_is_no_error() -> None:
    stream = io.StringIO()
    screen = SafeScreen(PlainScreen(stream))
    stream.close()
    screen.announce("x")
    screen.show_progress(Progress(1, 2))
    screen.close()
