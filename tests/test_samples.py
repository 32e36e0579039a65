"""Runs that a kl of each version of the manifest wrote, read by this one: copied elsewhere, on another machine."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launcher.base.files import sha256_of
from launcher.cli.main import run
from launcher.record.manifest import VERSION, read_manifest
from launcher.run.outcome import Outcome
from launcher.run.resume import choose
from launcher.run.state import current_outcome

SAMPLES = Path(__file__).resolve().parent / "samples"
VERSIONS = sorted(int(folder.name.removeprefix("run-v")) for folder in SAMPLES.glob("run-v*"))
NAME = "shapes-v1s6"
TAKEN_AWAY = ("resume/", "shapes-v1s6-state", "shapes-v1s6-step00000002-state", "shapes-v1s6-step00000004-state")

Say = Callable[..., str]


@pytest.fixture(params=VERSIONS, ids="v{}".format)
def version(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture
def directory(version: int, tmp_path: Path) -> Path:
    return shutil.copytree(SAMPLES / f"run-v{version}", tmp_path / "out" / NAME)


@pytest.fixture
def kl(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run a command and return what it printed."""
    for name, folder in {
        "OUTPUT_DIR": directory.parent, "HOME": tmp_path / "home", "XDG_STATE_HOME": tmp_path / "state",
        "XDG_CACHE_HOME": tmp_path / "cache", "XDG_CONFIG_HOME": tmp_path / "config",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("TZ", "UTC")

    def said(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        assert run(words) == code, capsys.readouterr().err
        return capsys.readouterr().out

    return said


def test_there_is_one_of_each_version() -> None:
    assert list(range(1, VERSION + 1)) == VERSIONS


def test_the_manifest_says_what_it_is_of(version: int, directory: Path) -> None:
    manifest = read_manifest(directory)
    assert manifest.manifest_version == version and manifest.name == NAME
    assert current_outcome(directory, manifest) is Outcome.SUCCEEDED
    assert [attempt.outcome for attempt in manifest.attempts] == ["failed", "succeeded"]
    assert manifest.trainer.commit and manifest.trainer.dirty and manifest.trainer.remote
    assert {option.name: option.value for option in manifest.options}["network_args"]["algo"] == "locon"
    for file in manifest.files:
        if not file.name.startswith(TAKEN_AWAY):
            assert sha256_of((directory / file.name).read_bytes()) == file.sha256, file.name


def test_no_trace_of_the_machine_that_made_them(version: int) -> None:
    for path in (SAMPLES / f"run-v{version}").rglob("*"):
        if path.suffix == ".json":
            places = set(re.findall(rb'"(/[a-z]+)/', path.read_bytes()))
            assert places <= {b"/home", b"/usr", b"/dev"}, path


def test_show(kl: Say, directory: Path) -> None:
    lines = kl("show", NAME).splitlines()
    assert lines[0].startswith(f"{NAME}: succeeded, 6/6 steps, loss 1.02, lowest 1.01, ")
    assert "  notes             lower rate than before" in lines
    assert sum(line.startswith("  attempt ") for line in lines) == 2
    data = json.loads(kl("show", NAME, "--json"))
    gone = [name for name in data["gone"] if not name.startswith(TAKEN_AWAY)]
    assert data["outcome"] == "succeeded" and gone == []
    kept: Any = data["manifest"]
    assert kept["trainer"]["remote"] == "https://git.example/lynx/sd-scripts.git"
    assert kl("show", NAME, "config.toml") == f"{directory}/config.toml\n"


def test_show_of_its_model(kl: Say, directory: Path, tmp_path: Path) -> None:
    model = directory / f"{NAME}.safetensors"
    assert f"made by           {NAME} (it stands in the run's directory)" in kl("show", str(model))
    copied = shutil.copy(model, tmp_path / "copied.safetensors")
    assert f"made by           {NAME} (the same file, byte for byte" in kl("show", str(copied))


def test_what_version_2_records_besides(kl: Say, version: int) -> None:
    out = kl("show", NAME)
    for words in (
        "  noted             2026-11-22 10:44 the colours are better",
        "changes in patches/sd-scripts.patch",
        "left out of them: large.bin: larger than 1 MiB",
        "CPython 3.11.7, torch 2.13.0+cpu, ",
        "  machine           den, Debian GNU/Linux 12 (bookworm)",
        "  dataset           8 pictures, 8 captions, 1.78 kB, sha256 933953e2a22f, each in dataset.json",
        "  inputs            ~/demo/first.safetensors",
        "sha256 6493146e3653",
    ):
        assert (words.replace("~", "/home/lynx") in out) is (version >= 2), words


def test_diff(kl: Say, version: int, tmp_path: Path) -> None:
    assert "the same" in kl("diff", NAME, str(SAMPLES / f"run-v{version}"))
    other = "2" if version == 1 else "1"
    said = kl("diff", str(SAMPLES / f"run-v{other}"), NAME)
    assert "network_weights" in said and "not recorded in" in said
    assert "pictures" not in said.partition("not recorded in")[0]


def test_verify(kl: Say, version: int) -> None:
    """Checkout, pictures and environment are on the machine that it was copied from."""
    data = json.loads(kl("verify", NAME, "--json", code=1))
    text = kl("verify", NAME, code=1)
    assert ("shapes-v1s6.safetensors" in text) is False
    assert ("hashes of" in text) is (version == 1)
    assert "differs" not in text and data


def test_ls(kl: Say) -> None:
    for words in ((), ("lower", "rate"), ("--dataset", "shapes"), ("--since", "2026-11-01")):
        listed = json.loads(kl("ls", "--json", *words))["runs"]
        assert [(each["name"], each["outcome"], each["step"]) for each in listed] == [(NAME, "succeeded", 6)], words
    assert json.loads(kl("ls", "--json", "--failed"))["runs"] == []


def test_a_note(kl: Say) -> None:
    kl("note", NAME, "read by a newer kl")
    assert "read by a newer kl" in kl("show", NAME)


def test_resume_finds_its_state(directory: Path) -> None:
    start, said = choose(directory, read_manifest(directory), Outcome.SUCCEEDED, 12)
    assert (start.state, start.step, said) == (directory / f"{NAME}-step00000006-state", 6, ())
