"""The manifest: written whole, read by older and newer versions."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.record.manifest import (
    Attempt,
    FileRecord,
    FindingRecord,
    Manifest,
    ManifestError,
    OptionRecord,
    RepositoryRecord,
    TrainerRecord,
    read_manifest,
    write_manifest,
)

FULL = Manifest(
    kl_version="0.1",
    name="fox-v1s4",
    trainer=TrainerRecord("/src/sd-scripts", "train_network.py", "a" * 40, "main", True, "https://example.org/x"),
    argv=("python", "-m", "x\ny", "ü"),
    variables={"A": "1"},
    options=(OptionRecord("network_args", {"algo": "locon", "dim": [1, 2.5, True, None]}, "spec", "a.toml:3"),),
    final=("fox-v1s4.safetensors",),
    files=(FileRecord("spec.toml", "/a.toml", "1", "2", 3),),
    repositories=(RepositoryRecord("sd-scripts", "/src", None, None, None, None, "not a git repository"),),
    findings=(FindingRecord("warning", "x", "y"),),
    attempts=(Attempt(started="2026-01-01T00:00:00+00:00", pid=1, pid_started=1.5, last_loss=0.5),),
)


def test_there_and_back(tmp_path: Path) -> None:
    write_manifest(FULL, tmp_path)
    assert read_manifest(tmp_path) == FULL
    assert read_manifest(tmp_path / "run.json") == FULL


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_json_has_no_number_for(tmp_path: Path, loss: float) -> None:
    write_manifest(replace(FULL, attempts=(Attempt(last_loss=loss),)), tmp_path)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    json.loads((tmp_path / "run.json").read_text(), parse_constant=refuse)
    read = read_manifest(tmp_path).attempts[0].last_loss
    assert read is not None and repr(read) == repr(loss)


def test_a_path_that_is_not_utf8(tmp_path: Path) -> None:
    odd = replace(FULL, python="/env/\udcff/\ud800/python")
    write_manifest(odd, tmp_path)
    assert read_manifest(tmp_path) == odd


def test_unknown_fields_are_passed_over_and_missing_ones_have_defaults(tmp_path: Path) -> None:
    data: dict[str, Any] = {
        "manifest_version": 7, "name": "a", "dreams": 1, "trainer": {"script": "x.py", "mood": "good"},
        "attempts": [{"started": "s", "gpu": "y"}], "files": "nonsense", "options": None,
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(data))
    manifest = read_manifest(tmp_path)
    assert (manifest.manifest_version, manifest.name, manifest.trainer.script) == (7, "a", "x.py")
    assert (manifest.attempts, manifest.files, manifest.options) == ((Attempt(started="s"),), (), ())


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"manifest_version": 1', "[" * 100_000, "\0"])
def test_what_is_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ManifestError):
        read_manifest(tmp_path)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_manifest(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["name", "trainer", "attempts", "files", "variables", "argv", "x"]), JSON))
def test_nonsense_in_a_field_is_no_traceback(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("manifest") / "run.json"
    path.write_text(json.dumps({"manifest_version": 1, **data}))
    read_manifest(path)


def test_nonsense_for_a_loss(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"manifest_version": 1, "attempts": [{"last_loss": "much"}]}')
    assert read_manifest(tmp_path).attempts[0].last_loss is None
