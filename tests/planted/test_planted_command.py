"""The real command on planted mistakes: its exit code and the shape of its JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from miniature import lay_out_miniature
from mistakes import SUBJECTS
from planted_bed import Bed, lay_out, open_bed
from sound_specs import BY_ID

import launcher

_SOURCE = Path(launcher.__file__).resolve().parent.parent
_BY_ID = {each.id: each for table in SUBJECTS.values() for each in table}


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    root = tmp_path_factory.mktemp("miniature")
    with open_bed(tmp_path_factory.mktemp("bed"), *lay_out_miniature(root)) as opened:
        yield opened


def _check(bed: Bed, folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "launcher", "check", "fox.toml", "--name", "fox-v1s2000", "--json", *words],
        cwd=folder,
        env={**bed.environ(), "PYTHONPATH": os.fspath(_SOURCE), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_a_sound_spec_ends_with_0(bed: Bed, tmp_path: Path) -> None:
    lay_out(bed, tmp_path, BY_ID["sd15-lora"])
    code, said = _check(bed, tmp_path)
    assert code == 0
    assert [each for each in said["findings"] if each["severity"] != "advice"] == []
    assert said["summary"]["refused"] is False


@pytest.mark.parametrize("name", ["misspelt-netwrok_dim", "config-num-repeat", "base-sdxl-for-sd1", "prompt-width"])
def test_an_error_ends_with_65_and_is_all_there_in_json(bed: Bed, tmp_path: Path, name: str) -> None:
    planted = _BY_ID[name]
    lay_out(bed, tmp_path, BY_ID[planted.base], planted.changes)
    code, said = _check(bed, tmp_path)
    assert code == 65
    assert set(said) >= {"spec", "findings", "summary"}
    (found,) = [each for each in said["findings"] if each["severity"] == "error"]
    assert set(found) == {"severity", "code", "message", "where", "hint"}
    assert (found["code"], planted.hint in found["hint"]) == (planted.code, True)
    assert found["where"].rpartition(":")[2].isdecimal()


def test_a_warning_refuses_with_strict_only_and_can_be_allowed(bed: Bed, tmp_path: Path) -> None:
    planted = _BY_ID["xformers-and-sdpa"]
    lay_out(bed, tmp_path, BY_ID[planted.base], planted.changes)
    assert _check(bed, tmp_path)[0] == 0
    assert _check(bed, tmp_path, "--strict")[0] == 65
    code, said = _check(bed, tmp_path, "--strict", "--allow", planted.code)
    assert (code, [each["code"] for each in said["allowed"]]) == (0, [planted.code])


def test_tokens_that_were_not_counted_are_said_unasked(bed: Bed, tmp_path: Path) -> None:
    lay_out(bed, tmp_path, BY_ID["sd15-lora"])
    words = [sys.executable, "-m", "launcher", "check", "fox.toml", "--name", "fox-v1s2000"]
    environ = {**bed.environ(), "PYTHONPATH": os.fspath(_SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}
    said = [subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True).stdout]
    (tmp_path / "long.txt").write_text("a fox in the forest, " * 30 + "--w 512 --h 512\n", "utf-8")
    words += ["--set", f"sample_prompts={tmp_path / 'long.txt'}", "--set", "sample_every_n_steps=500"]
    said.append(subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True).stdout)
    assert ["were not counted" in text for text in said] == [False, True]
