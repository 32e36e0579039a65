"""A run is found by its name or its folder, also after it was removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.record.manifest import Manifest, write_manifest
from launcher.run.find import find_run, removed_runs, runs_in
from launcher.run.removed import keep_record
from launcher.run.roots import remember_root, remembered_roots


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def _run(root: Path, name: str) -> Path:
    (root / name).mkdir(parents=True)
    write_manifest(Manifest(name=name), root / name)
    return root / name


def test_the_first_root_that_has_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    here, _ = _run(first, "fox-v1s10"), _run(second, "fox-v1s10")
    there = _run(second, "owl-v1s10")
    (first / "not-a-run").mkdir()
    roots = [tmp_path / "missing", first, second]
    assert find_run("fox-v1s10", roots).directory == here
    assert find_run("owl-v1s10", roots).directory == there
    assert find_run(str(there), []).directory == there
    assert [run.name for run in runs_in([*roots, first])] == ["fox-v1s10", "fox-v1s10", "owl-v1s10"]


def test_a_removed_run_is_found_by_its_name(tmp_path: Path) -> None:
    directory = _run(tmp_path / "root", "fox-v1s10")
    first = keep_record(directory, Manifest(name="fox-v1s10"))
    second = keep_record(directory, Manifest(name="fox-v1s10"))
    assert not find_run("fox-v1s10", [tmp_path / "root"]).removed
    found = find_run("fox-v1s10", [])
    assert found.removed and found.directory == second != first
    assert [run.directory for run in removed_runs()] == [second, first]
    by_folder = find_run(str(first), [])
    assert by_folder.removed and by_folder.name == "fox-v1s10"


def test_the_nearest_name_is_said(tmp_path: Path) -> None:
    _run(tmp_path, "fox-v1s10")
    with pytest.raises(KlError) as error:
        find_run("fox-v1s100", [tmp_path])
    assert error.value.code is ExitCode.USAGE and error.value.hint == "Did you mean fox-v1s10?"
    with pytest.raises(KlError, match=r"has no run\.json"):
        find_run(f"{tmp_path}/empty", [])


def test_roots_are_remembered_the_latest_first(tmp_path: Path) -> None:
    assert remembered_roots() == ()
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    for root in (first, second, first, tmp_path / "gone"):
        remember_root(root)
    assert remembered_roots() == (first, second)
    (tmp_path / "state" / "kl" / "output-roots.json").write_text("[1, {")
    assert remembered_roots() == ()
