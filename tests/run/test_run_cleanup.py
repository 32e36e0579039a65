"""Clean-up removes a run that holds nothing of worth, and never anything else."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.base.files import sha256_of
from launcher.record.manifest import FileRecord, Manifest, read_manifest
from launcher.run import removed
from launcher.run.cleanup import remove, survey

CONFIG = b"[general]\n"
MANIFEST = Manifest(name="fox-v1s4", files=(FileRecord("config.toml", sha256=sha256_of(CONFIG)),))
OURS = {
    "config.toml": CONFIG,
    "run.json": b"{}",
    ".run.json.abc.partial": b"{",
    "repos.git": b"",
    "sdscripts.log": b"log",
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
    assert found.foreign == []
    assert remove(directory, found)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "fox-v1s4.safetensors", "fox-step00000002.ckpt", "x.pt", "x.bin", "sample/a.png", "fox-state/model.safetensors",
        ".git/HEAD", "notes.txt", "logs/notes.txt", "logs/a/model.safetensors", "config.toml.bak", "a\nb",
        "sub/config.toml", "sub/sdscripts.log", "sample/sub/events.out.tfevents.1", "events.out.tfevents.1",
    ],
)  # fmt: skip
def test_anything_else_keeps_all(tmp_path: Path, name: str) -> None:
    directory = run_in(tmp_path)
    write(directory, name, b"precious")
    before = snapshot(tmp_path)
    found = survey(directory, MANIFEST)
    assert len(found.foreign) == 1 and name.startswith(found.foreign[0])
    assert not remove(directory, found)
    assert snapshot(tmp_path) == before


def test_a_file_that_was_edited_stays(tmp_path: Path) -> None:
    directory = run_in(tmp_path)
    write(directory, "config.toml", b"edited")
    assert survey(directory, MANIFEST).foreign == ["config.toml"]


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
    assert survey(directory, MANIFEST).foreign == [name]
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


NAMES = st.one_of(
    st.sampled_from(["a", "config.toml", "sdscripts.log", "logs", "sample", "events.out.tfevents.1", "new\nline",
                     ".git", "run.json", "x.safetensors", "-rf", "*", "é", "fox-state"]),
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
        lambda name: name not in (".", "..")
    ),
)  # fmt: skip
NODES = st.recursive(
    st.one_of(
        st.sampled_from([CONFIG, b"precious"]).map(lambda content: ("file", content)),
        st.sampled_from(["outside", "outside/kept.txt", "/nowhere", ".", ".."]).map(lambda to: ("link", to)),
        st.just(("hard", "outside/kept.txt")),
        st.just(("fifo", None)),
    ),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4).map(lambda tree: ("folder", tree)),
    max_leaves=8,
)


def build(root: Path, path: Path, node: tuple[str, object]) -> None:
    kind, content = node
    if kind == "folder" and isinstance(content, dict):
        path.mkdir(exist_ok=True)
        for name, inner in content.items():
            build(root, path / name, inner)
    elif path.exists() or path.is_symlink():
        return
    elif kind == "file" and isinstance(content, bytes):
        path.write_bytes(content)
    elif kind == "link":
        path.symlink_to(root / str(content))
    elif kind == "hard":
        path.hardlink_to(root / str(content))
    else:
        os.mkfifo(path)


def may_go(name: str, content: bytes | None) -> bool:
    """The rule again, in other words: what of a random tree clean-up may remove. None: it is no regular file."""
    parts = name.split("/")
    if content is None:
        return False
    if parts[0] == "logs" and len(parts) > 1:
        return parts[-1].startswith("events.out.tfevents")
    return name in ("run.json", "sdscripts.log") or (name == "config.toml" and content == CONFIG)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, NODES, max_size=5))
def test_nothing_foreign_is_ever_removed(tree: dict[str, tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, "outside/kept.txt", b"kept")
        directory = root / "fox-v1s4"
        directory.mkdir()
        for name, node in tree.items():
            build(root, directory / name, node)
        before = snapshot(root)
        inside = {
            name.removeprefix("fox-v1s4/"): entry for name, entry in before.items() if name.startswith("fox-v1s4/")
        }
        foreign = [
            name for name, (mode, content) in inside.items() if not stat.S_ISDIR(mode) and not may_go(name, content)
        ]
        gone = remove(directory, survey(directory, MANIFEST))
        after = snapshot(root)
        if gone:
            assert foreign == []
            assert set(before) - set(after) == {"fox-v1s4", *(f"fox-v1s4/{name}" for name in inside)}
            assert (root / "outside" / "kept.txt").read_bytes() == b"kept"
        else:
            assert after == before


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
