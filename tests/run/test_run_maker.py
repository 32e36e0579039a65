"""Which known run made a file: by where it stands, what is in it, or what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.base.times import moment
from launcher.record.hashes import FileHash, file_hash
from launcher.record.manifest import ArtifactRecord, Attempt, Manifest, read_manifest, write_manifest
from launcher.run.maker import By, Maker, maker_of

STARTED, ENDED = "2026-11-01T10:00:00+00:00", "2026-11-01T10:30:00+00:00"
CONTENT = b"weights " * 20_000


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _run(root: Path, name: str, content: bytes | None = CONTENT, **hashes: str | None) -> Path:
    directory = root / name
    directory.mkdir(parents=True)
    model = f"{name}.safetensors"
    artifacts = (ArtifactRecord(model, "model", len(content or CONTENT), **hashes),)
    if content is not None:
        (directory / model).write_bytes(content)
    attempt = Attempt(started=STARTED, ended=ENDED, exit_code=0)
    write_manifest(Manifest(name=name, final=(model,), attempts=(attempt,), artifacts=artifacts), directory)
    return directory


def _maker(file: Path, roots: list[Path], metadata: dict[str, str] | None = None) -> Maker | None:
    return maker_of(file, metadata or {}, roots, lambda: file_hash(file, weights=True, remembered=False))


def test_a_file_in_its_runs_directory(tmp_path: Path) -> None:
    directory = _run(tmp_path, "fox-v1s10")
    found = _maker(directory / "fox-v1s10.safetensors", [])
    assert found is not None and (found.run.name, found.by) == ("fox-v1s10", By.PATH)
    (directory / "base.safetensors").write_bytes(b"another")
    assert _maker(directory / "base.safetensors", [tmp_path]) is None  # it only lies there


def test_a_copy_is_known_by_its_content_alone(tmp_path: Path) -> None:
    _run(tmp_path / "out", "owl-v1s10", CONTENT[:-1] + b"!")  # of the same size, and the same at the start
    directory = _run(tmp_path / "out", "fox-v1s10")
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(CONTENT)
    found = _maker(copy, [tmp_path / "out"])
    assert found is not None and (found.run.name, found.by) == ("fox-v1s10", By.CONTENT)
    assert found.path == directory / "fox-v1s10.safetensors"
    copy.write_bytes(CONTENT[:-1] + b"?")
    assert _maker(copy, [tmp_path / "out"]) is None


def test_the_hash_is_worked_out_only_where_a_run_has_a_file_like_it(tmp_path: Path) -> None:
    _run(tmp_path / "out", "fox-v1s10")
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"!" + CONTENT[1:])

    def never() -> FileHash:
        raise AssertionError("hashed")

    assert maker_of(other, {}, [tmp_path / "out"], never) is None


def test_a_file_that_was_moved_away_is_known_by_what_it_says(tmp_path: Path) -> None:
    _run(tmp_path / "out", "fox-v1s10", None)
    file = tmp_path / "moved.safetensors"
    file.write_bytes(CONTENT)
    start = moment(STARTED) or 0.0
    says = {"ss_output_name": "fox-v1s10", "ss_training_started_at": str(start + 60)}
    found = _maker(file, [tmp_path / "out"], says)
    assert found is not None and (found.run.name, found.by, found.path) == ("fox-v1s10", By.METADATA, None)
    for wrong in (
        {"ss_training_started_at": str(start + 86400)}, {"ss_output_name": "owl"}, {"ss_training_started_at": "soon"},
        {"ss_training_started_at": "nan"},
    ):  # fmt: skip
        assert _maker(file, [tmp_path / "out"], {**says, **wrong}) is None


def _safetensors(metadata: str, weights: bytes = b"\1" * 64) -> bytes:
    tensor = {"dtype": "U8", "shape": [len(weights)], "data_offsets": [0, len(weights)]}
    header = json.dumps({"__metadata__": {"said": metadata}, "a": tensor}).encode()
    return len(header).to_bytes(8, "little") + header + weights


def _recorded(root: Path, name: str, content: bytes) -> Path:
    """A run that recorded the hashes of its model, which was moved away since."""
    file = root / "its.safetensors"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    hashes = file_hash(file, weights=True, remembered=False)
    directory = _run(root, name, content, sha256=hashes.sha256, weights_sha256=hashes.weights)
    (directory / f"{name}.safetensors").unlink()
    file.unlink()
    return directory


def test_a_file_that_was_moved_away_is_known_by_its_recorded_hash(tmp_path: Path) -> None:
    _recorded(tmp_path / "out", "owl-v1s10", _safetensors("own", b"\2" * 64))
    _recorded(tmp_path / "out", "fox-v1s10", _safetensors("own"))
    file = tmp_path / "renamed.safetensors"
    file.write_bytes(_safetensors("own"))
    found = _maker(file, [tmp_path / "out"])
    assert found is not None and (found.run.name, found.by, found.path) == ("fox-v1s10", By.RECORDED, None)
    assert found.name == "fox-v1s10.safetensors"


def test_a_file_with_other_metadata_is_known_by_its_weights(tmp_path: Path) -> None:
    _recorded(tmp_path / "out", "fox-v1s10", _safetensors("own"))
    file = tmp_path / "renamed.safetensors"
    file.write_bytes(_safetensors("written by somebody else"))
    found = _maker(file, [tmp_path / "out"])
    assert found is not None and (found.run.name, found.by) == ("fox-v1s10", By.WEIGHTS)
    file.write_bytes(_safetensors("own", b"\3" * 64))
    assert _maker(file, [tmp_path / "out"]) is None


def test_of_runs_with_the_same_weights_it_is_the_first(tmp_path: Path) -> None:
    for name, day in (("a-v1s10", "03"), ("b-v1s10", "02"), ("c-v1s10", "04")):
        directory = _recorded(tmp_path / "out", name, _safetensors("x"))
        attempt = Attempt(started=f"2026-11-{day}T10:00:00+00:00", exit_code=0)
        write_manifest(replace(read_manifest(directory), attempts=(attempt,)), directory)
    file = tmp_path / "other.safetensors"
    file.write_bytes(_safetensors("other metadata"))
    found = _maker(file, [tmp_path / "out"])
    assert found is not None and (found.run.name, found.by) == ("b-v1s10", By.WEIGHTS)


def test_a_file_in_its_place_with_other_weights_is_told(tmp_path: Path) -> None:
    directory = _recorded(tmp_path / "out", "fox-v1s10", _safetensors("own"))
    file = directory / "fox-v1s10.safetensors"
    changed = []
    for content in (_safetensors("own"), _safetensors("other metadata"), _safetensors("own", b"\4" * 64)):
        file.write_bytes(content)
        found = _maker(file, [])
        assert found is not None and found.by is By.PATH
        changed.append(found.changed)
    assert changed == [False, False, True]


def test_hashes_of_another_kind_are_none(tmp_path: Path) -> None:
    directory = _run(tmp_path / "out", "fox-v1s10", _safetensors("own"))
    data = json.loads((directory / "run.json").read_text())
    data["artifacts"][0] |= {"sha256": 5, "weights_sha256": ["x"]}
    (directory / "run.json").write_text(json.dumps(data))
    (directory / "fox-v1s10.safetensors").unlink()
    file = tmp_path / "renamed.safetensors"
    file.write_bytes(_safetensors("own"))
    assert _maker(file, [tmp_path / "out"]) is None


def test_a_large_file_is_not_hashed_for_small_ones(tmp_path: Path) -> None:
    _recorded(tmp_path / "out", "fox-v1s10", _safetensors("own"))
    file = tmp_path / "base.safetensors"
    file.write_bytes(_safetensors("own", b"\0" * (1 << 25)))

    def never() -> FileHash:
        raise AssertionError("hashed")

    assert maker_of(file, {}, [tmp_path / "out"], never) is None
