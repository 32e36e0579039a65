"""Which known run made a file: by where it stands, what is in it, or what it says."""

from __future__ import annotations

from pathlib import Path

from launcher.base.times import moment
from launcher.record.manifest import ArtifactRecord, Attempt, Manifest, write_manifest
from launcher.run.maker import By, Maker, maker_of, sha256_of_file

STARTED, ENDED = "2026-11-01T10:00:00+00:00", "2026-11-01T10:30:00+00:00"
CONTENT = b"weights " * 20_000


def _run(root: Path, name: str, content: bytes | None = CONTENT) -> Path:
    directory = root / name
    directory.mkdir(parents=True)
    model = f"{name}.safetensors"
    artifacts = (ArtifactRecord(model, "model", len(CONTENT)),)
    if content is not None:
        (directory / model).write_bytes(content)
    attempt = Attempt(started=STARTED, ended=ENDED, exit_code=0)
    write_manifest(Manifest(name=name, final=(model,), attempts=(attempt,), artifacts=artifacts), directory)
    return directory


def _maker(file: Path, roots: list[Path], metadata: dict[str, str] | None = None) -> Maker | None:
    return maker_of(file, metadata or {}, roots, lambda: sha256_of_file(file))


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
    def never() -> str:
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
