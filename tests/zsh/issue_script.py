"""The training script that people have, and a home in which it works unchanged."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from launcher.base.places import shipped_folder

# Only the name and the options of the model are other ones than in people's own.
SCRIPT = """#!/usr/bin/env zsh
set -e -o pipefail
NAME={name}
TRAINING_DIR="$HOME/datasets/foobar"       # optional
# STEPS=2400  OUTPUT_DIR=…                  # optional
SD_SCRIPT="${{SD_SCRIPT:-sdxl_train_network.py}}"
SD_REPO="${{SD_REPO:-$HOME/source/repos/sd-scripts}}"
args=( {options} )
source "$HOME/toolkit/zsh/train_functions.zsh"
setup_training_vars "$NAME"
setup_conda_env "sdscripts"                 # optional
args+=( --output_dir="$OUTPUT_DIR/$NAME" --output_name="$NAME" --log_prefix="$NAME-" --logging_dir="$OUTPUT_DIR/logs"
        --max_train_steps=$STEPS --dataset_config="$TRAINING_DIR/config.toml" --sample_prompts="$TRAINING_DIR/sample-prompts.txt" "$@" )
LYCORIS_REPO=$(get_lycoris_repo)
trap cleanup_empty_output EXIT TERM
store_commits_hashes "$SD_REPO" "$LYCORIS_REPO"
run_training_script "$SD_REPO/$SD_SCRIPT" "${{args[@]}}"
"""  # noqa: E501 - as it is in the wild
CONFIG = "[accelerate]\ncpu = true\n"


def lay_home(home: Path, checkout: Path, dataset: Path) -> None:
    """Put checkout, dataset and functions where the script looks for them."""
    for link, target in (
        (home / "source" / "repos" / "sd-scripts", checkout),
        (home / "toolkit" / "zsh", shipped_folder("zsh")),
    ):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    shutil.copytree(dataset, home / "datasets" / "foobar")
    (home / ".config" / "kl").mkdir(parents=True)
    (home / ".config" / "kl" / "config.toml").write_text(CONFIG)


def environment_like(prefix: Path, python: Path) -> None:
    """Make of a conda environment one with the interpreter and packages of another one."""
    program = prefix / "bin" / "python"
    program.unlink()
    program.write_text(f'#!/bin/sh\nexec "{python}" "$@"\n')
    program.chmod(0o755)
    shutil.rmtree(prefix / "lib")
    packages = next((python.parent.parent / "lib").glob("python3*/site-packages"))
    folder = prefix / "lib" / packages.parent.name
    folder.mkdir(parents=True)
    (folder / "site-packages").symlink_to(packages)


def write_script(home: Path, name: str, options: Sequence[str]) -> Path:
    path = home / f"{name}.zsh"
    path.write_text(SCRIPT.format(name=name, options=" ".join(options)))
    path.chmod(0o755)
    return path


def call(home: Path, *words: str | Path, more: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Call something in a home of its own, with kl on the PATH; no environment is active."""
    kept = {name: value for name, value in os.environ.items() if name in ("LD_LIBRARY_PATH", "TMPDIR")}
    path = f"{home.parent / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    environ = {
        **kept, "PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": f"{home}/.config",
        "XDG_CACHE_HOME": f"{home}/.cache", "XDG_STATE_HOME": f"{home}/.state", **(more or {}),
    }  # fmt: skip
    return subprocess.run(
        list(map(str, words)), cwd=home, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
