"""The training script that people have becomes a spec: whatever its functions would set is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from issue_script import SCRIPT, lay_home

from launcher.cli.main import run
from launcher.demo.layout import lay_out


def test_the_script_becomes_a_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo, home = lay_out(tmp_path / "demo"), tmp_path / "home"
    (tmp_path / "pictures").mkdir()
    lay_home(home, demo.checkout, tmp_path / "pictures")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.chdir(tmp_path)
    options = "\n  # small\n  --network_module=lycoris.kohya --network_dim=4\n  --network_args algo=lokr  # tiny\n"
    text = SCRIPT.format(name="foobar-v1s24", options=options).replace(":-sdxl_train_network", ":-train_network")
    Path("foobar.zsh").write_text(text)
    assert run(["import", "foobar.zsh"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out == """# foobar-v1s24, from foobar.zsh.

[run]
script = "train_network.py"
sd_scripts = "~/source/repos/sd-scripts"
output_root = "~/output_dir"

[env]
kind = "conda"
name = "sdscripts"

[data]
dataset_config = "~/datasets/foobar/config.toml"

[network]
# small
network_module = "lycoris.kohya"
network_dim = 4

[network_args]
algo = "lokr"                              # tiny

[training]
max_train_steps = 24

[samples]
sample_prompts = "~/datasets/foobar/sample-prompts.txt"
"""
