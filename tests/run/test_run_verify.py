"""Whatever stands in a run directory, it is checked without a traceback, and no program of it is started."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.cli.main import run
from launcher.record.environment import EnvironmentRecord, PythonRecord, environment_bytes
from launcher.record.manifest import FileRecord, Manifest
from launcher.record.packages import PackageRecord
from launcher.run.check_environment import check_environment
from launcher.run.checked import State

TEXTS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["/", "..", "/dev/zero", "/proc/self/fd", "run.json", "owner/model", "~", "a\nb"]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(), TEXTS),
    lambda each: st.lists(each, max_size=2) | st.dictionaries(st.sampled_from(["name", "path", "value"]), each),
    max_leaves=5,
)
NUMBERS = ("size", "last_step")


def records(*names: str) -> st.SearchStrategy[Any]:
    """Lists of records in which some values are of the right kind, and some of any."""
    sound = {name: st.integers(0, 9) if name in NUMBERS else TEXTS for name in names}
    any_kind = {name: st.one_of(sound[name], VALUES) for name in names}
    each = (st.fixed_dictionaries({}, optional=values) for values in (sound, sound, any_kind))
    return st.lists(st.one_of(*each), max_size=2)


MANIFESTS = st.fixed_dictionaries(
    {"manifest_version": st.sampled_from([1, 2, 3])},
    optional={
        "name": TEXTS, "python": TEXTS, "trainer": st.fixed_dictionaries({"checkout": TEXTS}), "notes": TEXTS,
        "variables": st.dictionaries(TEXTS, TEXTS, max_size=2),
        "options": records("name", "value", "command"), "files": records("name", "source", "sha256", "size"),
        "repositories": records("name", "path", "commit", "tree", "patch", "inside"),
        "inputs": records("option", "path", "sha256", "revision", "size"), "attempts": records("log", "last_step"),
        "artifacts": records("path", "kind", "sha256", "size"),
        "dataset": st.fixed_dictionaries({}, optional={"file": TEXTS, "sha256": TEXTS}) | VALUES,
    },
)  # fmt: skip
FILES = st.one_of(st.just(b""), st.binary(max_size=20), VALUES.map(lambda value: json.dumps(value).encode()))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MANIFESTS, FILES, FILES)
def test_any_run_directory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    manifest: dict[str, Any],
    dataset: bytes,
    environment: bytes,
) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    directory = tmp_path / "run"
    directory.mkdir(exist_ok=True)
    (directory / "run.json").write_text(json.dumps(manifest))
    (directory / "dataset.json").write_bytes(dataset)
    (directory / "environment.json").write_bytes(environment)
    assert run(["verify", str(directory)]) in (0, 1, 73), capsys.readouterr().err
    assert run(["diff", str(directory), str(directory)]) in (0, 73), capsys.readouterr().err
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert "same but for" not in said.out


def _evil(folder: Path, name: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\ntouch {folder}/started\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(("place", "name"), [("run", "python"), ("elsewhere", "evil")])
def test_what_a_run_directory_names_is_not_started(tmp_path: Path, place: str, name: str) -> None:
    for folder in ("run", "elsewhere"):
        (tmp_path / folder).mkdir()
    program = _evil(tmp_path / place, name)
    (tmp_path / "run" / "environment.json").write_bytes(environment_bytes(EnvironmentRecord()))
    (found,) = check_environment(tmp_path / "run", Manifest(python=str(program)))
    assert found.state is State.UNCHECKED
    assert not list(tmp_path.rglob("started"))


def test_the_interpreter_that_is_recorded_is_asked(tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_bytes(environment_bytes(EnvironmentRecord()))
    states = {each.state for each in check_environment(tmp_path, Manifest(python=sys.executable))}
    assert State.UNCHECKED not in states and State.GONE not in states


@pytest.mark.parametrize("content", [None, b"{"])
def test_an_environment_that_was_recorded_and_is_lost_is_not_as_recorded(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "environment.json").write_bytes(content)
    before = Manifest(python=sys.executable)
    (found,) = check_environment(tmp_path, before)
    assert found.state is State.NOT_RECORDED
    (found,) = check_environment(tmp_path, replace(before, files=(FileRecord("environment.json"),)))
    assert found.state is State.UNCHECKED and "environment.json" in found.said


def test_packages_and_environment_are_a_section_each(tmp_path: Path) -> None:
    elsewhere = EnvironmentRecord(
        python=PythonRecord(sys.executable, "3.1"), host="elsewhere", packages=(PackageRecord("nowhere", "1"),)
    )
    (tmp_path / "environment.json").write_bytes(environment_bytes(elsewhere))
    sections = [each.section for each in check_environment(tmp_path, Manifest(python=sys.executable))]
    assert sections == sorted(sections, reverse=True) and len(set(sections)) == 2
