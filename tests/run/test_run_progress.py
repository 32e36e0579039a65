"""Reading the trainer's progress bar and its growing log."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.run.follow import LogFollower
from launcher.run.progress import Progress, parse_progress


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("steps:  50%|█████     | 2/4 [00:15<00:15,  7.53s/it, avr_loss=1.21]", Progress(2, 4, 1.21, 1 / 7.53, 15)),
        ("steps:   0%|          | 0/2400 [00:00<?, ?it/s]", Progress(0, 2400)),
        ("steps:   1%|▏   | 17/1,600", None),
        ("steps:  42%|████▏     | 1000/2400 [1:02:03<2:00:01,  1.20it/s, avr_loss=0.0931]",
         Progress(1000, 2400, 0.0931, 1.2, 7201)),
        ("steps:  10%|#         | 1/10 [00:01<00:09,  1.00it/s, Average key norm=0.12, Keys Scaled=3, avr_loss=1e-05]",
         Progress(1, 10, 1e-05, 1.0, 9)),
        ("steps:  10%|#         | 1/10 [00:01<00:09,  1.00s/it, loss=0.25]", Progress(1, 10, 0.25, 1.0, 9)),
        ("steps:  10%|#         | 1/10 [00:01<00:09,  1.00s/it, loss=0.5, avr_loss=0.25]",
         Progress(1, 10, 0.25, 1.0, 9)),
        ("steps:  10%|#         | 1/10 [00:01<00:09,  1.00s/it, avr_loss=inf]", Progress(1, 10, math.inf, 1.0, 9)),
        ("steps: 100%|##########| 4/4 [00:30<00:00,  7.5s/it, avr_loss=1.2]Traceback (most recent call last):",
         Progress(4, 4, 1.2, 1 / 7.5, 0)),
        ("caching latents: 50%|█████     | 2/4 [00:15<00:15,  7.53s/it]", None),
        ("100%|██████████| 10/10 [00:00<00:00, 1234.56it/s]", None),
        ("epoch 1/2", None),
        ("", None),
    ],
)  # fmt: skip
def test_reading_a_bar(line: str, expected: Progress | None) -> None:
    assert parse_progress(line) == expected


def test_a_loss_that_is_not_a_number() -> None:
    progress = parse_progress("steps:  50%|#####     | 2/4 [00:15<00:15,  7.53s/it, avr_loss=nan]")
    assert progress is not None and progress.loss is not None and math.isnan(progress.loss)


def test_the_last_of_several_bars_counts() -> None:
    bars = "".join(f"steps:  {n}0%|#| {n}/10 [00:01<00:09,  1.00s/it, avr_loss={n}]" for n in range(1, 4))
    assert parse_progress(bars) == Progress(3, 10, 3.0, 1.0, 9)


@given(st.text())
def test_no_line_is_too_odd(text: str) -> None:
    parse_progress(text)
    parse_progress("steps:  50%|#| 2/4 [00:15<00:15, " + text + "]")


def test_following_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    follower = LogFollower(log)
    assert follower.read() == []  # not there yet
    with log.open("ab", buffering=0) as file:
        file.write(b"one\ntw")
        assert (follower.read(), follower.rest) == (["one"], "tw")
        file.write(b"o\r\nbar 1\rbar 2")
        assert (follower.read(), follower.rest) == (["two", "bar 1"], "bar 2")
        assert (follower.read(), follower.rest) == ([], "bar 2")
        file.write("\r█".encode()[:2])
        assert follower.read() == ["bar 2"]
        file.write("█".encode()[1:] + b"\xff\n")
        assert (follower.read(), follower.rest) == (["█�"], "")


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_pieces_do_not_matter(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    log = tmp_path_factory.mktemp("follow") / "log"
    follower = LogFollower(log)
    lines: list[str] = []
    with log.open("ab", buffering=0) as file:
        for piece in pieces:
            file.write(piece)
            lines += follower.read()
    whole = b"".join(pieces).replace(b"\r", b"\n").decode("utf-8", "replace").split("\n")
    assert [*lines, *([follower.rest] if follower.rest else [])] == [line for line in whole if line]


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 3_000_000)
    follower = LogFollower(log)
    assert follower.read() == []
    assert len(follower.rest) <= 1 << 16
