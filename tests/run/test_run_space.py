"""Room for the next save: what it needs, and when too little is said."""

from __future__ import annotations

from pathlib import Path

from launcher.run.artifacts import Artifact, ArtifactKind
from launcher.run.space import INTERVAL, Space, next_save, size_in_words

MB = 1_000_000
RUN = Path("/runs/fox-v1s4")


def artifact(kind: ArtifactKind, size: int, name: str = "x") -> Artifact:
    return Artifact(RUN / name, kind, size)


CHECKPOINT = artifact(ArtifactKind.CHECKPOINT, 100 * MB)


class Disk:
    """A clock and a disk that a test sets; `looks` counts how often the disk was asked."""

    def __init__(self, free: int) -> None:
        self.now, self.room, self.looks = 50.0, free, 0

    def free(self, path: Path) -> int:
        assert path == RUN
        self.looks += 1
        return self.room

    def space(self, estimate: int | None = None) -> Space:
        return Space(RUN, estimate, lambda: self.now, self.free)


def test_what_the_next_save_takes() -> None:
    assert next_save([], None) is None
    assert next_save([], 70) == 70
    assert next_save([artifact(ArtifactKind.SAMPLE, 5)], 70) == 70
    assert next_save([artifact(ArtifactKind.CHECKPOINT, 5), artifact(ArtifactKind.CHECKPOINT, 6)], 70) == 6
    assert next_save([CHECKPOINT, artifact(ArtifactKind.STATE, 300 * MB)], 70) == 400 * MB
    assert next_save([artifact(ArtifactKind.MODEL, 8)], None) == 8


def test_too_little_room_is_said_once_and_again_after_it_recovered() -> None:
    disk = Disk(105 * MB)
    space = disk.space()
    said = []
    for free in (105, 90, 109, 500, 111, 105, 20):
        disk.room = free * MB
        said.append(len(space.look([CHECKPOINT])))
        disk.now += INTERVAL
    assert said == [1, 0, 0, 0, 0, 1, 0]


def test_the_words() -> None:
    (text,) = Disk(105 * MB).space().look([CHECKPOINT])
    assert text == (
        "the disk is nearly full: the next save needs some 100 MB, and 105 MB are free where /runs/fox-v1s4 lies. "
        "Make room before it is written"
    )


def test_the_estimate_speaks_before_the_first_save_and_no_longer_after_it() -> None:
    disk = Disk(105 * MB)
    assert disk.space(100 * MB).look([])
    assert disk.space(50 * MB).look([]) == []
    assert disk.space(None).look([]) == []
    assert disk.space(100 * MB).look([artifact(ArtifactKind.CHECKPOINT, 10 * MB)]) == []


def test_the_disk_is_asked_now_and_then_and_when_a_save_appeared() -> None:
    disk = Disk(500 * MB)
    space = disk.space(100 * MB)
    for _ in range(10):
        space.look([])
        disk.now += 1
    assert disk.looks == 1
    space.look([CHECKPOINT], now=True)
    assert disk.looks == 2
    disk.now += INTERVAL
    space.look([CHECKPOINT])
    assert disk.looks == 3


def test_nothing_comes_after_the_final_model() -> None:
    disk = Disk(5)
    final = artifact(ArtifactKind.MODEL, 100 * MB, "fox.safetensors")
    space = disk.space()
    space.look([])
    assert space.look([final], now=True) == []
    resumed = disk.space()  # where the attempt before had finished
    assert len(resumed.look([final])) == 1


def test_a_disk_that_cannot_be_asked_says_nothing() -> None:
    def fails(path: Path) -> int:
        raise OSError

    assert Space(RUN, 100, free=fails).look([]) == []


def test_a_real_disk_has_room_for_a_byte(tmp_path: Path) -> None:
    assert Space(tmp_path, 1).look([]) == []
    assert len(Space(tmp_path, 1 << 80).look([])) == 1


def test_sizes() -> None:
    assert [size_in_words(number) for number in (0, 999, 1000, 24_300_000, 2_500_000_000, 1_500_000_000_000)] == [
        "0 B", "999 B", "1 kB", "24.3 MB", "2.5 GB", "1.5 TB",
    ]  # fmt: skip
