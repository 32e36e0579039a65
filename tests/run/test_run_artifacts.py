"""Artifacts by the trainer's names, and how they are announced."""

from __future__ import annotations

from pathlib import Path

from launcher.run.artifacts import ArtifactKind, final_model_there, find_artifacts
from launcher.run.screen import NullScreen
from launcher.run.watch import Watch

FINAL = ("fox.safetensors", "fox")


class Recorder(NullScreen):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def announce(self, text: str) -> None:
        self.texts.append(text)


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"12345")


def test_kinds(tmp_path: Path) -> None:
    make(
        tmp_path,
        "fox.safetensors", "fox-step00000010.safetensors", "fox-000002.ckpt", "fox-step00000010-state/model.bin",
        "fox-000004/model_index.json", "fox-000004/unet/x.bin", "sample/a.png", "sample/b.webp", "sample/c.txt",
        "sdscripts.log", "logs/a/events.out.tfevents.1", "config.toml", "notes/x.safetensors",
    )  # fmt: skip
    (tmp_path / "link.safetensors").symlink_to(tmp_path / "fox.safetensors")
    found = {str(a.path.relative_to(tmp_path)): (a.kind.value, a.size) for a in find_artifacts(tmp_path, FINAL)}
    assert found == {
        "fox.safetensors": ("model", 5),
        "fox-step00000010.safetensors": ("checkpoint", 5),
        "fox-000002.ckpt": ("checkpoint", 5),
        "fox-step00000010-state": ("state", 5),
        "fox-000004": ("checkpoint", 10),
        "sample/a.png": ("sample", 5),
        "sample/b.webp": ("sample", 5),
    }


def test_a_final_model_may_be_a_folder(tmp_path: Path) -> None:
    assert not final_model_there(tmp_path, FINAL)
    (tmp_path / "fox").mkdir()
    assert not final_model_there(tmp_path, FINAL)
    make(tmp_path, "fox/model_index.json")
    assert final_model_there(tmp_path, FINAL)
    assert [artifact.kind for artifact in find_artifacts(tmp_path, FINAL)] == [ArtifactKind.MODEL]


def test_no_directory(tmp_path: Path) -> None:
    assert find_artifacts(tmp_path / "none", FINAL) == ()


def test_what_still_grows_is_announced_later(tmp_path: Path) -> None:
    screen, now = Recorder(), 0.0
    watch = Watch(tmp_path, FINAL, screen, clock=lambda: now)
    model = tmp_path / "fox-step00000010.safetensors"
    for size in (1, 2, 3):
        model.write_bytes(b"x" * size)
        now += 1
        assert not watch.look()
    assert (screen.texts, watch.artifacts) == ([], ())
    assert not watch.look()  # at most once a second
    now += 1
    assert watch.look()
    assert screen.texts == ["saved checkpoint fox-step00000010.safetensors (3 B)"]
    now += 1
    assert not watch.look()
    make(tmp_path, "sample/a.png")
    watch.look_last()
    assert screen.texts[1:] == ["drew sample sample/a.png (5 B)"]
    assert len(watch.artifacts) == 2
