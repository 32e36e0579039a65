"""The script that people have, unchanged, with the demo trainer: a LoRA is trained for every run here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from issue_script import call, environment_like, lay_home, write_script
from zsh_bed import NO_ZSH, kl_command

from launcher.demo.layout import lay_out, missing_packages

sys.path.append(str(Path(__file__).parents[1] / "setup"))

from conda_bed import conda_bed

pytestmark = [
    pytest.mark.skipif(NO_ZSH, reason="needs zsh"),
    pytest.mark.skipif(bool(missing_packages()), reason=f"the demo needs {', '.join(missing_packages())}"),
]
NAME = "foobar-v1s6"
OPTIONS = (
    "--pretrained_model_name_or_path=demo", "--network_module=lycoris.kohya", "--network_dim=4",
    "--network_args algo=locon preset=attn-mlp", "--learning_rate=0.004", "--seed=7",
    "--max_data_loader_n_workers=0", "--save_every_n_steps=2 --save_state",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the demo, after the script was called in it."""
    root = tmp_path_factory.mktemp("zsh")
    home = root / "home"
    (root / "bin").mkdir()
    kl_command(root / "bin")
    demo = lay_out(root / "demo")
    lay_home(home, demo.checkout, demo.dataset)
    environment_like(conda_bed(home, "conda").environment("sdscripts"), Path(sys.executable))
    called = call(home, write_script(home, NAME, OPTIONS))
    assert called.returncode == 0, called.stderr + called.stdout
    return home


def test_it_trains(home: Path) -> None:
    run = home / "output_dir" / NAME
    assert (run / f"{NAME}.safetensors").is_file()
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["outcome"] == "succeeded"
    assert manifest["trainer"]["script"] == "sdxl_train_network.py"
    assert manifest["python"] == str(home / "miniforge3" / "envs" / "sdscripts" / "bin" / "python")
    assert "--max_train_steps=6" in manifest["argv"]
    assert "train 6 steps" in (run / "sdscripts.log").read_text()
    assert (run / "script.zsh").read_bytes() == (home / f"{NAME}.zsh").read_bytes()
    assert [path.name.rpartition("-")[0] for path in (home / "output_dir" / "logs").iterdir()] == [NAME]
    assert not (run / "logs").exists()


def test_other_commands_know_the_run(home: Path) -> None:
    assert NAME in call(home, "kl", "ls").stdout
    assert "succeeded" in call(home, "kl", "show", NAME).stdout
    verified = call(home, "kl", "verify", NAME)
    assert (verified.returncode, "Everything is as recorded" in verified.stdout) == (0, True), verified.stdout


def test_it_is_reproduced_bit_for_bit(home: Path) -> None:
    done = call(home, "kl", "reproduce", NAME)
    assert done.returncode == 0, done.stderr
    assert "identical" in done.stdout
    assert "not identical" not in done.stdout
    again = home / "output_dir" / f"{NAME}-reproduced"
    assert (again / "script.zsh").read_bytes() == (home / f"{NAME}.zsh").read_bytes()
    compared = call(home, "kl", "diff", NAME, again.name)
    assert "They are the same" in compared.stdout


def test_it_is_resumed_and_checked_again(home: Path) -> None:
    name = "foobar-v2s6"
    failed = call(home, write_script(home, name, OPTIONS), more={"KL_DEMO_FAIL_AT_STEP": "5"})
    assert failed.returncode == 1
    run = home / "output_dir" / name
    assert (run / f"{name}-step00000004-state").is_dir()
    resumed = call(home, "kl", "resume", name)
    assert resumed.returncode == 0, resumed.stderr
    assert "nothing was checked" not in resumed.stderr
    assert "goes on from" in resumed.stderr
    manifest = json.loads((run / "run.json").read_text())
    assert [each["outcome"] for each in manifest["attempts"]] == ["failed", "succeeded"]
    assert manifest["attempts"][-1]["last_step"] == 6
