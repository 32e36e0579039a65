"""A run directory that is recorded ahead of its launch, and what a launch makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin, Source
from launcher.plan.plan import PlannedFile
from launcher.record.manifest import Manifest, read_manifest, write_manifest
from launcher.record.repositories import RecordedCode, record_code
from launcher.run.ahead import is_recorded_ahead, record_ahead, recorded_ahead, take_or_go_on
from launcher.run.clean import find_to_clean, judge
from launcher.run.directory import held
from launcher.run.outcome import Outcome
from launcher.run.state import current_outcome

ORIGIN = Origin(Source.ARGUMENT, "the calling script")
NO_CODE = RecordedCode((), {})


def _files(folder: Path) -> list[PlannedFile]:
    return [
        PlannedFile("config.toml", b"[general]\n", ORIGIN, folder / "config.toml"),
        PlannedFile("script.zsh", b"#!/bin/zsh\n", ORIGIN, folder / "a.zsh"),
    ]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One that was recorded ahead, with a patch."""
    directory = tmp_path / "out" / "fox-v1s4"
    repository = record_code([("sd-scripts", tmp_path)]).repositories
    code = RecordedCode(repository, {"patches/sd-scripts.patch": b"diff\n"})
    record_ahead(directory, code, _files(tmp_path), ["nothing"], no_clean=False)
    return directory


def test_what_is_recorded(run: Path, tmp_path: Path) -> None:
    manifest = read_manifest(run)
    assert is_recorded_ahead(manifest)
    assert current_outcome(run, manifest) is Outcome.PLANNED
    assert sorted(file.name for file in manifest.files) == [
        "config.toml", "patches/sd-scripts.patch", "repos.git", "script.zsh",
    ]  # fmt: skip
    assert manifest.not_recorded == ("nothing",)
    found = recorded_ahead(run)
    assert found is not None
    assert found.repositories == (tmp_path,)
    assert found.caller is not None
    assert (found.caller.name, found.caller.content, found.caller.source) == (
        "script.zsh", b"#!/bin/zsh\n", tmp_path / "a.zsh",
    )  # fmt: skip


def test_a_directory_that_is_there_is_not_recorded_in(run: Path) -> None:
    before = (run / "run.json").read_bytes()
    with pytest.raises(KlError) as refused:
        record_ahead(run, NO_CODE, [], [], no_clean=False)
    assert refused.value.code is ExitCode.OUTPUT_UNAVAILABLE
    assert (run / "run.json").read_bytes() == before


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    twice = [PlannedFile("config.toml", b"", ORIGIN), PlannedFile("config.toml", b"", ORIGIN)]
    with pytest.raises(KlError) as refused:
        record_ahead(tmp_path / "out" / "fox-v1s4", NO_CODE, twice, [], no_clean=False)
    assert refused.value.code is ExitCode.OUTPUT_UNAVAILABLE
    assert list(tmp_path.iterdir()) == []


def test_a_launch_goes_on_in_an_empty_directory(run: Path) -> None:
    taken = take_or_go_on(run)
    assert taken.path == run
    assert [path.name for path in run.iterdir()] == ["run.json"]
    with pytest.raises(KlError):  # another one does not
        take_or_go_on(run)


def test_it_may_be_cleaned_away(run: Path) -> None:
    roots = [run.parent]
    assert judge(find_to_clean(str(run), roots), roots, {}).goes


def test_one_that_was_cut_short_may_be_cleaned_away(run: Path) -> None:
    write_manifest(Manifest(name=run.name), run)  # as before its files were written
    roots = [run.parent]
    assert judge(find_to_clean(str(run), roots), roots, {}).goes
    (run / "script.zsh").write_text("changed")
    assert judge(find_to_clean(str(run), roots), roots, {}).stays == ("a file was changed by hand: script.zsh",)


def test_without_a_directory_it_is_made(tmp_path: Path) -> None:
    assert take_or_go_on(tmp_path / "out" / "fox-v1s4").parents == (tmp_path / "out",)


def _another_file(run: Path) -> None:
    (run / "mine.txt").write_text("mine")


def _changed(run: Path) -> None:
    (run / "config.toml").write_text("other")


def _log(run: Path) -> None:
    (run / "sdscripts.log").write_text("a log that kl record does not write")


def _launched(run: Path) -> None:
    write_manifest(Manifest(name=run.name, argv=("python",)), run)


def _damaged(run: Path) -> None:
    (run / "run.json").write_text('{"manifest_version": 2, "files": [{"name": 7}]}')


def _no_manifest(run: Path) -> None:
    (run / "run.json").unlink()


@pytest.mark.parametrize("change", [_another_file, _changed, _log, _launched, _damaged, _no_manifest])
def test_what_is_otherwise_is_left_alone(run: Path, change: object) -> None:
    assert callable(change)
    change(run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(KlError) as refused:
        take_or_go_on(run)
    assert refused.value.code is ExitCode.OUTPUT_UNAVAILABLE
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_one_in_which_another_kl_is_at_work_is_left_alone(run: Path) -> None:
    with held(run) as mine, pytest.raises(KlError):
        assert mine
        take_or_go_on(run)
    assert (run / "config.toml").is_file()


@pytest.mark.parametrize("kind", ["file", "link", "broken link"])
def test_what_is_no_directory_is_refused(run: Path, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    if kind == "file":
        place.touch()
    else:
        place.symlink_to(run if kind == "link" else tmp_path / "gone")
    with pytest.raises(KlError) as refused:
        take_or_go_on(place)
    assert refused.value.code is ExitCode.OUTPUT_UNAVAILABLE
    assert (run / "config.toml").is_file()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"manifest_version": 2}', '{"manifest_version": 2, "files": 7}'])
def test_a_foreign_manifest_is_nothing_to_go_on_with(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    assert recorded_ahead(tmp_path) is None
