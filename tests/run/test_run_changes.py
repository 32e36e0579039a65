"""What is said to have changed since a launch, and what is not."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.base.files import sha256_of
from launcher.record.dataset import dataset_bytes, dataset_record, hashed
from launcher.record.dataset_now import dataset_of_run
from launcher.record.inputs import hashed_input, inputs_of
from launcher.record.manifest import FileRecord, Manifest, OptionRecord, RepositoryRecord
from launcher.record.repositories import repository_at
from launcher.run.changes import change_of_epoch, changes_since

# As train_network.py prints it.
LOG = "running training\n  num reg images / 正則化画像の数: 0\n  num batches per epoch / 1epochのバッチ数: 8\n"


def git(folder: Path, *words: str) -> None:
    own = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *own, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "sd-scripts"
    folder.mkdir()
    (folder / "train_network.py").write_text("one\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder


def run_with(directory: Path, source: Path, name: str = "config.toml", **more: Any) -> Manifest:
    directory.mkdir(exist_ok=True)
    (directory / name).write_bytes(source.read_bytes())
    record = FileRecord(name, str(source), sha256=sha256_of(source.read_bytes()))
    return Manifest(files=(record,), **more)


def test_nothing_is_said_when_nothing_changed(tmp_path: Path, checkout: Path) -> None:
    source = tmp_path / "config.toml"
    source.write_text("[general]\n")
    manifest = run_with(tmp_path / "run", source, repositories=(repository_at("sd-scripts", checkout),))
    assert list(changes_since(tmp_path / "run", manifest)) == []


def test_another_commit_and_changes_without_one(tmp_path: Path, checkout: Path) -> None:
    before = repository_at("sd-scripts", checkout)
    manifest = Manifest(repositories=(before,))
    (checkout / "train_network.py").write_text("two\n")
    assert list(changes_since(tmp_path, manifest)) == [
        "sd-scripts has changes that are not committed, and had none then"
    ]
    assert list(changes_since(tmp_path, Manifest(repositories=(replace(before, dirty=True),)))) == []
    git(checkout, "commit", "-qam", "two")
    (said,) = changes_since(tmp_path, manifest)
    assert before.commit is not None
    assert said.endswith(f"now, at {before.commit[:12]} then (1 commit later)")


def test_a_repository_that_cannot_be_asked_says_nothing(tmp_path: Path) -> None:
    record = RepositoryRecord("sd-scripts", str(tmp_path / "gone"), commit="a" * 40)
    assert list(changes_since(tmp_path, Manifest(repositories=(record,)))) == []


def test_sources_and_copies_are_told_apart(tmp_path: Path) -> None:
    source, directory = tmp_path / "config.toml", tmp_path / "run"
    source.write_text("[general]\n")
    manifest = run_with(directory, source)
    source.write_text("[general]\nshuffle_caption = true\n")
    assert list(changes_since(directory, manifest)) == [
        f"{source} was changed; the run has its copy config.toml"
    ]
    source.unlink()
    assert list(changes_since(directory, manifest)) == [f"{source} is gone; the run has its copy config.toml"]
    source.write_text("[general]\n")
    (directory / "config.toml").write_text("")
    assert list(changes_since(directory, manifest)) == ["config.toml in the run directory is not as it was written"]
    (directory / "config.toml").unlink()
    assert list(changes_since(directory, manifest)) == ["config.toml in the run directory is gone"]


def _dataset(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in "123":
        (folder / f"{number}.png").write_bytes(b"picture " + number.encode())
        (folder / f"{number}.txt").write_text(f"a fox, {number}")
    return folder


def _trained_on(folder: Path, model: Path, run: Path) -> Manifest:
    """A run that has recorded its pictures and its base model."""
    run.mkdir()
    values = {"train_data_dir": str(folder.parent), "caption_extension": ".txt", "vae": str(model)}
    options = tuple(OptionRecord(name, value) for name, value in values.items())
    manifest = Manifest(options=options, inputs=tuple(map(hashed_input, inputs_of(options, run))))
    listing = hashed(dataset_of_run(run, manifest))
    (run / "dataset.json").write_bytes(dataset_bytes(listing))
    return replace(manifest, dataset=dataset_record(listing))


def test_pictures_captions_and_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder, model, run = _dataset(tmp_path / "data" / "1_fox"), tmp_path / "vae.safetensors", tmp_path / "run"
    model.write_bytes(b"a vae")
    manifest = _trained_on(folder, model, run)
    assert list(changes_since(run, manifest)) == []
    for path in (folder / "1.png", model):  # touched, and the same
        os.utime(path, (1, 1))
    assert list(changes_since(run, manifest)) == []
    (folder / "2.txt").write_text("a cat, 2")
    (folder / "3.txt").unlink()
    (folder / "4.png").write_bytes(b"a new one")
    model.write_bytes(b"A VAE")
    assert list(changes_since(run, manifest)) == [
        f"vae {model} has another content",
        "1_fox/3.txt is gone",
        "1_fox/4.png is new: a picture",
        "1_fox/2.txt is another caption now",
    ]
    model.unlink()
    assert f"vae {model} is gone" in list(changes_since(run, manifest))


def test_many_changes_are_not_all_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder, model, run = _dataset(tmp_path / "data" / "1_fox"), tmp_path / "vae.safetensors", tmp_path / "run"
    manifest = _trained_on(folder, model, run)
    for number in range(30):
        (folder / f"new{number}.png").write_bytes(b"x")
    said = list(changes_since(run, manifest))
    assert len(said) == 21 and said[-1] == "10 more files are otherwise; kl verify lists them"


def test_the_text_of_the_spec(tmp_path: Path) -> None:
    source = tmp_path / "fox.toml"
    source.write_text("[training]\n")
    manifest = run_with(tmp_path / "run", source, "spec.toml")
    source.write_text("[training]\n# a remark\n")
    assert list(changes_since(tmp_path / "run", manifest)) == [f"the text of {source} was changed"]


@pytest.mark.parametrize(("batches", "says"), [(9, True), (8, False), (None, False)])
def test_an_epoch_of_another_length(tmp_path: Path, batches: int | None, says: bool) -> None:
    (tmp_path / "sdscripts.log").write_text(LOG)
    text = "an epoch has 9 batches now, 8 then: pictures, repeats or their sizes were changed"
    assert list(change_of_epoch(tmp_path, batches)) == ([text] if says else [])


def test_a_log_that_does_not_say(tmp_path: Path) -> None:
    assert list(change_of_epoch(tmp_path, 9)) == []
    (tmp_path / "sdscripts.log").write_text("loading\n")
    assert list(change_of_epoch(tmp_path, 9)) == []
