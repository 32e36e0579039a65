"""A home in which training scripts for zsh are called: with the functions, a checkout, an environment and pictures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate_sources import ONE_PROCESS

import launcher
from launcher.base.places import shipped_folder

SOURCE = Path(launcher.__file__).resolve().parent.parent
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
NAME = "foobar-v1s4"
NO_ZSH = shutil.which("zsh") is None

# Does as FAKE says: "succeed", "fail" (ends with 7), "sample" (fails and leaves a sample), "wait" (until it is ended).
TRAINER = """
import argparse, os, sys, time
from pathlib import Path

def setup_parser():
    parser = argparse.ArgumentParser()
    for name in ("pretrained_model_name_or_path", "dataset_config", "sample_prompts", "output_dir", "output_name",
                 "logging_dir", "log_prefix", "wandb_api_key", "network_module", "comment", "save_model_as"):
        parser.add_argument("--" + name, type=str)
    parser.add_argument("--network_args", type=str, nargs="*")
    parser.add_argument("--network_dim", type=int)
    parser.add_argument("--max_train_steps", type=int, default=1600)
    return parser

if __name__ == "__main__":
    args = setup_parser().parse_args()
    what = os.environ.get("FAKE", "succeed")
    print("the trainer is in", os.getcwd(), flush=True)
    print("dataset", Path(args.dataset_config).read_text(), flush=True)
    out = Path(args.output_dir)
    if what == "sample":
        (out / "sample").mkdir()
        (out / "sample" / "a.png").write_bytes(b"picture")
    if what in ("fail", "sample"):
        sys.exit(7)
    if what == "wait":
        Path(os.environ["SIGN"]).touch()
        while True:
            time.sleep(0.05)
    (out / (args.output_name + ".safetensors")).write_bytes(b"whole")
"""
# Its options, which kl reads, and what it does.
ACCELERATE = (
    """
import argparse

def launch_command_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config_file")
    parser.add_argument("--num_processes", type=int)
    parser.add_argument("--num_machines", type=int)
    parser.add_argument("--mixed_precision")
    parser.add_argument("--dynamo_backend")
    parser.add_argument("--num_cpu_threads_per_process", type=int)
    parser.add_argument("--cpu", action="store_true")
    return parser
"""
    + ONE_PROCESS
)
NETWORK = """
def create_network(multiplier, network_dim, network_alpha, vae, text_encoder, unet, **kwargs):
    return kwargs.get("conv_dim", None)
"""
HEAD = """#!/usr/bin/env zsh
{options}
NAME={name}
TRAINING_DIR="$HOME/datasets/foo bar's"
OUTPUT_DIR="$HOME/the \\"runs\\""
SD_REPO="$HOME/sd scripts"
args=( --pretrained_model_name_or_path=owner/model --network_module=networks.lora --comment="it's \\"quoted\\" *" )
source "$(kl zsh path)"
"""
BODY = """
setup_training_vars "$NAME"
args+=( --output_dir="$OUTPUT_DIR/$NAME" --output_name="$NAME" --log_prefix="$NAME-" --logging_dir="$OUTPUT_DIR/logs"
        --max_train_steps=$STEPS --dataset_config="$TRAINING_DIR/config.toml" "$@" )
LYCORIS_REPO=$(get_lycoris_repo)
trap cleanup_empty_output EXIT TERM
store_commits_hashes "$SD_REPO" "$LYCORIS_REPO"
run_training_script "$SD_REPO/train_network.py" "${args[@]}"
"""


@dataclass(frozen=True)
class Called:
    """A script that ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class ZshBed:
    """The home. Its folders have blanks and quotes in their names."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "it's a home"

    @property
    def dataset(self) -> Path:
        return self.home / "datasets" / "foo bar's"

    @property
    def checkout(self) -> Path:
        return self.home / "sd scripts"

    @property
    def runs(self) -> Path:
        return self.home / 'the "runs"'

    @property
    def run(self) -> Path:
        return self.runs / NAME

    @property
    def environment(self) -> Path:
        return self.root / "environment"

    @property
    def sign(self) -> Path:
        """There once the trainer waits."""
        return self.root / "waits"

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        home = str(self.home)
        return {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", "HOME": home, "LC_ALL": "C.UTF-8", "TERM": "dumb",
            "VIRTUAL_ENV": str(self.environment), "SIGN": str(self.sign), "XDG_CONFIG_HOME": f"{home}/.config",
            "XDG_CACHE_HOME": f"{home}/.cache", "XDG_STATE_HOME": f"{home}/.state", "PYTHONDONTWRITEBYTECODE": "1",
            **(more or {}),
        }  # fmt: skip

    def script(self, text: str = "", *, options: str = "set -e -o pipefail", name: str = NAME) -> Path:
        """A training script: the head of every one, then the text."""
        path = self.home / "train it.zsh"
        path.write_text(HEAD.format(options=options, name=name) + (text or BODY))
        path.chmod(0o755)
        return path

    def call(self, *words: str | Path, folder: Path | None = None, **environ: str) -> Called:
        done = subprocess.run(
            list(map(str, words)), cwd=folder or self.home, env=self.environ(environ), stdin=subprocess.DEVNULL,
            capture_output=True, check=False,
        )  # fmt: skip
        return Called(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def kl(self, *words: str, **environ: str) -> Called:
        return self.call("kl", *words, folder=self.home, **{**environ, "OUTPUT_DIR": str(self.runs)})

    def manifest(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.run / "run.json").read_text())
        return data


def make_bed(root: Path) -> ZshBed:
    bed = ZshBed(root)
    for folder in (bed.dataset, bed.checkout / "networks", bed.checkout / "library", root / "bin", bed.home / ".cache"):
        folder.mkdir(parents=True)
    kl_command(root / "bin")
    (bed.dataset / "config.toml").write_text("# the dataset\n")
    (bed.dataset / "sample-prompts.txt").write_text("a fox\n")
    (bed.checkout / "library" / "train_util.py").touch()
    (bed.checkout / "networks" / "lora.py").write_text(NETWORK)
    (bed.checkout / "train_network.py").write_text(TRAINER)
    git = ["git", "-C", str(bed.checkout), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    commands = bed.environment / "lib" / VERSION / "site-packages" / "accelerate" / "commands"
    commands.mkdir(parents=True)
    (commands.parent / "__init__.py").touch()
    (commands / "__init__.py").touch()
    (commands / "launch.py").write_text(ACCELERATE)
    (bed.environment / "bin").mkdir()
    (bed.environment / "bin" / "python").symlink_to(sys.executable)
    (bed.environment / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\n")
    return bed


def kl_command(folder: Path) -> None:
    """A command `kl` in a folder, for the PATH."""
    program = folder / "kl"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{SOURCE}" exec "{sys.executable}" -c '
        "'import os; del os.environ[\"PYTHONPATH\"]; from launcher.cli.main import main; main()' \"$@\"\n"
    )
    program.chmod(0o755)


def functions() -> Path:
    return shipped_folder("zsh") / "train_functions.zsh"
