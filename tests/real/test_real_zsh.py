"""The training script that people have, unchanged, with real sd-scripts, on the bed that KL_REALBED names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from real_bed import BASE_MODEL, CHECKOUT, PYTHON, SHAPES, TOKENIZERS, needs

sys.path += [str(Path(__file__).parents[1] / name) for name in ("zsh", "setup")]

from conda_bed import conda_bed
from issue_script import call, environment_like, lay_home, write_script
from zsh_bed import NO_ZSH, kl_command

NAME = "foobar-v1s4"

pytestmark = [
    pytest.mark.skipif(NO_ZSH, reason="needs zsh"),
    needs(CHECKOUT, PYTHON, BASE_MODEL),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the script was called: four steps of an SD 1.x LoRA."""
    root = tmp_path_factory.mktemp("zsh")
    home = root / "home"
    (root / "bin").mkdir()
    kl_command(root / "bin")
    lay_home(home, CHECKOUT, SHAPES)
    environment_like(conda_bed(home, "conda").environment("sdscripts"), PYTHON)
    options = (
        f"--pretrained_model_name_or_path={BASE_MODEL}", f"--tokenizer_cache_dir={TOKENIZERS}",
        "--network_module=lycoris.kohya", "--network_dim=4", "--network_args algo=locon preset=attn-mlp",
        "--mixed_precision=no", "--max_data_loader_n_workers=0", "--sdpa", "--save_every_n_steps=2", "--save_state",
        "--sample_every_n_steps=2", "--seed=7",
    )  # fmt: skip
    more = {"SD_SCRIPT": "train_network.py", "HF_HUB_OFFLINE": "1"}
    called = call(home, write_script(home, NAME, options), more=more)
    assert called.returncode == 0, called.stderr + called.stdout
    return home


def test_it_trains(home: Path) -> None:
    run = home / "output_dir" / NAME
    names = {path.name for path in run.iterdir()}
    assert {f"{NAME}.safetensors", f"{NAME}-state", f"{NAME}-step00000002.safetensors", "script.zsh"} <= names
    assert len(list((run / "sample").glob("*.png"))) == 2
    assert list((home / "output_dir" / "logs").glob(f"{NAME}-*/*/events.out.tfevents.*"))
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["outcome"] == "succeeded"
    assert manifest["attempts"][0]["last_step"] == 4


def test_the_record_holds(home: Path) -> None:
    verified = call(home, "kl", "verify", NAME)
    assert verified.returncode == 0, verified.stdout
