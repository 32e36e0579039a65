from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from odd_files import make_pipe, make_socket

from launcher.base.places import cache_folder
from launcher.record import hash_memory, hashes
from launcher.record.hashes import HashError, Stopped, file_hash, file_hashes, folder_hash, short_hash, weights_hash

LARGE = 9_000_000  # bytes: worth remembering
LONG_AGO = 1_600_000_000


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the files that are read from now on."""
    read: list[int] = []
    real = hashes.digest

    def digest(handle: int, size: int, stop: hashes.Stop, *, weights: bool) -> hash_memory.Kept | None:
        read.append(size)
        return real(handle, size, stop, weights=weights)

    monkeypatch.setattr(hashes, "digest", digest)
    return read


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Path]:
    """A file that has not been touched for long, as its times of change are told."""
    path = tmp_path / "models" / "base.safetensors"
    path.parent.mkdir()
    path.write_bytes(os.urandom(1000) * (LARGE // 1000))
    yield path
    for file in (cache_folder() / "hashes").glob("*.json"):
        file.unlink()


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is far ahead: what was written in this test was written long ago."""
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600_000_000_000)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_has_its_size_time_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    found = file_hash(path)
    assert (found.size, found.sha256, found.weights) == (3, sha(b"abc"), None)
    assert found.modified == path.stat().st_mtime_ns


def test_a_large_file_is_read_once(large: Path, readings: list[int], settled: None) -> None:
    first = file_hash(large)
    assert first == file_hash(large) and first.sha256 == sha(large.read_bytes())
    assert readings == [large.stat().st_size]


def test_it_is_known_by_every_name_that_leads_to_it(large: Path, readings: list[int], settled: None) -> None:
    link = large.parent.parent / "link.safetensors"
    link.symlink_to(large)
    first = file_hash(large)
    assert file_hash(link) == first
    assert len(readings) == 1


def test_another_content_of_the_same_size_is_read_again(large: Path, readings: list[int], settled: None) -> None:
    before = file_hash(large)
    content = bytearray(large.read_bytes())
    content[-1] ^= 1
    large.write_bytes(content)
    os.utime(large, ns=(before.modified, before.modified))  # only the time of change tells
    assert file_hash(large).sha256 == sha(bytes(content)) != before.sha256
    assert len(readings) == 2


def test_nothing_is_remembered_of_a_file_that_was_just_written(large: Path, readings: list[int]) -> None:
    assert file_hash(large) == file_hash(large)
    assert len(readings) == 2


def test_small_files_are_not_worth_remembering(tmp_path: Path, readings: list[int], settled: None) -> None:
    path = tmp_path / "a.txt"
    path.write_text("fox")
    assert file_hash(path) == file_hash(path)
    assert len(readings) == 2


def test_nothing_is_believed_when_it_is_to_be_read(large: Path, readings: list[int], settled: None) -> None:
    file_hash(large)
    file_hash(large, remembered=False)
    assert len(readings) == 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"format": 2, "files": {}}',
        '{"format": 1}',
        '{"format": 1, "files": {"a": [1, 2, 3]}}',
        "[" * 9999,
    ],
)
def test_a_damaged_memory_is_empty(large: Path, content: str, readings: list[int], settled: None) -> None:
    first = file_hash(large)
    [file] = (cache_folder() / "hashes").glob("*.json")
    file.write_text(content)
    assert file_hash(large) == first
    assert len(readings) == 2
    assert file_hash(large) == first and len(readings) == 2, "it was not written anew"


def test_what_two_have_found_is_kept_together(large: Path, readings: list[int], settled: None) -> None:
    other = large.with_name("other.safetensors")
    other.write_bytes(b"y" * LARGE)
    with hashes.memory_of(large.parent) as one, hashes.memory_of(large.parent) as two:
        hashes.hash_in(one, str(large))
        hashes.hash_in(two, str(other))
    file_hash(large)
    file_hash(other)
    assert len(readings) == 2


def test_the_folders_not_looked_at_for_longest_are_forgotten(
    large: Path, monkeypatch: pytest.MonkeyPatch, settled: None
) -> None:
    monkeypatch.setattr(hash_memory, "_FOLDERS", 2)
    folder = cache_folder() / "hashes"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("old", "new"):
        (folder / f"{name}.json").write_text("{}")
    os.utime(folder / "old.json", (LONG_AGO, LONG_AGO))
    file_hash(large)
    left = {file.name for file in folder.iterdir()}
    assert "old.json" not in left and "new.json" in left and len(left) == 2


def test_a_memory_that_cannot_be_written_is_no_error(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: None
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(hash_memory, "cache_folder", lambda: tmp_path / "file")
    assert file_hash(large).sha256 == sha(large.read_bytes())


def test_it_stops_between_two_pieces(large: Path) -> None:
    asked: list[bool] = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 3

    with pytest.raises(Stopped):
        file_hash(large, stop)
    assert len(asked) == 4


@pytest.mark.parametrize("size", [0, 100, 0x100000, 0x100000 + 5, 0x110000, 0x110000 + 1, 3_000_000])
def test_the_short_hash_is_the_trainers(tmp_path: Path, size: int) -> None:
    """library/train_util.py, model_hash."""
    path = tmp_path / "model.ckpt"
    content = os.urandom(1000) * (size // 1000) + b"z" * (size % 1000)
    path.write_bytes(content)
    expected = sha(content[0x100000:0x110000])[:8]
    assert short_hash(path) == file_hash(path).short == expected


@given(header=some.integers(0, 3000), body=some.integers(0, 5000), piece=some.sampled_from([1, 7, 512, 4096]))
@settings(max_examples=60, deadline=None)
def test_the_hash_of_the_weights_leaves_the_header_out(
    tmp_path_factory: pytest.TempPathFactory, header: int, body: int, piece: int
) -> None:
    path = tmp_path_factory.mktemp("weights") / "a.safetensors"
    text = b"{" + b" " * header
    tensors = bytes(number % 251 for number in range(body))
    path.write_bytes(len(text).to_bytes(8, "little") + text + tensors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "_PIECE", piece)
        assert weights_hash(path) == sha(tensors)
        assert file_hash(path).sha256 == sha(path.read_bytes())


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x08\0\0\0\0\0\0\0x", (1 << 40).to_bytes(8, "little") + b"{"]
)
def test_what_is_no_safetensors_file_has_no_hash_of_weights(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    assert weights_hash(path) is None


def test_the_hash_of_weights_is_remembered_too(large: Path, readings: list[int], settled: None) -> None:
    assert file_hash(large).weights is None
    large.write_bytes((2).to_bytes(8, "little") + b"{}" + b"w" * LARGE)
    assert weights_hash(large) == weights_hash(large) == sha(b"w" * LARGE)
    assert len(readings) == 2


def _folder(path: Path) -> None:
    path.mkdir()


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _nothing(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_pipe, "is not a file"), (make_socket, "is not a file"), (_folder, "is not a file"),
        (_nothing, "is not there"), (_link_to_itself, "cannot be read: "),
    ],
)  # fmt: skip
def test_what_is_no_file_is_said_and_not_waited_for(tmp_path: Path, make: object, said: str) -> None:
    path = tmp_path / "thing"
    make(path)  # type: ignore[operator]
    with pytest.raises(HashError, match=said):
        file_hash(path)
    found = file_hashes(str(tmp_path), ["thing"])
    assert isinstance(found["thing"], HashError)


def test_a_name_that_no_file_can_have_is_said() -> None:
    with pytest.raises(HashError):
        file_hash(Path("a\0b"))


def test_a_file_that_changes_while_it_is_read_has_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 100)
    real = hashes.digest

    def digest(handle: int, size: int, stop: hashes.Stop, *, weights: bool) -> hash_memory.Kept | None:
        found = real(handle, size, stop, weights=weights)
        path.write_bytes(b"y" * 99)
        return found

    monkeypatch.setattr(hashes, "digest", digest)
    with pytest.raises(HashError, match="was changed while it was read"):
        file_hash(path)


def test_the_hash_of_a_folder_is_over_the_list_of_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_bytes(b"{}")
    (folder / "unet" / "w.bin").write_bytes(b"weights")
    (tmp_path / "blob").write_bytes(b"blob")
    (folder / "vae").symlink_to(tmp_path / "blob")  # as in the hub's cache
    lines = f"model_index.json {sha(b'{}')}\nunet/w.bin {sha(b'weights')}\nvae {sha(b'blob')}\n"
    found = folder_hash(folder)
    assert (found.sha256, found.size) == (sha(lines.encode()), 2 + 7 + 4)
    assert found.modified == max(path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file())


def test_folders_that_lead_back_to_themselves_end(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "again").symlink_to(tmp_path)
    assert folder_hash(tmp_path).sha256 == sha(f"a.txt {sha(b'a')}\n".encode())


def test_a_folder_with_a_pipe_or_too_many_files_has_no_hash(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").touch()
    assert len(list(hashes.files_below(tmp_path, 1))) == 1
    os.mkfifo(tmp_path / "in" / "pipe")
    with pytest.raises(HashError, match="has in/pipe, which is not a file"):
        folder_hash(tmp_path)
    with pytest.raises(HashError, match="more than 1 files"):
        list(hashes.files_below(tmp_path, 1))


def test_names_of_any_bytes_are_hashed(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.png")
    (tmp_path / name).write_bytes(b"x")
    assert folder_hash(tmp_path).sha256 == sha(b"\xff\xfe.png " + sha(b"x").encode() + b"\n")
    assert json.loads(json.dumps(name)) == name


def test_progress_counts_files(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).touch()
    seen: list[tuple[int, int]] = []
    file_hashes(str(tmp_path), ["a", "b", "c"], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
