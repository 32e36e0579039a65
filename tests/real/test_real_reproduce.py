"""A run of real sd-scripts trained once more, by `kl reproduce` and by its reproduce.sh: the same tensors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from real_bed import BASE_MODEL, CHECKOUT, PYTHON, kl, lora_spec, needs

from launcher.data.weights import WeightsComparison, compare_weights

NAME = "shapes-v1s2"

pytestmark = needs(CHECKOUT, PYTHON, BASE_MODEL)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps, all that is left: it was copied, its spec is gone, its checkout moved on and edited."""
    folder = tmp_path_factory.mktemp("real")
    checkout = folder / "sd-scripts"
    shutil.copytree(CHECKOUT, checkout, ignore=shutil.ignore_patterns(".git", "__pycache__"))
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "as it is")):
        _git(checkout, *words)
    with (checkout / "train_network.py").open("a") as script:
        script.write("\n# edited before the launch\n")
    (checkout / "untracked.bin").write_bytes(bytes(range(256)))
    (folder / "shapes.toml").write_text(lora_spec("seed = 7\n", checkout=checkout))
    done = kl(folder, "launch", NAME)
    assert done.returncode == 0, done.stderr + done.stdout
    (folder / "shapes.toml").unlink()
    (checkout / "untracked.bin").unlink()
    _git(checkout, "rm", "-q", "--cached", "README.md")
    _git(checkout, "commit", "-q", "-m", "another commit")
    with (checkout / "library" / "train_util.py").open("a") as library:
        library.write("\nraise SystemExit('not the code of then')\n")
    copy = folder / "elsewhere-under-a-longer-name" / NAME  # where memory lies depends on it
    shutil.copytree(folder / "output" / NAME, copy)
    shutil.rmtree(folder / "output")
    return copy


def test_kl_reproduce_makes_the_same_tensors(run: Path) -> None:
    before = _state(run.parent.parent / "sd-scripts")
    done = kl(run.parent, "reproduce", f"./{NAME}", "--json", home=run.parent.parent / "home")
    assert done.returncode == 0, done.stderr + done.stdout
    said = json.loads(done.stdout)
    assert said["identical"] is True, said
    _same_tensors(run / f"{NAME}.safetensors", run.parent / f"{NAME}-reproduced" / f"{NAME}-reproduced.safetensors")
    assert _state(run.parent.parent / "sd-scripts") == before
    old, new = (json.loads((place / "run.json").read_text()) for place in (run, Path(said["directory"])))
    assert new["reproduces"]["differences"] == []
    assert new["repositories"][0]["tree"] == old["repositories"][0]["tree"]
    assert new["dataset"]["sha256"] == old["dataset"]["sha256"]
    assert [each["sha256"] for each in new["inputs"]] == [each["sha256"] for each in old["inputs"]]


def test_reproduce_sh_makes_the_same_tensors(run: Path) -> None:
    output = run.parent / "by-hand"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KL_")}
    done = subprocess.run(
        ["sh", str(run / "reproduce.sh")], env={**environ, "OUTPUT": str(output), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    _same_tensors(run / f"{NAME}.safetensors", output / f"{NAME}.safetensors")


def _same_tensors(old: Path, new: Path) -> None:
    found = compare_weights(old, new)
    assert isinstance(found, WeightsComparison), found
    assert found.identical, found
    assert found.tensors > 100


def _state(checkout: Path) -> tuple[str, str, str]:
    words = (("rev-parse", "HEAD"), ("status", "--porcelain"), ("worktree", "list"))
    head, status, worktrees = (_git(checkout, *each) for each in words)
    return head, status, worktrees


def _git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout
