"""How many GPUs a process sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.gpus import listed_gpus, visible_gpus


def test_what_the_driver_lists(tmp_path: Path) -> None:
    assert listed_gpus(tmp_path / "none") is None
    assert listed_gpus(tmp_path) is None
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert listed_gpus(tmp_path) == 2


@pytest.mark.parametrize(
    ("said", "gpus", "seen"),
    [
        (None, 4, 4), (None, None, None), ("", 4, 0), ("-1", 4, 0), ("0,2", 4, 2), ("0,1", 1, 1),
        ("GPU-aaaa, GPU-bbbb", None, 2),
    ],
)  # fmt: skip
def test_what_a_process_sees(said: str | None, gpus: int | None, seen: int | None) -> None:
    assert visible_gpus({} if said is None else {"CUDA_VISIBLE_DEVICES": said}, gpus) == seen
