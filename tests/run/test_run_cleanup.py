"""Clean-up removes a run that holds nothing of worth, and never anything else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.base.files import sha256_of
from launcher.record.manifest import Attempt, FileRecord, Manifest, read_manifest
from launcher.run import removed
from launcher.run.cleanup import Keeps, Kept, remove, survey

CONFIG = b"[general]\n"
MANIFEST = Manifest(name="fox-v1s4", files=(FileRecord("config.toml", sha256=sha256_of(CONFIG)),))
OURS = {
    "config.toml": CONFIG,
    "run.json": b"{}",
    ".run.json.abc.partial": b"{",
    "repos.git": b"",
    "sdscripts.log": b"log",
    "kl.log": b"said",
    "logs/20260101/network_train/events.out.tfevents.1.host": b"x",
    "logs/20260101/hparams.yml": b"x",
}


def write(root: Path, name: str, content: bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def run_in(root: Path) -> Path:
    directory = root / "fox-v1s4"
    for name, content in OURS.items():
        write(directory, name, content)
    (directory / "sample").mkdir()
    return directory


def snapshot(root: Path) -> dict[str, tuple[int, bytes | None]]:
    """Everything below `root`: kind and content."""
    found: dict[str, tuple[int, bytes | None]] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder) / name
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else None
            found[os.fsdecode(path.relative_to(root))] = (path.lstat().st_mode, content)
    return found


def test_what_kl_and_the_trainer_made_goes(tmp_path: Path) -> None:
    directory = run_in(tmp_path)
    found = survey(directory, MANIFEST)
    assert found.kept == []
    assert remove(directory, found)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "fox-v1s4.safetensors", "fox-step00000002.ckpt", "x.pt", "x.bin", "sample/a.png", "fox-state/model.safetensors",
        ".git/HEAD", "notes.txt", "logs/notes.txt", "logs/a/model.safetensors", "config.toml.bak", "a\nb",
        "sub/config.toml", "sub/sdscripts.log", "sub/kl.log", "sample/sub/events.out.tfevents.1",
        "events.out.tfevents.1",
    ],
)  # fmt: skip
def test_anything_else_keeps_all(tmp_path: Path, name: str) -> None:
    directory = run_in(tmp_path)
    write(directory, name, b"precious")
    before = snapshot(tmp_path)
    found = survey(directory, MANIFEST)
    (kept,) = found.kept
    assert name.startswith(kept.path)
    assert not remove(directory, found)
    assert snapshot(tmp_path) == before


def test_a_file_that_was_edited_stays(tmp_path: Path) -> None:
    directory = run_in(tmp_path)
    write(directory, "config.toml", b"edited")
    assert survey(directory, MANIFEST).kept == [Kept("config.toml", Keeps.CHANGED)]


@pytest.mark.parametrize(
    "name", ["link", "config.toml", "sdscripts.log", "logs/events.out.tfevents.2", "sample", "logs"]
)
def test_links_are_foreign(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    write(outside, "events.out.tfevents.9", b"precious")
    directory = tmp_path / "fox-v1s4"
    write(directory, "run.json", b"{}")
    (directory / name).parent.mkdir(exist_ok=True)
    (directory / name).symlink_to(outside)
    assert [kept.path for kept in survey(directory, MANIFEST).kept] == [name]
    assert (outside / "events.out.tfevents.9").read_bytes() == b"precious"


def test_a_link_to_a_run_directory_is_none(tmp_path: Path) -> None:
    directory = run_in(tmp_path / "elsewhere")
    link = tmp_path / "fox-v1s4"
    link.symlink_to(directory)
    with pytest.raises(OSError):
        survey(link, MANIFEST)
    assert not remove(link, survey(directory, MANIFEST))
    assert directory.exists()


def test_what_appears_between_looking_and_removing_stays(tmp_path: Path) -> None:
    directory = run_in(tmp_path)
    found = survey(directory, MANIFEST)
    write(directory, "fox-v1s4.safetensors", b"precious")
    (directory / "sdscripts.log").unlink()
    (directory / "sdscripts.log").symlink_to(tmp_path)
    (directory / "logs").rename(tmp_path / "moved")
    (directory / "logs").symlink_to(tmp_path / "moved")
    assert not remove(directory, found)
    assert (directory / "fox-v1s4.safetensors").read_bytes() == b"precious"
    assert (directory / "sdscripts.log").is_symlink()
    assert (tmp_path / "moved" / "20260101" / "hparams.yml").exists()


def test_another_directory_under_the_name_stays(tmp_path: Path) -> None:
    directory = run_in(tmp_path)
    found = survey(directory, MANIFEST)
    directory.rename(tmp_path / "other")
    run_in(tmp_path)
    before = snapshot(tmp_path)
    assert not remove(directory, found)
    assert snapshot(tmp_path) == before


def test_a_file_that_is_edited_after_looking_keeps_all(tmp_path: Path) -> None:
    directory = run_in(tmp_path)
    found = survey(directory, MANIFEST)
    with (directory / "config.toml").open("r+b") as file:  # the same file, of the same size
        file.write(b"[edited_]")
    before = snapshot(tmp_path)
    assert not remove(directory, found)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("swapped", ["logs", "logs/20260101", "sample", "."])
@pytest.mark.parametrize("by_link", [True, False])
def test_a_folder_that_is_swapped_after_looking_keeps_all(tmp_path: Path, swapped: str, by_link: bool) -> None:
    directory = run_in(tmp_path / "root")
    outside = tmp_path / "outside"
    shutil.copytree(directory / swapped, outside)
    found = survey(directory, MANIFEST)
    (directory / swapped).rename(tmp_path / "moved")
    if by_link:
        (directory / swapped).symlink_to(outside)
    else:
        outside.rename(directory / swapped)
    before = snapshot(tmp_path)
    assert not remove(directory, found)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("swapped", ["logs", "logs/20260101/network_train"])
def test_a_folder_that_is_swapped_while_removing_loses_nothing(
    tmp_path: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = run_in(tmp_path / "root")
    outside = tmp_path / "outside"
    shutil.copytree(directory / swapped, outside)
    kept = snapshot(outside)
    found = survey(directory, MANIFEST)
    unlink = os.unlink
    done: list[str] = []

    def swap_first(name: str, *, dir_fd: int) -> None:
        if not done:
            (directory / swapped).rename(tmp_path / "moved")
            (directory / swapped).symlink_to(outside)
        done.append(name)
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", swap_first)
    assert not remove(directory, found)
    assert snapshot(outside) == kept
    assert (directory / "run.json").exists() and (directory / "sdscripts.log").exists()


def test_the_log_and_the_manifest_go_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = run_in(tmp_path)
    found = survey(directory, MANIFEST)
    unlink = os.unlink
    order: list[str] = []

    def note(name: str, *, dir_fd: int) -> None:
        order.append(name)
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", note)
    assert remove(directory, found)
    assert order[-2:] == ["sdscripts.log", "run.json"] and len(order) == len(OURS)


def test_what_appears_while_removing_keeps_the_log_and_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = run_in(tmp_path)
    found = survey(directory, MANIFEST)
    rmdir = os.rmdir

    def save_then(name: str, *, dir_fd: int) -> None:
        (directory / "fox-v1s4.safetensors").write_bytes(b"precious")
        rmdir(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", save_then)
    assert not remove(directory, found)
    assert {path.name for path in directory.iterdir()} == {"fox-v1s4.safetensors", "run.json", "sdscripts.log"}


def test_why_it_stays(tmp_path: Path) -> None:
    directory = run_in(tmp_path)
    (directory / "config.toml").write_bytes(b"edited")
    (directory / "work" / ".git").mkdir(parents=True)
    (directory / "logs" / "bare" / "refs").mkdir(parents=True)
    (directory / "logs" / "bare" / "objects").mkdir()
    write(directory, "logs/bare/HEAD", b"ref")
    write(directory, "logs/a/x.safetensors", b"x")
    write(directory, "fox-diffusers/model_index.json", b"{}")
    write(directory, "fox-000001-state/train_state.json", b"{}")
    write(directory, "sample/x.PNG", b"x")
    (directory / "hparams.yml").hardlink_to(directory / "logs/20260101/hparams.yml")
    (directory / "link").symlink_to("nowhere")
    assert {kept.path: kept.why for kept in survey(directory, MANIFEST).kept} == {
        "config.toml": Keeps.CHANGED, "work": Keeps.REPOSITORY, "logs/bare": Keeps.REPOSITORY,
        "logs/a/x.safetensors": Keeps.MODEL, "fox-diffusers": Keeps.MODEL, "fox-000001-state": Keeps.STATE,
        "sample/x.PNG": Keeps.SAMPLE, "hparams.yml": Keeps.FOREIGN, "logs/20260101/hparams.yml": Keeps.LINK,
        "link": Keeps.LINK,
    }  # fmt: skip


def test_a_model_stays_even_when_the_manifest_calls_it_kls_own(tmp_path: Path) -> None:
    directory = run_in(tmp_path)
    write(directory, "x.safetensors", CONFIG)
    manifest = replace(MANIFEST, files=(*MANIFEST.files, FileRecord("x.safetensors", sha256=sha256_of(CONFIG))))
    assert survey(directory, manifest).kept == [Kept("x.safetensors", Keeps.MODEL)]


def test_the_logs_of_all_attempts_go(tmp_path: Path) -> None:
    directory = run_in(tmp_path)
    write(directory, "sdscripts-2.log", b"log")
    assert survey(directory, MANIFEST).kept == [Kept("sdscripts-2.log", Keeps.FOREIGN)]
    manifest = replace(MANIFEST, attempts=(Attempt(log="sdscripts.log"), Attempt(log="sdscripts-2.log")))
    assert survey(directory, manifest).kept == []
    hostile = replace(MANIFEST, attempts=(Attempt(log="../sdscripts.log"), Attempt(log="notes.txt")))
    write(directory, "notes.txt", b"x")
    assert Kept("notes.txt", Keeps.NOTE) in survey(directory, hostile).kept


def test_folders_in_folders_without_end_stay(tmp_path: Path) -> None:
    directory = run_in(tmp_path)
    folder = directory / "logs" / "/".join("d" * 300)
    folder.mkdir(parents=True)
    assert [kept.why for kept in survey(directory, MANIFEST).kept] == [Keeps.FOREIGN]


def test_another_file_system_in_it_keeps_all(tmp_path: Path) -> None:
    directory = run_in(tmp_path)
    outside = tmp_path / "outside"
    write(outside, "events.out.tfevents.1", b"precious")
    (directory / "logs" / "bound").mkdir()
    bind = ["mount", "--bind", str(outside), str(directory / "logs" / "bound")]
    if sys.platform != "linux" or subprocess.run(bind, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount")
    try:
        assert survey(directory, MANIFEST).kept == [Kept("logs/bound", Keeps.MOUNT)]
    finally:
        subprocess.run(["umount", str(directory / "logs" / "bound")], check=True)


def test_the_newest_records_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(removed, "KEPT", 3)
    home = removed.removed_folder()
    write(home, "not ours/run.json", b"kept")
    write(home, "old-v1s4-20200101T000000Z/run.json", b"{}")
    write(home, "old-v1s4-20200101T000000Z/sdscripts.log", b"")
    write(home, "odd-v1s4-20190101T000000Z/precious", b"kept")
    directory = run_in(tmp_path)
    folders = [removed.keep_record(directory, MANIFEST) for _ in range(4)]
    assert not (home / "old-v1s4-20200101T000000Z").exists()
    assert (home / "odd-v1s4-20190101T000000Z" / "precious").exists()
    assert (home / "not ours" / "run.json").exists()
    assert [folder.exists() for folder in folders] == [False, True, True, True]
    assert (folders[-1] / "sdscripts.log").read_bytes() == b"log"
    assert read_manifest(folders[-1]).name == "fox-v1s4"
    assert removed.removed_folder() == home


def test_a_record_that_cannot_be_kept_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    directory = run_in(tmp_path)

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OSError):
        removed.keep_record(directory, MANIFEST)
    assert list(removed.removed_folder().iterdir()) == []


def test_the_logs_of_all_attempts_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    directory = run_in(tmp_path)
    write(directory, "sdscripts-2.log", b"second")
    attempts = tuple(Attempt(log=log) for log in ("sdscripts.log", "sdscripts-2.log", "sdscripts-3.log", "/etc/hosts"))
    record = removed.keep_record(directory, replace(MANIFEST, attempts=attempts))
    assert {path.name for path in record.iterdir()} == {"run.json", "sdscripts.log", "sdscripts-2.log", "kl.log"}
    assert (record / "sdscripts-2.log").read_bytes() == b"second"
    removed.forget(record)
    assert not record.exists()


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_a_log_that_is_no_file_is_not_followed_or_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    log = run_in(tmp_path) / "sdscripts.log"
    log.unlink()
    if kind == "link":
        log.symlink_to(write(tmp_path, "outside.txt", b"secret"))
    elif kind == "fifo":
        os.mkfifo(log)
    else:
        log.mkdir()
    with pytest.raises(OSError):
        removed.keep_record(log.parent, MANIFEST)
    assert list(removed.removed_folder().iterdir()) == []
