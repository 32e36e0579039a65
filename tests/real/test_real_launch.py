"""A LoRA trained by real sd-scripts through `kl launch`, on the bed that KL_REALBED names."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from real_bed import BASE_MODEL, CHECKOUT, PYTHON, kl, lora_spec, needs

from launcher.record.dataset import DATASET
from launcher.record.environment import ENVIRONMENT
from launcher.record.model_metadata import METADATA

pytestmark = needs(CHECKOUT, PYTHON, BASE_MODEL)

BESIDE = (ENVIRONMENT, DATASET, METADATA)  # written while it trains, when repos.git is long there
OPTIONS = "save_every_n_steps = 2\nsave_state = true\nsample_every_n_steps = 2\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a whole training, four steps long."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "shapes.toml").write_text(lora_spec(OPTIONS))
    done = kl(folder, "launch", "shapes-v1s4")
    assert done.returncode == 0, done.stderr + done.stdout
    return folder / "output" / "shapes-v1s4"


def test_everything_the_trainer_writes_is_there(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {"shapes-v1s4.safetensors", "shapes-v1s4-state"} <= names
    assert {f"shapes-v1s4-step0000000{step}{end}" for step in (2, 4) for end in (".safetensors", "-state")} <= names
    assert len(list((run / "sample").glob("*.png"))) == 2
    assert list(run.glob("logs/*/*/events.out.tfevents.*"))


def test_the_record_is_true(run: Path) -> None:
    manifest = json.loads((run / "run.json").read_text())
    head = subprocess.run(
        ["git", "-C", str(CHECKOUT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert manifest["outcome"] == "succeeded"
    assert manifest["trainer"]["commit"] == head
    assert manifest["attempts"][0]["last_step"] == 4
    assert manifest["attempts"][0]["exit_code"] == 0
    lines = (run / "repos.git").read_text()
    assert head in lines
    for file in manifest["files"]:
        content = (run / file["name"]).read_bytes()
        assert hashlib.sha1(content, usedforsecurity=False).hexdigest() == file["sha1"]
        assert file["sha1"] in lines or file["name"] in ("repos.git", *BESIDE)


def test_a_typo_is_refused_and_leaves_nothing(run: Path) -> None:
    folder = run.parent.parent
    (folder / "typo.toml").write_text(lora_spec(OPTIONS).replace("network_dim", "netwrok_dim"))
    done = kl(folder, "launch", "typo-v1s4")
    assert done.returncode == 65
    assert "Did you mean network_dim?" in done.stderr
    assert not (folder / "output" / "typo-v1s4").exists()


def test_what_the_trainer_itself_finds_out_late_is_reported_with_its_own_exception(run: Path) -> None:
    folder = run.parent.parent
    # SparseAdam refuses the gradients that it is given, in its first step: nothing in a source says so beforehand.
    done = kl(folder, "launch", "shapes-v2s4", "--set", "optimizer_type=SparseAdam")
    assert done.returncode == 1
    assert "SparseAdam does not support dense gradients" in done.stderr
    assert not (folder / "output" / "shapes-v2s4").exists()  # it left nothing to keep
